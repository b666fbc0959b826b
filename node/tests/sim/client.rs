//! The asking side: who is asked, what a want costs, and what bad peers can do to it.

use std::time::Duration;

use node::bitswap::{Config, DisconnectReason, Message, ProtocolVersion, WantFailure};

use crate::network::{Conduct, Path, World, blocks, cids};

const SECOND: Duration = Duration::from_secs(1);
const KIB: usize = 1024;

fn duplicates(world: &World, node: usize) -> u64 {
    use node::bitswap::Arrival;
    world.nodes[node].metrics.blocks_received.at(Arrival::Duplicate).get()
}

#[test]
fn a_block_on_a_warm_connection_takes_one_round_trip() {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(1, 256 * KIB);
    world.give(b, &content);
    world.connect(a, b, Path::rtt(100));
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &cids(&content), 1);
    let took = world.run(SECOND, |w| w.nodes[0].delivered.len() == 1).expect("the block");
    assert!(took <= Duration::from_millis(105), "took {took:?}");
}

#[test]
fn three_providers_share_the_work_without_a_duplicate() {
    for seed in 1..=5 {
        let mut world = World::new(seed);
        let a = world.add();
        let content = blocks(300, 64 * KIB);
        let providers: Vec<usize> = (0..3).map(|_| world.add()).collect();
        for (order, provider) in providers.iter().enumerate() {
            world.give(*provider, &content);
            let ms = 20 + 10 * order as u64;
            world.connect(a, *provider, Path::rtt(ms).bandwidth(20_000_000));
        }
        let session = world.session(a, &content[0], &providers);
        world.want(a, session, &cids(&content), 1);
        world.want(a, session, &cids(&content)[1..], 0);
        world.run(SECOND, |w| !w.nodes[0].delivered.is_empty()).expect("the root");
        let plan = std::mem::take(&mut world.nodes[a].plan);
        let rest: Vec<_> = plan.into_iter().map(|(_, cid)| cid).collect();
        world.want(a, session, &rest, 128);
        let took = world.run(30 * SECOND, |w| w.nodes[0].delivered.len() >= 300);
        assert!(took.is_some(), "seed {seed}: {} came", world.nodes[a].delivered.len());
        assert_eq!(duplicates(&world, a), 0, "seed {seed}");
        for provider in providers {
            let served = world.nodes[provider].metrics.blocks_sent.get();
            assert!(served >= 50, "seed {seed}: provider {provider} served {served} of 300");
        }
    }
}

#[test]
fn only_the_root_is_probed_for() {
    use node::bitswap::Said;
    let mut world = World::new(1);
    let a = world.add();
    let content = blocks(100, 4 * KIB);
    let providers: Vec<usize> = (0..8).map(|_| world.add()).collect();
    for provider in &providers {
        world.give(*provider, &content);
        world.connect(a, *provider, Path::rtt(20));
    }
    let session = world.session(a, &content[0], &providers);
    world.want(a, session, &cids(&content), 32);
    world.run(SECOND, |w| w.nodes[0].delivered.len() == 100).expect("all");
    let said = |what| world.nodes[a].metrics.wants_sent.at(what).get();
    assert!(said(Said::Have) <= 3, "{} probes", said(Said::Have));
    assert_eq!(said(Said::Block), 100);
}

#[test]
fn dont_have_moves_the_want_at_once() {
    let mut world = World::new(1);
    let (a, empty, full) = (world.add(), world.add(), world.add());
    let content = blocks(1, 8 * KIB);
    world.give(full, &content);
    world.connect(a, empty, Path::rtt(20));
    world.connect(a, full, Path::rtt(20));
    let session = world.session(a, &content[0], &[empty, full]);
    world.want(a, session, &cids(&content), 1);
    let took = world.run(SECOND, |w| w.nodes[0].delivered.len() == 1).expect("the block");
    assert!(took < Duration::from_millis(50), "took {took:?}");
}

#[test]
fn a_want_that_all_deny_fails_and_says_so() {
    let mut world = World::new(1);
    let (a, b, c) = (world.add(), world.add(), world.add());
    let content = blocks(1, 8 * KIB);
    world.connect(a, b, Path::rtt(20));
    world.connect(a, c, Path::rtt(20));
    let session = world.session(a, &content[0], &[b, c]);
    world.want(a, session, &cids(&content), 1);
    world.run(2 * SECOND, |w| !w.nodes[0].failed.is_empty()).expect("a failure");
    assert_eq!(world.nodes[a].failed[0].3, WantFailure::AllDontHave);
}

#[test]
fn a_want_without_peers_fails_and_says_so() {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(1, 8 * KIB);
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &cids(&content), 1);
    let took = world.run(10 * SECOND, |w| !w.nodes[0].failed.is_empty()).expect("a failure");
    assert_eq!(world.nodes[a].failed[0].3, WantFailure::NoPeers);
    assert_eq!(took, 5 * SECOND, "candidates that may yet connect are waited for");
}

