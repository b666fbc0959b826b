//! Records of mismatches: what was asked, what both answered, and how to ask again.
//!
//! They are read as they are; every field is as hostile as the request that it is of, and may be missing.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::MirrorError;
use super::read::{UNNAMED, files, lines};
use super::thresholds::Thresholds;

/// Longest record that is read.
const RECORD_BYTES_MAX: u64 = 256 * 1024;
/// Most that are shown.
const SHOWN_MAX: usize = 20;
/// Most builds and classes that are told apart.
const KINDS_MAX: usize = 1_000;
/// Most characters of a field that are shown.
const FIELD_MAX: usize = 300;

/// One mismatch.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Record {
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The gateway that saw it.
    pub(crate) gateway: String,
    /// What was asked.
    pub(crate) request: String,
    /// In what the answers differ.
    pub(crate) differences: Vec<String>,
    /// The command that asks both again.
    pub(crate) replay: String,
    /// What production answered, and staging.
    pub(crate) answers: [String; 2],
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// The latest, the youngest first.
    pub(crate) latest: Vec<Record>,
    /// How many there are.
    pub(crate) count: u64,
    /// Those of staging's answers, by its build and by the class of the pair.
    pub(crate) kinds: BTreeMap<(String, String), u64>,
}

/// Reads `differences*.ndjson` of folders.
///
/// # Errors
/// `File` when one cannot be read.
pub(crate) fn read(folders: &BTreeMap<PathBuf, usize>) -> Result<Records, MirrorError> {
    let mut latest = VecDeque::<Record>::new();
    let mut count = 0;
    let mut kinds = BTreeMap::new();
    for folder in folders.keys() {
        for file in files(folder, "differences")? {
            lines(&file, RECORD_BYTES_MAX, |_, line, _| {
                if let Ok(value @ Value::Object(_)) = serde_json::from_slice(line) {
                    count += 1;
                    if let Some(kind) = kind(&value)
                        && (kinds.len() < KINDS_MAX || kinds.contains_key(&kind))
                    {
                        *kinds.entry(kind).or_default() += 1;
                    }
                    let record = Record::of(&value);
                    let place = latest.partition_point(|one| one.at_ms <= record.at_ms);
                    latest.insert(place, record);
                    if latest.len() > SHOWN_MAX {
                        latest.pop_front();
                    }
                }
                Ok(())
            })?;
        }
    }
    Ok(Records { latest: latest.into_iter().rev().collect(), count, kinds })
}

impl Records {
    /// Answers of a build of staging that reject it.
    pub(crate) fn mismatches(&self, build: &str, thresholds: &Thresholds) -> u64 {
        let classes = thresholds.mismatches.classes.iter();
        let kinds = classes.map(|class| (build.to_owned(), class.word().to_owned()));
        kinds.filter_map(|kind| self.kinds.get(&kind)).sum()
    }
}

/// Staging's build and the class of the pair, as pairs name them.
fn kind(record: &Value) -> Option<(String, String)> {
    let word = |name: &str| record[name].as_str();
    let class = word("class").filter(|_| word("lane") == Some("staging"))?;
    Some((word("staging_build").unwrap_or(UNNAMED).to_owned(), class.to_owned()))
}

impl Record {
    fn of(value: &Value) -> Self {
        let request = &value["request"];
        let part = |name: &str| text(&request[name]);
        let query = match &part("query")[..] {
            "" => String::new(),
            query => format!("?{query}"),
        };
        let differences = value["differences"].as_array();
        let asked = format!("{} {}{}{query}", part("method"), part("host"), part("path"));
        Self {
            at_ms: value["at_ms"].as_u64().unwrap_or(0),
            gateway: text(&value["gateway"]),
            request: asked.trim().to_owned(),
            differences: differences.into_iter().flatten().take(32).map(text).collect(),
            replay: text(&value["replay"]),
            answers: [text(&value["production"]), text(&value["staging"])],
        }
    }
}

/// A value as text that tells no terminal what to do, cut where it is long.
fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let is_hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown: String =
        text.chars().take(FIELD_MAX).map(|c| if is_hostile(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(FIELD_MAX).is_some() { format!("{shown}…") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_shown_first_and_fields_may_be_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut text = String::from("no json\n[]\n{}\n");
        for at in 0..30 {
            text.push_str(&format!(
                "{{\"at_ms\":{at},\"request\":{{\"method\":\"GET\",\"path\":\"/ipfs/x\\u001b[31m\",\
                 \"query\":\"format=raw\"}},\"differences\":[\"body\"]}}\n"
            ));
        }
        std::fs::write(folder.path().join("differences.1.ndjson"), text).expect("written");
        let found = read(&BTreeMap::from([(folder.path().to_path_buf(), 1)])).expect("read");
        assert_eq!((found.count, found.latest.len()), (31, SHOWN_MAX));
        assert_eq!(found.latest[0].at_ms, 29);
        assert_eq!(found.latest[0].request, "GET /ipfs/x\u{fffd}[31m?format=raw");
    }
}
