//! The serving side: what floods cost, how peers share, and what slow readers hold.

use std::time::Duration;

use ipfs::Cid;
use node::bitswap::{Config, DisconnectReason, Message, Refusal, WantEntry, WantType};

use crate::network::{Conduct, Path, World, blocks, cids};

const SECOND: Duration = Duration::from_secs(1);
const KIB: usize = 1024;

fn want(cid: &Cid, priority: i32) -> WantEntry {
    WantEntry {
        cid: *cid,
        priority,
        cancel: false,
        want_type: WantType::Block,
        send_dont_have: true,
    }
}

#[test]
fn a_million_wants_and_repeated_full_lists_stay_within_the_bound() {
    let mut world = World::new(1);
    world.coded = false;
    let (server, evil) = (world.add(), world.add_conduct(Conduct::Mute));
    world.connect(server, evil, Path::rtt(2));
    let names = cids(&blocks(4000, 8));
    let mut sent = 0;
    while sent < 1_000_000 {
        let offset = sent % 3000;
        let wants: Vec<_> = names[offset..offset + 1000].iter().map(|cid| want(cid, 1)).collect();
        let full = sent % 2000 == 0;
        world.send(evil, server, Message { wants, full, ..Message::default() });
        sent += 1000;
        world.pass(Duration::from_millis(1));
        let kept = world.nodes[server].metrics.serve_queue.get();
        assert!(kept <= 1024, "{kept} wants kept after {sent}");
    }
    world.pass(SECOND);
    world.disconnect(server, evil);
    assert_eq!(world.nodes[server].metrics.serve_queue.get(), 0);
    assert_eq!(world.nodes[server].metrics.serve_held_bytes.get(), 0);
}

#[test]
fn the_least_urgent_want_makes_room() {
    let mut world = World::new(1);
    world.coded = false;
    world.lookup_time = SECOND;
    let config = Config { serve_wants_max: 100, lookup_batch_max: 1, ..Config::default() };
    let (server, peer) =
        (world.add_with(config, Conduct::Honest), world.add_conduct(Conduct::Mute));
    world.connect(server, peer, Path::rtt(2));
    let content = blocks(150, 8 * KIB);
    world.give(server, &content);
    let wants = content.iter().enumerate().map(|(i, b)| want(b.cid(), i as i32)).collect();
    world.send(peer, server, Message { wants, ..Message::default() });
    world.pass(Duration::from_millis(10));
    assert_eq!(world.nodes[server].metrics.wants_refused.at(Refusal::Evicted).get(), 50);
    assert_eq!(world.nodes[server].metrics.serve_queue.get(), 100);
}

#[test]
fn a_block_that_arrives_later_is_sent_to_who_waits() {
    let mut world = World::new(1);
    let (server, peer) = (world.add(), world.add_conduct(Conduct::Mute));
    world.connect(server, peer, Path::rtt(20));
    let content = blocks(1, 8 * KIB);
    let wants = vec![want(content[0].cid(), 1)];
    world.send(peer, server, Message { wants, ..Message::default() });
    world.pass(SECOND);
    assert_eq!(world.nodes[server].metrics.blocks_sent.get(), 0);
    world.bring(server, &content);
    assert_eq!(world.nodes[server].metrics.blocks_sent.get(), 1);
    world.pass(SECOND);
    assert_eq!(world.nodes[server].metrics.serve_queue.get(), 0);
}

#[test]
fn a_block_that_arrives_during_its_lookup_is_not_missed() {
    let mut world = World::new(1);
    world.lookup_time = Duration::from_millis(50);
    let (server, peer) = (world.add(), world.add_conduct(Conduct::Mute));
    world.connect(server, peer, Path::rtt(20));
    let content = blocks(1, 8 * KIB);
    let wants = vec![want(content[0].cid(), 1)];
    world.send(peer, server, Message { wants, ..Message::default() });
    world.pass(Duration::from_millis(30));
    world.bring(server, &content);
    world.pass(SECOND);
    assert_eq!(world.nodes[server].metrics.blocks_sent.get(), 1);
}

