//! Children played by shell scripts: dying, staying, refusing to drain.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn spec(folder: &Path, script: &str) -> Spec {
    let program = folder.join("program");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    Spec {
        name: "node-0".into(),
        program,
        arguments: arguments(&folder.join("node-0.yaml")),
        log: folder.join("node-0.log"),
        admin: Endpoint::parse("http://127.0.0.1:1").expect("a URL"),
        ready_at: "/readyz",
        ready_within: Duration::from_secs(20),
        drain_within: Duration::from_secs(20),
    }
}

/// Waits until the script has said so in its log.
async fn said(log: &Path, word: &str) {
    let wait = async {
        while !fs::read_to_string(log).is_ok_and(|text| text.contains(word)) {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.expect("the script says so");
}

#[tokio::test]
async fn a_child_that_leaves_before_it_is_ready_is_told_with_its_last_words() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let spec = spec(folder.path(), "echo last words; exit 3");
    let client = Client::new(Tasks::new(), Duration::from_secs(5));
    let mut started = Started::new(spec).expect("it starts");
    let error = started.ready(&client).await.expect_err("it leaves").to_string();
    assert!(error.starts_with("node-0 left with code 3"), "{error}");
    assert!(error.contains("    last words"), "{error}");
}

#[tokio::test]
async fn a_child_that_dies_is_told_and_started_again() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let arguments = arguments(&folder.path().join("twice"));
    let spec = Spec { arguments, ..spec(folder.path(), "") };
    let script = "echo began; if [ -e \"$2\" ]; then exec sleep 60; fi; : >\"$2\"; exit 7";
    fs::write(&spec.program, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    let (sender, mut events) = mpsc::channel(4);
    let tasks = Tasks::new();
    let child = Started::new(spec).expect("it starts").watch(&tasks, sender);
    let died = events.recv().await.expect("it is told");
    assert!(
        matches!(&died, Event::Died { how, tail, .. } if how == "left with code 7" && tail.contains("began")),
        "{died:?}"
    );
    assert!(matches!(events.recv().await, Some(Event::Restarted { .. })));
    child.drain().await;
}

#[tokio::test]
async fn a_drained_child_ends_its_work_and_is_not_started_again() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let spec = spec(
        folder.path(),
        "trap 'echo drained; exit 0' TERM; echo began; while :; do sleep 0.05; done",
    );
    let log = spec.log.clone();
    let (sender, mut events) = mpsc::channel(4);
    let tasks = Tasks::new();
    let child = Started::new(spec).expect("it starts").watch(&tasks, sender);
    said(&log, "began").await;
    child.drain().await;
    let text = fs::read_to_string(&log).expect("it has a log");
    assert!(text.contains("drained"), "{text}");
    assert!(events.recv().await.is_none(), "nothing is told of a clean end");
}

#[tokio::test]
async fn a_child_that_does_not_drain_is_killed_and_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let stubborn = "trap '' TERM; echo began; while :; do sleep 0.05; done";
    let drain_within = Duration::from_millis(200);
    let spec = Spec { drain_within, ..spec(folder.path(), stubborn) };
    let log = spec.log.clone();
    let (sender, mut events) = mpsc::channel(4);
    let tasks = Tasks::new();
    let child = Started::new(spec).expect("it starts").watch(&tasks, sender);
    said(&log, "began").await;
    child.drain().await;
    assert!(matches!(events.recv().await, Some(Event::Killed { .. })));
}

#[test]
fn the_tail_is_the_last_lines_only() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("log");
    let text: String = (0..5_000).map(|line| format!("line {line}\n")).collect();
    fs::write(&log, text).expect("it can be written");
    let tail = tail(&log);
    assert_eq!(tail.lines().count(), TAIL_LINES);
    assert!(tail.ends_with("    line 4999\n"));
}

#[test]
fn only_variables_that_override_a_key_are_kept_from_children() {
    assert!(is_override(OsStr::new("BIFROST_LIMIT__REQUESTS_MAX")));
    assert!(!is_override(OsStr::new("BIFROST_CACHE")));
    assert!(!is_override(OsStr::new("RUST__BACKTRACE")));
}
