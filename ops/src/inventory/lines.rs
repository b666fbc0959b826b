//! On which line each process and each of its keys stands.

use crate::locate::Step::{At, Key};
use crate::locate::find;

/// Where everything stands.
#[derive(Debug)]
pub(crate) struct Lines {
    text: String,
    list: &'static str,
}

impl Lines {
    /// Keeps the text of a document with a top-level list called `list`.
    pub(crate) fn of(text: &str, list: &'static str) -> Self {
        Self { text: text.to_owned(), list }
    }

    /// The line of a key of an item; of the item itself if the key is not found; 0 if that is not
    /// found either.
    pub(crate) fn of_key(&self, item: usize, key: &str) -> usize {
        let path = [Key(self.list), At(item), Key(key)];
        find(&self.text, &path).or_else(|| find(&self.text, &path[..2])).unwrap_or(0)
    }

    /// The line of a key of the document; 0 if it is not found.
    pub(crate) fn of_top(&self, key: &str) -> usize {
        find(&self.text, &[Key(key)]).unwrap_or(0)
    }
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
