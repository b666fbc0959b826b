//! What an index holds, and which one is none.

use super::*;
use crate::profile::fixture;

#[test]
fn an_index_is_read_as_it_was_written() {
    let set = fixture::set("one", "2026-11-20T03:17:00Z", "0.1.0-abc");
    assert_eq!(set.key(), "index/2026-11-20/031700Z-one.ndjson");
    assert_eq!(Set::parse(set.lines().as_bytes()), Ok(set.clone()));
    assert_eq!(
        set.entries[0].key,
        "profiles/2026-11-20/local/gateway/gateway-0/0.1.0-abc/031700Z.cpu.pb.gz"
    );
    assert!(set.is_whole());
}

#[test]
fn every_cut_of_an_index_is_no_set() {
    let set = fixture::set("one", "2026-11-20T03:17:00Z", "b");
    let lines = set.lines();
    for end in 0..lines.len() {
        assert!(Set::parse(&lines.as_bytes()[..end]).is_err(), "{end}");
    }
    let without: String = lines.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert_eq!(Set::parse(without.as_bytes()).map(|set| set.entries.len()), Ok(2));
}

#[test]
fn an_index_leads_to_profiles_only() {
    for key in ["index/x", "profiles/../../etc/passwd", "collecting.json"] {
        let mut set = fixture::set("one", "2026-11-20T03:17:00Z", "b");
        set.entries[1].key = key.to_owned();
        let error = Set::parse(set.lines().as_bytes()).expect_err("it is no profile");
        assert!(error.starts_with("line 2: "), "{error}");
    }
}

#[test]
fn dots_within_a_name_are_no_way_out() {
    let started: Timestamp = "2026-11-20T03:17:00Z".parse().expect("a moment");
    let mut set = fixture::set("one", "2026-11-20T03:17:00Z", "1..0");
    set.entries[0].key = key(["gw..eu", "gateway", "gw..0"], "1..0", started, Kind::Cpu);
    assert_eq!(Set::parse(set.lines().as_bytes()), Ok(set));
}

#[test]
fn names_become_plain_parts_of_keys() {
    let at: Timestamp = "2026-11-20T03:17:00Z".parse().expect("a moment");
    let key = key(["../..", "pool/x", "node 0\n"], "b+1", at, Kind::Heap);
    assert_eq!(key, "profiles/2026-11-20/_../pool_x/node_0_/b_1/031700Z.heap.pb.gz");
    assert_eq!((part(""), part(&"x".repeat(100)).len()), ("_".to_owned(), 64));
}

#[test]
fn what_everybody_reads_names_no_address_and_no_alert() {
    let mut set = fixture::set("one", "2026-11-20T03:17:00Z", "b");
    set.head.reason = Some("NodeAvailability{instance=10.0.0.7:9401}".to_owned());
    set.head.unpublished = Some("could not reach http://10.0.0.7:9401".to_owned());
    set.head.missing = vec![Missing {
        node: "node-1".to_owned(),
        role: "pool".to_owned(),
        env: "local".to_owned(),
        kind: None,
        why: "could not reach http://10.0.0.7:9401: refused".to_owned(),
    }];
    let read = Set::parse(set.clone().for_everybody().lines().as_bytes()).expect("it is a set");
    assert_eq!((&read.entries, read.head.missing.len()), (&set.entries, 1));
    assert_eq!(read.head.missing[0].why, "it could not be reached");
    assert!(!read.lines().contains("10.0.0.7"), "{}", read.lines());
}