#[test]
fn a_reader_that_takes_nothing_holds_no_more_than_its_share_and_is_cut_off() {
    let mut world = World::new(1);
    world.coded = false;
    let (server, peer) = (world.add(), world.add_conduct(Conduct::Mute));
    let content = blocks(200, 1024 * KIB);
    world.give(server, &content);
    world.connect(server, peer, Path::rtt(2));
    world.nodes[server].takes = false;
    let wants = content.iter().map(|b| want(b.cid(), 1)).collect();
    world.send(peer, server, Message { wants, ..Message::default() });
    world.pass(10 * SECOND);
    let held = world.nodes[server].metrics.serve_held_bytes.get();
    let most = 8 * 1024 * 1024 + 5 * 1024 * 1024;
    assert!(held > 0 && held <= most, "{held} bytes held");
    world.pass(60 * SECOND);
    assert_eq!(world.nodes[server].disconnects[0].1, DisconnectReason::Stalled);
    assert_eq!(world.nodes[server].metrics.serve_held_bytes.get(), 0);
}

#[test]
fn peers_share_the_budget_by_bytes() {
    let mut world = World::new(1);
    world.coded = false;
    let config = Config { serve_bytes_max: bytesize::ByteSize::mib(4), ..Config::default() };
    let server = world.add_with(config, Conduct::Honest);
    let large = blocks(400, 1024 * KIB);
    let small = blocks(4000, 16 * KIB);
    world.give(server, &large);
    world.give(server, &small);
    let greedy: Vec<usize> = (0..8).map(|_| world.add()).collect();
    let modest = world.add();
    for node in &greedy {
        world.connect(server, *node, Path::rtt(2).bandwidth(10_000_000));
        let session = world.session(*node, &large[0], &[server]);
        world.want(*node, session, &cids(&large), 400);
    }
    world.connect(server, modest, Path::rtt(2).bandwidth(10_000_000));
    world.pass(SECOND);
    let session = world.session(modest, &small[0], &[server]);
    world.want(modest, session, &cids(&small[..500]), 500);
    let took = world.run(30 * SECOND, |w| w.nodes[modest].delivered.len() == 500);
    assert!(took.is_some_and(|took| took < 5 * SECOND), "8 MB took {took:?} at 10 MB/s");
}

#[test]
fn no_message_is_longer_than_peers_accept() {
    let mut world = World::new(1);
    let config = Config { message_bytes: bytesize::ByteSize::gib(1), ..Config::default() };
    let (a, server) = (world.add(), world.add_with(config, Conduct::Honest));
    let content = blocks(40, 1000 * KIB);
    world.give(server, &content);
    world.connect(a, server, Path::rtt(20).bandwidth(50_000_000));
    let session = world.session(a, &content[0], &[server]);
    world.want(a, session, &cids(&content), 40);
    world.run(30 * SECOND, |w| w.nodes[a].delivered.len() == 40).expect("all");
    let most = world.nodes[server].message_bytes_max;
    assert!(most <= 2 * 1024 * KIB + 64 * KIB, "{most} bytes");
}

#[test]
fn a_cancel_recalls_a_block_that_waits_for_the_stream() {
    let mut world = World::new(1);
    let (server, peer) = (world.add(), world.add_conduct(Conduct::Mute));
    let content = blocks(20, 256 * KIB);
    world.give(server, &content);
    world.connect(server, peer, Path::rtt(2).bandwidth(1_000_000));
    let wants: Vec<_> = content.iter().map(|b| want(b.cid(), 1)).collect();
    world.send(peer, server, Message { wants: wants.clone(), ..Message::default() });
    world.pass(Duration::from_millis(400));
    let cancels = wants.into_iter().map(|entry| WantEntry { cancel: true, ..entry }).collect();
    world.send(peer, server, Message { wants: cancels, ..Message::default() });
    world.pass(30 * SECOND);
    let sent = world.nodes[server].metrics.blocks_sent.get();
    assert!(sent <= 6, "{sent} of 20 blocks were sent");
    assert_eq!(world.nodes[server].metrics.serve_held_bytes.get(), 0);
}