#[test]
fn a_candidate_that_connects_in_time_is_asked() {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(1, 8 * KIB);
    world.give(b, &content);
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &cids(&content), 1);
    world.pass(3 * SECOND);
    world.connect(a, b, Path::rtt(20));
    world.run(SECOND, |w| w.nodes[0].delivered.len() == 1).expect("the block");
}

#[test]
fn a_mute_peer_alone_ends_in_a_timeout() {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add_conduct(Conduct::Mute));
    let content = blocks(1, 8 * KIB);
    world.connect(a, b, Path::rtt(20));
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &cids(&content), 1);
    let took = world.run(60 * SECOND, |w| !w.nodes[0].failed.is_empty()).expect("a failure");
    assert_eq!(world.nodes[a].failed[0].3, WantFailure::TimedOut);
    assert_eq!(took, Config::default().give_up);
}

#[test]
fn a_peer_that_says_have_and_stalls_costs_less_than_two_seconds() {
    for liar in [Conduct::HaveThenStall, Conduct::LyingHave, Conduct::Mute] {
        let mut world = World::new(1);
        let (a, bad, good) = (world.add(), world.add_conduct(liar), world.add());
        let content = blocks(200, 64 * KIB);
        world.give(good, &content);
        world.connect(a, bad, Path::rtt(2));
        world.connect(a, good, Path::rtt(50).bandwidth(20_000_000));
        let session = world.session(a, &content[0], &[bad, good]);
        world.want(a, session, &cids(&content), 64);
        let first = world.run(5 * SECOND, |w| !w.nodes[0].delivered.is_empty());
        assert!(first.is_some_and(|took| took < 2 * SECOND), "{liar:?}: first after {first:?}");
        let all = world.run(10 * SECOND, |w| w.nodes[0].delivered.len() == 200);
        assert!(all.is_some_and(|took| took < 3 * SECOND), "{liar:?}: all after {all:?}");
        assert_eq!(duplicates(&world, a), 0, "{liar:?}");
    }
}

