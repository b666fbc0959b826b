//! What mirroring costs production: its slowest answers and its memory while staging is well, dead,
//! silent, endless, cut or lying; and whether staging gets everything at a steady rate.
//!
//! Staging has the lowest priority of this machine, since it stands for another one. The load is open: each request is due at its time, and what it waits behind others is its time too.
//! Measurements with and without the mirror take turns, and each pair of them gives one ratio.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::http::{self, Connection};
use harness::process::resident_bytes;
use harness::{FaultyNode, Fleet, FleetPlan, Mode, bytes_of_seed, fleet, metrics};
use serde_json::{Value, json};

use crate::client::median;
use crate::table::{Table, Wanted};

/// Requests a second.
const RATE: u32 = 2000;
/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(4);
/// Measurements with, and as many without.
const PAIRS: usize = 7;
const MIB: f64 = 1024.0 * 1024.0;

const KEEPS_UP: &str = "mirror at 100 % of 2,000 requests/s: share compared";
const P99: &str = "mirror: p99 with staging";

/// The lowest priority.
const NICE: i32 = 19;

/// What stands as staging.
const STAGINGS: [(&str, Option<Mode>); 5] = [
    ("dead", None),
    ("silent", Some(Mode::StallHead)),
    ("endless", Some(Mode::Huge)),
    ("cut", Some(Mode::Truncate)),
    ("lying", Some(Mode::Corrupt)),
];

/// Measures all of them.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    keeps_up(table)?;
    for (name, mode) in STAGINGS {
        slowest(table, name, mode)?;
    }
    Ok(())
}

fn keeps_up(table: &mut Table) -> Result<()> {
    if !table.wants(KEEPS_UP) {
        return Ok(());
    }
    let (production, staging) = (Fleet::start(&FleetPlan::default())?, second()?);
    let small = files(&[&production, &staging])?;
    let admin = production.gateway.admin;
    mirror(admin, json!({ "to": format!("http://{}", staging.gateway.http) }))?;
    let mut late = Vec::new();
    table.figure(KEEPS_UP, "", Wanted::AtLeast(0.999), || {
        let before = (compared(admin), chosen(admin));
        late = paced(production.gateway.http, &small, RATE, TIME * 3)?;
        let until = Instant::now() + Duration::from_secs(10);
        while compared(admin) - before.0 < chosen(admin) - before.1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok((compared(admin) - before.0) / (chosen(admin) - before.1))
    });
    table.note(format!("p99 of production meanwhile: {:.2} ms", p99(&mut late) * 1e3));
    Ok(())
}

fn slowest(table: &mut Table, name: &str, mode: Option<Mode>) -> Result<()> {
    let row = format!("{P99} {name} ÷ without mirror");
    if !table.wants(&row) {
        return Ok(());
    }
    let (production, behind) = (Fleet::start(&FleetPlan::default())?, second()?);
    let small = files(&[&production, &behind])?;
    let faulty = mode.map(|mode| elsewhere(behind.gateway.http, mode)).transpose()?;
    let to = match &faulty {
        Some(faulty) => faulty.address(),
        None => fleet::free_address()?,
    };
    let (gateway, admin) = (production.gateway.http, production.gateway.admin);
    let process = production.gateway.process_id();
    let (mut grown, mut failed, mut times) = (0.0_f64, 0, (Vec::new(), Vec::new()));
    paced(gateway, &small, RATE, TIME)?;
    let resident = resident_bytes(process) as f64;
    table.figure(&row, "", Wanted::AtMost(1.02), || {
        let mut ratios = Vec::new();
        for pair in 0..PAIRS {
            let mut with = |on: bool| -> Result<f64> {
                let to: Value = if on { json!(format!("http://{to}")) } else { Value::Null };
                mirror(admin, json!({ "to": to }))?;
                let mut found = paced(gateway, &small, RATE, TIME)?;
                failed += usize::try_from(RATE)? * TIME.as_secs() as usize - found.len();
                Ok(p99(&mut found))
            };
            // Neither always comes first.
            let (on, off) = match pair % 2 {
                0 => (with(true)?, with(false)?),
                _ => {
                    let off = with(false)?;
                    (with(true)?, off)
                }
            };
            grown = grown.max(resident_bytes(process) as f64 - resident);
            times.0.push(on * 1e3);
            times.1.push(off * 1e3);
            ratios.push(on / off);
        }
        Ok(median(ratios))
    });
    table.note(format!("p99 {:.2} ms, without {:.2} ms", median(times.0), median(times.1)));
    table.add("  memory of production that it takes", "MiB", Wanted::AtMost(16.0), grown / MIB);
    table.add("  answers of production that failed", "", Wanted::AtMost(0.0), failed as f64);
    Ok(())
}

