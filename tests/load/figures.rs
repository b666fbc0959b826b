//! Every figure that is promised, in the order of the promise.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::process::{Process, resident_bytes};
use harness::{Fleet, FleetPlan, bytes_of_seed, content, fleet, http};

use crate::client::{bytes_per_second, median, requests_per_second, wrk};
use crate::memory::{peaks_during, stalled_reader};
use crate::peers::{FIRST_NODE, Peer};
use crate::table::{Table, Wanted, say};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MEGA: f64 = 1e6;
const BIG: u64 = 100 * MIB;
const CONNECTIONS: usize = 32;
const READERS: usize = 300;

const SMALL_HOT: &str = "1 KiB file from gateway memory, 32 connections";
const BIG_HOT: &str = "100 MiB file from gateway memory, one connection";
const BIG_COLD: &str = "100 MiB file through a cold gateway from a node's disk";

/// Measures all of them.
pub(crate) fn measure(table: &mut Table, peers: &[Peer]) -> Result<()> {
    over_http(table, peers)?;
    bitswap(table)?;
    import(table)?;
    memory(table)?;
    crate::folders::measure(table)?;
    crate::telemetry::measure(table)?;
    crate::mirror::measure(table)?;
    crate::profiles::measure(table)?;
    crate::regression::measure(table)?;
    crate::found::measure(table)?;
    crate::site::measure(table);
    table.figure("`bifrost up` to first page", "s", Wanted::AtMost(5.0), first_page);
    Ok(())
}

fn over_http(table: &mut Table, peers: &[Peer]) -> Result<()> {
    if ![SMALL_HOT, BIG_HOT, BIG_COLD].iter().any(|name| table.wants(name)) {
        return Ok(());
    }
    let first_node = if peers.is_empty() { None } else { Some(FIRST_NODE.parse()?) };
    let mut fleet = Fleet::start(&FleetPlan { first_node, ..FleetPlan::default() })?;
    let small = format!("/ipfs/{}", fleet.import(&bytes_of_seed(1, 1024))?);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("big.bin");
    content::write_file(&path, 2, BIG)?;
    let big = format!("/ipfs/{}", fleet.add(&path)?);

    table.figure(BIG_COLD, "MB/s", Wanted::AtLeast(350.0), || cold_download(&mut fleet, &big));
    let gateway = fleet.gateway.http;
    table.figure(SMALL_HOT, "requests/s", Wanted::AtLeast(60_000.0), || {
        hot_requests(gateway, &small)
    });
    if let Some(rate) = table.wants(SMALL_HOT).then(|| wrk(gateway, &small, CONNECTIONS)).flatten()
    {
        table.note(format!("wrk: {rate:.0}"));
    }
    table.figure(BIG_HOT, "MB/s", Wanted::AtLeast(2000.0), || hot_download(gateway, &big));
    for peer in peers {
        let named = |figure: &str| format!("{figure} [{}]", peer.name);
        table.figure(&named(BIG_COLD), "MB/s", Wanted::Shown, || {
            Ok(bytes_per_second(peer.address, &big, BIG)? / MEGA)
        });
        table.figure(&named(SMALL_HOT), "requests/s", Wanted::Shown, || {
            hot_requests(peer.address, &small)
        });
        table.figure(&named(BIG_HOT), "MB/s", Wanted::Shown, || hot_download(peer.address, &big));
    }
    Ok(())
}

fn cold_download(fleet: &mut Fleet, target: &str) -> Result<f64> {
    let mut rates = Vec::new();
    for _ in 0..3 {
        fleet.restart_gateway()?;
        rates.push(bytes_per_second(fleet.gateway.http, target, BIG)? / MEGA);
    }
    Ok(median(rates))
}

fn hot_requests(address: SocketAddr, target: &str) -> Result<f64> {
    requests_per_second(address, target, CONNECTIONS, Duration::from_secs(1))?;
    requests_per_second(address, target, CONNECTIONS, Duration::from_secs(5))
}

fn hot_download(address: SocketAddr, target: &str) -> Result<f64> {
    bytes_per_second(address, target, BIG)?;
    let rates: Result<Vec<f64>> =
        (0..5).map(|_| Ok(bytes_per_second(address, target, BIG)? / MEGA)).collect();
    Ok(median(rates?))
}

fn bitswap(table: &mut Table) -> Result<()> {
    let name = "1 GiB file by bitswap from our second node, cold";
    if !table.wants(name) {
        return Ok(());
    }
    let fleet = Fleet::start(&FleetPlan::default())?;
    let folder = tempfile::tempdir()?;
    let path = gibibyte_file(folder.path())?;
    let root = fleet.add_with(&path, &["--replicas", "1"])?;
    let nodes = [fleet.nodes[0].process_id(), fleet.nodes[1].process_id()];
    let mut peaks = Vec::new();
    table.figure(name, "MB/s", Wanted::AtLeast(150.0), || {
        ensure!(!fleet.nodes[1].has(&root)?, "the second node has the file already");
        let (replicated, seen) = peaks_during(&nodes, || replicate(fleet.nodes[1].admin, &root));
        peaks = seen;
        Ok(GIB as f64 / replicated?.as_secs_f64() / MEGA)
    });
    for (who, peak) in ["serving", "fetching"].iter().zip(peaks) {
        let name = format!("memory of the {who} node meanwhile, most");
        table.add(&name, "MiB", Wanted::AtMost(300.0), peak as f64 / MIB as f64);
    }
    Ok(())
}

