//! What the findings of `runbooks/findings` are measured by, so that what was gained stays.
//!
//! Processor time of the gateway rather than rates: it is the same while other work runs beside it. Several
//! connections ask at once, since threads that wait for each other are part of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::http::Connection;
use harness::process::{processor_seconds, resident_bytes};
use harness::{Fleet, FleetPlan, bytes_of_seed};

use crate::client::median;
use crate::profiles::taken;
use crate::table::{Table, Wanted};

const NAMES: usize = 2000;
const CONNECTIONS: usize = 4;
const ROUNDS: usize = 5;
const BIG: usize = 100 << 20;
const MIB: f64 = 1024.0 * 1024.0;

const MISSING: &str = "finding: 404 of a name in a folder of 2,000";
const RANGE: &str = "finding: 20 KB out of 100 MiB";
const ARCHIVE: &str = "finding: TAR of 2,000 small files";
const KEPT: &str = "finding: memory that a gateway keeps after its first profiles";

/// Measures all of them.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    if ![MISSING, RANGE, ARCHIVE, KEPT].iter().any(|name| table.wants(name)) {
        return Ok(());
    }
    let fleet = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
    let source = tempfile::tempdir()?;
    for name in 0..NAMES {
        std::fs::write(source.path().join(format!("file-{name:05}.txt")), bytes_of_seed(1, 64))?;
    }
    let folder = fleet.add(source.path())?;
    table.figure(MISSING, "µs", Wanted::AtMost(400.0), || {
        processor(&fleet, 4000, &format!("/ipfs/{folder}/nope"), &[], 404)
    });
    table.figure(ARCHIVE, "ms", Wanted::AtMost(15.0), || {
        Ok(processor(&fleet, 100, &format!("/ipfs/{folder}?format=tar"), &[], 200)? / 1e3)
    });
    if table.wants(RANGE) {
        let big = source.path().join("big");
        std::fs::write(&big, bytes_of_seed(2, BIG))?;
        let big = fleet.add(&big)?;
        table.figure(RANGE, "µs", Wanted::AtMost(80.0), || {
            let range = [("range", "bytes=70000000-70020000")];
            processor(&fleet, 20_000, &format!("/ipfs/{big}"), &range, 206)
        });
    }
    kept(table)
}

/// Processor time of the gateway for a request, in microseconds: the middle of several rounds.
fn processor(
    fleet: &Fleet,
    requests: usize,
    target: &str,
    headers: &[(&str, &str)],
    status: u16,
) -> Result<f64> {
    let process = fleet.gateway.process_id();
    let ask = |count: usize| -> Result<()> {
        let mut connection = Connection::open(fleet.gateway.http)?;
        for _ in 0..count {
            let answer = connection.ask("GET", target, headers)?;
            ensure!(answer.status() == status, "{target}: {}", answer.status());
        }
        Ok(())
    };
    ask(requests / 10)?;
    let (mut rounds, each) = (Vec::new(), requests / CONNECTIONS);
    for _ in 0..ROUNDS {
        let before = processor_seconds(process)?;
        std::thread::scope(|scope| {
            let askers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| ask(each))).collect();
            askers.into_iter().try_for_each(|asker| asker.join().expect("it does not panic"))
        })?;
        rounds.push((processor_seconds(process)? - before) * 1e6 / requests as f64);
    }
    Ok(median(rounds))
}

fn kept(table: &mut Table) -> Result<()> {
    if !table.wants(KEPT) {
        return Ok(());
    }
    let fleet = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
    let process = fleet.gateway.process_id();
    table.figure(KEPT, "MiB", Wanted::AtMost(40.0), || {
        let before = resident_bytes(process) as f64;
        for target in ["/debug/pprof/profile?seconds=1&hz=199", "/debug/pprof/heap"] {
            taken(fleet.gateway.admin, target).context("a profile")?;
        }
        // The allocator gives back what is free for a second.
        std::thread::sleep(Duration::from_secs(4));
        Ok((resident_bytes(process) as f64 - before) / MIB)
    });
    Ok(())
}
