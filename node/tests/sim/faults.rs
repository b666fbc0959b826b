//! Messages that are lost, streams that break, and peers that are hard to reach: nobody else must have
//! the content for it to come.

use std::time::Duration;

use bytesize::ByteSize;
use ipfs::Cid;
use node::bitswap::{
    Action, Arrival, Config, DisconnectReason, Engine, Found, Lookup, Message, Metrics, Presence,
    ProtocolVersion, Received, Said, WantEntry, WantFailure, WantType,
};
use telemetry::metrics::Registry;

use crate::network::{Conduct, Path, World, blocks, cids};

const SECOND: Duration = Duration::from_secs(1);
const KIB: usize = 1024;

/// A seeker and a holder of some blocks at a distance of 20 ms.
fn pair(count: usize) -> (World, usize, usize, Vec<ipfs::Block>) {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(count, 8 * KIB);
    world.give(b, &content);
    world.connect(a, b, Path::rtt(20));
    (world, a, b, content)
}

fn want(block: &ipfs::Block) -> WantEntry {
    WantEntry {
        cid: *block.cid(),
        priority: 1,
        cancel: false,
        want_type: WantType::Block,
        send_dont_have: true,
    }
}

#[test]
fn a_want_that_is_lost_is_repeated_to_the_only_peer() {
    let (mut world, a, b, content) = pair(3);
    let session = world.session(a, &content[0], &[b]);
    world.nodes[a].lose = 1;
    world.want(a, session, &cids(&content), 3);
    let took = world.run(60 * SECOND, |w| w.nodes[a].delivered.len() == 3);
    assert!(took.is_some_and(|took| took < 20 * SECOND), "{took:?}");
}

#[test]
fn a_block_that_is_lost_is_asked_for_again() {
    let (mut world, a, b, content) = pair(1);
    let session = world.session(a, &content[0], &[b]);
    world.nodes[b].lose = 1;
    world.want(a, session, &cids(&content), 1);
    let took = world.run(60 * SECOND, |w| w.nodes[a].delivered.len() == 1);
    assert!(took.is_some_and(|took| took < 20 * SECOND), "{took:?}");
}

#[test]
fn a_broken_stream_has_its_wants_said_again_at_once() {
    let (mut world, a, b, content) = pair(1);
    let session = world.session(a, &content[0], &[b]);
    world.nodes[a].lose = 1;
    world.want(a, session, &cids(&content), 1);
    world.pass(Duration::from_millis(50));
    let (peer, now) = (world.nodes[b].peer, world.now);
    world.nodes[a].engine.stream_lost(&peer, now);
    world.drain(a);
    let took = world.run(60 * SECOND, |w| w.nodes[a].delivered.len() == 1);
    assert!(took.is_some_and(|took| took < SECOND), "{took:?}");
}

#[test]
fn an_answer_that_could_not_be_sent_is_sent_again() {
    for lacking in [false, true] {
        let (mut world, a, b, content) = pair(1);
        if lacking {
            world.nodes[b].store.clear();
        }
        let session = world.session(a, &content[0], &[b]);
        world.nodes[b].fail = 2;
        world.want(a, session, &cids(&content), 1);
        let ended = |w: &World| w.nodes[a].delivered.len() + w.nodes[a].failed.len() == 1;
        let took = world.run(60 * SECOND, ended);
        assert!(took.is_some_and(|took| took < 3 * SECOND), "{took:?}");
        assert_eq!(world.nodes[a].failed.len(), usize::from(lacking));
        assert_eq!(world.nodes[b].metrics.serve_held_bytes.get(), 0);
    }
}

#[test]
fn a_cancelled_want_is_not_answered_again_when_its_block_could_not_be_sent() {
    let (mut world, a, b, content) = pair(1);
    let session = world.session(a, &content[0], &[b]);
    world.nodes[b].fail = 1;
    world.want(a, session, &cids(&content), 1);
    world.pass(Duration::from_millis(15));
    world.nodes[a].engine.close_session(session);
    world.drain(a);
    world.pass(5 * SECOND);
    assert_eq!(world.nodes[b].metrics.blocks_sent.get(), 1, "the one that failed");
    assert_eq!(world.nodes[b].metrics.serve_queue.get(), 0);
}

#[test]
fn a_peer_that_cannot_be_written_to_is_disconnected_rather_than_muted_for_ever() {
    let (mut world, a, b, content) = pair(1);
    let session = world.session(a, &content[0], &[b]);
    world.nodes[a].fail = 3;
    world.want(a, session, &cids(&content), 1);
    world.pass(2 * SECOND);
    let peer = world.nodes[b].peer;
    assert_eq!(world.nodes[a].disconnects, [(peer, DisconnectReason::Broken)]);
    world.connect(a, b, Path::rtt(20));
    world.run(SECOND, |w| w.nodes[a].delivered.len() == 1).expect("it is asked again");
}