#[test]
fn a_provider_lost_midway_is_replaced_without_loss() {
    for seed in 1..=20 {
        let mut world = World::new(seed);
        let (a, b, c) = (world.add(), world.add(), world.add());
        let content = blocks(200, 64 * KIB);
        for provider in [b, c] {
            world.give(provider, &content);
            world.connect(a, provider, Path::rtt(30).bandwidth(10_000_000));
        }
        let session = world.session(a, &content[0], &[b, c]);
        world.want(a, session, &cids(&content), 64);
        let at = 50 + world.dice.roll(500);
        world.pass(Duration::from_millis(at));
        world.disconnect(a, b);
        let all = world.run(10 * SECOND, |w| w.nodes[0].delivered.len() >= 200);
        assert!(all.is_some(), "seed {seed}: {} came", world.nodes[a].delivered.len());
        assert_eq!(world.nodes[a].delivered.len(), 200, "seed {seed}");
        assert!(world.nodes[a].failed.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_slow_peer_does_not_set_the_pace() {
    let mut world = World::new(1);
    let (a, slow, fast) = (world.add(), world.add(), world.add());
    let content = blocks(400, 64 * KIB);
    for (provider, bandwidth) in [(slow, 200_000), (fast, 20_000_000)] {
        world.give(provider, &content);
        world.connect(a, provider, Path::rtt(40).bandwidth(bandwidth));
    }
    let session = world.session(a, &content[0], &[slow, fast]);
    world.want(a, session, &cids(&content), 128);
    let took = world.run(60 * SECOND, |w| w.nodes[0].delivered.len() >= 400).expect("all");
    assert!(took < 6 * SECOND, "took {took:?}; the fast peer alone needs 1.3 s");
    assert!(duplicates(&world, a) <= 20, "{} duplicates", duplicates(&world, a));
}

#[test]
fn a_slow_peer_alone_is_waited_for_and_not_asked_twice() {
    let mut world = World::new(1);
    let (a, slow) = (world.add(), world.add());
    let content = blocks(20, 1024 * KIB);
    world.give(slow, &content);
    world.connect(a, slow, Path::rtt(40).bandwidth(100_000));
    let session = world.session(a, &content[0], &[slow]);
    world.want(a, session, &cids(&content), 20);
    world.run(300 * SECOND, |w| w.nodes[0].delivered.len() >= 20).expect("all");
    assert_eq!(duplicates(&world, a), 0);
}

#[test]
fn a_cancelled_want_is_not_delivered() {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(2, 8 * KIB);
    world.give(b, &content);
    world.connect(a, b, Path::rtt(100));
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &cids(&content), 2);
    world.pass(Duration::from_millis(10));
    let now = world.now;
    world.nodes[a].engine.cancel(session, content[1].cid(), now);
    world.drain(a);
    world.pass(5 * SECOND);
    assert_eq!(world.nodes[a].delivered.len(), 1);
    assert!(world.nodes[a].failed.is_empty());
}

#[test]
fn a_closed_session_hears_nothing_more_and_its_wants_are_taken_back() {
    use node::bitswap::Said;
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(50, 64 * KIB);
    world.give(b, &content);
    world.connect(a, b, Path::rtt(100).bandwidth(1_000_000));
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &cids(&content), 50);
    world.pass(Duration::from_millis(300));
    let before = world.nodes[a].delivered.len();
    world.nodes[a].engine.close_session(session);
    world.drain(a);
    world.pass(30 * SECOND);
    assert_eq!(world.nodes[a].delivered.len(), before);
    assert!(world.nodes[a].metrics.wants_sent.at(Said::Cancel).get() > 0);
    assert_eq!(world.nodes[a].metrics.wants.get(), 0);
    assert_eq!(world.nodes[b].metrics.serve_queue.get(), 0, "the server forgot them too");
}

#[test]
fn two_sessions_share_one_transfer() {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(10, 64 * KIB);
    world.give(b, &content);
    world.connect(a, b, Path::rtt(50));
    for _ in 0..2 {
        let session = world.session(a, &content[0], &[b]);
        world.want(a, session, &cids(&content), 10);
    }
    world.run(5 * SECOND, |w| w.nodes[0].delivered.len() == 20).expect("all, for both");
    assert_eq!(world.nodes[b].metrics.blocks_sent.get(), 10);
}

#[test]
fn unsolicited_blocks_are_not_delivered_and_cost_the_connection() {
    use node::bitswap::Arrival;
    let mut world = World::new(1);
    world.coded = false;
    let (a, evil) = (world.add(), world.add());
    world.connect(a, evil, Path::rtt(2));
    let session = world.session(a, &blocks(1, 2000)[0], &[evil]);
    world.want(a, session, &cids(&blocks(1, 2000)), 1);
    for flood in blocks(80, 1024 * KIB).chunks(2) {
        world.send(evil, a, Message { blocks: flood.to_vec(), ..Message::default() });
    }
    world.pass(SECOND);
    assert!(world.nodes[a].delivered.is_empty());
    assert!(world.nodes[a].metrics.blocks_received.at(Arrival::Unsolicited).get() >= 64);
    assert_eq!(world.nodes[a].disconnects[0].1, DisconnectReason::Unsolicited);
}

#[test]
fn peers_of_every_older_version_are_served_and_serve() {
    for version in ProtocolVersion::ALL {
        for old_serves in [true, false] {
            let mut world = World::new(1);
            let (a, b) = (world.add(), world.add());
            let old = if old_serves { b } else { a };
            world.nodes[old].version = version;
            let content = blocks(50, 64 * KIB);
            world.give(b, &content);
            world.connect(a, b, Path::rtt(20));
            let session = world.session(a, &content[0], &[b]);
            world.want(a, session, &cids(&content), 16);
            let all = world.run(10 * SECOND, |w| w.nodes[0].delivered.len() == 50);
            assert!(all.is_some_and(|took| took < SECOND), "{version:?} {old_serves} {all:?}");
            assert_eq!(duplicates(&world, a), 0);
        }
    }
}

#[test]
fn an_old_peer_that_lacks_the_block_is_left_after_a_silence() {
    let mut world = World::new(1);
    let (a, old, good) = (world.add(), world.add(), world.add());
    world.nodes[old].version = ProtocolVersion::V1_1;
    let content = blocks(20, 64 * KIB);
    world.give(good, &content);
    world.connect(a, old, Path::rtt(10));
    world.connect(a, good, Path::rtt(50));
    let session = world.session(a, &content[0], &[old, good]);
    world.want(a, session, &cids(&content), 8);
    let all = world.run(10 * SECOND, |w| w.nodes[0].delivered.len() == 20);
    assert!(all.is_some_and(|took| took < 2 * SECOND), "{all:?}");
}

#[test]
fn a_peer_that_reconnects_is_told_the_full_list() {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(100, 64 * KIB);
    world.give(b, &content);
    let path = Path::rtt(50).bandwidth(5_000_000);
    world.connect(a, b, path);
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &cids(&content), 100);
    for _ in 0..3 {
        world.pass(Duration::from_millis(300));
        world.disconnect(a, b);
        world.pass(Duration::from_millis(200));
        world.connect(a, b, path);
    }
    world.run(20 * SECOND, |w| w.nodes[0].delivered.len() == 100).expect("all");
}
