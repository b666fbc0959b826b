//! `bifrost mirror replay`: recorded requests driven against any gateway, and its answers compared with
//! another's.
//!
//! The load is open: each request leaves at its time, whether or not those before it were answered, so
//! that a gateway which is slow is not asked less. What would be too many at once is not sent, and is
//! counted. Pairs are written as gateways write them, for `report` and `verdict`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use indicatif::ProgressBar;
use serde::Serialize;
use telemetry::Tasks;
use telemetry::pairs::{Bounds, Segments, micros};

mod ask;
mod keys;
mod outcome;

use ask::{Asker, Both};
use keys::{Key, Keys};
use outcome::Outcome;

use super::{MirrorError, at};
use crate::output::{self, Format, Style, Table};

/// Bounds of the files that are written: a replay is as long as its keys.
const BOUNDS: Bounds =
    Bounds { file_bytes: 1 << 30, files: 64, keep: Duration::from_secs(365 * 86400) };

/// What `bifrost mirror replay` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost mirror replay --to http://127.0.0.1:8081 --against http://127.0.0.1:8080
  bifrost mirror replay --keys keys.ndjson --to http://candidate:8080 --rate 500 --times 10
  bifrost mirror replay --keys access.log.clear --to http://127.0.0.1:8081 --speed 10
  bifrost mirror replay --keys differences.ndjson --to http://127.0.0.1:8081 \\
      --against http://127.0.0.1:8080 --out again && bifrost mirror report --pairs again

Keys are what gateways keep of the requests that they mirrored (keys*.ndjson), records of differences, or
access logs: of those, only records that hold a path in clear text can be asked again.

Exit codes: 0 what was compared agrees, 1 some differ, are not what they are named, or failed where the
other gateway did not; without another, whatever failed; 2 wrong command line, 3 an input cannot be read,
4 nothing was compared.")]
pub(crate) struct ReplayArgs {
    /// The gateway that is tried.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The gateway whose answers it has to give; without one, its bytes are verified where they are
    /// named by a hash.
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// Files or folders of keys instead of those that the fleet of --data keeps.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    keys: Vec<PathBuf>,
    /// Where a fleet of this machine keeps its data; keys are in its folder `mirror`.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
    /// Requests a second, instead of the times at which they were recorded.
    #[arg(long, value_name = "N", conflicts_with = "speed", value_parser = rate)]
    rate: Option<f64>,
    /// How much faster than they were recorded.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = rate)]
    speed: f64,
    /// How often all of them are asked.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    times: u32,
    /// Most requests in all.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    most: usize,
    /// Most requests that are under way; one that would be too many is not sent.
    #[arg(long, value_name = "N", default_value_t = 512)]
    in_flight: usize,
    /// Longest wait for a whole answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    within: u64,
    /// How much of a body is hashed and compared, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 16)]
    compare: u64,
    /// Write pairs and differences to this folder, for `report` and `verdict`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if rate > 0.0 && rate <= 1e6 {
        Ok(rate)
    } else {
        Err("more than 0, and at most 1e6".to_owned())
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Replayed {
    #[serde(flatten)]
    outcome: Outcome,
    /// Lines that cannot be asked again: they hold no path in clear text.
    without_path: u64,
    /// Lines that are no records.
    bad_lines: u64,
    /// How long it took, in seconds.
    seconds: f64,
}

/// Runs `bifrost mirror replay`.
///
/// # Errors
/// [`MirrorError`]: a URL that is none, keys that cannot be read, a folder that cannot be written.
pub(crate) async fn run(
    args: &ReplayArgs,
    format: Format,
    tasks: &Tasks,
) -> Result<ExitCode, MirrorError> {
    let paths = match &args.keys[..] {
        [] => vec![args.data.join("mirror")],
        paths => paths.to_vec(),
    };
    let keys = keys::read(&paths)?;
    let asker = Asker::new(
        tasks,
        (&args.to, args.against.as_deref()),
        Duration::from_secs(args.within),
        args.compare.saturating_mul(1024 * 1024),
    )?;
    let mut files = args.out.as_deref().map(Files::open).transpose()?;
    let began = Instant::now();
    let outcome = drive(args, &keys, Arc::new(asker), &mut files).await?;
    let seconds = began.elapsed().as_secs_f64();
    let exit = outcome.exit(args.against.is_some());
    let Keys { without_path, bad_lines, .. } = keys;
    let replayed = Replayed { outcome, without_path, bad_lines, seconds };
    match format {
        Format::Text => output::result(&text(&replayed, Style::stdout())),
        Format::Json => output::result(&format!("{}\n", serde_json::json!(replayed))),
    }
    if replayed.outcome.unsent > 0 {
        let unsent = replayed.outcome.unsent;
        let note = format!(
            "{unsent} requests were not sent, since {} were under way: lower --rate or --speed, or raise \
             --in-flight",
            args.in_flight
        );
        output::note(&Style::stderr().warning(&note));
    }
    Ok(exit)
}

/// Sends each key at its time, and gathers what comes.
async fn drive(
    args: &ReplayArgs,
    keys: &Keys,
    asker: Arc<Asker>,
    files: &mut Option<Files>,
) -> Result<Outcome, MirrorError> {
    let total = keys.list.len().saturating_mul(args.times as usize).min(args.most);
    let progress = ProgressBar::new(total as u64);
    let mut outcome = Outcome::default();
    let mut asked = FuturesUnordered::new();
    let began = tokio::time::Instant::now();
    let mut next = 0;
    while next < total || !asked.is_empty() {
        let leaves = began + args.leaves_after(keys, next);
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(leaves), if next < total => {
                let key = Arc::clone(&keys.list[next % keys.list.len()]);
                next += 1;
                if asked.len() >= args.in_flight {
                    outcome.unsent += 1;
                    continue;
                }
                let late = began.elapsed().saturating_sub(leaves - began);
                outcome.late_us_max = outcome.late_us_max.max(micros(late));
                let asker = Arc::clone(&asker);
                asked.push(async move { (asker.ask(&key).await, key) });
            }
            Some((both, key)) = asked.next() => {
                outcome.add(&both);
                if let Some(files) = files {
                    files.write(&both, &key, &asker)?;
                }
                progress.set_position(outcome.asked + outcome.unsent);
            }
        }
    }
    progress.finish_and_clear();
    if let Some(files) = files {
        files.flush()?;
    }
    Ok(outcome)
}

