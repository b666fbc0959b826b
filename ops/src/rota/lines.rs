//! The lines at which values of a YAML file stand, by paths such as `schedules.0.layers.1.people`.
//!
//! It knows block collections, which is how people write such files. What it does not know, a value
//! within brackets for one, has the line of what holds it: a finding never lacks a line.

use std::collections::BTreeMap;

/// Lines by path.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: BTreeMap<String, usize>,
}

/// One open collection.
struct Open {
    /// The column of its keys or dashes.
    column: usize,
    /// Its path.
    path: String,
    /// The place of the last item, in a list.
    item: Option<usize>,
    /// The path of its last value.
    last: String,
}

impl Lines {
    /// Reads the lines of a text.
    pub(crate) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        let mut open: Vec<Open> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                lines.take(&mut open, (number + 1, line.len() - trimmed.len()), trimmed);
            }
        }
        lines
    }

    fn take(&mut self, open: &mut Vec<Open>, (number, mut column): (usize, usize), mut rest: &str) {
        while let Some(after) = rest.strip_prefix('-').filter(|after| after.starts_with(' ')) {
            // Dashes may stand at the column of the key that holds them.
            let list = within(open, column, |one| one.item.is_some());
            let item = list.item.map_or(0, |item| item + 1);
            list.item = Some(item);
            list.last = joined(&list.path, &item.to_string());
            self.lines.insert(list.last.clone(), number);
            let content = after.trim_start();
            column += rest.len() - content.len();
            rest = content;
        }
        if let Some(key) = key_of(rest) {
            let map = within(open, column, |one| one.item.is_none());
            map.last = joined(&map.path, key);
            self.lines.insert(map.last.clone(), number);
        }
    }

    /// The line of a path, or of the nearest that holds it; 0 when there is none.
    pub(crate) fn at(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            match path.rsplit_once('.') {
                Some((above, _)) => path = above,
                None => return 0,
            }
        }
    }
}

/// The collection of this column, of those that are open; what is deeper is closed.
fn within(open: &mut Vec<Open>, column: usize, same: impl Fn(&Open) -> bool) -> &mut Open {
    // A list at the column of its key lies within the map of that key.
    let list = |one: &Open| one.item.is_some();
    open.retain(|one| one.column < column || (one.column == column && (same(one) || !list(one))));
    if !open.last().is_some_and(|last| last.column == column && same(last)) {
        let path = open.last().map_or_else(String::new, |above| above.last.clone());
        open.push(Open { column, last: path.clone(), path, item: None });
    }
    open.last_mut().expect("it was pushed if there was none")
}

/// The line of an error of YAML. A value that is refused is told at what holds it, so the line is
/// that of the first text that the error quotes, from there on.
pub(crate) fn line_of(error: &serde_yaml::Error, text: &str) -> usize {
    let holder = error.location().map_or(1, |place| place.line());
    let told = error.to_string();
    let quoted = ['"', '`'].iter().find_map(|quote| {
        let (_, rest) = told.split_once(*quote)?;
        rest.split_once(*quote).map(|(quoted, _)| quoted)
    });
    let Some(quoted) = quoted.filter(|quoted| !quoted.is_empty()) else { return holder };
    let mut lines = text.lines().enumerate().skip(holder.saturating_sub(1));
    lines.find(|(_, line)| line.contains(quoted)).map_or(holder, |(at, _)| at + 1)
}

fn joined(path: &str, next: &str) -> String {
    if path.is_empty() { next.to_owned() } else { format!("{path}.{next}") }
}

/// The key of `key: value` or `key:`, unless the line is something else.
fn key_of(text: &str) -> Option<&str> {
    let (key, after) = text.split_once(':')?;
    let plain = !key.is_empty() && !key.starts_with(['{', '[', '"', '\'']);
    (plain && (after.is_empty() || after.starts_with(' '))).then_some(key.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# a rota\npeople:\n  - handle: a\n    tz: UTC\n  - handle: b\nschedules:\n- name: s\n  \
                        layers:\n  - name: l\n    people: [a, b]\n    hours:\n      from: 1\n  - name: m\n  \
                        overrides:\n    - {from: x}\nlast: 1\n";

    #[test]
    fn values_stand_where_they_are_written() {
        let lines = Lines::of(TEXT);
        for (path, line) in [
            ("people", 2),
            ("people.0.handle", 3),
            ("people.0.tz", 4),
            ("people.1", 5),
            ("schedules.0.name", 7),
            ("schedules.0.layers.0.people", 10),
            ("schedules.0.layers.0.hours.from", 12),
            ("schedules.0.layers.1", 13),
            ("schedules.0.overrides.0", 15),
            ("last", 16),
        ] {
            assert_eq!(lines.at(path), line, "{path}");
        }
    }

    #[test]
    fn what_is_within_brackets_has_the_line_of_its_holder() {
        let lines = Lines::of(TEXT);
        assert_eq!(lines.at("schedules.0.overrides.0.from"), 15);
        assert_eq!(lines.at("schedules.0.layers.0.people.1"), 10);
        assert_eq!(lines.at("nothing.at.all"), 0);
    }
}
