//! `logs query`: the youngest records that are asked for, and how many there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::estimate::Count;
use super::filter::Filter;
use super::record::{self, Weight};
use super::scan::{Problem, Visit, scan};
use super::sources::Segment;

/// A record and the environment that it is from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// When.
    pub(crate) stamp: String,
    /// Its place in the environment's records, so that order does not depend on threads.
    pub(crate) env: String,
    /// The line, which is text since JSON is.
    pub(crate) line: String,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// The youngest records, the oldest of them first.
    pub(crate) records: Vec<Found>,
    /// What all of them came to.
    pub(crate) summary: Summary,
}

/// What a question came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Records and requests that are asked for, shown or not.
    pub(crate) matched: Count,
    /// Lines that were read.
    pub(crate) lines: u64,
    /// Bytes that were read.
    pub(crate) bytes: u64,
    /// What could not be read, with file and line.
    pub(crate) problems: Vec<String>,
}

impl Summary {
    /// Takes over what another environment came to.
    pub(crate) fn merge(&mut self, other: Self) {
        self.matched.merge(&other.matched);
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.problems.extend(other.problems);
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// A record that is kept: its time, its segment, and its line.
type Kept = (Vec<u8>, usize, Vec<u8>);

/// Keeps the youngest records of those that it sees.
struct Youngest<'a> {
    segments: &'a [Segment],
    limit: usize,
    weight: Weight,
    kept: BinaryHeap<Reverse<Kept>>,
    count: Count,
}

impl Visit for Youngest<'_> {
    fn record(&mut self, segment: usize, line: &[u8]) {
        self.count.add(self.weight.share(line));
        let stamp = record::stamp(line);
        if self.kept.len() >= self.limit {
            let oldest = self.kept.peek();
            if oldest.is_none_or(|Reverse((oldest, _, _))| oldest.as_slice() >= stamp) {
                return;
            }
            self.kept.pop();
        }
        self.kept.push(Reverse((stamp.to_vec(), segment, line.to_vec())));
    }

    fn merge(&mut self, other: Self) {
        self.count.merge(&other.count);
        self.kept.extend(other.kept);
        while self.kept.len() > self.limit {
            self.kept.pop();
        }
    }
}

/// Asks all segments.
pub(crate) fn query(segments: &[Segment], filter: &Filter, limit: usize) -> Answer {
    let youngest = || Youngest {
        segments,
        limit,
        weight: Weight::new(),
        kept: BinaryHeap::new(),
        count: Count::default(),
    };
    let scanned = scan(segments, filter, youngest);
    let mut records: Vec<Found> = scanned
        .found
        .kept
        .into_iter()
        .map(|Reverse((stamp, segment, line))| Found {
            stamp: String::from_utf8_lossy(&stamp).into_owned(),
            env: scanned.found.segments[segment].env.clone(),
            line: String::from_utf8_lossy(&line).into_owned(),
        })
        .collect();
    records.sort();
    let summary = Summary {
        matched: scanned.found.count,
        lines: scanned.lines,
        bytes: scanned.bytes,
        problems: scanned.problems.iter().map(ToString::to_string).collect(),
    };
    Answer { records, summary }
}

/// The fields that a person reads first, in the order of a line of text.
const SHOWN: [&str; 10] = [
    "role", "node", "status", "outcome", "cache", "total_ms", "bytes", "req_id", "root_cid", "path",
];

/// A record as a person reads it.
pub(crate) fn line_text(env: &str, line: &str) -> String {
    let Ok(record) = serde_json::from_str::<serde_json::Value>(line) else {
        return format!("{env} {}", line.escape_debug());
    };
    let mut text = format!("{} {env}", record["ts"].as_str().unwrap_or("-"));
    for name in SHOWN {
        let value = match &record[name] {
            value if value.is_null() => continue,
            value => match value.as_str() {
                Some(text) => text.escape_debug().to_string(),
                None => value.to_string(),
            },
        };
        let bare = matches!(name, "role" | "node" | "status" | "outcome");
        let shown = if bare { value } else { format!("{name}={value}") };
        text.push(' ');
        text.push_str(&shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::logs::fixture::{Folder, Made};

    #[test]
    fn youngest_are_shown_and_all_are_counted() {
        let folder = Folder::new();
        let made = (0..5000).map(|number| Made { second: number % 3600, ..Made::ok(number) });
        let segments = folder.segments("gateway-0.access.log", made);
        let filter = Filter::parse("outcome=ok", SystemTime::now()).expect("a filter");
        let answer = query(&segments, &filter, 3);
        assert_eq!(answer.summary.matched.records, 5000);
        assert_eq!(answer.summary.matched.text(), "5000");
        let stamps: Vec<_> = answer.records.iter().map(|found| found.stamp.clone()).collect();
        assert_eq!(stamps.len(), 3);
        assert!(stamps.is_sorted());
        assert!(stamps[0].starts_with("2026-11-21T10:59:5"), "{stamps:?}");
    }

    #[test]
    fn sampled_records_count_by_their_weight() {
        let folder = Folder::new();
        let made = (0..1000).map(|number| Made { share: "0.1", ..Made::ok(number) });
        let segments = folder.segments("gateway-0.access.log", made);
        let filter = Filter::parse("", SystemTime::now()).expect("a filter");
        let matched = query(&segments, &filter, 1).summary.matched;
        assert_eq!(matched.requests.round(), 10_000.0);
        let (low, high) = matched.bounds();
        assert!(low > 9300.0 && high < 10_700.0, "{low} {high}");
        assert!(matched.text().starts_with("about 10000 ("), "{}", matched.text());
    }

    #[test]
    fn text_is_for_people_and_tells_no_terminal_what_to_do() {
        let line = "{\"ts\":\"2026-11-21T10:00:00.000Z\",\"v\":1,\"status\":504,\"path\":\"/a\\u001b[31m\"}";
        let text = line_text("staging", line);
        assert_eq!(text, "2026-11-21T10:00:00.000Z staging 504 path=/a\\u{1b}[31m");
    }
}
