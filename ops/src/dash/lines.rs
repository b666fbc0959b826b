//! Lines of files: where a value of a YAML or JSON document stands, so that findings name it.
//!
//! Readers of both formats forget positions. These find them again in the text, and answer with the
//! nearest line above when a part cannot be told apart, never with a wrong file or a panic.

use std::collections::HashMap;

/// One step into a document.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// Into a mapping.
    Key(&'a str),
    /// Into a list.
    Item(usize),
}

/// The line of a value of a YAML document in block style, counted from 1; of the nearest value around
/// it when there is no such value.
pub(crate) fn of_yaml(text: &str, path: &[Step<'_>]) -> usize {
    let mut block: Vec<(usize, usize, &str)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim_start();
        if !content.is_empty() && !content.starts_with('#') && content != "---" {
            block.push((index + 1, line.len() - content.len(), content));
        }
    }
    let mut found = block.first().map_or(1, |first| first.0);
    for step in path {
        let inner = match step {
            Step::Key(key) => below_key(&block, key),
            Step::Item(index) => item(&block, *index),
        };
        let Some((line, inner)) = inner else {
            return found;
        };
        (found, block) = (line, inner);
    }
    found
}

type Block<'a> = Vec<(usize, usize, &'a str)>;

fn below_key<'a>(block: &[(usize, usize, &'a str)], key: &str) -> Option<(usize, Block<'a>)> {
    let indent = block.first()?.1;
    let is_key = |content: &str| {
        let quoted = content.trim_start_matches(['"', '\'']);
        let rest = quoted.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']));
        rest.is_some_and(|rest| rest == ":" || rest.starts_with(": "))
    };
    let at = block.iter().position(|(_, at, content)| *at == indent && is_key(content))?;
    let inner = block[at + 1..].iter().copied();
    let inner = inner.take_while(|(_, at, content)| {
        *at > indent || (*at == indent && content.starts_with("- "))
    });
    Some((block[at].0, inner.collect()))
}

fn item<'a>(block: &[(usize, usize, &'a str)], index: usize) -> Option<(usize, Block<'a>)> {
    let indent = block.first()?.1;
    let starts = |line: &(usize, usize, &str)| line.1 == indent && line.2.starts_with("- ");
    let first = block.iter().enumerate().filter(|(_, line)| starts(line)).nth(index)?.0;
    let (number, _, content) = block[first];
    let rest = content[2..].trim_start();
    let mut inner = vec![(number, indent + content.len() - rest.len(), rest)];
    let after = block[first + 1..].iter().copied();
    inner.extend(after.take_while(|line| line.1 > indent));
    Some((number, inner))
}

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
    fn values_of_yaml_are_found_by_keys_and_items() {
        let text = "# head\nrows:\n  - title: a\n    panels:\n    - title: x\n\n    - show: [q]\n      title: y\n  - title: b\nlast: 1\n";
        let line = |path: &[Step<'_>]| of_yaml(text, path);
        let (rows, panels) = (Step::Key("rows"), Step::Key("panels"));
        assert_eq!(line(&[rows]), 2);
        assert_eq!(line(&[rows, Step::Item(0), panels, Step::Item(1)]), 7);
        assert_eq!(line(&[rows, Step::Item(0), panels, Step::Item(1), Step::Key("title")]), 8);
        assert_eq!(line(&[rows, Step::Item(1), Step::Key("title")]), 9);
        assert_eq!(line(&[Step::Key("last")]), 10);
        assert_eq!(line(&[rows, Step::Item(0), Step::Key("none")]), 3, "the nearest around it");
        assert_eq!(of_yaml("", &[rows]), 1);
    }

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
