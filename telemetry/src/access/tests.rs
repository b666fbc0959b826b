//! What holds of access log lines, on files and on sinks that fail.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc;

use bytesize::ByteSize;
use serde_json::Value;

use super::*;

pub(super) const SOON: Duration = Duration::from_secs(20);

#[test]
fn line_is_one_json_object_with_its_time() {
    let folder = tempfile::tempdir().expect("folder");
    let log = file_log(&folder, |_| {});
    log.write(|line| {
        line.str("method", "GET")
            .u64("status", 200)
            .bool("verified", true)
            .opt("range", None)
            .opt("agent", Some("curl"))
            .show("size", &42)
            .millis("total_ms", Duration::from_micros(12_034));
    });
    assert!(log.close(SOON));
    let lines = lines(&folder, "access.log");
    let line: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["status"], 200);
    assert_eq!(line["verified"], true);
    assert!(line.get("range").is_none());
    assert_eq!(line["agent"], "curl");
    assert_eq!(line["size"], "42");
    assert_eq!(line["total_ms"], 12.034);
    humantime::parse_rfc3339(line["ts"].as_str().expect("text")).expect("a time");
}

#[test]
fn hostile_values_stay_within_their_line() {
    let folder = tempfile::tempdir().expect("folder");
    let log = file_log(&folder, |_| {});
    let every: String = (0..0x2_00u32).filter_map(char::from_u32).collect();
    let long = "é".repeat(VALUE_BYTES);
    log.write(|line| {
        line.str("every", &every).str("forged", "x\",\"status\":\"200\"}\n{").str("long", &long);
    });
    assert!(log.close(SOON));
    let lines = lines(&folder, "access.log");
    assert_eq!(lines.len(), 1);
    let first: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!(first["every"], every);
    assert_eq!(first["forged"], "x\",\"status\":\"200\"}\n{");
    assert!(first.get("status").is_none());
    let cut = first["long"].as_str().expect("text");
    assert!(cut.ends_with("é…") && cut.len() < VALUE_BYTES + 8, "{}", cut.len());
}

