//! `bifrost mirror`: what mirrored traffic says of a release, and how far that can be trusted.
//!
//! Pairs are read from files that gateways wrote. The verdict rests on thresholds that were written before
//! and on bounds that hold however often one looks; how often it is wrong is counted by `simulate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use telemetry::Tasks;

use crate::output::{self, Exit, Format, Style};

mod judge;
mod observed;
mod page;
mod read;
mod records;
mod replay;
mod report;
mod resources;
mod simulate;
mod tally;
mod thresholds;
mod words;

use judge::Verdict;
use report::Report;
use thresholds::Thresholds;

/// Most pairs that are read, unless told otherwise: twice what a gateway keeps.
const PAIRS_MAX: usize = 10_000_000;

/// The exit codes of `verdict`. Part of the command's interface: never renumbered.
const EXIT_CODES: &str = "Exit codes:
  0  promote
  1  reject
  2  wrong command line
  3  an input cannot be read or is not what it claims to be
  4  hold: enough pairs, and something is open
  5  insufficient: too few pairs";

/// What `bifrost mirror` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost mirror report                          what was mirrored, and what differed
  bifrost mirror verdict                         may this release serve? The exit code says it too
  bifrost mirror verdict --page verdict.html --format json
  bifrost mirror verdict --pairs /var/lib/bifrost/mirror --staging-build 0.2.0+4f0c2a9
  bifrost mirror replay --to http://127.0.0.1:8081 --against http://127.0.0.1:8080
  bifrost mirror simulate                        how often the verdict is wrong
  bifrost mirror simulate --scenario slower=0.03,errors=0.0005 --pairs 600000 --runs 50")]
pub(crate) struct MirrorArgs {
    #[command(subcommand)]
    command: Command,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    /// The thresholds instead of those that are built in, slo/mirror-verdict.yaml.
    #[arg(long, global = true, value_name = "FILE")]
    thresholds: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count classes, results and differences, list the latest mismatches, and compare times.
    Report(ReportArgs),
    /// Promote, hold or reject the release that staging runs.
    #[command(after_help = EXIT_CODES)]
    Verdict(ReportArgs),
    /// Ask recorded requests again, of any gateway, and compare its answers.
    Replay(replay::ReplayArgs),
    /// Count how often the verdict is wrong, on made-up releases with and without faults.
    Simulate(simulate::SimulateArgs),
}

/// Which pairs are read, and where they are shown.
#[derive(Debug, Args)]
struct ReportArgs {
    /// Where a fleet of this machine keeps its data; pairs are in its folder `mirror`.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
    /// Folders with pairs*.ndjson, or such files, instead.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pairs: Vec<PathBuf>,
    /// The build of staging, or how it begins; the latest unless told otherwise.
    #[arg(long, value_name = "BUILD")]
    staging_build: Option<String>,
    /// Processor time by request and functions that changed, as `bifrost profile diff --resources`
    /// writes them.
    #[arg(long, value_name = "FILE")]
    resources: Option<PathBuf>,
    /// Write a page, too.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Most pairs that are read: a pair takes some 150 bytes of memory.
    #[arg(long, value_name = "PAIRS", default_value_t = PAIRS_MAX)]
    most: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MirrorError {
    /// The thresholds cannot be read, are none, or contradict themselves.
    #[error("{}: {problem}", .path.display())]
    Thresholds {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The measured resources cannot be read.
    #[error("{}: {problem}", .path.display())]
    Resources {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is nothing to read.
    #[error(
        "no pairs in {}: let gateways mirror (`mirror.to` and `mirror.dir` of their configuration), or \
         name folders with --pairs",
        .0.display()
    )]
    Nothing(PathBuf),
    /// There are no keys.
    #[error(
        "no requests that can be asked again in {} ({without_path} have no path in clear text): let \
         gateways mirror with `mirror.keys`, or name files with --keys",
        .path.display()
    )]
    NoKeys {
        /// Where they were looked for.
        path: PathBuf,
        /// Records whose paths are hashed.
        without_path: u64,
    },
    /// A gateway's URL is none.
    #[error("{0}")]
    Url(String),
    /// There is more than memory is set aside for.
    #[error("more than {0} pairs: name fewer files with --pairs, or raise --most")]
    TooMany(usize),
    /// There are more keys than memory is set aside for.
    #[error("more than {0} requests to be asked again: name fewer files with --keys")]
    TooManyKeys(usize),
    /// No pair is of the build.
    #[error("no pair is of a staging build {build:?}: there are {known}")]
    Build {
        /// What was asked for.
        build: String,
        /// What there is.
        known: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl MirrorError {
    /// The exit code that tells it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            MirrorError::Build { .. } | MirrorError::Url(_) => Exit::Usage,
            MirrorError::Thresholds { .. }
            | MirrorError::Resources { .. }
            | MirrorError::Nothing(_)
            | MirrorError::NoKeys { .. }
            | MirrorError::TooMany(_)
            | MirrorError::TooManyKeys(_)
            | MirrorError::File { .. } => Exit::Input,
        }
    }
}