impl ReplayArgs {
    /// When a request leaves, from the beginning on.
    fn leaves_after(&self, keys: &Keys, place: usize) -> Duration {
        if let Some(rate) = self.rate {
            return Duration::from_secs_f64(place as f64 / rate);
        }
        let (round, place) = (place / keys.list.len().max(1), place % keys.list.len().max(1));
        let at_ms = keys.list.get(place).map_or(0, |key| key.at_ms) - keys.first_ms();
        // Rounds follow each other as far apart as the keys of one are on average.
        let span = keys.span_ms() * (keys.list.len() as u64 + 1) / keys.list.len().max(1) as u64;
        let millis = round as u64 * span.max(1) + at_ms;
        Duration::from_secs_f64(millis as f64 / 1000.0 / self.speed)
    }
}

/// The files that a replay writes.
struct Files {
    folder: PathBuf,
    pairs: Segments,
    differences: Segments,
}

impl Files {
    fn open(folder: &std::path::Path) -> Result<Self, MirrorError> {
        let now = SystemTime::now();
        let open = |stem| Segments::open(folder, stem, BOUNDS, now).map_err(at(folder));
        let (pairs, differences) = (open("pairs")?, open("differences")?);
        Ok(Self { folder: folder.to_path_buf(), pairs, differences })
    }

    fn write(&mut self, both: &Both, key: &Key, asker: &Asker) -> Result<(), MirrorError> {
        let Some(pair) = &both.pair else { return Ok(()) };
        let now = SystemTime::now();
        let line = serde_json::to_vec(pair).expect("a pair is a tree of plain values");
        self.pairs.append(&line, now).map_err(at(&self.folder))?;
        if !pair.differences.is_empty() {
            let record = serde_json::to_vec(&asker.difference(both, key)).expect("plain values");
            self.differences.append(&record, now).map_err(at(&self.folder))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), MirrorError> {
        self.pairs.flush().and_then(|()| self.differences.flush()).map_err(at(&self.folder))
    }
}

fn text(replayed: &Replayed, style: Style) -> String {
    let Replayed { outcome, without_path, bad_lines, seconds } = replayed;
    let mut table = Table::default();
    let mut row = |what: &str, figure: String| table.row([what, &figure]);
    row("asked", format!("{} in {seconds:.1} s", outcome.asked));
    row("latest departure behind its time", format!("{:.1} ms", outcome.late_us_max as f64 / 1e3));
    for (what, count) in &outcome.results {
        row(what, count.to_string());
    }
    for (what, count) in &outcome.differences {
        row(&format!("  differ in {what}"), count.to_string());
    }
    for (what, count) in &outcome.statuses {
        row(&format!("status {what}"), count.to_string());
    }
    for (what, count) in [
        ("not what they are named", outcome.wrong),
        ("failed where the other did not", outcome.failed),
        ("not sent, too many were under way", outcome.unsent),
        ("lines without a path in clear text", *without_path),
        ("lines that are no records", *bad_lines),
    ] {
        if count > 0 {
            row(what, count.to_string());
        }
    }
    for (quantile, time) in outcome.quantiles() {
        row(&format!("time to the first byte, {quantile}"), super::words::time(time));
    }
    format!("{}\n", table.render("", style))
}

#[cfg(test)]
mod tests;
