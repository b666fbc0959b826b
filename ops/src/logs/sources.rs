//! Where records are: environments, their folders or servers, and the segments of their logs.
//!
//! A log is a file whose name ends in `access.log`. Beside it lie what was put aside of it, its ledger,
//! what has clear text (`.clear`), and what `gc` made of it (`.hashed`, `.aggregates`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use telemetry::access::ledger::{self, Event, Row, Seal};
use telemetry::access::put_aside;

use super::error::{LogsError, at};
use crate::whole::beside;

/// What the name of a log ends in.
const LOG: &str = "access.log";

/// The environments of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    environments: BTreeMap<String, Source>,
}

/// Where the records of one environment are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) struct Source {
    /// A folder on this machine.
    pub(crate) folder: Option<PathBuf>,
    /// A server that `bifrost logs serve` runs.
    pub(crate) url: Option<String>,
    /// The file with the token for that server.
    pub(crate) token_file: Option<PathBuf>,
}

/// One environment that was chosen.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) name: String,
    pub(crate) source: Source,
}

/// Which environments there are: those of a file, or the folder of `bifrost up` as `local`.
///
/// # Errors
/// `Sources` when the file is not one, `Environment` when one of `chosen` is not in it.
pub(crate) fn environments(
    file: Option<&Path>,
    folder: &Path,
    chosen: &[String],
) -> Result<Vec<Environment>, LogsError> {
    let all = match file {
        Some(path) => read(path)?,
        None => {
            let folder = Some(folder.to_path_buf());
            let source = Source { folder, url: None, token_file: None };
            BTreeMap::from([("local".to_owned(), source)])
        }
    };
    for name in chosen {
        if !all.contains_key(name) {
            let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(LogsError::Environment { name: name.clone(), known });
        }
    }
    let is_chosen = |name: &String| chosen.is_empty() || chosen.contains(name);
    let chosen = all.into_iter().filter(|(name, _)| is_chosen(name));
    Ok(chosen.map(|(name, source)| Environment { name, source }).collect())
}

fn read(path: &Path) -> Result<BTreeMap<String, Source>, LogsError> {
    let wrong = |problem| LogsError::Sources { path: path.to_path_buf(), problem };
    let text = fs::read_to_string(path).map_err(at(path))?;
    let mut list: List = serde_yaml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let beside = path.parent().unwrap_or(Path::new(""));
    for (name, source) in &mut list.environments {
        if source.folder.is_some() == source.url.is_some() {
            return Err(wrong(format!("environment {name} needs either a folder or a url")));
        }
        if source.url.is_some() != source.token_file.is_some() {
            return Err(wrong(format!("environment {name} needs a token_file with its url")));
        }
        for path in [&mut source.folder, &mut source.token_file].into_iter().flatten() {
            *path = beside.join(&path);
        }
    }
    Ok(list.environments)
}

/// Which records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All, without clear text.
    Records,
    /// Those with clear text.
    Clear,
}

/// A file of records.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// The environment.
    pub(crate) env: String,
    /// The file.
    pub(crate) path: PathBuf,
    /// Its size when it was found.
    pub(crate) bytes: u64,
    /// What the ledger says of it, once it was put aside.
    pub(crate) seal: Option<Seal>,
}

/// The logs of a folder, without what was put aside of them.
///
/// # Errors
/// `File` when the folder cannot be read.
pub(crate) fn logs(folder: &Path) -> Result<Vec<PathBuf>, LogsError> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A log that was only put aside is one too.
        if let Some(place) = name.find(LOG)
            && (name.ends_with(LOG) || name[place + LOG.len()..].starts_with('.'))
        {
            found.insert(folder.join(&name[..place + LOG.len()]));
        }
    }
    Ok(found.into_iter().collect())
}

/// The segments of the environments on this machine, the oldest of each log first.
///
/// # Errors
/// `Nothing` when a folder has no logs, `File` when it cannot be read.
pub(crate) fn segments(
    environments: &[Environment],
    kind: Kind,
) -> Result<Vec<Segment>, LogsError> {
    let mut found = Vec::new();
    for environment in environments {
        let Some(folder) = &environment.source.folder else { continue };
        let logs = match logs(folder) {
            Ok(logs) if !logs.is_empty() => logs,
            Err(LogsError::File { source, .. })
                if source.kind() != std::io::ErrorKind::NotFound =>
            {
                return Err(LogsError::File { path: folder.clone(), source });
            }
            Ok(_) | Err(_) => return Err(LogsError::Nothing(folder.clone())),
        };
        for log in logs {
            match kind {
                Kind::Clear => of_log(&environment.name, &beside(&log, ".clear"), &mut found)?,
                Kind::Records => {
                    of_log(&environment.name, &log, &mut found)?;
                    hashed(&environment.name, &log, &mut found)?;
                }
            }
        }
    }
    Ok(found)
}