#[test]
fn wants_of_a_broken_stream_are_taken_back_and_their_late_blocks_excused() {
    let mut world = World::new(1);
    let (a, b) = (world.add(), world.add());
    let content = blocks(20, 64 * KIB);
    world.give(b, &content);
    world.connect(a, b, Path::rtt(20).bandwidth(1_000_000));
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &cids(&content), 20);
    world.pass(Duration::from_millis(100));
    let (peer, now) = (world.nodes[b].peer, world.now);
    world.nodes[a].engine.stream_lost(&peer, now);
    world.nodes[a].engine.close_session(session);
    world.drain(a);
    world.pass(5 * SECOND);
    let sent = world.nodes[b].metrics.blocks_sent.get();
    assert!(sent < 20, "{sent} blocks were sent after all");
    let received = &world.nodes[a].metrics.blocks_received;
    assert_eq!(received.at(Arrival::Unsolicited).get(), 0);
    assert!(received.at(Arrival::Duplicate).get() > 0);
}

#[test]
fn every_connected_peer_is_asked_before_a_block_is_called_missing() {
    let mut world = World::new(1);
    let a = world.add();
    let content = blocks(1, 8 * KIB);
    let others: Vec<usize> = (0..40).map(|_| world.add()).collect();
    for other in &others {
        world.connect(a, *other, Path::rtt(10));
    }
    world.give(others[39], &content);
    let session = world.session(a, &content[0], &[]);
    world.want(a, session, &cids(&content), 1);
    let took = world.run(10 * SECOND, |w| w.nodes[a].delivered.len() == 1);
    assert!(took.is_some(), "{:?}", world.nodes[a].failed);
}

#[test]
fn a_friend_is_asked_before_any_number_of_strangers() {
    let mut world = World::new(1);
    let a = world.add();
    let content = blocks(1, 8 * KIB);
    let strangers: Vec<usize> = (0..40).map(|_| world.add_conduct(Conduct::Mute)).collect();
    let friend = world.add();
    world.give(friend, &content);
    let name = world.nodes[friend].peer;
    world.nodes[a].engine.prefer([name]);
    for other in strangers.into_iter().chain([friend]) {
        world.connect(a, other, Path::rtt(10));
    }
    let session = world.session(a, &content[0], &[]);
    world.want(a, session, &cids(&content), 1);
    let took = world.run(10 * SECOND, |w| w.nodes[a].delivered.len() == 1);
    assert!(took.is_some_and(|took| took < SECOND / 10), "{took:?}");
}

#[test]
fn a_mute_peer_costs_one_session_a_wait_and_not_the_next() {
    let mut world = World::new(1);
    let (a, mute, good) = (world.add(), world.add_conduct(Conduct::Mute), world.add());
    let content = blocks(2, 8 * KIB);
    world.give(good, &content);
    world.connect(a, mute, Path::rtt(2));
    world.connect(a, good, Path::rtt(300));
    let mut times = Vec::new();
    for (at, block) in content.iter().enumerate() {
        let session = world.session(a, block, &[mute, good]);
        world.want(a, session, &[*block.cid()], 1);
        times.push(world.run(5 * SECOND, |w| w.nodes[a].delivered.len() > at));
    }
    assert!(times[0].is_some_and(|took| took > SECOND / 2), "{times:?}");
    assert!(times[1].is_some_and(|took| took < SECOND / 2), "{times:?}");
}

#[test]
fn one_dont_have_answers_the_probe_and_the_want_alike() {
    let mut world = World::new(1);
    let (a, empty, other) = (world.add(), world.add(), world.add_conduct(Conduct::Mute));
    let content = blocks(1, 8 * KIB);
    world.connect(a, empty, Path::rtt(20));
    world.connect(a, other, Path::rtt(20));
    let session = world.session(a, &content[0], &[empty, other]);
    world.want(a, session, &cids(&content), 1);
    world.pass(SECOND / 10);
    let presences = vec![(*content[0].cid(), Presence::DontHave)];
    world.send(other, a, Message { presences, ..Message::default() });
    let took = world.run(60 * SECOND, |w| !w.nodes[a].failed.is_empty());
    assert!(took.is_some_and(|took| took < 2 * SECOND), "{took:?}");
    assert_eq!(world.nodes[a].failed[0].3, WantFailure::AllDontHave);
}

#[test]
fn unsolicited_blocks_count_however_short_they_are_and_wanted_ones_make_up_for_them() {
    for useful in [false, true] {
        let mut world = World::new(1);
        let limit = ByteSize::kib(64);
        let config = Config { unsolicited_bytes_max: limit, ..Config::default() };
        let (a, b) = (world.add_with(config, Conduct::Honest), world.add());
        let content = blocks(1, 512 * KIB);
        world.give(b, &content);
        world.connect(a, b, Path::rtt(2));
        let junk = blocks(120, 8);
        for half in junk.chunks(60) {
            world.send(b, a, Message { blocks: half.to_vec(), ..Message::default() });
            world.pass(SECOND);
            if useful {
                let session = world.session(a, &content[0], &[b]);
                world.want(a, session, &cids(&content), 1);
                world.pass(SECOND);
            }
        }
        assert_eq!(world.nodes[a].disconnects.is_empty(), useful);
    }
}

