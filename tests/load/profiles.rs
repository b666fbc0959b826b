//! What profiles cost: processor time while one is taken, while the allocator samples, and over a day of
//! nightly sets.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::process::processor_seconds;
use harness::{Fleet, FleetPlan, bytes_of_seed, http};
use telemetry::profile::read;

use crate::client::{loaded, median, while_loaded};
use crate::table::{Table, Wanted};

const CONNECTIONS: usize = 32;
/// Pairs of measurements, one with and one without.
const PAIRS: usize = 15;
/// How long each takes.
const WINDOW: Duration = Duration::from_secs(3);
/// What is sought of the allocator is smaller than what a machine does to one pair: more, and closer together.
const HEAP_PAIRS: usize = 60;
const HEAP_WINDOW: Duration = Duration::from_secs(1);
/// What a nightly set asks each process for, as `bifrost profile collect` does by default.
const NIGHTLY: [&str; 4] = [
    "/debug/pprof/profile?seconds=30&hz=99",
    "/debug/pprof/heap",
    "/debug/pprof/allocs",
    "/debug/pprof/goroutine",
];
const DAY: f64 = 86_400.0;

const SAMPLES: &str = "profile: processor time of a request that sampling adds";
const HEAP: &str = "profile: processor time of a request that heap sampling adds, all day";
const OVER_DAY: &str = "profile: processor time that a nightly set adds to a day";

/// Measures all of them but the soak.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    sampling(table)?;
    heap_sampling(table)?;
    over_a_day(table)
}

fn sampling(table: &mut Table) -> Result<()> {
    if !table.wants(SAMPLES) {
        return Ok(());
    }
    let fleet = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
    let small = format!("/ipfs/{}", fleet.import(&bytes_of_seed(1, 1024))?);
    let admin = fleet.gateway.admin;
    let mut times = (Vec::new(), Vec::new());
    table.figure(SAMPLES, "%", Wanted::AtMost(5.0), || {
        let mut costs = Vec::new();
        for _ in 0..PAIRS {
            let without = per_request(&fleet, &small, WINDOW)?;
            let with = std::thread::scope(|scope| -> Result<f64> {
                // It samples before and after the window as well.
                let target = "/debug/pprof/profile?seconds=5&hz=99";
                let profile = scope.spawn(move || taken(admin, target));
                std::thread::sleep(Duration::from_secs(1));
                let with = per_request(&fleet, &small, WINDOW)?;
                profile.join().expect("it does not panic")?;
                Ok(with)
            })?;
            costs.push(100.0 * (with / without - 1.0));
            times.0.push(with);
            times.1.push(without);
        }
        Ok(median(costs))
    });
    compared(table, "99 Hz", times);
    Ok(())
}

fn heap_sampling(table: &mut Table) -> Result<()> {
    if !table.wants(HEAP) {
        return Ok(());
    }
    let fleet = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
    let small = format!("/ipfs/{}", fleet.import(&bytes_of_seed(1, 1024))?);
    let admin = fleet.gateway.admin;
    let mut times = (Vec::new(), Vec::new());
    table.figure(HEAP, "%", Wanted::AtMost(1.0), || {
        let mut costs = Vec::new();
        // In one process: two of them differ by more than what is sought.
        for pair in 0..HEAP_PAIRS {
            // Neither always comes first.
            for on in [pair % 2 == 0, pair % 2 == 1] {
                let method = if on { "PUT" } else { "DELETE" };
                let set = http::ask(admin, method, "/debug/pprof/heap", &[])?;
                ensure!(set.status() == 200, "{method}: {}", set.text());
                let side = if on { &mut times.0 } else { &mut times.1 };
                side.push(per_request(&fleet, &small, HEAP_WINDOW)?);
            }
            costs.push(100.0 * (times.0[pair] / times.1[pair] - 1.0));
        }
        Ok(median(costs))
    });
    compared(table, "on", times);
    Ok(())
}

/// Says the two middles, unless nothing was measured.
fn compared(table: &mut Table, what: &str, (with, without): (Vec<f64>, Vec<f64>)) {
    if !with.is_empty() {
        let (with, without) = (median(with), median(without));
        table.note(format!("{what}: {with:.2} µs, without {without:.2} µs"));
    }
}

/// A nightly set while the gateway has all the load that it can take, which is when it costs most.
fn over_a_day(table: &mut Table) -> Result<()> {
    if !table.wants(OVER_DAY) {
        return Ok(());
    }
    let fleet = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
    let small = format!("/ipfs/{}", fleet.import(&bytes_of_seed(1, 1024))?);
    let (admin, process) = (fleet.gateway.admin, fleet.gateway.process_id());
    let mut seconds = 0.0;
    table.figure(OVER_DAY, "% of a processor", Wanted::AtMost(1.0), || {
        let alone: Result<Vec<f64>> = (0..5).map(|_| per_request(&fleet, &small, WINDOW)).collect();
        let alone = median(alone?);
        let before = processor_seconds(process)?;
        let taken = || NIGHTLY.iter().try_for_each(|target| taken(admin, target));
        let ((), served) = while_loaded(fleet.gateway.http, &small, CONNECTIONS, taken)?;
        seconds = processor_seconds(process)? - before - served * alone / 1e6;
        Ok(100.0 * seconds / DAY)
    });
    table.note(format!("{seconds:.1} s, of which names take most"));
    Ok(())
}

/// Processor time that a request takes, in microseconds, with a gateway under all the load it takes.
fn per_request(fleet: &Fleet, target: &str, window: Duration) -> Result<f64> {
    Ok(loaded(&fleet.gateway, target, CONNECTIONS, window)?.processor)
}

/// Takes a profile and reads it.
pub(crate) fn taken(admin: SocketAddr, target: &str) -> Result<()> {
    let answer = http::get(admin, target)?;
    ensure!(answer.status() == 200, "{target}: {}: {}", answer.status(), answer.text());
    read::read(&answer.body).with_context(|| target.to_owned())?;
    Ok(())
}
