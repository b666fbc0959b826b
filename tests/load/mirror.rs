//! What mirroring costs production: its slowest answers and its memory while staging is well, dead,
//! silent, endless, cut or lying; and whether staging gets everything at a steady rate.
//!
//! Staging has a processor of its own and production has the others, since it stands for another machine: a
//! low priority is not enough, because a scheduler lets who runs go on for milliseconds, and who is within
//! the system for longer. The load is open: each request is due at its time, and what it waits behind
//! others is its time too. Windows with and
//! without the mirror take turns and are short, so that a slow spell of the machine meets both alike;
//! what is compared is the middle of the windows' p99, which a disturbed window does not move.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::fleet::Member;
use harness::http::{self, Connection};
use harness::process::resident_bytes;
use harness::{FaultyNode, Fleet, FleetPlan, Mode, bytes_of_seed, fleet, metrics};
use serde_json::{Value, json};

use crate::client::median;
use crate::table::{Table, Wanted};

/// Requests a second.
const RATE: u32 = 2000;
/// How long a window takes: twenty of its answers are slower than its p99.
const WINDOW: Duration = Duration::from_secs(1);
/// Windows with, and as many without.
const WINDOWS: usize = 40;
/// How often the windows are drawn anew for the interval.
const DRAWS: usize = 2000;
const MIB: f64 = 1024.0 * 1024.0;

const KEEPS_UP: &str = "mirror at 100 % of 2,000 requests/s: share compared";
const P99: &str = "mirror: p99 with staging";

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
        late = paced(production.gateway.http, &small, RATE, WINDOW * 12)?;
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
    let places = Places::of_this_machine()?;
    for member in members(&production) {
        places.production(member.process_id())?;
    }
    for member in members(&behind) {
        places.staging(member.process_id())?;
    }
    let small = files(&[&production, &behind])?;
    let faulty = mode.map(|mode| places.elsewhere(behind.gateway.http, mode)).transpose()?;
    let to = match &faulty {
        Some(faulty) => faulty.address(),
        None => fleet::free_address()?,
    };
    let (gateway, admin) = (production.gateway.http, production.gateway.admin);
    let process = production.gateway.process_id();
    let (mut grown, mut failed, mut times) = (0.0_f64, 0, (Vec::new(), Vec::new()));
    // Who asks is production's client, and measures where it is.
    places.here()?;
    paced(gateway, &small, RATE, WINDOW * 4)?;
    let resident = resident_bytes(process) as f64;
    table.figure(&row, "", Wanted::AtMost(1.02), || {
        for pair in 0..WINDOWS {
            // Neither always comes first.
            for on in [pair % 2 == 0, pair % 2 == 1] {
                let to: Value = if on { json!(format!("http://{to}")) } else { Value::Null };
                mirror(admin, json!({ "to": to }))?;
                let mut found = paced(gateway, &small, RATE, WINDOW)?;
                failed += usize::try_from(RATE)? * WINDOW.as_secs() as usize - found.len();
                let side = if on { &mut times.0 } else { &mut times.1 };
                side.push(p99(&mut found) * 1e3);
            }
            grown = grown.max(resident_bytes(process) as f64 - resident);
        }
        Ok(median(times.0.clone()) / median(times.1.clone()))
    });
    places.anywhere()?;
    let (least, most) = interval(&times.0, &times.1);
    let (with, without) = (median(times.0), median(times.1));
    table.note(format!("p99 {with:.2} ms, without {without:.2} ms; 95 %: {least:.2} to {most:.2}"));
    table.add("  memory of production that it takes", "MiB", Wanted::AtMost(16.0), grown / MIB);
    table.add("  answers of production that failed", "", Wanted::AtMost(0.0), failed as f64);
    Ok(())
}

/// Where the ratio of the two middles lies with 95 % confidence: pairs of windows are drawn anew, the
/// seed is fixed.
fn interval(with: &[f64], without: &[f64]) -> (f64, f64) {
    if with.is_empty() {
        return (0.0, 0.0);
    }
    let mut bytes = bytes_of_seed(1, DRAWS * with.len() * 4).into_iter();
    let mut ratios: Vec<f64> = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let mut drawn = (Vec::new(), Vec::new());
        for _ in 0..with.len() {
            let four: [u8; 4] = std::array::from_fn(|_| bytes.next().expect("as many are made"));
            let place = u32::from_le_bytes(four) as usize % with.len();
            drawn.0.push(with[place]);
            drawn.1.push(without[place]);
        }
        ratios.push(median(drawn.0) / median(drawn.1));
    }
    ratios.sort_by(f64::total_cmp);
    (ratios[DRAWS / 40], ratios[DRAWS - DRAWS / 40])
}

/// A fleet that stands as staging.
fn second() -> Result<Fleet> {
    let mirrors = ("hosts.mirrors", json!(["127.0.0.0/8"]));
    let env = ("access.env", json!("staging"));
    Fleet::start(&FleetPlan { gateway_set: vec![mirrors, env], ..FleetPlan::default() })
}

fn members(fleet: &Fleet) -> impl Iterator<Item = &Member> {
    fleet.nodes.iter().chain([&fleet.gateway])
}

/// Which processors who has, as `taskset` has them.
struct Places {
    production: String,
    staging: String,
    all: String,
}

impl Places {
    /// The last one is staging's.
    fn of_this_machine() -> Result<Self> {
        let last = std::thread::available_parallelism()?.get() - 1;
        ensure!(last > 0, "staging needs a processor of its own, and there is one in all");
        let (production, all) = (format!("0-{}", last - 1), format!("0-{last}"));
        Ok(Self { production, staging: last.to_string(), all })
    }

    fn production(&self, process: u32) -> Result<()> {
        run_on(&self.production, &["--all-tasks", &process.to_string()])
    }

    fn staging(&self, process: u32) -> Result<()> {
        run_on(&self.staging, &["--all-tasks", &process.to_string()])
    }

    /// The calling thread, and those that it makes from here on, with production.
    fn here(&self) -> Result<()> {
        run_on(&self.production, &[&own_thread()?])
    }

    /// The calling thread wherever the system likes.
    fn anywhere(&self) -> Result<()> {
        run_on(&self.all, &[&own_thread()?])
    }

    /// A faulty staging; its threads run where the one runs that makes them.
    fn elsewhere(&self, behind: SocketAddr, mode: Mode) -> Result<FaultyNode> {
        std::thread::scope(|scope| {
            let made = scope.spawn(|| -> Result<FaultyNode> {
                run_on(&self.staging, &[&own_thread()?])?;
                Ok(FaultyNode::in_front_of(behind, mode)?)
            });
            made.join().expect("it does not panic")
        })
    }
}

/// The number of the calling thread.
fn own_thread() -> Result<String> {
    let own = std::fs::read_link("/proc/thread-self")?;
    Ok(own.file_name().context("it is named by its number")?.to_string_lossy().into_owned())
}

fn run_on(processors: &str, whom: &[&str]) -> Result<()> {
    let mut command = Command::new("taskset");
    let (last, flags) = whom.split_last().context("somebody")?;
    command.args(flags).args(["--pid", "--cpu-list", processors, last]);
    let output = command.output().context("taskset of util-linux is needed")?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
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
