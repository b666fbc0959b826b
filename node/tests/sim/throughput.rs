//! Speed against distance in virtual time, and what the engine costs in real time.
//!
//! The floors are the acceptance figures of the design; a run prints what it reached when it fails.

use std::time::{Duration, Instant};

use crate::network::{Path, World, blocks, cids};

const KIB: usize = 1024;
const LIMIT: Duration = Duration::from_secs(600);

/// Megabytes per second of 100 MiB in blocks of 256 KiB from some peers at a distance.
fn speed(rtt_ms: u64, peers: usize, ahead: usize, bandwidth: u64) -> f64 {
    let mut world = World::new(1);
    world.coded = false;
    let a = world.add();
    world.nodes[a].keeps = false;
    let content = blocks(400, 256 * KIB);
    let providers: Vec<usize> = (0..peers).map(|_| world.add()).collect();
    for provider in &providers {
        world.give(*provider, &content);
        world.connect(a, *provider, Path::rtt(rtt_ms).bandwidth(bandwidth));
    }
    let session = world.session(a, &content[0], &providers);
    world.want(a, session, &cids(&content), ahead);
    let took = world.run(LIMIT, |w| w.nodes[a].delivered.len() == content.len()).expect("all");
    let duplicates = world.nodes[a].metrics.blocks_received.at(node::bitswap::Arrival::Duplicate);
    assert_eq!(duplicates.get(), 0, "{rtt_ms} ms, {peers} peers");
    100.0 * 1.048_576 / took.as_secs_f64()
}

#[test]
fn distance_costs_little_throughput() {
    let mut figures = Vec::new();
    let mut slow = Vec::new();
    for (rtt, peers, ahead, bandwidth, floor) in [
        (100, 1, 400, 0, 60.0),
        (100, 1, 64, 0, 50.0),
        (20, 1, 400, 0, 120.0),
        (20, 1, 64, 0, 120.0),
        (1, 1, 64, 0, 250.0),
        (100, 3, 400, 0, 60.0),
        (20, 3, 400, 0, 120.0),
        (100, 1, 400, 50_000_000, 30.0),
        (100, 3, 400, 50_000_000, 45.0),
        (20, 3, 400, 50_000_000, 80.0),
    ] {
        let reached = speed(rtt, peers, ahead, bandwidth);
        let line = format!(
            "{rtt} ms, {peers} peers, {ahead} ahead, {bandwidth} B/s each: {reached:.1} MB/s"
        );
        if reached < floor {
            slow.push(format!("{line}, floor {floor}"));
        }
        figures.push(line);
    }
    assert!(slow.is_empty(), "too slow:\n{}\nall:\n{}", slow.join("\n"), figures.join("\n"));
}

#[test]
fn a_gibibyte_costs_the_engines_less_than_a_second_per_gigabyte() {
    let mut world = World::new(1);
    world.coded = false;
    let (a, b) = (world.add(), world.add());
    world.nodes[a].keeps = false;
    // One buffer behind every block: the engine never looks at the bytes, so 32 distinct blocks
    // fetched 32 times are a gibibyte to it.
    let content = blocks(32, 1024 * KIB);
    world.give(b, &content);
    world.connect(a, b, Path::rtt(1));
    let session = world.session(a, &content[0], &[b]);
    let begin = Instant::now();
    for round in 1..=32 {
        world.want(a, session, &cids(&content), 32);
        world.run(LIMIT, |w| w.nodes[a].delivered.len() == 32 * round).expect("a round");
    }
    let cost = begin.elapsed();
    assert!(cost < Duration::from_secs(1), "1 GiB cost {cost:?} of engine and simulation");
}

#[test]
fn thousands_of_outstanding_wants_cost_no_more_each_than_few() {
    let cost = |count: usize| {
        let mut world = World::new(1);
        world.coded = false;
        let (a, b) = (world.add(), world.add());
        world.nodes[a].keeps = false;
        let content = blocks(count, 64);
        world.give(b, &content);
        world.connect(a, b, Path::rtt(1));
        let session = world.session(a, &content[0], &[b]);
        let begin = Instant::now();
        world.want(a, session, &cids(&content), count);
        world.run(LIMIT, |w| w.nodes[a].delivered.len() == count).expect("all");
        begin.elapsed()
    };
    let (few, many) = (cost(2048), cost(4096 * 4));
    assert!(many < few * 40, "16 384 wants cost {many:?}, 2048 cost {few:?}");
    assert!(many < Duration::from_secs(8), "16 384 wants cost {many:?}");
}
