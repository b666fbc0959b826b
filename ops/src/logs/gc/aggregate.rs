//! Counts by hour: how many requests ended how, by role, traffic, outcome, cache and status.
//!
//! Nobody is in them. A segment is counted once, which its row in the file says; the file is rewritten
//! as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use telemetry::access::put_aside;

use super::super::error::{LogsError, at};
use super::super::record::{self, Field, Weight};
use crate::whole::write_whole;

/// What counts are kept by, beside the hour.
const BY: [&str; 5] = ["role", "traffic", "outcome", "cache", "status"];

/// Requests, their bytes and their time together.
#[derive(Default)]
struct Sum {
    count: f64,
    bytes: f64,
    sum_ms: f64,
}

/// Counts the hashed segments that were not counted yet; returns how many were.
pub(super) fn make(hashed: &Path, file: &Path) -> Result<usize, LogsError> {
    let mut text = read(file)?;
    let mut count = 0;
    for segment in put_aside(hashed).map_err(at(hashed))? {
        let name = segment.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if text.lines().any(|line| of_segment(line).is_some_and(|known| known == name)) {
            continue;
        }
        let bytes = fs::read(&segment).map_err(at(&segment))?;
        for line in rows(&bytes, &name) {
            text.push_str(&line);
            text.push('\n');
        }
        count += 1;
    }
    if count > 0 {
        write_whole(file, text).map_err(at(file))?;
    }
    Ok(count)
}

/// Deletes the hours before a time.
pub(super) fn forget(file: &Path, limit: &str) -> Result<(), LogsError> {
    let text = read(file)?;
    let is_kept = |line: &&str| {
        let row: Option<Value> = serde_json::from_str(line).ok();
        row.is_some_and(|row| row["hour"].as_str().is_some_and(|hour| hour >= limit))
    };
    let kept: String = text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
    if kept.len() < text.len() {
        write_whole(file, kept).map_err(at(file))?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, LogsError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(at(file)(error)),
    }
}

fn of_segment(line: &str) -> Option<String> {
    let row: Value = serde_json::from_str(line).ok()?;
    Some(row["segment"].as_str()?.to_owned())
}

fn rows(text: &[u8], segment: &str) -> Vec<String> {
    let fields = BY.map(|name| Field::named(name).expect("it is a field"));
    let [bytes, total] = ["bytes", "total_ms"].map(|name| Field::named(name).expect("a field"));
    let weight = Weight::new();
    let mut sums: BTreeMap<Vec<String>, Sum> = BTreeMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| record::is_record(line)) {
        let hour = format!("{}:00:00.000Z", String::from_utf8_lossy(&record::stamp(line)[..13]));
        let of = |field: &Field| {
            field.value(line).map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let key = std::iter::once(hour)
            .chain(fields.iter().map(|field| of(field).unwrap_or_default()))
            .collect();
        let (sum, each) = (sums.entry(key).or_default(), 1.0 / weight.share(line));
        sum.count += each;
        sum.bytes += each * bytes.number(line).unwrap_or(0.0);
        sum.sum_ms += each * total.number(line).unwrap_or(0.0);
    }
    let row = |(key, sum): (&Vec<String>, &Sum)| {
        let mut row = serde_json::Map::new();
        row.insert("hour".to_owned(), key[0].clone().into());
        row.insert("segment".to_owned(), segment.into());
        for (name, value) in BY.iter().zip(&key[1..]) {
            row.insert((*name).to_owned(), value.clone().into());
        }
        for (name, value) in [("count", sum.count), ("bytes", sum.bytes), ("sum_ms", sum.sum_ms)] {
            row.insert(name.to_owned(), value.into());
        }
        Value::Object(row).to_string()
    };
    sums.iter().map(row).collect()
}
