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
    table.add("  memory that a process gained", "MiB", Wanted::AtMost(16.0), grown / MIB);
    Ok(())
}

impl Soak {
    /// Gives the most memory that a process gained, in bytes: what it held on average in the last fifth of
    /// the sets over what it held in the second tenth. The first profiles cost what all of them need,
    /// and while names are looked up a process holds more for a moment.
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
            let (mut early, mut late) = (Vec::new(), Vec::new());
            while takers.iter().any(|taker| !taker.is_finished()) {
                std::thread::sleep(Duration::from_millis(50));
                let ended = self.ended.load(Ordering::Relaxed);
                if (sets / 10..sets / 5).contains(&ended) {
                    early.push(held());
                } else if ended >= sets - sets / 5 {
                    late.push(held());
                }
            }
            self.done.store(true, Ordering::Relaxed);
            takers.into_iter().try_for_each(|taker| taker.join().expect("it does not panic"))?;
            load.into_iter().try_for_each(|load| load.join().expect("it does not panic"))?;
            let mean = |ticks: &[Vec<f64>], process: usize| {
                ticks.iter().map(|held| held[process]).sum::<f64>() / ticks.len().max(1) as f64
            };
            let gained =
                (0..processes.len()).map(|process| mean(&late, process) - mean(&early, process));
            Ok(gained.fold(0.0, f64::max))
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
