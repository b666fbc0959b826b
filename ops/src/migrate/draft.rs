//! Two configurations in the making: keys with their values, and which setting each came from.

use std::time::Duration;

use serde_json::Value;

/// Keys that several settings bound: the smallest bound holds.
const LEAST: &[&str] = &["names.ttl_max", "render.file_bytes_max"];

/// Shortest time to live of a DNSLink, where nobody sets it.
const TTL_MIN: Duration = Duration::from_secs(60);
/// How long a node and a lookup of a name wait, where nobody sets it.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Whether it is a comment, for somebody to complete.
    is_remark: bool,
}

impl Draft {
    /// Sets `gateway section.key` or `node section.key`; a list, `section.key[]`, gets a row.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>, from: &str) {
        let (process, key) = key.split_once(' ').expect("a key names its process");
        let lines = if process == "node" { &mut self.node } else { &mut self.gateway };
        let (value, from) = (value.into(), from.to_owned());
        let line = Line { key: key.to_owned(), value, from, is_remark: false };
        let is_list = key.ends_with("[]");
        let there = |other: &&mut Line| {
            other.key == line.key && (!is_list || is_same_row(&other.value, &line.value))
        };
        match lines.iter_mut().find(there) {
            Some(other) => {
                let from = [&other.from[..], &line.from].join(", ");
                let is_kept = LEAST.contains(&key) && size(&other.value) <= size(&line.value);
                let value = if is_kept { other.value.clone() } else { line.value };
                *other = Line { from, value, ..line };
            }
            None => lines.push(line),
        }
    }

    /// Has a key of the gateway as a comment, for somebody to complete.
    pub(super) fn remark(&mut self, key: &str, value: impl Into<Value>, why: &str) {
        let (value, from) = (value.into(), why.to_owned());
        self.gateway.push(Line { key: key.to_owned(), value, from, is_remark: true });
    }

    /// The values of a key.
    fn values<'a>(&'a self, process: &str, key: &'a str) -> impl Iterator<Item = &'a Value> {
        let lines = if process == "node" { &self.node } else { &self.gateway };
        lines.iter().filter(move |line| line.key == key).map(|line| &line.value)
    }

    /// The time that a key of the gateway has.
    fn time(&self, key: &str) -> Option<(Value, Duration)> {
        let value = self.values("gateway", key).next()?;
        Some((value.clone(), humantime::parse_duration(value.as_str()?).ok()?))
    }

    /// Adds what follows from what was set: a folder for blocks, how far a node dials, and times that must not be
    /// shorter or longer than others.
    pub(super) fn finish(&mut self) {
        let dir = self.values("node", "dir").next().and_then(Value::as_str).map(str::to_owned);
        if let Some(dir) = dir {
            self.set("node blockstore.dir", format!("{dir}/blocks"), "as dir");
        }
        if self.values("node", "swarm.peering[]").next().is_some() {
            self.set("node swarm.reach", "any", "peers are on other machines");
        }
        if let Some((ttl, time)) = self.time("names.ttl_max")
            && time < TTL_MIN
        {
            self.set("gateway names.ttl_min", ttl, "not longer than names.ttl_max");
        }
        if let Some((patience, time)) = self.time("server.first_byte_timeout")
            && time > PATIENCE
        {
            for key in ["gateway names.lookup_timeout", "node bitswap.give_up"] {
                self.set(key, patience.clone(), "as server.first_byte_timeout");
            }
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

/// How large a bound is: bytes, or a time.
fn size(value: &Value) -> u128 {
    let time = || humantime::parse_duration(value.as_str()?).ok();
    value.as_u64().map_or_else(|| time().map_or(u128::MAX, |time| time.as_nanos()), u128::from)
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
        text.push_str(&within(section, lines));
    }
    if text.is_empty() {
        text.push_str("# Nothing differs from the defaults.\n");
    }
    text
}

/// One section: keys first, then remarks, then lists, whose rows stand together.
fn within(section: &str, lines: &[Line]) -> String {
    let mut mine: Vec<(&str, &Line)> = lines
        .iter()
        .filter_map(|line| Some((line.key.split_once('.')?, line)))
        .filter(|((of, _), _)| *of == section)
        .map(|((_, key), line)| (key, line))
        .collect();
    mine.sort_by_key(|(key, line)| (if key.ends_with("[]") { *key } else { "" }, line.is_remark));
    // A section without a key would be none.
    let mark = if mine.iter().all(|(_, line)| line.is_remark) { "# " } else { "" };
    let mut text = format!("{mark}{section}:\n");
    let (mut list, mut from) = ("", "");
    for (key, line) in mine {
        if line.is_remark {
            text.push_str(&format!("  # {}\n  # {key}: {}\n", line.from, line.value));
            continue;
        }
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
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_of_several_bounds_holds() {
        let mut draft = Draft::default();
        for time in ["1h", "10s", "5m"] {
            draft.set("gateway names.ttl_max", time, time);
        }
        for bytes in [7_u64, 5, 6] {
            draft.set("gateway render.file_bytes_max", bytes, "bytes");
        }
        draft.finish();
        let (_, text) = &draft.files()[0];
        assert!(text.contains("# 1h, 10s, 5m\n  ttl_max: \"10s\""), "{text}");
        assert!(text.contains("ttl_min: \"10s\""), "{text}");
        assert!(text.contains("file_bytes_max: 5\n"), "{text}");
    }

    #[test]
    fn remarks_are_comments_and_make_no_section() {
        let mut draft = Draft::default();
        draft.remark("hosts.trusted_proxies", vec!["10.0.0.0/8"], "every proxy");
        let wanted = "# hosts:\n  # every proxy\n  # trusted_proxies: [\"10.0.0.0/8\"]\n";
        assert_eq!(draft.files()[0].1, wanted);
        draft.set("gateway hosts.any", "never", "so");
        assert!(draft.files()[0].1.starts_with("hosts:\n  # so\n  any: \"never\"\n  # every"));
    }

    #[test]
    fn longer_patience_is_that_of_nodes_and_names_too() {
        let mut draft = Draft::default();
        draft.set("gateway server.first_byte_timeout", "45s", "theirs");
        draft.finish();
        let files = draft.files();
        assert!(files[0].1.contains("lookup_timeout: \"45s\""), "{files:?}");
        assert!(files[1].1.contains("give_up: \"45s\""), "{files:?}");
    }
}