fn replicate(admin: SocketAddr, root: &str) -> Result<Duration> {
    let begun = Instant::now();
    let answer = http::post(admin, &format!("/replicate?root={root}"), "text/plain", b"")?;
    let text = answer.text();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap_or_default())
        .with_context(|| format!("{} {text}", answer.status()))?;
    ensure!(last["done"] == true, "{text}");
    Ok(begun.elapsed())
}

fn import(table: &mut Table) -> Result<()> {
    let name = "import of a 1 GiB file by `bifrost add`";
    if !table.wants(name) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let path = gibibyte_file(folder.path())?;
    let mut disk = Vec::new();
    table.figure(name, "MB/s", Wanted::AtLeast(400.0), || {
        let mut rates = Vec::new();
        for _ in 0..3 {
            let fleet = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
            let begun = Instant::now();
            fleet.add(&path)?;
            rates.push(GIB as f64 / begun.elapsed().as_secs_f64() / MEGA);
            disk.push(disk_rate(folder.path())?);
        }
        Ok(median(rates))
    });
    table.note(format!("disk alone: {:.0}", median(disk)));
    Ok(())
}

/// What the disk does of itself: an import can be no faster, as it is durable when it is done.
fn disk_rate(folder: &Path) -> Result<f64> {
    let piece = vec![1; 4 << 20];
    let mut file = tempfile::tempfile_in(folder)?;
    let begun = Instant::now();
    for _ in 0..GIB / piece.len() as u64 {
        file.write_all(&piece)?;
    }
    file.sync_data()?;
    Ok(GIB as f64 / begun.elapsed().as_secs_f64() / MEGA)
}

fn memory(table: &mut Table) -> Result<()> {
    let (idle, stalled) =
        ("memory of an idle gateway", "memory of a stalled reader of a 1 GiB file");
    if !table.wants(idle) && !table.wants(stalled) {
        return Ok(());
    }
    let fleet = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
    let gateway = fleet.gateway.process_id();
    table.figure(idle, "MiB", Wanted::AtMost(40.0), || {
        std::thread::sleep(Duration::from_secs(2));
        Ok(resident_bytes(gateway) as f64 / MIB as f64)
    });
    let folder = tempfile::tempdir()?;
    let root = fleet.add(&gibibyte_file(folder.path())?)?;
    table.figure(stalled, "KiB", Wanted::AtMost(512.0), || {
        let target = format!("/ipfs/{root}");
        // One reader first: what the file takes in the cache is not the readers'.
        let mut readers = vec![stalled_reader(fleet.gateway.http, &target)?];
        std::thread::sleep(Duration::from_secs(2));
        let before = resident_bytes(gateway);
        for _ in 0..READERS {
            readers.push(stalled_reader(fleet.gateway.http, &target)?);
        }
        std::thread::sleep(Duration::from_secs(3));
        let grown = resident_bytes(gateway).saturating_sub(before);
        Ok(grown as f64 / 1024.0 / READERS as f64)
    });
    Ok(())
}

/// From the command to a page on the default address, as `make run` starts it.
fn first_page() -> Result<f64> {
    let address: SocketAddr = "127.0.0.1:8080".parse()?;
    ensure!(http::get(address, "/").is_err(), "{address} is taken by something else");
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    let program = fleet::program("bifrost")?;
    let place = folder.path().join("fleet");
    let arguments = ["up".as_ref(), "--data".as_ref(), place.as_os_str()];
    let mut fleet = Process::start("up", &program, arguments, folder.path())?;
    let mut last = String::new();
    while begun.elapsed() < Duration::from_secs(30) {
        match http::get(address, "/") {
            Ok(answer) if answer.status() == 200 => {
                let reached = begun.elapsed().as_secs_f64();
                fleet.terminate();
                ensure!(
                    fleet.wait(Duration::from_secs(30)).is_some(),
                    "`bifrost up` does not stop"
                );
                return Ok(reached);
            }
            Ok(answer) => last = format!("{} {}", answer.status(), answer.text()),
            Err(error) => last = error.to_string(),
        }
        ensure!(fleet.is_alive(), "{}", fleet.log_tail(40));
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("no page after 30 s: {last}\n{}", fleet.log_tail(40))
}

fn gibibyte_file(folder: &Path) -> Result<PathBuf> {
    say("  writing a 1 GiB file");
    let path = folder.join("gibibyte.bin");
    content::write_file(&path, 3, GIB)?;
    // What is not on disk yet would be written while something else is measured.
    File::open(&path)?.sync_all()?;
    Ok(path)
}
