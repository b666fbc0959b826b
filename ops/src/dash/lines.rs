//! Lines of JSON: where each value of a document stands, so that findings name it.
//!
//! Readers forget positions. This finds them again in the text, and answers with the nearest line
//! above when a part cannot be told apart, never with a wrong file or a panic.

use std::collections::HashMap;

/// The lines of all values of a JSON document, by pointer such as `/panels/0/title`.
#[derive(Debug, Default)]
pub(crate) struct JsonLines {
    lines: HashMap<String, usize>,
}

impl JsonLines {
    /// Reads a document that is known to be JSON.
    pub(crate) fn of(text: &str) -> Self {
        let mut lines = HashMap::new();
        // Where the scan is: the pointer of each open container, and the index or key within it.
        let mut open: Vec<(String, Option<usize>)> = Vec::new();
        let (mut key, mut line) = (None::<String>, 1);
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            match char {
                '\n' => line += 1,
                ',' => {
                    if let Some((_, Some(index))) = open.last_mut() {
                        *index += 1;
                    }
                }
                '}' | ']' => {
                    open.pop();
                }
                '"' => {
                    let end = end_of_string(text, at);
                    while chars.next_if(|(next, _)| *next < end).is_some() {}
                    let is_key = open.last().is_some_and(|(_, index)| index.is_none());
                    if is_key && key.is_none() {
                        key = serde_json::from_str(&text[at..end]).ok();
                    } else {
                        lines.insert(pointer(&open, &mut key), line);
                    }
                }
                '{' | '[' => {
                    let here = pointer(&open, &mut key);
                    lines.insert(here.clone(), line);
                    open.push((here, (char == '[').then_some(0)));
                }
                char if char.is_ascii_alphanumeric() || char == '-' => {
                    lines.insert(pointer(&open, &mut key), line);
                    while chars.next_if(|(_, next)| !",]} \n\r\t".contains(*next)).is_some() {}
                }
                _ => {}
            }
        }
        Self { lines }
    }

    /// The line of a pointer, or of the nearest value around it.
    pub(crate) fn line(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.lines.get(pointer) {
                return *line;
            }
            match pointer.rfind('/') {
                Some(cut) => pointer = &pointer[..cut],
                None => return 1,
            }
        }
    }
}

/// Where a string that begins at `start` ends, its quotes included.
fn end_of_string(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn pointer(open: &[(String, Option<usize>)], key: &mut Option<String>) -> String {
    match open.last() {
        None => String::new(),
        Some((around, Some(index))) => format!("{around}/{index}"),
        Some((around, None)) => format!("{around}/{}", key.take().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_json_are_found_by_pointers() {
        let text = "{\n \"a\": [\n  {\"b\": \"x}\\\"\"},\n  -1,\n  {\n   \"c\":\n    true}\n ],\n \"d\": {\"e\": null}\n}";
        let lines = JsonLines::of(text);
        for (pointer, line) in [
            ("", 1),
            ("/a", 2),
            ("/a/0/b", 3),
            ("/a/1", 4),
            ("/a/2", 5),
            ("/a/2/c", 7),
            ("/d/e", 9),
            ("/d/none/at/all", 9),
        ] {
            assert_eq!(lines.line(pointer), line, "{pointer}");
        }
    }
}
