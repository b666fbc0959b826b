//! Two configurations in the making: keys with their values, and which setting each came from.

use serde_json::Value;

/// Keys of a gateway and of a node.
#[derive(Debug, Default)]
pub(super) struct Draft {
    gateway: Vec<Line>,
    node: Vec<Line>,
    /// Whether no node is needed.
    pub(super) without_node: bool,
}

/// A key, or a row of a list where the key ends in `[]`.
#[derive(Debug)]
struct Line {
    key: String,
    value: Value,
    from: String,
}

impl Draft {
    /// Sets `gateway section.key` or `node section.key`; a list, `section.key[]`, gets a row.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>, from: &str) {
        let (process, key) = key.split_once(' ').expect("a key names its process");
        let lines = if process == "node" { &mut self.node } else { &mut self.gateway };
        let line = Line { key: key.to_owned(), value: value.into(), from: from.to_owned() };
        let is_list = key.ends_with("[]");
        let there = |other: &&mut Line| {
            other.key == line.key && (!is_list || is_same_row(&other.value, &line.value))
        };
        match lines.iter_mut().find(there) {
            Some(other) => {
                let from = [&other.from[..], from].join(", ");
                *other = Line { from, ..line };
            }
            None => lines.push(line),
        }
    }

    /// The values of a key.
    fn values<'a>(&'a self, process: &str, key: &'a str) -> impl Iterator<Item = &'a Value> {
        let lines = if process == "node" { &self.node } else { &self.gateway };
        lines.iter().filter(move |line| line.key == key).map(|line| &line.value)
    }

    /// Adds what follows from what was set: a folder for blocks, and how far a node dials.
    pub(super) fn finish(&mut self) {
        let dir = self.values("node", "dir").next().and_then(Value::as_str).map(str::to_owned);
        if let Some(dir) = dir {
            self.set("node blockstore.dir", format!("{dir}/blocks"), "as dir");
        }
        if self.values("node", "swarm.peering[]").next().is_some() {
            self.set("node swarm.reach", "any", "peers are on other machines");
        }
    }

    /// The files: their names and texts.
    pub(super) fn files(&self) -> Vec<(&'static str, String)> {
        let mut files = vec![("gateway.yaml", yaml(&self.gateway))];
        if !self.without_node {
            files.push(("node.yaml", yaml(&self.node)));
        }
        files
    }
}

/// Hosts are there once, whatever two settings make of them.
fn is_same_row(one: &Value, other: &Value) -> bool {
    one == other || (one["name"].is_string() && one["name"] == other["name"])
}

/// Lines as YAML, each below the setting that it is from.
fn yaml(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines.iter().filter(|line| !line.key.contains('.')) {
        text.push_str(&format!("# {}\n{}: {}\n", line.from, line.key, line.value));
    }
    let mut sections: Vec<&str> = Vec::new();
    for (section, _) in lines.iter().filter_map(|line| line.key.split_once('.')) {
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    for section in sections {
        text.push_str(&format!("{section}:\n"));
        let (mut list, mut from) = ("", "");
        let mut within: Vec<(&str, &Line)> = lines
            .iter()
            .filter_map(|line| Some((line.key.split_once('.')?, line)))
            .filter(|((of, _), _)| *of == section)
            .map(|((_, key), line)| (key, line))
            .collect();
        // Rows of a list stand together.
        within.sort_by_key(|(key, _)| if key.ends_with("[]") { *key } else { "" });
        for (key, line) in within {
            let Some(key) = key.strip_suffix("[]") else {
                text.push_str(&format!("  # {}\n  {key}: {}\n", line.from, line.value));
                continue;
            };
            if list != key {
                text.push_str(&format!("  {key}:\n"));
                (list, from) = (key, "");
            }
            if from != line.from {
                text.push_str(&format!("    # {}\n", line.from));
                from = &line.from;
            }
            text.push_str(&format!("    - {}\n", line.value));
        }
    }
    if text.is_empty() {
        text.push_str("# Nothing differs from the defaults.\n");
    }
    text
}
