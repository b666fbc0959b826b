//! Whether processes stand being profiled ten thousand times while they serve: none may crash, hang, give
//! a profile that cannot be read, or keep memory for each.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::http::Connection;
use harness::process::resident_bytes;
use harness::{Fleet, FleetPlan, bytes_of_seed};

use crate::profiles::taken;
use crate::table::{Table, Wanted, say};

/// One set.
const SET: [&str; 4] = [
    "/debug/pprof/profile?seconds=1&hz=199",
    "/debug/pprof/heap",
    "/debug/pprof/allocs",
    "/debug/pprof/goroutine",
];
/// Fleets of three processes that are profiled at once.
const FLEETS: usize = 3;
const MIB: f64 = 1024.0 * 1024.0;

/// How far it is.
#[derive(Default)]
struct Soak {
    begun: AtomicU64,
    ended: AtomicU64,
    answers: AtomicU64,
    done: AtomicBool,
}

/// Takes so many sets of four profiles, of processes that serve meanwhile.
pub(crate) fn measure(table: &mut Table, sets: u64) -> Result<()> {
    let fleets: Result<Vec<Fleet>> =
        (0..FLEETS).map(|_| Fleet::start(&FleetPlan::default())).collect();
    let fleets = fleets?;
    let (mut served, mut processes) = (Vec::new(), Vec::new());
    for fleet in &fleets {
        let root = fleet.import(&bytes_of_seed(1, 300_000))?;
        for node in &fleet.nodes {
            served.push((node.http, format!("/ipfs/{root}?format=car")));
        }
        served.push((fleet.gateway.http, format!("/ipfs/{root}")));
        for member in fleet.nodes.iter().chain([&fleet.gateway]) {
            processes.push((member.admin, member.process_id()));
        }
    }
    let (soak, mut grown, started) = (Soak::default(), 0.0, Instant::now());
    let row = format!("profiles: sets taken of {sets}, of processes under load");
    table.figure(&row, "", Wanted::AtLeast(sets as f64), || {
        grown = soak.run(&served, &processes, sets)?;
        Ok(soak.ended.load(Ordering::Relaxed) as f64)
    });
    let answers = soak.answers.load(Ordering::Relaxed);
    table.note(format!("in {:.0} s, {answers} answers meanwhile", started.elapsed().as_secs_f64()));
    let row = "  memory that a process gained in the last nine tenths of them";
    table.add(row, "MiB", Wanted::AtMost(64.0), grown / MIB);
    Ok(())
}

impl Soak {
    /// Gives the most memory that a process gained after the first tenth, in bytes: the first profiles
    /// of a process cost what all of them need.
    fn run(
        &self,
        served: &[(SocketAddr, String)],
        processes: &[(SocketAddr, u32)],
        sets: u64,
    ) -> Result<f64> {
        std::thread::scope(|scope| {
            let load: Vec<_> = served
                .iter()
                .map(|(address, target)| scope.spawn(|| self.ask(*address, target)))
                .collect();
            let takers: Vec<_> = processes
                .iter()
                .map(|(admin, _)| scope.spawn(|| self.take(*admin, sets)))
                .collect();
            let held = || -> Vec<f64> {
                processes.iter().map(|(_, process)| resident_bytes(*process) as f64).collect()
            };
            let (mut first, mut grown) = (None, 0.0_f64);
            while takers.iter().any(|taker| !taker.is_finished()) {
                std::thread::sleep(Duration::from_millis(200));
                if self.ended.load(Ordering::Relaxed) < sets / 10 {
                    continue;
                }
                let first = first.get_or_insert_with(held);
                let gained = held().into_iter().zip(first).map(|(now, then)| now - *then);
                grown = gained.fold(grown, f64::max);
            }
            self.done.store(true, Ordering::Relaxed);
            takers.into_iter().try_for_each(|taker| taker.join().expect("it does not panic"))?;
            load.into_iter().try_for_each(|load| load.join().expect("it does not panic"))?;
            Ok(grown)
        })
    }

    fn take(&self, admin: SocketAddr, sets: u64) -> Result<()> {
        while self.begun.fetch_add(1, Ordering::Relaxed) < sets {
            SET.iter().try_for_each(|target| taken(admin, target))?;
            let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
            if ended.is_multiple_of(500) {
                say(&format!("  {ended} of {sets}"));
            }
        }
        Ok(())
    }

    /// Asks some hundred times a second until all is done; each answer has to be whole.
    fn ask(&self, address: SocketAddr, target: &str) -> Result<()> {
        let mut connection = Connection::open(address)?;
        while !self.done.load(Ordering::Relaxed) {
            let answer = connection.ask("GET", target, &[])?;
            ensure!(answer.status() == 200, "{target}: {}", answer.status());
            self.answers.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}