#[test]
fn closing_loses_nothing_of_many_writers() {
    let folder = tempfile::tempdir().expect("folder");
    let registry = Registry::new();
    let config = config(&folder, |config| config.queue_max = ByteSize::mib(64));
    let log = AccessLog::start(&config, Process::Gateway, &registry).expect("starts");
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let log = log.clone();
            std::thread::spawn(move || {
                for number in 0..5_000 {
                    log.write(|line| {
                        line.u64("writer", writer).u64("number", number);
                    });
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().expect("writes");
    }
    drop(log);
    assert_eq!(lines(&folder, "access.log").len(), 20_000);
    assert!(registry.text().contains("bifrost_telemetry_access_lines_total 20000"));
    assert!(registry.text().contains("bifrost_telemetry_access_dropped_lines_total 0"));
}

#[test]
fn stuck_sink_costs_lines_and_no_waiting() {
    let (sink, release) = stuck();
    let registry = Registry::new();
    let config =
        Config { queue_max: ByteSize::kib(4), flush_every: Duration::ZERO, ..Config::default() };
    let log = one_sink(&config, sink, &registry).expect("starts");
    for number in 0..10_000 {
        log.write(|line| {
            line.u64("number", number);
        });
    }
    assert!(!log.flush(Duration::from_millis(1)), "the sink takes nothing");
    assert!(!log.close(Duration::from_millis(1)), "the sink takes nothing");
    drop(release);
    assert!(log.close(SOON));
    let (written, dropped) = counts(&registry);
    assert_eq!(written + dropped, 10_000);
    // Each line has over 32 bytes, and at most two buffers of 4 KiB were taken in.
    assert!(written > 0 && written <= 2 * 4096 / 32, "{written}");
    log.write(|_| {});
    assert_eq!(counts(&registry).1, dropped + 1, "a line after the end is counted");
}

#[test]
fn file_is_rotated_by_size_and_only_so_many_are_kept() {
    let folder = tempfile::tempdir().expect("folder");
    let log = file_log(&folder, |config| {
        config.rotate_at = ByteSize::b(100);
        config.keep = 2;
    });
    for number in 0..6 {
        log.write(|line| {
            line.u64("number", number).str("pad", &"x".repeat(100));
        });
        assert!(log.flush(SOON));
    }
    assert!(log.close(SOON));
    assert!(lines(&folder, "access.log").is_empty());
    let aside = put_aside(&folder.path().join("access.log")).expect("a folder");
    let texts: Vec<String> =
        aside.iter().map(|path| fs::read_to_string(path).expect("it is there")).collect();
    assert_eq!(texts.len(), 2, "{aside:?}");
    assert!(texts[0].contains("\"number\":4") && texts[1].contains("\"number\":5"));
}

#[test]
fn what_is_put_aside_and_deleted_is_in_the_ledger() {
    let folder = tempfile::tempdir().expect("folder");
    let log = file_log(&folder, |config| {
        config.rotate_at = ByteSize::b(100);
        config.keep = 2;
    });
    for number in 0..4 {
        log.write(|line| {
            line.u64("number", number).str("pad", &"x".repeat(100));
        });
        assert!(log.flush(SOON));
    }
    assert!(log.close(SOON));
    let rows: Vec<ledger::Row> = lines(&folder, "access.log.ledger")
        .iter()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect();
    let aside = put_aside(&folder.path().join("access.log")).expect("a folder");
    let mut gone = Vec::new();
    let mut sealed = Vec::new();
    for row in rows {
        match row.event {
            ledger::Event::Sealed(seal) => sealed.push(seal),
            ledger::Event::Deleted(deleted) => gone.push(deleted),
        }
    }
    assert_eq!((sealed.len(), gone.len(), aside.len()), (4, 2, 2));
    assert_eq!(gone[0].blake3, sealed[0].blake3, "the manifest names what is gone");
    assert_eq!(gone[0].why, "count");
    let text = fs::read(&aside[1]).expect("it is there");
    let mut tally = ledger::Tally::default();
    tally.add(&text);
    assert_eq!(tally.seal(&sealed[3].segment, &sealed[3].to), sealed[3]);
}

#[test]
fn midnight_puts_the_file_aside_and_age_deletes_it() {
    let folder = tempfile::tempdir().expect("folder");
    let log = folder.path().join("access.log");
    let config = config(&folder, |config| config.keep_for = Duration::from_secs(7 * 86_400));
    let mut sink = Sink::file(&config).expect("opens");
    let now = SystemTime::now();
    sink.write(b"{\"ts\":\"2026-11-21T23:59:59.000Z\"}\n", now).expect("written");
    sink.tidy(now).expect("tidied");
    assert!(put_aside(&log).expect("a folder").is_empty(), "its day is not over");
    let day = Duration::from_secs(86_400);
    sink.tidy(now + day).expect("tidied");
    assert_eq!(put_aside(&log).expect("a folder").len(), 1);
    sink.tidy(now + 6 * day).expect("tidied");
    assert_eq!(put_aside(&log).expect("a folder").len(), 1, "it may stay");
    sink.tidy(now + 8 * day).expect("tidied");
    assert!(put_aside(&log).expect("a folder").is_empty(), "it is too old");
    let ledger = lines(&folder, "access.log.ledger");
    assert!(ledger[1].contains("\"why\":\"age\""), "{ledger:?}");
}

#[test]
fn file_is_gone_on_with_and_sealed_as_a_whole() {
    let folder = tempfile::tempdir().expect("folder");
    for which in ["first", "second"] {
        let log = file_log(&folder, |_| {});
        log.write(|line| {
            line.str("which", which);
        });
        assert!(log.close(SOON));
    }
    let log = file_log(&folder, |config| config.rotate_at = ByteSize::b(1));
    log.write(|_| {});
    assert!(log.close(SOON));
    let aside = put_aside(&folder.path().join("access.log")).expect("a folder");
    let seals = lines(&folder, "access.log.ledger");
    let (text, seal) = (fs::read(&aside[0]).expect("there"), &seals[0]);
    let mut tally = ledger::Tally::default();
    tally.add(&text);
    assert!(seal.contains(&tally.seal("", "").blake3), "{seal}");
}

#[test]
fn keeping_none_begins_the_file_again() {
    let folder = tempfile::tempdir().expect("folder");
    let log = file_log(&folder, |config| {
        config.rotate_at = ByteSize::b(1);
        config.keep = 0;
    });
    log.write(|_| {});
    assert!(log.flush(SOON));
    assert!(log.close(SOON));
    assert!(lines(&folder, "access.log").is_empty());
    assert!(put_aside(&folder.path().join("access.log")).expect("a folder").is_empty());
}

#[test]
fn file_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().expect("folder");
    let log = file_log(&folder, |_| {});
    log.write(|line| {
        line.str("which", "old");
    });
    assert!(log.flush(SOON));
    fs::rename(folder.path().join("access.log"), folder.path().join("moved")).expect("moved");
    log.reopen();
    log.write(|line| {
        line.str("which", "young");
    });
    assert!(log.close(SOON));
    assert!(lines(&folder, "moved")[0].contains("old"));
    assert!(lines(&folder, "access.log")[0].contains("young"));
}

#[test]
fn folder_that_is_missing_is_told_at_start() {
    let config = Config {
        to: Destination::File,
        path: PathBuf::from("/nonexistent/access.log"),
        ..Config::default()
    };
    let error = AccessLog::start(&config, Process::Gateway, &Registry::new())
        .expect_err("no folder")
        .to_string();
    assert!(error.contains("/nonexistent/access.log") && error.contains("access.path"), "{error}");
}

#[test]
fn full_disk_costs_lines_that_are_counted_and_no_waiting() {
    let registry = Registry::new();
    let config = Config {
        to: Destination::File,
        path: PathBuf::from("/dev/full"),
        flush_every: Duration::ZERO,
        cleartext: Cleartext::Never,
        ..Config::default()
    };
    let log = AccessLog::start(&config, Process::Gateway, &registry).expect("starts");
    for number in 0..100 {
        log.write(|line| {
            line.u64("number", number);
        });
    }
    assert!(log.close(SOON));
    assert_eq!(counts(&registry), (0, 100));
    assert!(registry.text().contains("bifrost_telemetry_access_write_failures_total"));
}

#[test]
fn failed_write_is_counted_and_leaves_whole_lines() {
    let (sink, written) = failing_once();
    let registry = Registry::new();
    let config = Config { flush_every: Duration::ZERO, ..Config::default() };
    let log = one_sink(&config, sink, &registry).expect("starts");
    for which in ["lost", "kept"] {
        log.write(|line| {
            line.str("which", which);
        });
        assert!(log.flush(SOON));
    }
    assert!(log.close(SOON));
    assert_eq!(counts(&registry), (1, 1));
    let text: Vec<u8> = written.try_iter().flatten().collect();
    let text = String::from_utf8(text).expect("text");
    let last = text.lines().last().expect("a line");
    serde_json::from_str::<Value>(last).expect("the line after a torn one is whole");
    assert!(last.contains("kept"));
}

const VALUE_BYTES: usize = 4096;

fn one_sink(config: &Config, sink: Sink, registry: &Registry) -> Result<AccessLog, AccessError> {
    let sinks = Sinks { records: Some(sink), ..Sinks::default() };
    AccessLog::with_sinks(config, Process::Gateway, sinks, Metrics::new(registry))
}

pub(super) fn config(folder: &tempfile::TempDir, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config {
        to: Destination::File,
        path: folder.path().join("access.log"),
        flush_every: Duration::from_millis(1),
        ..Config::default()
    };
    change(&mut config);
    config
}

fn file_log(folder: &tempfile::TempDir, change: impl FnOnce(&mut Config)) -> AccessLog {
    AccessLog::start(&config(folder, change), Process::Gateway, &Registry::new()).expect("starts")
}

pub(super) fn lines(folder: &tempfile::TempDir, name: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.path().join(name)).expect("the file is there");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

fn counts(registry: &Registry) -> (u64, u64) {
    let text = registry.text();
    let count = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).expect("counted");
        line[name.len() + 1..].parse().expect("a number")
    };
    (
        count("bifrost_telemetry_access_lines_total"),
        count("bifrost_telemetry_access_dropped_lines_total"),
    )
}

/// A sink that takes nothing until the sender is dropped.
fn stuck() -> (Sink, mpsc::SyncSender<()>) {
    struct Stuck(mpsc::Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(self.0.recv().is_err(), "nothing is sent");
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (release, wait) = mpsc::sync_channel(0);
    (Sink::Writer { to: Box::new(Stuck(wait)), torn: false }, release)
}

/// A sink whose first write is cut and fails.
fn failing_once() -> (Sink, mpsc::Receiver<Vec<u8>>) {
    struct Failing(mpsc::SyncSender<Vec<u8>>, u32);
    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1 == 2 {
                return Err(io::Error::other("full"));
            }
            let taken = if self.1 == 1 { &bytes[..bytes.len() / 2] } else { bytes };
            self.0.send(taken.to_vec()).expect("kept");
            Ok(taken.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (send, written) = mpsc::sync_channel(16);
    (Sink::Writer { to: Box::new(Failing(send, 0)), torn: false }, written)
}
