//! Values, schema, templates and sets speak of the same keys.
//!
//! A value that no template reads is a knob that turns nothing; one that no set changes is not tested; one
//! without schema takes anything.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;
use serde_yaml::Value;

use super::sets::Set;
use super::{ChartError, about, listed};
use crate::findings::Finding;
use crate::whole::read;

/// Given by Helm to every chart, and read by none of our templates.
const OF_HELM: &str = "global";
/// What begins the comment of a value.
const COMMENT: &str = "# -- ";

/// The values of a chart with their schema.
struct Values {
    schema: Json,
    tree: Value,
    text: String,
}

/// What values, schema, templates and sets do not agree on.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn check(chart: &Path, sets: &[Set]) -> Result<Vec<Finding>, ChartError> {
    let (values, schema) = (chart.join("values.yaml"), chart.join("values.schema.json"));
    let text = read(&values)?;
    let tree = match serde_yaml::from_str(&text) {
        Ok(tree) => tree,
        Err(error) => return Ok(vec![about(&values, "malformed", error.to_string())]),
    };
    let parsed = match serde_json::from_str(&read(&schema)?) {
        Ok(parsed) => parsed,
        Err(error) => return Ok(vec![about(&schema, "malformed", error.to_string())]),
    };
    let read = Values { schema: parsed, tree, text };
    let mut found = Vec::new();
    let mut say = |path: &Path, rule: &'static str, text: String| {
        found.push(about(path, rule, text));
    };
    for text in read.open_objects() {
        say(&schema, "open", text);
    }
    for (key, is_value) in read.unequal() {
        let text = match is_value {
            true => format!("{key} is a value without schema"),
            false => format!("{key} has a schema and is no value"),
        };
        say(if is_value { &values } else { &schema }, "unequal", text);
    }
    for key in read.uncommented() {
        say(&values, "comment", format!("{key} has no comment that begins with `{COMMENT}`"));
    }
    let leaves = read.leaves();
    let templates = templates(chart)?;
    for key in leaves.iter().filter(|key| !is_read(key, &templates)) {
        say(&values, "unread", format!("no template reads {key}"));
    }
    let set = set_somewhere(sets)?;
    for key in leaves.iter().filter(|key| !set.contains(*key)) {
        say(&values, "untested", format!("no set of values in `ci` sets {key}"));
    }
    Ok(found)
}

fn templates(chart: &Path) -> Result<String, ChartError> {
    let mut all = String::new();
    for path in listed(&chart.join("templates"))? {
        all.push_str(&read(&path)?);
    }
    Ok(all)
}

