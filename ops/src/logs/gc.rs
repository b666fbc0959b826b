//! `logs gc`: records grow old in tiers, and what is deleted is written down and proven gone.
//!
//! Raw records stay as they were written; after that without the ids that lead to other logs; after that
//! as counts by hour; then not at all. Each tier is made as soon as a segment is put aside, so that
//! whoever deletes the raw one, this command or the process itself, takes nothing that was to stay.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use telemetry::access::ledger::{self, Deleted, Event, Tally};
use telemetry::access::{delete, put_aside};

use super::error::{LogsError, at};
use super::sources::logs;
use crate::whole::beside;

mod aggregate;
mod strip;

const DAY: Duration = Duration::from_secs(86_400);

/// How long each tier stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retention {
    /// Records with clear text. Default 1 day.
    #[serde(with = "telemetry::config::duration")]
    pub(crate) clear: Duration,
    /// Records as they were written. Default 7 days.
    #[serde(with = "telemetry::config::duration")]
    pub(crate) raw: Duration,
    /// Records without ids. Default 30 days.
    #[serde(with = "telemetry::config::duration")]
    pub(crate) hashed: Duration,
    /// Counts by hour. Default 400 days.
    #[serde(with = "telemetry::config::duration")]
    pub(crate) aggregates: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { clear: DAY, raw: 7 * DAY, hashed: 30 * DAY, aggregates: 400 * DAY }
    }
}

/// What was done.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Segments that were made into the next tier.
    pub(crate) made: usize,
    /// What was deleted.
    pub(crate) deleted: Vec<Deleted>,
    /// What is older than its tier allows and is still there, with the reason.
    pub(crate) left: Vec<String>,
    /// The time of the oldest record that is left in each tier that has any.
    pub(crate) oldest: Vec<(String, String)>,
}

/// Lets the records of a folder grow old; with `dry_run` only says what would be deleted.
///
/// # Errors
/// `File`, and what was done before stays done and is in the ledgers.
pub(crate) fn gc(
    folder: &Path,
    retention: &Retention,
    now: SystemTime,
    dry_run: bool,
) -> Result<Report, LogsError> {
    let mut report = Report::default();
    for log in logs(folder)? {
        let hashed = beside(&log, ".hashed");
        if !dry_run {
            report.made += strip::make(&log, &hashed)?;
            report.made += aggregate::make(&hashed, &beside(&log, ".aggregates"))?;
        }
        for (log, keep) in [
            (&beside(&log, ".clear"), retention.clear),
            (&log, retention.raw),
            (&hashed, retention.hashed),
        ] {
            forget(log, keep, now, dry_run, &mut report)?;
        }
        let counts = beside(&log, ".aggregates");
        if !dry_run {
            aggregate::forget(&counts, &oldest_allowed(now, retention.aggregates))?;
        }
    }
    prove(folder, retention, now, dry_run, &mut report)?;
    Ok(report)
}

/// Deletes what is older than `keep`.
fn forget(
    log: &Path,
    keep: Duration,
    now: SystemTime,
    dry_run: bool,
    report: &mut Report,
) -> Result<(), LogsError> {
    let limit = oldest_allowed(now, keep);
    for segment in put_aside(log).map_err(at(log))? {
        // A segment goes as a whole, once its oldest record is due: late by none, early by a day.
        if !is_older(&first_stamp(&segment).map_err(at(&segment))?, &limit) {
            continue;
        }
        let deleted = if dry_run {
            let name = segment.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = fs::metadata(&segment).map_err(at(&segment))?.len();
            let text = String::new();
            let (at, why, from, to, blake3) =
                (text.clone(), "age".to_owned(), text.clone(), text.clone(), text);
            Deleted { segment: name, at, why, bytes, from, to, blake3 }
        } else {
            seal_late(log, &segment)?;
            delete(log, &segment, now, "age").map_err(at(&segment))?
        };
        report.deleted.push(deleted);
    }
    Ok(())
}

