//! From files of pairs to a verdict, its text and its page.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// A line as a gateway writes it.
fn line(at_ms: u64, build: &str, change: impl Fn(&mut Value)) -> String {
    let side = json!({
        "status": 200, "cache": "hit", "first_byte_us": 300 + at_ms % 50, "total_us": 900,
        "bytes": 4096, "whole": true, "build": build
    });
    let mut pair = json!({
        "v": 1, "at_ms": at_ms, "env": "production", "gateway": "gateway-0",
        "key": format!("{at_ms:x}"), "lane": "staging", "class": "verifiable", "format": "raw",
        "production": side, "staging": side, "result": "same"
    });
    pair["production"]["build"] = json!("0.1.0+aaa");
    change(&mut pair);
    format!("{pair}\n")
}

fn report(folder: &Path, build: Option<&str>) -> Result<Report, MirrorError> {
    let args = ReportArgs {
        data: folder.to_path_buf(),
        pairs: vec![folder.to_path_buf()],
        staging_build: build.map(str::to_owned),
        resources: None,
        page: None,
        most: 1_000,
    };
    reported(&args, &Thresholds::load(None)?)
}

fn same(_: &mut Value) {}

#[test]
fn files_of_a_folder_are_read_once_and_bad_lines_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let young: String = (100..150).map(|at| line(at, "0.2.0+bbb", same)).collect();
    let old: String = (50..110).map(|at| line(at, "0.2.0+bbb", same)).collect();
    let class = line(151, "0.2.0+bbb", |pair| pair["class"] = json!("new"));
    let text = format!("{young}torn {{\n{class}{{\"v\":1,\"at");
    fs::write(folder.path().join("pairs.ndjson"), text).expect("written");
    fs::write(folder.path().join("pairs.20261121T000000Z.ndjson"), old).expect("written");
    fs::write(folder.path().join("pairsother.ndjson"), "no pair\n").expect("written");
    let report = report(folder.path(), None).expect("there are pairs");
    assert_eq!((report.staging.pairs, report.duplicates, report.bad_lines), (100, 10, 2));
    assert_eq!(report.span_ms, (50, 149));
    assert!(report.notes[0].contains("pairs.ndjson:51: no pair"), "{:?}", report.notes);
    assert!(report.notes[1].contains("class `new` is not known"), "{:?}", report.notes);
    assert_eq!(report.verdict, Verdict::Insufficient);
}

#[test]
fn requests_for_one_key_in_one_millisecond_are_two_pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    let failed = |pair: &mut Value| {
        pair["production"]["total_us"] = json!(901);
        pair["staging"]["whole"] = json!(false);
    };
    let text = line(1, "0.2.0", same) + &line(1, "0.2.0", failed) + &line(1, "0.2.0", failed);
    fs::write(folder.path().join("pairs.ndjson"), text).expect("written");
    let report = report(folder.path(), None).expect("there are pairs");
    assert_eq!((report.staging.pairs, report.duplicates), (2, 1));
    let outcomes = report.staging.criteria.iter().find(|one| one.name == "outcomes");
    assert_eq!(outcomes.and_then(|one| one.estimate), Some(0.5));
}

#[test]
fn builds_of_staging_are_judged_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = |pair: &mut Value| {
        pair["staging"] = Value::Null;
        pair["failure"] = json!("connect");
        pair["result"] = json!("rates");
    };
    let old: String = (0..40).map(|at| line(at, "0.2.0+bbb", same)).collect();
    let lost: String = (40..50).map(|at| line(at, "", gone)).collect();
    let young: String = (50..60).map(|at| line(at, "0.3.0+ccc", same)).collect();
    fs::write(folder.path().join("pairs.ndjson"), old + &lost + &young).expect("written");
    let latest = report(folder.path(), None).expect("there are pairs");
    assert_eq!((&latest.staging_build[..], latest.staging.pairs), ("0.3.0+ccc", 10));
    assert_eq!(latest.other_builds["0.2.0+bbb"], 50);
    let chosen = report(folder.path(), Some("0.2")).expect("it is there");
    assert_eq!(chosen.staging.pairs, 50, "who does not answer is who answered last");
    assert_eq!(chosen.failures["connect"], 10);
    let error = report(folder.path(), Some("0.4")).expect_err("it is not").to_string();
    assert!(error.contains("0.2.0+bbb, 0.3.0+ccc"), "{error}");
}

