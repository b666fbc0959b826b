//! What holds of access log lines, on files and on sinks that fail.

use std::fs;
use std::io::Write;
use std::sync::mpsc;

use serde_json::Value;

use super::*;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn line_is_one_json_object_with_its_time() {
    let folder = tempfile::tempdir().expect("folder");
    let log = file_log(&folder, |_| {});
    log.write(|line| {
        line.str("method", "GET")
            .u64("status", 200)
            .i64("delta", -3)
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
    assert_eq!(line["delta"], -3);
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
    log.write(|line| {
        line.bytes("raw", b"a\xff\xfeb");
    });
    assert!(log.close(SOON));
    let lines = lines(&folder, "access.log");
    assert_eq!(lines.len(), 2);
    let first: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!(first["every"], every);
    assert_eq!(first["forged"], "x\",\"status\":\"200\"}\n{");
    assert!(first.get("status").is_none());
    let cut = first["long"].as_str().expect("text");
    assert!(cut.ends_with("é…") && cut.len() < VALUE_BYTES + 8, "{}", cut.len());
    let second: Value = serde_json::from_str(&lines[1]).expect("JSON");
    assert_eq!(second["raw"], "a\u{fffd}\u{fffd}b");
}

#[test]
fn closing_loses_nothing_of_many_writers() {
    let folder = tempfile::tempdir().expect("folder");
    let registry = Registry::new();
    let config = config(&folder, |config| config.queue_max = ByteSize::mib(64));
    let log = AccessLog::start(&config, &registry).expect("starts");
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
    let log = AccessLog::with_sink(&config, sink, Metrics::new(&registry)).expect("starts");
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
    assert!(lines(&folder, "access.log.1")[0].contains("\"number\":5"));
    assert!(lines(&folder, "access.log.2")[0].contains("\"number\":4"));
    assert!(!folder.path().join("access.log.3").exists());
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
    assert!(!folder.path().join("access.log.1").exists());
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
    let error = AccessLog::start(&config, &Registry::new()).expect_err("no folder").to_string();
    assert!(
        error.contains("/nonexistent/access.log") && error.contains("access_log.path"),
        "{error}"
    );
}

#[test]
fn failed_write_is_counted_and_leaves_whole_lines() {
    let (sink, written) = failing_once();
    let registry = Registry::new();
    let config = Config { flush_every: Duration::ZERO, ..Config::default() };
    let log = AccessLog::with_sink(&config, sink, Metrics::new(&registry)).expect("starts");
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

fn config(folder: &tempfile::TempDir, change: impl FnOnce(&mut Config)) -> Config {
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
    AccessLog::start(&config(folder, change), &Registry::new()).expect("starts")
}

fn lines(folder: &tempfile::TempDir, name: &str) -> Vec<String> {
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