/// Seals what was put aside without one, so that what is deleted is known by its hash.
fn seal_late(log: &Path, segment: &Path) -> Result<(), LogsError> {
    let name = segment.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if super::sources::seals(log).iter().any(|seal| seal.segment == name) {
        return Ok(());
    }
    let file = File::open(segment).map_err(at(segment))?;
    let seal = Tally::read(&file).map_err(at(segment))?.seal(&name, "");
    ledger::append(log, Event::Sealed(seal)).map_err(at(log))
}

/// Looks at all that is left, whatever was said to be deleted.
fn prove(
    folder: &Path,
    retention: &Retention,
    now: SystemTime,
    dry_run: bool,
    report: &mut Report,
) -> Result<(), LogsError> {
    for log in logs(folder)? {
        let tiers = [
            ("clear", beside(&log, ".clear"), retention.clear),
            ("raw", log.clone(), retention.raw),
            ("hashed", beside(&log, ".hashed"), retention.hashed),
        ];
        for (tier, log, keep) in tiers {
            let limit = oldest_allowed(now, keep);
            let mut oldest = String::new();
            let current = log.exists().then(|| log.clone());
            for path in put_aside(&log).map_err(at(&log))?.into_iter().chain(current) {
                let first = first_stamp(&path).map_err(at(&path))?;
                if is_older(&first, &limit) && !dry_run {
                    report.left.push(format!(
                        "{} begins at {first}, before {limit}: its process still writes it, and \
                         puts it aside at midnight when it runs",
                        path.display()
                    ));
                }
                if !first.is_empty() && (oldest.is_empty() || first < oldest) {
                    oldest = first;
                }
            }
            if !oldest.is_empty() {
                let name = log.file_name().unwrap_or_default().to_string_lossy();
                report.oldest.push((format!("{tier} {name}"), oldest));
            }
        }
    }
    Ok(())
}

/// The time before which nothing may be.
fn oldest_allowed(now: SystemTime, keep: Duration) -> String {
    let time = now.checked_sub(keep).unwrap_or(SystemTime::UNIX_EPOCH);
    humantime::format_rfc3339_millis(time).to_string()
}

fn is_older(stamp: &str, limit: &str) -> bool {
    !stamp.is_empty() && stamp < limit
}

/// The time of the first record of a file; empty when it has none.
fn first_stamp(path: &Path) -> std::io::Result<String> {
    use std::io::{BufRead, BufReader};
    let reader = BufReader::new(File::open(path)?);
    for line in reader.split(b'\n') {
        let line = line?;
        if super::record::is_record(&line) {
            return Ok(String::from_utf8_lossy(super::record::stamp(&line)).into_owned());
        }
    }
    Ok(String::new())
}

/// What `gc` did, for people.
pub(crate) fn text(report: &Report, dry_run: bool) -> String {
    let mut text = String::new();
    for gone in &report.deleted {
        let verb = if dry_run { "would delete" } else { "deleted" };
        let (size, hash) = (ByteSize::b(gone.bytes), &gone.blake3);
        text.push_str(&format!(
            "{verb} {} {size} {} to {} {hash}\n",
            gone.segment, gone.from, gone.to
        ));
    }
    for (tier, oldest) in &report.oldest {
        text.push_str(&format!("oldest of {tier}: {oldest}\n"));
    }
    let (made, gone) = (report.made, report.deleted.len());
    text.push_str(&format!("{made} made into the next tier, {gone} deleted\n"));
    text
}

/// Reads how long tiers stay.
///
/// # Errors
/// `Sources` with the line that is wrong, `File`.
pub(crate) fn retention(path: Option<&PathBuf>) -> Result<Retention, LogsError> {
    let Some(path) = path else { return Ok(Retention::default()) };
    let text = fs::read_to_string(path).map_err(at(path))?;
    let wrong = |error: serde_yaml::Error| LogsError::Sources {
        path: path.clone(),
        problem: error.to_string(),
    };
    serde_yaml::from_str(&text).map_err(wrong)
}

#[cfg(test)]
mod tests;