fn of_log(env: &str, log: &Path, found: &mut Vec<Segment>) -> Result<(), LogsError> {
    let seals = seals(log);
    let aside = put_aside(log).map_err(at(log))?;
    for path in aside.into_iter().chain(log.exists().then(|| log.to_path_buf())) {
        // It may have been put aside or deleted since it was listed.
        let Ok(data) = fs::metadata(&path) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let seal = seals.iter().rev().find(|seal| seal.segment == *name).cloned();
        found.push(Segment { env: env.to_owned(), path, bytes: data.len(), seal });
    }
    Ok(())
}

/// What was stripped of ids, of segments that are not there any more as they were written.
fn hashed(env: &str, log: &Path, found: &mut Vec<Segment>) -> Result<(), LogsError> {
    let mut of_hashed = Vec::new();
    of_log(env, &beside(log, ".hashed"), &mut of_hashed)?;
    for segment in of_hashed {
        let time = segment.path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if !beside(log, &format!(".{time}")).exists() {
            found.push(segment);
        }
    }
    Ok(())
}

/// What the ledger of a log says was put aside; lines that are none are left to `check`.
pub(crate) fn seals(log: &Path) -> Vec<Seal> {
    let text = fs::read_to_string(ledger::path_of(log)).unwrap_or_default();
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Row>(line).ok());
    rows.filter_map(|row| match row.event {
        Event::Sealed(seal) => Some(seal),
        Event::Deleted(_) => None,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Result<Vec<Environment>, LogsError> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("sources.yaml");
        fs::write(&path, text).expect("written");
        environments(Some(&path), Path::new("x"), &[])
    }

    #[test]
    fn environments_are_folders_or_servers() {
        let both = "environments:\n  production: {url: https://logs.example, token_file: t}\n  staging: {folder: logs}\n";
        let found = listed(both).expect("a list");
        assert_eq!(found.len(), 2);
        assert!(found[1].source.folder.as_ref().expect("a folder").is_absolute());
        for (text, part) in [
            ("environments:\n  a: {}\n", "needs either a folder or a url"),
            ("environments:\n  a: {url: \"https://x\"}\n", "token_file"),
            ("environments:\n  a: {folder: x, colour: red}\n", "colour"),
            ("- a\n", "invalid type"),
        ] {
            let error = listed(text).expect_err(text).to_string();
            assert!(error.contains(part) && error.contains("sources.yaml"), "{error}");
        }
    }

    #[test]
    fn environment_that_is_not_there_is_named_with_those_that_are() {
        let error = environments(None, Path::new("x"), &["production".to_owned()]);
        let error = error.expect_err("there is none").to_string();
        assert!(error.contains("\"production\"") && error.contains("local"), "{error}");
    }

    #[test]
    fn segments_are_what_was_put_aside_and_what_is_written() {
        let folder = tempfile::tempdir().expect("folder");
        for name in [
            "gateway-0.log",
            "gateway-0.access.log",
            "gateway-0.access.log.20261121T000000000Z",
            "gateway-0.access.log.clear",
            "gateway-0.access.log.ledger",
            "gateway-0.access.log.hashed.20261120T000000000Z",
            "gateway-0.access.log.hashed.20261121T000000000Z",
            "node-0.access.log.20261120T000000000Z",
        ] {
            fs::write(folder.path().join(name), "").expect("written");
        }
        let environments = environments(None, folder.path(), &[]).expect("one");
        let found = segments(&environments, Kind::Records).expect("found");
        let names: Vec<_> =
            found.iter().map(|one| one.path.file_name().expect("a name").to_owned()).collect();
        let expected = [
            "gateway-0.access.log.20261121T000000000Z",
            "gateway-0.access.log",
            "gateway-0.access.log.hashed.20261120T000000000Z",
            "node-0.access.log.20261120T000000000Z",
        ];
        assert_eq!(names, expected, "what was hashed stands in for what is gone");
        assert_eq!(segments(&environments, Kind::Clear).expect("found").len(), 1);
    }
}
