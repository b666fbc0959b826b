//! Clients under fire: several readers ask for known files, check every byte and sort every answer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::http::Connection;
use harness::{Ending, Fleet, bytes_of_seed};
use parking_lot::Mutex;

/// A file that the fleet serves.
pub(crate) struct Known {
    pub(crate) target: String,
    pub(crate) bytes: Vec<u8>,
}

/// Makes files of these sizes, one seed each, and adds them to every node.
///
/// # Errors
/// The files cannot be written or added.
pub(crate) fn add_files(fleet: &Fleet, count: u64, size: usize) -> Result<Vec<Known>> {
    let folder = tempfile::tempdir()?;
    for seed in 0..count {
        std::fs::write(folder.path().join(seed.to_string()), bytes_of_seed(5000 + seed, size))?;
    }
    let mut known = Vec::new();
    for seed in 0..count {
        let root = fleet.add(&folder.path().join(seed.to_string()))?;
        let bytes = bytes_of_seed(5000 + seed, size);
        known.push(Known { target: format!("/ipfs/{root}"), bytes });
    }
    Ok(known)
}

/// How answers ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Complete and right.
    pub(crate) ok: AtomicU64,
    /// A status of 4xx or 5xx, complete.
    pub(crate) refused: AtomicU64,
    /// Visibly cut.
    pub(crate) cut: AtomicU64,
    /// Complete, 200, and not what was asked for.
    pub(crate) wrong: AtomicU64,
    /// No answer at all.
    pub(crate) lost: AtomicU64,
    times: Mutex<Vec<f64>>,
}

impl Tally {
    /// The time within which this share of the right answers was complete, in seconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut times = self.times.lock();
        times.sort_by(f64::total_cmp);
        let at = (times.len() as f64 * share) as usize;
        times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }

    pub(crate) fn total(&self) -> u64 {
        [&self.ok, &self.refused, &self.cut, &self.wrong, &self.lost]
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

/// Reads for `time` with this many readers while `during` runs.
pub(crate) fn read_during(
    gateway: SocketAddr,
    files: &[Known],
    (readers, time): (u64, Duration),
    during: impl FnOnce(),
) -> Tally {
    let tally = Tally::default();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..readers {
            let (tally, stop) = (&tally, &stop);
            scope.spawn(move || {
                let mut at = usize::try_from(reader).unwrap_or(0) * 7;
                while !stop.load(Ordering::Relaxed) {
                    read_one(gateway, &files[at % files.len()], tally);
                    at += 1;
                }
            });
        }
        let begun = Instant::now();
        during();
        std::thread::sleep(time.saturating_sub(begun.elapsed()));
        stop.store(true, Ordering::Relaxed);
    });
    tally
}

fn read_one(gateway: SocketAddr, file: &Known, tally: &Tally) {
    let begun = Instant::now();
    let answer = Connection::open(gateway)
        .and_then(|mut connection| connection.ask("GET", &file.target, &[("Connection", "close")]));
    let count = match answer {
        Err(_) => &tally.lost,
        Ok(answer) if answer.ending == Ending::Cut => &tally.cut,
        Ok(answer) if answer.status() >= 400 => &tally.refused,
        Ok(answer) if answer.status() == 200 && answer.body == file.bytes => {
            tally.times.lock().push(begun.elapsed().as_secs_f64());
            &tally.ok
        }
        Ok(_) => &tally.wrong,
    };
    count.fetch_add(1, Ordering::Relaxed);
}
