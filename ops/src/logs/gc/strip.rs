//! Raw records without what leads to other logs: request and trace ids, and the second of the day.

use std::fs;
use std::path::Path;

use telemetry::access::ledger::{self, Event, Tally};
use telemetry::access::put_aside;

use super::super::error::{LogsError, at};
use super::super::record::{self, Field};
use super::super::sources::seals;
use crate::whole::{beside, write_whole};

/// Fields that lead to other logs, or were written in clear text.
const STRIPPED: [&str; 4] = ["req_id", "trace_id", "root_cid", "path"];

/// Makes the hashed segment of each raw one that has none; returns how many were made.
pub(super) fn make(log: &Path, hashed: &Path) -> Result<usize, LogsError> {
    let made = seals(hashed);
    let mut count = 0;
    for segment in put_aside(log).map_err(at(log))? {
        let time = segment.extension().unwrap_or_default().to_string_lossy().into_owned();
        let target = beside(hashed, &format!(".{time}"));
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // One that was made and is gone again was deleted, and must not come back.
        if made.iter().any(|seal| seal.segment == name) {
            continue;
        }
        let bytes = fs::read(&segment).map_err(at(&segment))?;
        let stripped = strip(&bytes);
        write_whole(&target, &stripped).map_err(at(&target))?;
        let mut tally = Tally::default();
        tally.add(&stripped);
        let seal = tally.seal(&name, &last_stamp(&stripped));
        ledger::append(hashed, Event::Sealed(seal)).map_err(at(hashed))?;
        count += 1;
    }
    Ok(count)
}

fn last_stamp(text: &[u8]) -> String {
    let last = text.split(|byte| *byte == b'\n').rfind(|line| record::is_record(line));
    let stamp = last.map(record::stamp).unwrap_or_default();
    String::from_utf8_lossy(stamp).into_owned()
}

/// The records of a text without what is stripped, and at the start of their minute.
pub(super) fn strip(text: &[u8]) -> Vec<u8> {
    let fields = STRIPPED.map(|name| Field::named(name).expect("it is a field"));
    let mut out = Vec::with_capacity(text.len());
    for line in text.split(|byte| *byte == b'\n').filter(|line| record::is_record(line)) {
        let mut cuts: Vec<(usize, usize)> =
            fields.iter().filter_map(|field| field.span(line)).collect();
        cuts.sort_unstable();
        let start = out.len();
        let mut from = 0;
        for (begin, end) in cuts {
            out.extend_from_slice(&line[from..begin]);
            from = end;
        }
        out.extend_from_slice(&line[from..line.len() - 1]);
        out.extend_from_slice(b",\"tier\":\"hashed\"}\n");
        // `{"ts":"2026-11-21T10:00:59.123Z"`: seconds and milliseconds.
        out[start + 24..start + 30].copy_from_slice(b"00.000");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::fixture::Made;

    #[test]
    fn ids_clear_text_and_seconds_are_gone_and_the_rest_stays() {
        let mut text = String::new();
        let more = ",\"root_cid\":\"bafyroot\",\"path\":\"/a\\\",\\\"status\\\":1\"".to_owned();
        Made { second: 59, more, ..Made::ok(0xabcdef) }.line(&mut text);
        text.push_str("torn line\n");
        let stripped = String::from_utf8(strip(text.as_bytes())).expect("text");
        assert_eq!(stripped.lines().count(), 1);
        let record: serde_json::Value = serde_json::from_str(&stripped).expect("JSON");
        for name in STRIPPED {
            assert!(record.get(name).is_none(), "{name}: {stripped}");
        }
        assert_eq!(record["ts"], "2026-11-21T10:00:00.000Z");
        assert_eq!((&record["status"], &record["tier"]), (&200.into(), &"hashed".into()));
        assert!(!stripped.contains("0000000000000000000000abcdef\""), "{stripped}");
    }
}