#[test]
fn a_cancel_leaves_what_is_wanted_under_another_cid() {
    let (mut world, a, b, content) = pair(1);
    let cid = *content[0].cid();
    let other = Cid::v0(*cid.multihash()).expect("sha2-256");
    let session = world.session(a, &content[0], &[b]);
    world.want(a, session, &[cid, other], 2);
    let now = world.now;
    world.nodes[a].engine.cancel(session, &cid, now);
    world.drain(a);
    world.pass(SECOND);
    let delivered: Vec<Cid> = world.nodes[a].delivered.iter().map(|d| d.2).collect();
    assert_eq!(delivered, [other]);
}

#[test]
fn a_probe_that_an_old_peer_cannot_answer_is_put_to_another() {
    let mut world = World::new(1);
    let a = world.add();
    let old: Vec<usize> = (0..4).map(|_| world.add_conduct(Conduct::Mute)).collect();
    let good = world.add();
    let content = blocks(1, 8 * KIB);
    world.give(good, &content);
    let all: Vec<usize> = old.iter().copied().chain([good]).collect();
    for other in &all {
        world.connect(a, *other, Path::rtt(20));
    }
    let session = world.session(a, &content[0], &all);
    world.want(a, session, &cids(&content), 1);
    for other in &old {
        let peer = world.nodes[*other].peer;
        world.nodes[a].engine.peer_version(&peer, ProtocolVersion::V1_1);
    }
    world.drain(a);
    let took = world.run(10 * SECOND, |w| w.nodes[a].delivered.len() == 1);
    assert!(took.is_some_and(|took| took < SECOND * 3 / 2), "{took:?}");
    assert_eq!(world.nodes[a].metrics.wants_sent.at(Said::Block).get(), 2);
}

#[test]
fn a_lookup_brings_no_more_than_was_set_aside_whatever_came_before() {
    let mut world = World::new(1);
    world.coded = false;
    let (server, peer) = (world.add(), world.add_conduct(Conduct::Mute));
    world.connect(server, peer, Path::rtt(2));
    let (small, large) = (blocks(64, 10), blocks(32, 2048 * KIB));
    world.give(server, &small);
    world.give(server, &large);
    for part in [small, large] {
        let wants = part.iter().map(want).collect();
        world.send(peer, server, Message { wants, ..Message::default() });
        world.pass(SECOND);
    }
    assert_eq!(world.nodes[server].metrics.blocks_sent.get(), 96, "all the same");
    let most = world.nodes[server].lookup_bytes_max;
    assert!(most <= 2048 * KIB as u64, "{most} bytes in one lookup");
}

#[test]
fn many_peers_with_one_large_want_each_stay_within_the_budget_of_all() {
    let mut world = World::new(1);
    world.coded = false;
    let config = Config { serve_bytes_max: ByteSize::mib(16), ..Config::default() };
    let server = world.add_with(config, Conduct::Honest);
    world.nodes[server].takes = false;
    let content = blocks(1, 2048 * KIB);
    world.give(server, &content);
    for _ in 0..40 {
        let peer = world.add_conduct(Conduct::Mute);
        world.connect(server, peer, Path::rtt(2));
        let wants = content.iter().map(want).collect();
        world.send(peer, server, Message { wants, ..Message::default() });
    }
    world.pass(SECOND);
    let held = world.nodes[server].metrics.serve_held_bytes.get();
    assert!(held > 0 && held <= 18 << 20, "{held} bytes held");
}

#[test]
fn blocks_that_came_unseen_are_found_when_that_is_said() {
    let mut world = World::new(1);
    let (server, peer) = (world.add(), world.add_conduct(Conduct::Mute));
    world.connect(server, peer, Path::rtt(20));
    let content = blocks(2, 8 * KIB);
    let wants = content.iter().map(want).collect();
    world.send(peer, server, Message { wants, ..Message::default() });
    world.pass(SECOND / 2);
    let denials = |w: &World| w.nodes[server].metrics.presences_sent.at(Presence::DontHave).get();
    assert_eq!(denials(&world), 2);
    world.give(server, &content[..1]);
    let now = world.now;
    assert!(world.nodes[server].engine.recheck(now).is_empty());
    world.drain(server);
    world.pass(SECOND / 2);
    assert_eq!(world.nodes[server].metrics.blocks_sent.get(), 1, "the one that came");
    assert_eq!(denials(&world), 2, "what is still missing is not said again");
}

#[test]
fn a_block_that_arrives_during_a_lookup_that_could_not_read_it_is_looked_up_again() {
    let mut engine = Engine::new(Config::default(), Metrics::new(&Registry::new()));
    let (world, block) = (World::new(1), blocks(1, 8 * KIB).remove(0));
    let (peer, now) = (World::new(1).add_peer(), world.now);
    engine.peer_connected(peer, now);
    engine.received(&peer, Received { wants: vec![want(&block)], ..Received::default() }, now);
    let Some(Action::Lookup { ticket, .. }) = engine.poll() else { panic!("it is looked up") };
    engine.have_locally(&[block], now);
    engine.looked_up(ticket, Lookup { found: vec![Found::Have] }, now);
    assert!(matches!(engine.poll(), Some(Action::Lookup { .. })), "not denied");
}