/// A fleet that stands as staging.
fn second() -> Result<Fleet> {
    let mirrors = ("hosts.mirrors", json!(["127.0.0.0/8"]));
    let env = ("access.env", json!("staging"));
    let fleet =
        Fleet::start(&FleetPlan { gateway_set: vec![mirrors, env], ..FleetPlan::default() })?;
    for member in fleet.nodes.iter().chain([&fleet.gateway]) {
        yield_to_others(member.process_id())?;
    }
    Ok(fleet)
}

/// A faulty staging; its threads have the priority of the one that makes them.
fn elsewhere(behind: SocketAddr, mode: Mode) -> Result<FaultyNode> {
    let made = std::thread::spawn(move || -> Result<FaultyNode> {
        rustix::process::setpriority_process(None, NICE)?;
        Ok(FaultyNode::in_front_of(behind, mode)?)
    });
    made.join().expect("it does not panic")
}

/// Gives all threads of a process the lowest priority.
fn yield_to_others(process: u32) -> Result<()> {
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let id: i32 = thread?.file_name().to_string_lossy().parse()?;
        rustix::process::setpriority_process(rustix::process::Pid::from_raw(id), NICE)?;
    }
    Ok(())
}

/// Files that all fleets have.
fn files(fleets: &[&Fleet]) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for seed in 0..64 {
        let bytes = bytes_of_seed(7000 + seed, 1024 + usize::try_from(seed)? * 256);
        for fleet in fleets {
            let root = fleet.import(&bytes)?;
            paths.push(format!("/ipfs/{root}"));
        }
    }
    paths.dedup();
    Ok(paths)
}

fn mirror(admin: SocketAddr, settings: Value) -> Result<()> {
    let answer = http::put(admin, "/mirror", "application/json", settings.to_string().as_bytes())?;
    ensure!(answer.status() == 200, "{}", answer.text());
    Ok(())
}

fn compared(admin: SocketAddr) -> f64 {
    let result = |word| {
        let labels = [("lane", "staging"), ("result", word)];
        metrics::value(admin, "bifrost_gateway_mirror_pairs_total", &labels).unwrap_or(0.0)
    };
    ["same", "different", "moved", "rates"].map(result).iter().sum()
}

fn chosen(admin: SocketAddr) -> f64 {
    metrics::value(admin, "bifrost_gateway_mirror_chosen_total", &[]).unwrap_or(0.0)
}

/// Asks at a rate, one file after another, and gives the time from when each was due to its end.
fn paced(gateway: SocketAddr, paths: &[String], rate: u32, time: Duration) -> Result<Vec<f64>> {
    let mut connection = Connection::open(gateway)?;
    let every = Duration::from_secs(1) / rate;
    let count = usize::try_from(rate)? * usize::try_from(time.as_secs())?;
    let mut times = Vec::with_capacity(count);
    let began = Instant::now();
    for place in 0..count {
        let due = began + every * u32::try_from(place)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let answer = connection.ask("GET", &paths[place % paths.len()], &[])?;
        if answer.status() == 200 {
            times.push(due.elapsed().as_secs_f64());
        }
    }
    Ok(times)
}

fn p99(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 99 / 100).copied().unwrap_or(0.0)
}