#[test]
fn a_failure_counts_whatever_a_second_try_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let retried = |pair: &mut Value| pair["retried"] = json!(pair["at_ms"] == 70);
    let text: String = (0..100).map(|at| line(at, "0.2.0+bbb", retried)).collect();
    fs::write(folder.path().join("pairs.ndjson"), text).expect("written");
    let report = report(folder.path(), None).expect("there are pairs");
    let outcomes = report.staging.criteria.iter().find(|one| one.name == "outcomes");
    assert_eq!(outcomes.and_then(|one| one.estimate), Some(0.01));
    assert_eq!(report.staging.retried, 1);
    for text in [report.text(Style::plain()), page::page(&report)] {
        assert!(text.contains("1 failed first"), "{text}");
    }
}

#[test]
fn a_build_is_not_blamed_for_its_installation() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = |pair: &mut Value| {
        pair["staging"] = Value::Null;
        pair["failure"] = json!("connect");
        pair["result"] = json!("rates");
    };
    let retried = |pair: &mut Value| pair["retried"] = json!(true);
    let other = |pair: &mut Value| pair["gateway"] = json!("gateway-1");
    let before_it = |pair: &mut Value| {
        pair["staging"]["status"] = json!(502);
        pair["staging"]["build"] = Value::Null;
    };
    let lines = [
        // Nobody answered yet.
        line(0, "", gone),
        line(1, "0.2.0", same),
        // The next build answers these a second time, and another gateway at once.
        line(2, "0.3.0", retried),
        line(3, "0.3.0", other),
        line(4, "", gone),
        line(5, "0.3.0", same),
        // By now it is its own.
        line(6, "0.3.0", retried),
        line(7, "", gone),
        line(8, "", before_it),
    ];
    fs::write(folder.path().join("pairs.ndjson"), lines.concat()).expect("written");
    let young = report(folder.path(), None).expect("there are pairs");
    assert_eq!((&young.staging_build[..], young.staging.pairs), ("0.3.0", 6));
    assert_eq!(young.staging.retried, 1);
    let other = [("(silent)", 1), ("0.2.0", 2)].map(|(build, pairs)| (build.to_owned(), pairs));
    assert_eq!(young.other_builds, BTreeMap::from(other));
    let old = report(folder.path(), Some("0.2.0")).expect("there are pairs");
    assert_eq!((old.staging.pairs, old.failures["connect"]), (2, 1));
}

#[test]
fn what_is_not_copied_is_lost_by_the_build_that_answered_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let after =
        |at: u64, build: &str, count: u64| line(at, build, |pair| pair["unasked"] = json!(count));
    let other = |pair: &mut Value| {
        pair["gateway"] = json!("gateway-1");
        pair["unasked"] = json!(7);
    };
    let text = after(0, "0.2.0", 500)
        + &after(1, "0.2.0", 30)
        + &after(2, "0.3.0", 600)
        + &line(3, "0.3.0", other);
    fs::write(folder.path().join("pairs.ndjson"), text).expect("written");
    let young = report(folder.path(), None).expect("there are pairs");
    assert_eq!((young.staging.unasked, young.verdict), (0, Verdict::Insufficient));
    let old = report(folder.path(), Some("0.2.0")).expect("there are pairs");
    assert_eq!(
        (old.staging.pairs, old.staging.unasked, old.verdict),
        (2, 630, Verdict::Insufficient)
    );
    assert!(page::page(&old).contains("630 requests were not copied"));
}

