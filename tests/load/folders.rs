//! Figures of large folders and of large denylists.

use std::fmt::Write;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::content::archive;
use harness::process::resident_bytes;
use harness::{Fleet, FleetPlan};
use ipfs::unixfs::import::{DirectoryImport, Entry, Profile};
use ipfs::{Block, Cid, Codec};
use serde_json::json;

use crate::client::median;
use crate::memory::peaks_during;
use crate::table::{Table, Wanted};

const MIB: f64 = (1 << 20) as f64;
const LISTED: usize = 20_000;
const MANY: usize = 1_000_000;
const DENIED: usize = 1_000_000;

const WHOLE: &str = "listing of a folder of 20,000 entries, warm";
const FIRST: &str = "first byte of that listing";
const MEMORY: &str = "memory of a gateway listing 1,000,000 entries, beyond what it had";
const LOAD: &str = "start of a gateway with a denylist of 1,000,000 lines, beyond one without";
const HELD: &str = "memory of that denylist, most";

/// Measures all of them.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    listings(table)?;
    denylist(table)
}

/// A folder of empty files, as an archive.
fn folder(entries: usize) -> Result<(Cid, Vec<u8>)> {
    let file = Block::of(Codec::Raw, Vec::new().into())?;
    let mut folder = DirectoryImport::new(Profile::V1of2025);
    for index in 0..entries {
        folder.add(Entry { name: format!("entry-{index:07}"), cid: *file.cid(), tsize: 0 });
    }
    let imported = folder.finish()?;
    let archive = archive(&imported.cid, imported.blocks.iter().chain([&file]));
    Ok((imported.cid, archive))
}

/// Reads a listing to its end: seconds to its first byte and to its last, and how long it is.
fn list(address: SocketAddr, target: &str) -> Result<(f64, f64, usize)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let begun = Instant::now();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes())?;
    let mut piece = vec![0; 1 << 16];
    let (mut first, mut entries) = (None, 0);
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            break;
        }
        first.get_or_insert_with(|| begun.elapsed().as_secs_f64());
        entries += lines_in(&piece[..read]);
        tail.extend_from_slice(&piece[..read]);
        tail.drain(..tail.len().saturating_sub(64));
    }
    let whole = begun.elapsed().as_secs_f64();
    ensure!(String::from_utf8_lossy(&tail).contains("</html>"), "the listing was cut");
    Ok((first.context("no answer")?, whole, entries))
}

/// How many rows begin in a piece, by the one byte that each row ends a line with.
fn lines_in(piece: &[u8]) -> usize {
    piece.iter().filter(|byte| **byte == b'\n').count()
}

fn listings(table: &mut Table) -> Result<()> {
    if ![WHOLE, FIRST, MEMORY].iter().any(|name| table.wants(name)) {
        return Ok(());
    }
    let plan = FleetPlan {
        nodes: 1,
        gateway_set: vec![("render.listing_entries_max", json!(2 * MANY))],
        ..FleetPlan::default()
    };
    let fleet = Fleet::start(&plan)?;
    let gateway = fleet.gateway.http;
    let (root, archive) = folder(LISTED)?;
    fleet.nodes[0].import("application/vnd.ipld.car", &archive)?;
    let target = format!("/ipfs/{root}/");
    list(gateway, &target)?;
    let (mut firsts, mut wholes) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let (first, whole, lines) = list(gateway, &target)?;
        ensure!(lines > LISTED, "only {lines} lines");
        firsts.push(first);
        wholes.push(whole);
    }
    table.add(WHOLE, "s", Wanted::AtMost(0.15), median(wholes));
    table.add(FIRST, "s", Wanted::AtMost(0.03), median(firsts));
    let (root, archive) = folder(MANY)?;
    fleet.nodes[0].import("application/vnd.ipld.car", &archive)?;
    drop(archive);
    let target = format!("/ipfs/{root}/");
    // Once before: what the folder takes in the cache is not the listing's.
    list(gateway, &target)?;
    std::thread::sleep(Duration::from_secs(2));
    let process = fleet.gateway.process_id();
    table.figure(MEMORY, "MiB", Wanted::AtMost(16.0), || {
        let before = resident_bytes(process);
        let (listed, peaks) = peaks_during(&[process], || list(gateway, &target));
        let (_, seconds, lines) = listed?;
        ensure!(lines > MANY, "only {lines} lines");
        crate::table::say(&format!("  1,000,000 entries in {seconds:.2} s"));
        Ok(peaks[0].saturating_sub(before) as f64 / MIB)
    });
    Ok(())
}

fn denylist(table: &mut Table) -> Result<()> {
    if !table.wants(LOAD) && !table.wants(HELD) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("large.deny");
    let mut text = String::with_capacity(DENIED * 72);
    for index in 0..DENIED {
        let block = Block::of(Codec::Raw, index.to_string().into_bytes().into())?;
        writeln!(text, "/ipfs/{}", block.cid())?;
    }
    std::fs::write(&path, text)?;
    let plan = |lists| FleetPlan {
        nodes: 1,
        gateway_set: vec![("denylist.lists", lists)],
        ..FleetPlan::default()
    };
    let start = |lists: serde_json::Value| -> Result<(f64, u64)> {
        let mut fleet = Fleet::start(&plan(json!([])))?;
        fleet.gateway.set("denylist.lists", lists);
        let begun = Instant::now();
        fleet.restart_gateway()?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok((seconds, fleet.gateway.process().peak_bytes()))
    };
    let (bare, bare_bytes) = start(json!([]))?;
    let (loaded, loaded_bytes) = start(json!([{ "file": path }]))?;
    table.add(LOAD, "s", Wanted::AtMost(3.0), loaded - bare);
    let bytes = loaded_bytes.saturating_sub(bare_bytes) as f64;
    table.add(HELD, "MiB", Wanted::AtMost(100.0), bytes / MIB);
    Ok(())
}
