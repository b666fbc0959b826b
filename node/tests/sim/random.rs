//! Runs at random: whatever happens to the network, every want ends exactly once and nothing is left
//! behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipfs::{Block, Cid};
use node::bitswap::{Arrival, ProtocolVersion, SessionId};

use crate::network::{Conduct, Dice, Path, World, blocks, cids};

const SEEDS: u64 = 100;

fn path(dice: &mut Dice) -> Path {
    Path {
        latency: Duration::from_millis(dice.roll(150)),
        jitter: Duration::from_millis(dice.roll(30)),
        bandwidth: [0, 1_000_000, 10_000_000, 100_000_000][dice.roll(4) as usize],
        reorder: dice.roll(4) == 0,
    }
}

/// A run and what it began with.
struct Played {
    world: World,
    content: Vec<Block>,
    /// Peers that stayed connected.
    steady: Vec<usize>,
}

/// A world of random peers, some of them bad, and a fetch that runs while peers come and go.
fn play(seed: u64) -> Played {
    play_in(World::new(seed), seed)
}

/// The same where messages are lost and streams fail.
fn play_lossy(seed: u64) -> Played {
    let mut world = World::new(seed);
    (world.lose_one_in, world.fail_one_in) = (40, 40);
    play_in(world, seed)
}

fn play_in(mut world: World, seed: u64) -> Played {
    let mut dice = Dice::new(seed);
    let content = blocks(1 + dice.roll(150) as usize, 1 + dice.roll(40_000) as usize);
    let a = world.add();
    let others = 1 + dice.roll(6) as usize;
    for _ in 0..others {
        let conduct = match dice.roll(8) {
            0 => Conduct::HaveThenStall,
            1 => Conduct::LyingHave,
            2 => Conduct::Mute,
            _ => Conduct::Honest,
        };
        let node = world.add_conduct(conduct);
        world.nodes[node].version = ProtocolVersion::ALL[dice.roll(6).saturating_sub(2) as usize];
        let holds = dice.roll(4);
        let part: Vec<_> = content.iter().filter(|_| dice.roll(4) <= holds).cloned().collect();
        world.give(node, &part);
    }
    for node in 1..=others {
        let path = path(&mut dice);
        world.connect(a, node, path);
    }
    let candidates: Vec<usize> =
        if dice.roll(3) == 0 { Vec::new() } else { (1..=others).collect() };
    for _ in 0..1 + dice.roll(2) {
        let session = world.session(a, &content[0], &candidates);
        world.want(a, session, &cids(&content), content.len());
    }
    let mut steady: Vec<usize> = (1..=others).collect();
    for _ in 0..dice.roll(10) {
        world.pass(Duration::from_millis(dice.roll(400)));
        let node = 1 + dice.roll(others as u64) as usize;
        steady.retain(|other| *other != node);
        if world.connected(a, node) {
            world.disconnect(a, node);
        } else {
            let path = path(&mut dice);
            world.connect(a, node, path);
        }
    }
    world.run(Duration::from_secs(600), |w| w.nodes[a].metrics.wants.get() == 0);
    Played { world, content, steady }
}

fn ends(world: &World) -> BTreeMap<(SessionId, Cid), u32> {
    let mut ends = BTreeMap::new();
    let node = &world.nodes[0];
    for (_, session, cid) in &node.delivered {
        *ends.entry((*session, *cid)).or_default() += 1;
    }
    for (_, session, cid, _) in &node.failed {
        *ends.entry((*session, *cid)).or_default() += 1;
    }
    ends
}

#[test]
fn every_want_ends_exactly_once_and_nothing_is_left_behind() {
    for (seed, play) in
        (1..=SEEDS).flat_map(|seed| [(seed, play as fn(u64) -> _), (seed, play_lossy)])
    {
        let Played { mut world, .. } = play(seed);
        assert_eq!(world.nodes[0].metrics.wants.get(), 0, "seed {seed}: a want never ended");
        let ends = ends(&world);
        assert!(!ends.is_empty(), "seed {seed}");
        for (want, times) in ends {
            assert_eq!(times, 1, "seed {seed}: {want:?}");
        }
        for other in 1..world.nodes.len() {
            world.disconnect(0, other);
        }
        world.pass(Duration::from_secs(5));
        for node in &world.nodes {
            assert_eq!(node.metrics.serve_queue.get(), 0, "seed {seed}");
            assert_eq!(node.metrics.serve_held_bytes.get(), 0, "seed {seed}");
        }
        assert_eq!(world.nodes[0].engine.wake_at(), None, "seed {seed}: a timer without a cause");
    }
}

/// Of the blocks that a steady honest peer of some version had, how many came and did not come.
fn found(play: fn(u64) -> Played, suits: impl Fn(ProtocolVersion) -> bool) -> (u64, Vec<String>) {
    let (mut came, mut missed) = (0, Vec::new());
    for seed in 1..=SEEDS {
        let Played { world, content, steady } = play(seed);
        let honest: Vec<_> = steady
            .iter()
            .map(|node| &world.nodes[*node])
            .filter(|node| node.conduct == Conduct::Honest && suits(node.version))
            .collect();
        let delivered: BTreeSet<Cid> = world.nodes[0].delivered.iter().map(|d| d.2).collect();
        for block in &content {
            let hash = block.cid().multihash();
            if honest.iter().any(|node| node.store.contains_key(hash)) {
                if delivered.contains(block.cid()) {
                    came += 1;
                } else {
                    missed.push(format!("seed {seed}: {}", block.cid()));
                }
            }
        }
    }
    (came, missed)
}

#[test]
fn what_a_steady_honest_peer_has_is_found_however_bad_the_others_are() {
    let (came, missed) = found(play, |version| version == ProtocolVersion::V1_2);
    assert!(missed.is_empty(), "{missed:?} never came");
    assert!(came > 1000, "only {came} blocks were there to be found");
}

#[test]
fn what_a_steady_honest_peer_of_an_older_version_has_is_found_nearly_always() {
    let (came, missed) = found(play, |version| version != ProtocolVersion::V1_2);
    assert!(missed.len() as u64 * 50 < came, "{missed:?} never came, {came} did");
}

#[test]
fn what_a_steady_honest_peer_has_is_found_nearly_always_when_messages_are_lost() {
    let (came, missed) = found(play_lossy, |version| version == ProtocolVersion::V1_2);
    let lost = missed.len();
    assert!(lost as u64 * 50 < came, "{lost} never came, {came} did");
}

#[test]
fn hardly_a_byte_comes_twice_even_when_peers_fail() {
    let (mut wanted, mut twice) = (0, 0);
    for seed in 1..=SEEDS {
        let bytes = play(seed).world.nodes[0].metrics.block_bytes_received.clone();
        wanted += bytes.at(Arrival::Wanted).get();
        twice += bytes.at(Arrival::Duplicate).get();
    }
    assert!(twice * 50 < wanted, "{twice} of {wanted} bytes came twice");
}

#[test]
fn a_seed_plays_the_same_run_every_time() {
    for seed in 1..=10 {
        let history = |world: &World| {
            let node = &world.nodes[0];
            let begin = world.start;
            let delivered: Vec<_> =
                node.delivered.iter().map(|d| (d.0 - begin, d.1, d.2)).collect();
            let failed: Vec<_> = node.failed.iter().map(|f| (f.0 - begin, f.1, f.2, f.3)).collect();
            (delivered, failed, node.messages)
        };
        assert_eq!(history(&play(seed).world), history(&play(seed).world), "seed {seed}");
    }
}