#[test]
fn a_mismatch_counts_while_there_is_a_record_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in 0..9 {
        let path = folder.path().join(format!("pairs.{file:017}.ndjson"));
        fs::write(path, line(1_000 + file, "0.3.0", same)).expect("written");
    }
    let record = |lane: &str, class: &str| {
        let record = json!({"at_ms": 1, "lane": lane, "class": class, "staging_build": "0.3.0"});
        format!(
            "{record}
"
        )
    };
    let told = record("again", "verifiable") + &record("staging", "rendered");
    let records = folder.path().join("differences.ndjson");
    fs::write(&records, &told).expect("written");
    let sound = report(folder.path(), None).expect("there are pairs");
    assert_eq!((sound.verdict, sound.records), (Verdict::Insufficient, 2));
    let note = "pairs begin at 1970-01-01 00:00:01 UTC: older ones are deleted";
    assert!(sound.notes[0].starts_with(note), "{:?}", sound.notes);
    fs::write(&records, told + &record("staging", "verifiable")).expect("written");
    let wrong = report(folder.path(), None).expect("there are pairs");
    assert_eq!(wrong.verdict, Verdict::Reject);
    assert!(wrong.because[0].contains("1 of 10 answers"), "{:?}", wrong.because);
}

#[test]
fn a_build_that_always_fails_first_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let retried = |pair: &mut Value| pair["retried"] = json!(true);
    let text: String = (0..100).map(|at| line(at * 1_000, "0.2.0", retried)).collect();
    fs::write(folder.path().join("pairs.ndjson"), text).expect("written");
    let report = report(folder.path(), None).expect("there are pairs");
    assert_eq!((report.staging.retried, report.verdict), (39, Verdict::Reject));
}

#[test]
fn production_against_itself_is_judged_beside() {
    let folder = tempfile::tempdir().expect("a folder");
    let again = |pair: &mut Value| {
        pair["lane"] = json!("again");
        pair["result"] = json!("different");
        pair["differences"] = json!(["body"]);
    };
    let text = line(1, "0.2.0", same) + &line(2, "0.1.0+aaa", again);
    fs::write(folder.path().join("pairs.ndjson"), text).expect("written");
    let report = report(folder.path(), None).expect("there are pairs");
    let again = report.again.as_ref().expect("there is a pair of it");
    assert_eq!((again.pairs, again.verdict), (1, Verdict::Reject));
    assert_eq!(report.verdict, Verdict::Insufficient, "it is not staging's fault");
    assert!(
        report.verdict_text(Style::plain()).contains("production against itself, 1 pairs: reject")
    );
}

#[test]
fn what_requests_hold_does_nothing_to_pages_and_terminals() {
    let folder = tempfile::tempdir().expect("a folder");
    let hostile = "<script>alert(1)</script>\u{1b}[2J";
    let different = |pair: &mut Value| {
        pair["result"] = json!("different");
        pair["differences"] = json!([hostile]);
        pair["staging"]["build"] = json!(hostile);
    };
    fs::write(folder.path().join("pairs.ndjson"), line(1, "", different)).expect("written");
    let record = json!({
        "at_ms": 1, "gateway": hostile, "differences": [hostile], "replay": hostile,
        "request": {"method": "GET", "host": hostile, "path": hostile, "query": hostile},
        "production": {"headers": {"x": hostile}}, "staging": hostile
    });
    fs::write(folder.path().join("differences.ndjson"), format!("{record}\n")).expect("written");
    let report = report(folder.path(), None).expect("there is a pair");
    assert_eq!(report.verdict, Verdict::Reject);
    assert_eq!(ExitCode::from(report.verdict), ExitCode::from(1));
    let page = page::page(&report);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    for needed in ["<!doctype html>", "name=\"viewport\"", "<main id=\"main\">", "href=\"#main\""] {
        assert!(page.contains(needed), "it lacks {needed}");
    }
    assert_eq!(page.matches("<h1").count(), 1);
    for text in [report.text(Style::plain()), report.verdict_text(Style::plain()), page] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn nothing_and_too_much_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = report(folder.path(), None).expect_err("there is nothing");
    assert!(error.to_string().contains("--pairs") && error.exit() == Exit::Input);
    let gone = report(&folder.path().join("gone"), None).expect_err("it is not there");
    assert!(gone.to_string().contains("no pairs in"), "{gone}");
    let many: String = (0..1_001).map(|at| line(at, "b", same)).collect();
    fs::write(folder.path().join("pairs.ndjson"), many).expect("written");
    let error = report(folder.path(), None).expect_err("there are too many").to_string();
    assert!(error.contains("more than 1000 pairs") && error.contains("--most"), "{error}");
}
