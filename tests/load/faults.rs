//! What clients see while nodes die, stall and lie: every answer is read to its end and compared.
//!
//! The gateway's cache is made too small for the files, so that the nodes stay on the path.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use harness::{FaultyNode, Fleet, FleetPlan, Mode};
use serde_json::json;

use crate::driver::{Known, Tally, add_files, read_during};
use crate::peers::{FIRST_NODE, Peer};
use crate::table::{Table, Wanted, say};

const FILES: u64 = 40;
const FILE_BYTES: usize = 3 << 20;
const READERS: u64 = 8;
const TIME: Duration = Duration::from_secs(12);
/// When the fault begins.
const CALM: Duration = Duration::from_secs(3);

/// Runs every scenario.
///
/// # Errors
/// A fleet that does not start.
pub(crate) fn measure(table: &mut Table, peers: &[Peer]) -> Result<()> {
    let (mut fleet, files) = fleet_of_three(peers)?;
    let ours = fleet.gateway.http;
    killed_node(table, &mut fleet, &files, ("", ours))?;
    for peer in peers {
        killed_node(table, &mut fleet, &files, (&format!(" [{}]", peer.name), peer.address))?;
    }
    for mode in [Mode::Corrupt, Mode::Truncate, Mode::StallBody, Mode::BlackHole, Mode::Reset] {
        faulty_node(table, &mut fleet, &files, mode)?;
    }
    dead_fleet(table, &mut fleet, &files)
}

fn fleet_of_three(peers: &[Peer]) -> Result<(Fleet, Vec<Known>)> {
    say("starting three nodes and a gateway with a small cache");
    let small_cache =
        vec![("cache.block_bytes", json!("8MiB")), ("cache.window_bytes", json!("8MiB"))];
    let first_node = if peers.is_empty() { None } else { Some(FIRST_NODE.parse()?) };
    let plan = FleetPlan { nodes: 3, gateway_set: small_cache, first_node, ..FleetPlan::default() };
    let fleet = Fleet::start(&plan)?;
    let files = add_files(&fleet, FILES, FILE_BYTES)?;
    Ok((fleet, files))
}

fn killed_node(
    table: &mut Table,
    fleet: &mut Fleet,
    files: &[Known],
    (whose, gateway): (&str, SocketAddr),
) -> Result<()> {
    let victim = &mut fleet.nodes[1];
    let tally = read_during(gateway, files, (READERS, TIME), || {
        std::thread::sleep(CALM);
        victim.kill();
    });
    // A peer is shown beside us and promises nothing.
    let wanted = if whose.is_empty() { Wanted::AtLeast(0.999) } else { Wanted::Shown };
    report(table, &format!("kill -9 of one node of three{whose}"), &tally, wanted);
    fleet.restart_node(1)
}

fn faulty_node(table: &mut Table, fleet: &mut Fleet, files: &[Known], mode: Mode) -> Result<()> {
    let faulty = FaultyNode::in_front_of(fleet.nodes[0].http, Mode::Ok)?;
    let upstreams = [faulty.address(), fleet.nodes[1].http, fleet.nodes[2].http];
    fleet.use_upstreams(&upstreams)?;
    let tally = read_during(fleet.gateway.http, files, (READERS, TIME), || {
        std::thread::sleep(CALM);
        faulty.set_mode(mode);
    });
    report(table, &format!("one node of three: {mode:?}"), &tally, Wanted::AtLeast(0.999));
    Ok(())
}

fn dead_fleet(table: &mut Table, fleet: &mut Fleet, files: &[Known]) -> Result<()> {
    let upstreams: Vec<_> = fleet.nodes.iter().map(|node| node.http).collect();
    fleet.use_upstreams(&upstreams)?;
    for node in &mut fleet.nodes {
        node.kill();
    }
    let tally = read_during(fleet.gateway.http, files, (READERS, Duration::from_secs(4)), || {});
    report(table, "every node dead", &tally, Wanted::Shown);
    let lost = tally.lost.load(Ordering::Relaxed) + tally.cut.load(Ordering::Relaxed);
    table.add("every node dead: answers without a status", "", Wanted::AtMost(0.0), lost as f64);
    Ok(())
}

fn report(table: &mut Table, what: &str, tally: &Tally, success: Wanted) {
    let read = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed) as f64;
    let share = read(&tally.ok) / (tally.total() as f64).max(1.0);
    table.add(&format!("{what}: wrong answers"), "", Wanted::AtMost(0.0), read(&tally.wrong));
    table.add(&format!("{what}: share complete"), "", success, share);
    table.note(format!(
        "{} answers: {} refused, {} cut, {} lost; p50 {:.3} s, p99 {:.3} s",
        tally.total(),
        read(&tally.refused),
        read(&tally.cut),
        read(&tally.lost),
        tally.quantile(0.5),
        tally.quantile(0.99)
    ));
}