/// Whether a template has the last key of a path behind a dot; that it is the same value, people see.
fn is_read(path: &str, templates: &str) -> bool {
    let key = format!(".{}", path.rsplit('.').next().unwrap_or(path));
    templates.match_indices(&key).any(|(at, _)| {
        let rest = &templates[at + key.len()..];
        !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

/// Every path that a set or an overlay of one sets.
fn set_somewhere(sets: &[Set]) -> Result<BTreeSet<String>, ChartError> {
    let mut all = BTreeSet::new();
    let files: BTreeSet<_> =
        sets.iter().filter(|set| set.refused.is_none()).flat_map(|set| &set.files).collect();
    for file in files {
        // A file that is none is told by Helm.
        if let Ok(tree) = serde_yaml::from_str::<Value>(&read(file)?) {
            paths(&tree, String::new(), &mut all);
        }
    }
    Ok(all)
}

fn paths(tree: &Value, path: String, all: &mut BTreeSet<String>) {
    if let Some(mapping) = tree.as_mapping() {
        for (key, value) in mapping {
            paths(value, below(&path, key.as_str().unwrap_or_default()), all);
        }
    }
    all.insert(path);
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Values {
    /// A schema in the place of a reference to it.
    fn meant<'a>(&'a self, schema: &'a Json) -> &'a Json {
        let named = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
        named.map_or(schema, |name| &self.schema["$defs"][name])
    }

    /// Objects of the schema that take keys that it does not name, although it names some.
    fn open_objects(&self) -> Vec<String> {
        let mut open = Vec::new();
        let mut waiting = vec![(String::from("/"), &self.schema)];
        while let Some((at, schema)) = waiting.pop() {
            if schema["properties"].is_object()
                && schema["additionalProperties"] != Json::Bool(false)
            {
                open.push(format!("{at} takes any key: additionalProperties has to be false"));
            }
            if let Some(fields) = schema.as_object() {
                waiting.extend(fields.iter().map(|(key, value)| (format!("{at}/{key}"), value)));
            }
            if let Some(items) = schema.as_array() {
                waiting.extend(items.iter().map(|value| (format!("{at}/-"), value)));
            }
        }
        open
    }

    /// Keys that are in the values (true) or in the schema (false) alone.
    fn unequal(&self) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        let mut waiting = vec![(String::new(), &self.schema, &self.tree)];
        while let Some((path, schema, value)) = waiting.pop() {
            let (Some(known), Some(mapping)) =
                (self.meant(schema)["properties"].as_object(), value.as_mapping())
            else {
                continue;
            };
            for (key, value) in mapping {
                let key = key.as_str().unwrap_or_default();
                match known.get(key) {
                    Some(schema) => waiting.push((below(&path, key), schema, value)),
                    None => found.push((below(&path, key), true)),
                }
            }
            let missing = known.keys().filter(|key| !mapping.contains_key(key.as_str()));
            let missing = missing.filter(|key| *key != OF_HELM);
            found.extend(missing.map(|key| (below(&path, key), false)));
        }
        found
    }

    /// Paths of values that are no sections: what can be set.
    fn leaves(&self) -> Vec<String> {
        let mut leaves = Vec::new();
        let mut waiting = vec![(String::new(), &self.schema, &self.tree)];
        while let Some((path, schema, value)) = waiting.pop() {
            match (self.section(schema), value.as_mapping()) {
                (Some(known), Some(mapping)) => {
                    for (key, value) in mapping {
                        let key = key.as_str().unwrap_or_default();
                        waiting.push((below(&path, key), &known[key], value));
                    }
                }
                (None, _) | (_, None) => leaves.push(path),
            }
        }
        leaves.sort();
        leaves
    }

    /// The keys of a section; what is meant as one value, such as `resources`, is none.
    fn section<'a>(&'a self, schema: &'a Json) -> Option<&'a Json> {
        let is_whole = schema["$ref"].as_str().is_some_and(|name| name == "#/$defs/resources");
        let properties = &self.meant(schema)["properties"];
        (properties.is_object() && !is_whole).then_some(properties)
    }

    /// Leaves whose line has no comment of its own above it.
    fn uncommented(&self) -> Vec<String> {
        let leaves = self.leaves();
        let mut commented = BTreeSet::new();
        let mut keys: Vec<(usize, &str)> = Vec::new();
        let mut has_comment = false;
        for line in self.text.lines() {
            let trimmed = line.trim_start();
            if trimmed.starts_with('#') {
                has_comment |= trimmed.starts_with(COMMENT);
                continue;
            }
            let indent = line.len() - trimmed.len();
            if let Some((key, _)) = trimmed.split_once(':')
                && !key.is_empty()
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
            {
                keys.retain(|(depth, _)| *depth < indent);
                keys.push((indent, key));
                if has_comment {
                    let path: Vec<_> = keys.iter().map(|(_, key)| *key).collect();
                    commented.insert(path.join("."));
                }
            }
            has_comment = false;
        }
        leaves.into_iter().filter(|leaf| !commented.contains(leaf)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r##"{"additionalProperties": false, "properties": {
        "global": {"type": "object"},
        "a": {"type": "string"},
        "b": {"$ref": "#/$defs/b"}},
      "$defs": {"b": {"additionalProperties": false, "properties": {"c": {"type": "integer"}}}}}"##;

    fn values(schema: &str, text: &str) -> Values {
        Values {
            schema: serde_json::from_str(schema).expect("it is JSON"),
            tree: serde_yaml::from_str(text).expect("it is YAML"),
            text: text.to_owned(),
        }
    }

    #[test]
    fn values_and_schema_name_the_same_keys() {
        let good = values(SCHEMA, "# -- One.\na: x\nb:\n  # -- Two,\n  # in lines.\n  c: 1\n");
        assert_eq!(good.unequal(), []);
        assert_eq!(good.leaves(), ["a", "b.c"]);
        assert!(good.uncommented().is_empty() && good.open_objects().is_empty());
        let bad = values(SCHEMA, "# One.\na: x\nb:\n  d: 1\n");
        assert_eq!(bad.unequal(), [("b.d".to_owned(), true), ("b.c".to_owned(), false)]);
        assert_eq!(bad.uncommented(), ["a", "b.d"]);
    }

    #[test]
    fn schema_that_takes_any_key_is_found() {
        let open = SCHEMA.replacen("\"additionalProperties\": false, ", "", 1);
        assert_eq!(values(&open, "a: x\n").open_objects().len(), 1);
    }

    #[test]
    fn keys_are_read_as_whole_words() {
        assert!(is_read("a.cpu", "{{ .cpu }}"));
        assert!(!is_read("a.cpu", "{{ .cpus }}"));
    }
}
