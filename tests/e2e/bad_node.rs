//! Nodes that lie, stall, cut or flood: the client gets the right bytes from the next one, or a clear
//! failure, and never a wrong byte.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use harness::metrics::assert_metric_that;
use harness::{Answer, Ending, FaultyNode, Fleet, FleetPlan, Mode, bytes_of_seed, sha256_hex};
use serde_json::json;

/// Answers that a node may spoil without the client noticing anything but time.
const SURVIVED: [Mode; 11] = [
    Mode::Corrupt,
    Mode::WrongBlock,
    Mode::Truncate,
    Mode::TruncateClean,
    Mode::StallHead,
    Mode::StallBody,
    Mode::BlackHole,
    Mode::Reset,
    Mode::Huge,
    Mode::Gzip,
    Mode::Failed,
];

/// Files that are fetched at least while a node has one fault, and at most until it shows.
const FILES_MIN: u64 = 2;
const FILES_MAX: u64 = 40;

/// A fleet of one good node, and of a faulty one in front of the same node.
fn one_of_two_faulty(mode: Mode) -> (Fleet, FaultyNode) {
    // A node that is left alone shows no further fault.
    let patient = vec![("upstream.eject_after", json!(0))];
    let plan = FleetPlan { nodes: 1, gateway_set: patient, ..FleetPlan::default() };
    let mut fleet = Fleet::start(&plan).expect("the fleet starts");
    let faulty = FaultyNode::in_front_of(fleet.nodes[0].http, mode).expect("loopback binds");
    let good = fleet.nodes[0].http;
    fleet.use_upstreams(&[faulty.address(), good]).expect("the gateway comes back");
    (fleet, faulty)
}

fn faults(faulty: &FaultyNode) -> u64 {
    faulty.counters().faults.load(Ordering::Relaxed)
}

fn fetch_fresh(fleet: &Fleet, seed: u64) -> (Vec<u8>, Answer) {
    let content = bytes_of_seed(seed, 700_000);
    let root = fleet.import(&content).expect("the import succeeds");
    (content, fleet.get(&format!("/ipfs/{root}")))
}

#[test]
fn every_fault_of_one_node_is_survived_by_the_other() {
    let (fleet, faulty) = one_of_two_faulty(Mode::Ok);
    for mode in SURVIVED {
        faulty.set_mode(mode);
        let before = faults(&faulty);
        // Which of the two is asked first is the hash's choice, file by file.
        for file in 0.. {
            if file >= FILES_MIN && faults(&faulty) > before {
                break;
            }
            assert!(file < FILES_MAX, "{mode:?}: the faulty node was never on the path");
            let seed = 1000 * (1 + mode as u64) + file;
            let begun = Instant::now();
            let (content, answer) = fetch_fresh(&fleet, seed);

            assert_eq!(answer.status(), 200, "{mode:?} seed {seed}: {}", answer.text());
            assert_eq!(answer.ending, Ending::Complete, "{mode:?} seed {seed}");
            assert_eq!(sha256_hex(&answer.body), sha256_hex(&content), "{mode:?} seed {seed}");
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "{mode:?} seed {seed} took too long"
            );
        }
    }
}

#[test]
fn a_lying_node_costs_no_wrong_byte_and_is_counted() {
    let (fleet, faulty) = one_of_two_faulty(Mode::Corrupt);
    for seed in 900..940 {
        let (content, answer) = fetch_fresh(&fleet, seed);
        assert_eq!(answer.status(), 200, "seed {seed}: {}", answer.text());
        assert_eq!(sha256_hex(&answer.body), sha256_hex(&content), "seed {seed}");
    }
    assert!(faults(&faulty) > 0);
    let name = "bifrost_gateway_unverified_bytes_total";
    assert_metric_that(fleet.gateway.admin, name, &[("node", "0")], &|bytes| bytes > 0.0);
    assert_metric_that(fleet.gateway.admin, name, &[("node", "1")], &|bytes| bytes == 0.0);
}

#[test]
fn when_every_node_lies_nothing_is_served() {
    let (mut fleet, faulty) = one_of_two_faulty(Mode::Corrupt);
    fleet.use_upstreams(&[faulty.address()]).expect("the gateway comes back");

    let (_, answer) = fetch_fresh(&fleet, 950);

    assert_eq!(answer.status(), 502, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn a_flood_costs_no_memory() {
    let (mut fleet, faulty) = one_of_two_faulty(Mode::Ok);
    fetch_fresh(&fleet, 960);
    let before = fleet.gateway.process().resident_bytes();
    faulty.set_mode(Mode::Huge);
    for seed in 961..961 + FILES_MAX {
        fetch_fresh(&fleet, seed);
        if faults(&faulty) >= 3 {
            break;
        }
    }
    assert!(faults(&faulty) >= 3, "the floods were never on the path");
    let peak = fleet.gateway.process().peak_bytes();
    // What the files take in the cache is theirs; a flood of 400 MiB would show above it.
    assert!(peak < before + (64 << 20), "{before} bytes before the floods, {peak} at the peak");
}
