//! What holds of records that grow old.

use super::*;
use crate::logs::fixture::{Folder, Made};

/// Records are of 2026-11-21 10:00.
fn day(days: u64) -> SystemTime {
    let written = humantime::parse_rfc3339("2026-11-21T12:00:00Z").expect("a time");
    written + u32::try_from(days).expect("few") * DAY
}

fn names(folder: &Folder) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.0.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.ends_with(".ledger"))
        .collect();
    names.sort();
    names
}

/// A log with a segment that was put aside, and one with clear text.
fn aged() -> Folder {
    let folder = Folder::new();
    let clear =
        Made { more: ",\"root_cid\":\"bafy\",\"path\":\"/secret\"".to_owned(), ..Made::ok(9) };
    folder.write("g.access.log.20261121T110000000Z", (0..50).map(Made::ok));
    folder.write("g.access.log.clear.20261121T110000000Z", [clear]);
    folder.write("g.access.log", []);
    folder
}

fn after(folder: &Folder, days: u64) -> Report {
    gc(folder.0.path(), &Retention::default(), day(days), false).expect("done")
}

#[test]
fn records_grow_old_in_tiers() {
    let folder = aged();
    assert!(after(&folder, 0).deleted.is_empty());
    let all = [
        "g.access.log",
        "g.access.log.20261121T110000000Z",
        "g.access.log.aggregates",
        "g.access.log.clear.20261121T110000000Z",
        "g.access.log.hashed.20261121T110000000Z",
    ];
    assert_eq!(names(&folder), all);
    let gone = after(&folder, 2).deleted;
    assert_eq!(gone[0].segment, "g.access.log.clear.20261121T110000000Z");
    assert_eq!(after(&folder, 8).deleted[0].segment, "g.access.log.20261121T110000000Z");
    let kept =
        ["g.access.log", "g.access.log.aggregates", "g.access.log.hashed.20261121T110000000Z"];
    assert_eq!(names(&folder), kept);
    assert_eq!(after(&folder, 31).deleted.len(), 1);
    assert_eq!(names(&folder), ["g.access.log", "g.access.log.aggregates"]);
    let counts = fs::read_to_string(folder.0.path().join(kept[1])).expect("it is there");
    assert!(counts.contains("\"count\":50.0") && counts.contains("2026-11-21T10:00"), "{counts}");
    after(&folder, 402);
    let counts = fs::read_to_string(folder.0.path().join(kept[1])).expect("it is there");
    assert_eq!(counts, "", "nothing is left of them");
}

#[test]
fn nothing_older_than_its_tier_is_found_by_anybody() {
    let folder = aged();
    after(&folder, 0);
    let report = after(&folder, 8);
    assert!(report.left.is_empty(), "{:?}", report.left);
    for name in names(&folder) {
        let text = fs::read_to_string(folder.0.path().join(&name)).expect("it is there");
        for private in ["/secret", "bafy", "req_id", "trace_id"] {
            assert!(!text.contains(private), "{private} is in {name}");
        }
    }
}

#[test]
fn manifest_names_what_is_gone_with_its_hash_and_time() {
    let folder = aged();
    let path = folder.0.path().join("g.access.log.20261121T110000000Z");
    let mut tally = Tally::default();
    tally.add(&fs::read(path).expect("it is there"));
    let hash = tally.seal("", "").blake3;
    after(&folder, 8);
    let ledger = fs::read_to_string(folder.0.path().join("g.access.log.ledger")).expect("there");
    let last = ledger.lines().last().expect("a row");
    let row: ledger::Row = serde_json::from_str(last).expect("a row");
    let Event::Deleted(gone) = row.event else { panic!("{last}") };
    assert_eq!(gone.blake3, hash);
    assert_eq!(gone.from, "2026-11-21T10:00:00.000Z");
    assert_eq!(gone.why, "age");
}

#[test]
fn what_a_process_still_writes_is_told() {
    let folder = Folder::new();
    folder.write("g.access.log", (0..3).map(Made::ok));
    let report = after(&folder, 9);
    assert_eq!(report.left.len(), 1);
    assert!(report.left[0].contains("g.access.log begins at 2026-11-21"), "{}", report.left[0]);
}

#[test]
fn dry_run_deletes_nothing() {
    let folder = aged();
    let before = names(&folder);
    let report = gc(folder.0.path(), &Retention::default(), day(50), true).expect("done");
    assert_eq!(report.deleted.len(), 2);
    assert_eq!(names(&folder), before);
}
