//! Nodes that lie, stall, cut or flood: the client gets the right bytes from the next one, or a clear
//! failure, and never a wrong byte.

use std::time::{Duration, Instant};

use harness::metrics::assert_metric_that;
use harness::{Answer, Ending, FaultyNode, Fleet, FleetPlan, Mode, bytes_of_seed, sha256_hex};

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

/// A fleet of one good node, and of a faulty one in front of the same node.
fn one_of_two_faulty(mode: Mode) -> (Fleet, FaultyNode) {
    let mut fleet =
        Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() }).expect("the fleet starts");
    let faulty = FaultyNode::in_front_of(fleet.nodes[0].http, mode).expect("loopback binds");
    let good = fleet.nodes[0].http;
    fleet.use_upstreams(&[faulty.address(), good]).expect("the gateway comes back");
    (fleet, faulty)
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
        for file in 0..4 {
            let seed = 800 + 10 * (mode as u64) + file;
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
    let faults = faulty.counters().faults.load(std::sync::atomic::Ordering::Relaxed);
    assert!(faults > 0, "the faulty node was never on the path");
}

#[test]
fn a_lying_node_costs_no_wrong_byte_and_is_counted() {
    let (fleet, faulty) = one_of_two_faulty(Mode::Corrupt);
    for seed in 900..940 {
        let (content, answer) = fetch_fresh(&fleet, seed);
        assert_eq!(answer.status(), 200, "seed {seed}: {}", answer.text());
        assert_eq!(sha256_hex(&answer.body), sha256_hex(&content), "seed {seed}");
    }
    assert!(faulty.counters().faults.load(std::sync::atomic::Ordering::Relaxed) > 0);
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
    let (mut fleet, _faulty) = one_of_two_faulty(Mode::Huge);
    fetch_fresh(&fleet, 960);
    let before = fleet.gateway.process().resident_bytes();
    for seed in 961..966 {
        fetch_fresh(&fleet, seed);
    }
    let after = fleet.gateway.process().resident_bytes();
    // What five more files take in the cache is theirs; a flood of 400 MiB would show above it.
    assert!(after < before + (32 << 20), "{before} bytes before the floods, {after} after");
}