/// Names a file in an error of the system.
fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> MirrorError {
    move |source| MirrorError::File { path: path.into(), source }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Promote => ExitCode::SUCCESS,
            Verdict::Reject => ExitCode::from(1),
            Verdict::Hold => ExitCode::from(4),
            Verdict::Insufficient => ExitCode::from(5),
        }
    }
}

/// Runs `bifrost mirror`.
///
/// # Errors
/// As the variants of [`MirrorError`] say.
pub(crate) async fn run(args: &MirrorArgs, tasks: &Tasks) -> Result<ExitCode, MirrorError> {
    let thresholds = Thresholds::load(args.thresholds.as_deref())?;
    match &args.command {
        Command::Report(what) => {
            let report = reported(what, &thresholds)?;
            print(&report, args.format, Report::text);
            written(what, &report)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Verdict(what) => {
            let report = reported(what, &thresholds)?;
            print(&report, args.format, Report::verdict_text);
            written(what, &report)?;
            Ok(report.verdict.into())
        }
        Command::Replay(what) => replay::run(what, args.format, tasks).await,
        Command::Simulate(what) => {
            simulated(what, &thresholds, args.format);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What everybody may read of the pairs in a folder: the latest verdict and its counts, as a part of a page.
///
/// # Errors
/// As the variants of [`MirrorError`] say.
pub(crate) fn published(folder: &Path) -> Result<String, MirrorError> {
    let thresholds = Thresholds::load(None)?;
    let read = read::read(&[folder.to_path_buf()], PAIRS_MAX)?;
    let records = records::read(&read.folders)?;
    let report = Report::of(read, records, &thresholds, None, None)?;
    Ok(page::main(&report))
}

fn reported(args: &ReportArgs, thresholds: &Thresholds) -> Result<Report, MirrorError> {
    let paths = match &args.pairs[..] {
        [] => vec![args.data.join("mirror")],
        paths => paths.to_vec(),
    };
    let measured = args.resources.as_deref().map(resources::read).transpose()?;
    let read = read::read(&paths, args.most)?;
    let records = records::read(&read.folders)?;
    let report =
        Report::of(read, records, thresholds, measured.as_ref(), args.staging_build.as_deref())?;
    let style = Style::stderr();
    report.notes.iter().for_each(|note| output::note(&style.warning(note)));
    Ok(report)
}

fn print(report: &Report, format: Format, text: fn(&Report, Style) -> String) {
    match format {
        Format::Text => output::result(&text(report, Style::stdout())),
        Format::Json => output::result(&format!("{}\n", serde_json::json!(report))),
    }
}

fn written(args: &ReportArgs, report: &Report) -> Result<(), MirrorError> {
    if let Some(path) = &args.page {
        crate::whole::write_whole(path, page::page(report)).map_err(at(path))?;
    }
    Ok(())
}

fn simulated(args: &simulate::SimulateArgs, thresholds: &Thresholds, format: Format) {
    // Shown on terminals alone, and to stderr.
    let bar = Mutex::new((String::new(), ProgressBar::new(0)));
    let progress = |scenario: &str, ended: usize| {
        let mut bar = bar.lock().expect("nothing panics while it is held");
        if bar.0 != scenario {
            bar.1.finish_and_clear();
            *bar = (scenario.to_owned(), ProgressBar::new(u64::from(args.runs())));
            bar.1.set_message(scenario.to_owned());
        }
        bar.1.set_position(ended as u64);
    };
    let outcomes = simulate::run(args, thresholds, &progress);
    if let Ok(bar) = bar.into_inner() {
        bar.1.finish_and_clear();
    }
    match format {
        Format::Text => output::result(&simulate::text(&outcomes, Style::stdout())),
        Format::Json => {
            for outcome in &outcomes {
                output::result(&format!("{}\n", serde_json::json!(outcome)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
