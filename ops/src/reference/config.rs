//! The page of keys, from the JSON Schemas of both processes.

use serde_json::Value;

use super::facts::Facts;
use super::markdown::{code, explained, head, plain, table};

const INTRO: &str = "\
Every key has a default, so that an empty file is a configuration. Files are YAML; a key that is not listed is
refused. A variable of the environment wins over the file, and `--set KEY=VALUE` over both; keys within lists have
no variable. `--check-config` says what is wrong and prints what is in effect.

A *duration* is a number with its unit (`500ms`, `30s`, `5m`, `1h 30m`), *bytes* are a number with theirs (`64KiB`,
`256MiB`, `1GB`) or alone. *Reload* says whether SIGHUP takes a key over; others wait for a restart.

Editors complete and check files by the JSON Schema that `bifrost-gateway --describe config` and
`bifrost-node --describe config` print.
";

/// A key and what is known of it.
struct Key<'a> {
    path: String,
    schema: &'a Value,
    reload: bool,
}

/// The page.
pub(super) fn page(facts: &Facts, unexplained: &mut Vec<String>) -> String {
    let mut text = head("Configuration", INTRO);
    for said in &facts.said {
        text.push_str(&format!("\n## {}\n", said.program));
        let sections = said.config["properties"].as_object().into_iter().flatten();
        let (sections, single): (Vec<_>, Vec<_>) =
            sections.partition(|(_, schema)| schema.get("properties").is_some());
        let mut keys = Vec::new();
        for (name, schema) in single {
            walk(name.clone(), schema, false, &mut keys);
        }
        if !keys.is_empty() {
            text.push('\n');
            text.push_str(&rows(said.program, &keys, unexplained));
        }
        for (name, schema) in sections {
            let mut keys = Vec::new();
            let meaning = plain(schema["description"].as_str().unwrap_or_default());
            walk(name.clone(), schema, false, &mut keys);
            text.push_str(&format!("\n### {name}\n\n{meaning}\n\n"));
            text.push_str(&rows(said.program, &keys, unexplained));
        }
    }
    text
}

/// Every key below, sections and rows of lists taken apart.
fn walk<'a>(path: String, schema: &'a Value, reload: bool, keys: &mut Vec<Key<'a>>) {
    let reload = schema["x-reload"].as_bool().unwrap_or(reload);
    let below = |schema: &'a Value| schema["properties"].as_object();
    if let Some(below) = below(schema) {
        for (key, schema) in below {
            walk(format!("{path}.{key}"), schema, reload, keys);
        }
        return;
    }
    let items = below(&schema["items"]);
    keys.push(Key { path: path.clone(), schema, reload });
    for (key, schema) in items.into_iter().flatten() {
        walk(format!("{path}[].{key}"), schema, reload, keys);
    }
}

fn rows(program: &str, keys: &[Key<'_>], unexplained: &mut Vec<String>) -> String {
    let row = |key: &Key<'_>| {
        let meaning = meaning(key.schema);
        explained(&format!("{program} {}", key.path), &meaning, unexplained);
        vec![
            code(&key.path),
            kind(key.schema),
            default(key.schema),
            if key.reload { "yes" } else { "no" }.to_owned(),
            variable(&key.path).map_or_else(String::new, |name| code(&name)),
            meaning,
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table(&["Key", "Type", "Default", "Reload", "Variable", "Meaning"], &rows)
}

/// The variable that sets a key, if one can.
fn variable(path: &str) -> Option<String> {
    let name = path.replace('.', "__").to_ascii_uppercase();
    (!path.contains("[]") && path.contains('.')).then(|| format!("BIFROST_{name}"))
}

/// What a value of it looks like, in a word or two.
fn kind(schema: &Value) -> String {
    match schema["x-unit"].as_str() {
        Some("time") => return "duration".to_owned(),
        Some(unit) => return unit.to_owned(),
        None => {}
    }
    let choices = choices(schema);
    if !choices.is_empty() {
        let choices: Vec<String> = choices.iter().map(|(word, _)| code(word)).collect();
        return choices.join(", ");
    }
    let types = &schema["type"];
    let first = || types.as_array()?.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
    match types.as_str().or_else(first) {
        Some("string") if schema["writeOnly"] == true => "secret",
        Some("string") => "text",
        Some("integer") => "whole number",
        Some("number") => "number",
        Some("boolean") => "`true`, `false`",
        Some("array") => "list",
        Some("object") => "map",
        Some(_) | None => "value",
    }
    .to_owned()
}

/// The words that a key takes, with what each means.
fn choices(schema: &Value) -> Vec<(&str, &str)> {
    let described = schema["oneOf"].as_array().into_iter().flatten().filter_map(|choice| {
        Some((choice["const"].as_str()?, choice["description"].as_str().unwrap_or_default()))
    });
    let bare = schema["enum"].as_array().into_iter().flatten();
    described.chain(bare.filter_map(|word| Some((word.as_str()?, "")))).collect()
}

fn default(schema: &Value) -> String {
    let value = &schema["default"];
    if value.is_null() || value == "" {
        return String::new();
    }
    let is_empty = value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty);
    if is_empty {
        return "none".to_owned();
    }
    code(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn meaning(schema: &Value) -> String {
    let mut text = plain(schema["description"].as_str().unwrap_or_default());
    for (word, meaning) in choices(schema) {
        if !meaning.is_empty() && !text.is_empty() {
            text.push_str(&format!(" `{word}`: {}", plain(meaning)));
        }
    }
    text.replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_sections_and_of_rows_are_found() {
        let schema = json!({"x-reload": true, "properties": {
            "ttl": {"x-unit": "time", "default": "30s", "description": "How\nlong."},
            "table": {"type": "array", "default": [], "description": "Rows.", "items":
                {"properties": {"name": {"type": "string"}}}},
            "off": {"type": "boolean", "x-reload": false, "description": "Whether."},
        }});
        let mut keys = Vec::new();
        walk("hosts".to_owned(), &schema, false, &mut keys);
        let mut unexplained = Vec::new();
        let text = rows("p", &keys, &mut unexplained);
        assert!(
            text.contains(
                "| `hosts.ttl` | duration | `30s` | yes | `BIFROST_HOSTS__TTL` | How long. |"
            ),
            "{text}"
        );
        assert!(text.contains("| `hosts.table[].name` | text |  | yes |  |  |"), "{text}");
        assert!(text.contains("| `hosts.off` | `true`, `false` |  | no |"), "{text}");
        assert_eq!(unexplained, ["p hosts.table[].name"]);
    }

    #[test]
    fn words_that_a_key_takes_are_explained() {
        let schema = json!({"description": "Who.", "oneOf": [
            {"const": "a", "description": "The first."}, {"const": "b"}]});
        assert_eq!(kind(&schema), "`a`, `b`");
        assert_eq!(meaning(&schema), "Who. `a`: The first.");
    }
}
