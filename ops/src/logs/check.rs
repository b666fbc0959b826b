//! `logs check`: whether what was put aside is what was sealed, down to the lines that differ.
//!
//! Each segment is read once. The ledger's own chain is followed too, so that a row that was changed or
//! taken out shows, as does a segment that is gone without a row that says so.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use telemetry::access::ledger::{self, BLOCK_LINES, Event, Row, Seal, Tally};
use telemetry::access::put_aside;

use super::error::{LogsError, at};
use super::sources::{Environment, logs};
use crate::findings::Finding;
use crate::whole::beside;

/// Checks all logs of the environments on this machine; returns how many segments are as sealed.
///
/// # Errors
/// `Elsewhere` and `File`.
pub(crate) fn check(
    environments: &[Environment],
    findings: &mut Vec<Finding>,
) -> Result<usize, LogsError> {
    let mut good = 0;
    for Environment { name, source } in environments {
        let folder = source
            .folder
            .as_ref()
            .ok_or_else(|| LogsError::Elsewhere(name.clone(), "check it on its own machine"))?;
        for log in logs(folder)? {
            for suffix in ["", ".clear", ".hashed"] {
                good += check_log(&beside(&log, suffix), findings)?;
            }
        }
    }
    Ok(good)
}

fn check_log(log: &Path, findings: &mut Vec<Finding>) -> Result<usize, LogsError> {
    let path = ledger::path_of(log);
    let (seals, deleted) = match fs::read_to_string(&path) {
        Ok(text) => rows(&path, &text, findings),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Default::default(),
        Err(error) => return Err(at(path)(error)),
    };
    let aside = put_aside(log).map_err(at(log))?;
    let mut good = 0;
    for segment in &aside {
        let name = segment.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(seal) = seals.iter().find(|seal| seal.segment == name) else {
            let text = "put aside without a seal: its process ended in between, or it was put here";
            findings.push(Finding::at(segment, 0, "unsealed-segment", text));
            continue;
        };
        let before = findings.len();
        if let Err(error) = check_segment(segment, seal, findings) {
            let text = format!("cannot be read: {error}");
            findings.push(Finding::at(segment, 0, "unreadable-segment", text));
        }
        good += usize::from(findings.len() == before);
    }
    for seal in &seals {
        let is_here = log.with_file_name(&seal.segment).exists();
        if !is_here && !deleted.contains(&seal.segment) {
            let text = format!("sealed with {} lines, and gone without a word", seal.lines);
            let place = log.with_file_name(&seal.segment);
            findings.push(Finding::at(place, 0, "missing-segment", text));
        }
    }
    Ok(good)
}

/// The seals and the names of what was deleted, and whether the rows are as they were written.
fn rows(path: &Path, text: &str, findings: &mut Vec<Finding>) -> (Vec<Seal>, BTreeSet<String>) {
    let (mut seals, mut deleted) = (Vec::new(), BTreeSet::new());
    let mut prev = String::new();
    for (place, line) in text.lines().enumerate() {
        match serde_json::from_str::<Row>(line) {
            Ok(row) => {
                if row.prev != prev {
                    let what = "the row before it was changed or taken out";
                    findings.push(Finding::at(path, place + 1, "broken-ledger", what));
                }
                match row.event {
                    Event::Sealed(seal) => seals.push(seal),
                    Event::Deleted(gone) => {
                        deleted.insert(gone.segment);
                    }
                }
            }
            Err(error) => {
                let what = format!("not a row of a ledger: {error}");
                findings.push(Finding::at(path, place + 1, "broken-ledger", what));
            }
        }
        prev = ledger::line_hash(line.as_bytes());
    }
    (seals, deleted)
}

/// Compares a segment with its seal.
pub(crate) fn check_segment(
    path: &Path,
    seal: &Seal,
    findings: &mut Vec<Finding>,
) -> std::io::Result<()> {
    let is = Tally::read(&File::open(path)?)?.seal(&seal.segment, &seal.to);
    if is.blake3 == seal.blake3 {
        return Ok(());
    }
    let same = is.blocks.iter().zip(&seal.blocks).take_while(|(is, was)| is == was).count() as u64;
    let first = same * BLOCK_LINES + 1;
    let last = (first + BLOCK_LINES - 1).min(is.lines.max(seal.lines)).max(first);
    let text = format!(
        "lines {first} to {last} are not what was sealed: it has {} lines and {} bytes, \
         and had {} and {}",
        is.lines, is.bytes, seal.lines, seal.bytes
    );
    let line = usize::try_from(first).unwrap_or(usize::MAX);
    findings.push(Finding::at(path, line, "tampered-segment", text));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::fixture::{Folder, Made};

    const SEGMENT: &str = "gateway-0.access.log.20261121T100000000Z";

    /// A folder with a sealed segment of 3000 lines.
    fn sealed() -> Folder {
        let folder = Folder::new();
        folder.write(SEGMENT, (0..3000).map(Made::ok));
        folder.write("gateway-0.access.log", []);
        seal(&folder, SEGMENT);
        folder
    }

    fn seal(folder: &Folder, name: &str) {
        let mut tally = Tally::default();
        tally.add(&fs::read(folder.0.path().join(name)).expect("it is there"));
        let log = folder.0.path().join("gateway-0.access.log");
        ledger::append(&log, Event::Sealed(tally.seal(name, ""))).expect("sealed");
    }

    fn found(folder: &Folder) -> (usize, Vec<Finding>) {
        let mut findings = Vec::new();
        let good = check(&[folder.environment("local")], &mut findings).expect("checked");
        (good, findings)
    }

    #[test]
    fn what_was_sealed_is_clean() {
        assert_eq!(found(&sealed()), (1, Vec::new()));
    }

    #[test]
    fn changed_line_is_found_to_its_block() {
        let folder = sealed();
        let path = folder.0.path().join(SEGMENT);
        let text = fs::read_to_string(&path).expect("it is there");
        let line = text.lines().nth(1500).expect("a line");
        let changed = line.replace("\"status\":200", "\"status\":201");
        fs::write(&path, text.replace(line, &changed)).expect("written");
        let (_, findings) = found(&folder);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].line, findings[0].rule), (1025, "tampered-segment"));
        assert!(findings[0].text.contains("lines 1025 to 2048"), "{}", findings[0].text);
    }

    #[test]
    fn what_is_gone_or_came_unsealed_is_found() {
        let folder = sealed();
        fs::remove_file(folder.0.path().join(SEGMENT)).expect("removed");
        folder.write("gateway-0.access.log.20261122T100000000Z", (0..3).map(Made::ok));
        let (_, findings) = found(&folder);
        let mut rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
        rules.sort_unstable();
        assert_eq!(rules, ["missing-segment", "unsealed-segment"]);
    }

    #[test]
    fn row_that_was_taken_out_is_found() {
        let folder = sealed();
        for number in 2..5 {
            let name = SEGMENT.replace("21T", &format!("2{number}T"));
            folder.write(&name, (0..number).map(Made::ok));
            seal(&folder, &name);
        }
        let path = ledger::path_of(&folder.0.path().join("gateway-0.access.log"));
        let text = fs::read_to_string(&path).expect("it is there");
        let lines: Vec<&str> = text.lines().collect();
        fs::write(&path, format!("{}\n{}\n{}\n", lines[0], lines[2], lines[3])).expect("written");
        let (_, findings) = found(&folder);
        let broken = findings.iter().find(|finding| finding.rule == "broken-ledger");
        assert_eq!(broken.expect("it shows").line, 2, "{findings:?}");
    }
}
