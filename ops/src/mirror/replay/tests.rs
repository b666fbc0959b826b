//! Played gateways: one that is asked in vain, one that lies, and one that is slow.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::json;

use super::*;
use crate::played;

fn args(keys: PathBuf, to: &str, against: Option<String>) -> ReplayArgs {
    ReplayArgs {
        to: to.to_owned(),
        against,
        keys: vec![keys],
        data: PathBuf::new(),
        rate: Some(1000.0),
        speed: 1.0,
        times: 1,
        most: 1000,
        in_flight: 64,
        within: 5,
        compare: 1,
        out: None,
    }
}

async fn gateway(tasks: &Tasks, body: &'static str, etag: &'static str) -> String {
    let (server, listener) = played::listen().await;
    played::serve(tasks, listener, move |_| async move {
        let answer = Response::builder().header("etag", etag);
        answer.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("it is plain")
    });
    server.url()
}

/// A gateway whose answer may be kept for so many seconds.
async fn aged(tasks: &Tasks, path: &'static str, seconds: u32) -> String {
    let (server, listener) = played::listen().await;
    played::serve(tasks, listener, move |_| async move {
        let answer = Response::builder().header("x-ipfs-path", path);
        let answer = answer.header("cache-control", format!("public, max-age={seconds}"));
        answer.body(Full::new(Bytes::from_static(b"content"))).expect("it is plain")
    });
    server.url()
}

fn keys(folder: &std::path::Path, count: usize) -> PathBuf {
    let path = folder.join("keys.ndjson");
    let lines: Vec<String> = (0..count)
        .map(|at| {
            json!({"path": format!("/ipfs/a?format=raw&filename={at}"), "at_ms": at}).to_string()
        })
        .chain([json!({"path_h": "00"}).to_string(), "no record".to_owned()])
        .collect();
    std::fs::write(&path, lines.join("\n")).expect("it is written");
    path
}

async fn outcome(args: &ReplayArgs, tasks: &Tasks) -> (Keys, Outcome) {
    let keys = keys::read(&args.keys).expect("there are keys");
    let asked = (args.to.as_str(), args.against.as_deref());
    let asker = Asker::new(tasks, asked, Duration::from_secs(args.within), 1 << 20).expect("URLs");
    let mut files = args.out.as_deref().map(Files::open).transpose().expect("it opens");
    let outcome = drive(args, &keys, Arc::new(asker), &mut files).await.expect("it is driven");
    (keys, outcome)
}

#[tokio::test]
async fn two_gateways_are_asked_the_same_and_what_differs_is_written_down() {
    let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder can be made"));
    let one = gateway(&tasks, "content", "\"a\"").await;
    let two = gateway(&tasks, "c0ntent", "\"a\"").await;
    let mut args = args(keys(folder.path(), 20), &two, Some(one.clone()));
    args.out = Some(folder.path().join("out"));
    let (keys, found) = outcome(&args, &tasks).await;
    assert_eq!((keys.without_path, keys.bad_lines), (1, 1));
    assert_eq!((found.asked, found.unsent, found.wrong), (20, 0, 0));
    assert_eq!(found.differences, BTreeMap::from([("body".to_owned(), 20)]));
    assert_eq!(found.exit(true), ExitCode::from(1));
    let records = std::fs::read_to_string(folder.path().join("out/differences.ndjson"));
    assert_eq!(records.expect("it is there").lines().count(), 20);

    let same = ReplayArgs { to: one, out: None, ..args };
    let (_, found) = outcome(&same, &tasks).await;
    assert_eq!(found.results, BTreeMap::from([("same".to_owned(), 20)]));
    assert_eq!(found.exit(true), ExitCode::SUCCESS);
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn who_does_not_answer_agrees_with_nobody() {
    let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder can be made"));
    let alive = gateway(&tasks, "content", "\"a\"").await;
    let (dead, listener) = played::listen().await;
    drop(listener);
    let dead = dead.url();
    for (to, against, failed, exit) in [
        (&dead, Some(&alive), 3, 1),
        (&dead, None, 3, 1),
        (&dead, Some(&dead), 0, 4),
        (&alive, Some(&dead), 0, 4),
    ] {
        let args = args(keys(folder.path(), 3), to, against.cloned());
        let (_, found) = outcome(&args, &tasks).await;
        let expected = (3, failed, ExitCode::from(exit));
        assert_eq!((found.asked, found.failed, found.exit(against.is_some())), expected);
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn what_a_name_leads_to_is_compared_without_its_age() {
    let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder can be made"));
    let path = folder.path().join("keys.ndjson");
    for (record, says, result) in [
        (json!({"path": "/", "named": true}), "/ipfs/a", "same"),
        // An older record: the answer says it.
        (json!({"path": "/"}), "/ipns/site.example/", "same"),
        (json!({"path": "/"}), "/ipfs/a", "different"),
        (json!({"path": "/", "named": false}), "/ipns/site.example/", "different"),
    ] {
        std::fs::write(&path, record.to_string()).expect("it is written");
        let (one, two) = (aged(&tasks, says, 60).await, aged(&tasks, says, 58).await);
        let (_, found) = outcome(&args(path.clone(), &two, Some(one)), &tasks).await;
        assert_eq!(found.results, BTreeMap::from([(result.to_owned(), 1)]), "{record} {says}");
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_lie_is_found_without_another_gateway() {
    let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder can be made"));
    let block = ipfs::Block::of(ipfs::Codec::Raw, Bytes::from_static(b"content")).expect("small");
    let etag: &'static str = Box::leak(format!("\"{}.raw\"", block.cid()).into_boxed_str());
    for (body, wrong) in [("content", 0), ("c0ntent", 3)] {
        let to = gateway(&tasks, body, etag).await;
        let (_, found) = outcome(&args(keys(folder.path(), 3), &to, None), &tasks).await;
        assert_eq!((found.asked, found.wrong), (3, wrong));
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn the_load_is_open_and_what_would_be_too_much_is_not_sent() {
    let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder can be made"));
    let (silent, _listener) = played::listen().await;
    let mut args = args(keys(folder.path(), 20), &silent.url(), None);
    (args.in_flight, args.within) = (5, 1);
    let (_, found) = outcome(&args, &tasks).await;
    assert_eq!((found.asked, found.unsent), (5, 15));
    assert_eq!(found.statuses, BTreeMap::from([("timeout".to_owned(), 5)]));
    assert_eq!((found.failed, found.exit(false)), (5, ExitCode::from(1)));
    tasks.shutdown(Duration::ZERO).await;
}

#[test]
fn requests_leave_as_they_were_recorded_or_at_a_rate() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut args = args(keys(folder.path(), 5), "http://a", None);
    let keys = keys::read(&args.keys).expect("there are keys");
    assert_eq!(args.leaves_after(&keys, 3), Duration::from_millis(3));
    args.rate = None;
    (args.speed, args.times) = (2.0, 2);
    assert_eq!(args.leaves_after(&keys, 4), Duration::from_millis(2));
    // A second round follows on the first.
    assert!(args.leaves_after(&keys, 5) >= Duration::from_millis(2));
}
