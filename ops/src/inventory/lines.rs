//! On which line each process and each of its keys stands.
//!
//! YAML readers forget lines once a document is data, and findings need them. Only the layout that
//! people write is known, a list of block mappings; for any other the line of the process is given.

use std::collections::HashMap;

/// Where the keys of one process stand.
#[derive(Debug, Default)]
struct Item {
    line: usize,
    keys: HashMap<String, usize>,
}

/// Where everything stands.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    top: HashMap<String, usize>,
    items: Vec<Item>,
}

impl Lines {
    /// Finds the lines of the items of the top-level list called `list`.
    pub(crate) fn of(text: &str, list: &str) -> Self {
        let mut lines = Self::default();
        let mut inside = false;
        let mut dash = None;
        for (number, line) in (1..).zip(text.lines()) {
            let content = line.trim_start();
            let indent = line.len() - content.len();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let item = content.strip_prefix("- ");
            if indent == 0 && item.is_none() {
                let key = key_of(content);
                inside = key == Some(list);
                lines.top.extend(key.map(|key| (key.to_owned(), number)));
            } else if let (true, Some(rest)) = (inside, item)
                && indent == *dash.get_or_insert(indent)
            {
                lines.items.push(Item { line: number, keys: HashMap::new() });
                lines.note(rest.trim_start(), number);
            } else if inside && dash.is_some_and(|dash| indent == dash + 2) {
                lines.note(content, number);
            }
        }
        lines
    }

    fn note(&mut self, content: &str, number: usize) {
        if let (Some(key), Some(item)) = (key_of(content), self.items.last_mut()) {
            item.keys.entry(key.to_owned()).or_insert(number);
        }
    }

    /// The line of a key of an item; of the item itself if the key is not found; 0 if that is not
    /// found either.
    pub(crate) fn of_key(&self, item: usize, key: &str) -> usize {
        self.items.get(item).map_or(0, |item| item.keys.get(key).copied().unwrap_or(item.line))
    }

    /// The line of a key of the document.
    pub(crate) fn of_top(&self, key: &str) -> usize {
        self.top.get(key).copied().unwrap_or(0)
    }
}

fn key_of(content: &str) -> Option<&str> {
    let (key, rest) = content.split_once(':')?;
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (plain && (rest.is_empty() || rest.starts_with(' '))).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_line() {
        let text = "version: 1\n\nprocesses:\n  # one\n  - name: a\n    kind: node\n    dns:\n      - b\n  \
                    - kind: node\n    name: c\nother:\n  - name: d\n";
        let lines = Lines::of(text, "processes");
        assert_eq!((lines.of_top("version"), lines.of_top("processes")), (1, 3));
        assert_eq!((lines.of_key(0, "name"), lines.of_key(0, "kind")), (5, 6));
        assert_eq!((lines.of_key(0, "dns"), lines.of_key(0, "url")), (7, 5));
        assert_eq!((lines.of_key(1, "name"), lines.of_key(1, "kind")), (10, 9));
        assert_eq!(lines.of_key(2, "name"), 0);
    }

    #[test]
    fn a_list_without_indentation_is_read_too() {
        let lines = Lines::of("processes:\n- name: a\n  kind: node\n- {name: b}\n", "processes");
        assert_eq!((lines.of_key(0, "kind"), lines.of_key(1, "name")), (3, 4));
    }
}
