//! What is generated is the same bytes each time, and drift is found.

use super::super::promtool::{folder, ours};
use super::*;

fn made() -> BTreeMap<PathBuf, String> {
    let sources = ours();
    sources.files(&sources.making(None))
}

#[test]
fn what_is_made_is_the_same_every_time() {
    assert_eq!(made(), made());
}

#[test]
fn every_kind_of_file_is_made() {
    let files = made();
    for name in
        ["gateway.rules.yaml", "causes.rules.yaml", "prometheus-rule.yaml", "tests/website.yaml"]
    {
        assert!(files.contains_key(Path::new(name)), "{name}");
    }
    let resource: serde_yaml::Value =
        serde_yaml::from_str(&files[Path::new("prometheus-rule.yaml")]).expect("it is YAML");
    let slos: usize = ours().services.iter().map(|service| service.slos.len()).sum();
    let groups = resource["spec"]["groups"].as_sequence().map_or(0, Vec::len);
    assert_eq!(groups, 2 * slos + 1);
}

#[test]
fn drift_is_found_and_writing_ends_it() {
    let out = tempfile::tempdir().expect("a folder");
    let files = made();
    assert_eq!(drift(&files, out.path()).expect("it can be read").len(), files.len());
    assert_eq!(write(&files, out.path()).expect("it can be written"), files.len());
    assert!(drift(&files, out.path()).expect("it can be read").is_empty());
    assert_eq!(write(&files, out.path()).expect("it can be written"), 0, "what is right stays");

    let path = out.path().join("gateway.rules.yaml");
    let text = std::fs::read_to_string(&path).expect("it is there");
    std::fs::write(&path, text.replacen("30s", "31s", 1)).expect("it can be written");
    std::fs::write(out.path().join("old.rules.yaml"), MARK).expect("it can be written");
    std::fs::write(out.path().join("mine.yaml"), "groups: []").expect("it can be written");
    let found = drift(&files, out.path()).expect("it can be read");
    let said: Vec<_> = found.iter().map(|one| (one.path.file_name(), one.line)).collect();
    assert_eq!(said, [(path.file_name(), 4), (Some("old.rules.yaml".as_ref()), 0)]);
    assert_eq!(write(&files, out.path()).expect("it can be written"), 2);
    assert!(out.path().join("mine.yaml").exists(), "what was not made is not removed");
}

#[test]
fn runbooks_are_where_the_caller_says_or_else_the_file() {
    let sources = ours();
    assert_eq!(sources.making(None).runbook("A"), "/runbooks/A.html");
    assert_eq!(sources.making(Some("https://x/r/")).runbook("A"), "https://x/r/A.html");
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_no_finding() {
    assert!(read(&folder().join("none")).is_err());
    let empty = tempfile::tempdir().expect("a folder");
    let found = read(empty.path()).expect("it can be read").expect_err("it has nothing");
    assert_eq!(found[0].rule, "empty");
}

#[test]
fn a_broken_cause_is_said_on_its_line() {
    let out = tempfile::tempdir().expect("a folder");
    let text = "version: bifrost/v1\nrunbooks: /r\nowner: o\nalerts:\n  - alert: A\n    summary: s\n    \
                impact: i\n    rules:\n      - {severity: page, reason: r, expr: 'up ==', for: 1m}\n";
    let path = out.path().join("alerts.yaml");
    let found = causes::read(&path, text).expect_err("it is broken");
    let said: Vec<_> = found.iter().map(|one| (one.line, one.rule)).collect();
    assert_eq!(said, [(9, "promql"), (9, "untested")]);
    let found = causes::read(&path, &text.replace("page", "loud")).expect_err("it is broken");
    assert_eq!((found[0].line, found[0].rule), (9, "yaml"));
}
