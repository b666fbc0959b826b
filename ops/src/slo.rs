//! `bifrost slo`: objectives as files, and the rules, alerts, tests and reports made of them.
//!
//! The files are Sloth's, so that they can be taken to it and brought from it; the rules are our own.
//! A command that could not look ends in 3 and never in 0.

mod causes;
mod check;
mod commands;
mod decimal;
mod diff;
#[cfg(test)]
mod differential;
mod exchange;
mod fixtures;
mod generate;
mod model;
mod promql;
#[cfg(test)]
mod promtool;
mod replay;
mod report;
mod rules;
mod simulate;
mod source;
mod spec;

pub(crate) use model::{Service, Slo, read as service};

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand, ValueEnum};
use telemetry::Tasks;

use crate::findings::{self, Verdict};
use crate::output::{self, Format, Style};
use crate::prometheus::PrometheusError;
use crate::web::WebError;

const EXAMPLES: &str = "Examples:
  bifrost slo generate                       write slo/generated from slo/*.yaml
  bifrost slo generate --check               fail when slo/generated is out of date
  bifrost slo check --metrics gateway.txt --metrics node.txt
                                             hold the files against scraped /metrics
  bifrost slo check --prometheus http://127.0.0.1:9090 --days 7
                                             and against a running Prometheus
  bifrost slo simulate --slo gateway/availability --traffic 10/s --fault 10%
                                             time to page, and budget spent
  bifrost slo diff slo ../main/slo           what differs in meaning
  bifrost slo report --from 30d --prometheus http://127.0.0.1:9090
                                             what was kept, and what was not and why
  bifrost slo import pyrra objective.yaml    write an objective of Pyrra as ours
  bifrost slo export openslo                 write the objectives as OpenSLO v1
";

/// Make rules and alerts from objectives, check them and report on them.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n{}", findings::EXIT_CODES))]
pub(crate) struct SloArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write recording rules, alerts, a PrometheusRule and unit tests for promtool.
    Generate(GenerateArgs),
    /// Check objectives: names, people, pages, metrics and buckets.
    Check(CheckArgs),
    /// Say what two folders of objectives differ in.
    Diff(DiffArgs),
    /// Say what was kept in a time that is past, with causes.
    Report(ReportArgs),
    /// Say when alerts would be raised, and what a fault would cost.
    Simulate(SimulateArgs),
    /// Write an objective of another tool in our form.
    Import(ImportArgs),
    /// Write the objectives in the form of another tool.
    Export(ExportArgs),
}

/// The folder that is read.
#[derive(Debug, Clone, Args)]
struct From {
    /// The folder with the objectives and `alerts.yaml`.
    #[arg(long, value_name = "DIR", default_value = "slo")]
    dir: PathBuf,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Args)]
struct GenerateArgs {
    #[command(flatten)]
    from: From,
    /// The folder that is written [default: generated, in the folder of objectives].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where runbooks are published [default: what alerts.yaml says].
    #[arg(long, value_name = "URL", env = "BIFROST_RUNBOOKS")]
    runbooks: Option<String>,
    /// Write nothing; findings are files that are out of date.
    #[arg(long)]
    check: bool,
}

/// A Prometheus.
#[derive(Debug, Clone, Args)]
struct Asked {
    /// How long to wait for each answer.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// For how many days alerts are replayed.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
}

#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    from: From,
    /// The folder with the page of every alert.
    #[arg(long, value_name = "DIR", default_value = "runbooks")]
    runbooks: PathBuf,
    /// The file with the schedules [default: rota.yaml in the folder of runbooks].
    #[arg(long, value_name = "FILE")]
    rota: Option<PathBuf>,
    /// A scraped /metrics; one for each kind of process.
    #[arg(long, value_name = "FILE")]
    metrics: Vec<PathBuf>,
    /// A Prometheus that scrapes the fleet.
    #[arg(long, value_name = "URL", conflicts_with = "metrics")]
    prometheus: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// The folder as it was.
    before: PathBuf,
    /// The folder as it is to be.
    after: PathBuf,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// A Prometheus: say how often alerts of either would have been raised.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// The folder with the objectives.
    #[arg(long, value_name = "DIR", default_value = "slo")]
    dir: PathBuf,
    /// Where it begins: a date, a time (RFC 3339), or how long ago.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = report::time)]
    from: SystemTime,
    /// Where it ends.
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = report::time)]
    to: SystemTime,
    /// The Prometheus that evaluates the rules.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090")]
    prometheus: String,
    /// How long to wait for each answer.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ReportFormat {
    /// Markdown.
    #[default]
    Md,
    /// One JSON object.
    Json,
}

#[derive(Debug, Args)]
struct SimulateArgs {
    #[command(flatten)]
    from: From,
    /// The objective, as service/name [default: each].
    #[arg(long, value_name = "SLO")]
    slo: Option<String>,
    /// Events: a number a second (10/s), a minute (600/m) or an hour (36000/h).
    #[arg(long, value_name = "RATE", default_value = "10/s", value_parser = simulate::rate)]
    traffic: f64,
    /// The share that is bad during the fault.
    #[arg(long, value_name = "SHARE", default_value = "100%", value_parser = simulate::share)]
    fault: f64,
    /// The share that is bad at other times.
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = simulate::share)]
    background: f64,
    /// Bad events that all happen when the fault begins.
    #[arg(long, value_name = "N", default_value_t = 0)]
    failures: u32,
    /// When the fault begins.
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = humantime::parse_duration)]
    after: Duration,
    /// How long the fault lasts.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    lasting: Duration,
    /// For how many days.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// Whose file it is.
    #[arg(value_enum)]
    tool: Tool,
    /// The file.
    file: PathBuf,
}

/// Whose files are brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Sloth's `prometheus/v1`.
    Sloth,
    /// Pyrra's ServiceLevelObjective.
    Pyrra,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// For whom.
    #[arg(value_enum)]
    tool: Target,
    #[command(flatten)]
    from: From,
}

/// For whom objectives are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// OpenSLO v1.
    Openslo,
}

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SloError {
    /// A file cannot be read or written.
    #[error("{what} {}: {source}", .path.display())]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// A file is not what it was said to be.
    #[error("{}:{line}: this line is not of a page of metrics", .path.display())]
    NoMetrics {
        /// The file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
    },
    /// A file of another tool cannot be brought in.
    #[error("{}: {source}", .path.display())]
    Exchange {
        /// The file.
        path: PathBuf,
        /// Why.
        source: exchange::ExchangeError,
    },
    /// There is no objective of a name.
    #[error("there is no objective {0:?}: write it as service/name, one of {1}")]
    NoSlo(String, String),
    /// A time ends before it begins.
    #[error("the time ends before it begins")]
    Backwards,
    /// Prometheus cannot be asked.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Prometheus gave no answer.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
}

/// Runs the command, and says how it ended.
pub(crate) async fn run(args: SloArgs, tasks: &Tasks) -> ExitCode {
    let ended = match args.command {
        Command::Generate(args) => commands::generate(&args),
        Command::Check(args) => commands::check(&args, tasks).await,
        Command::Diff(args) => commands::diff(&args, tasks).await,
        Command::Report(args) => commands::report(&args, tasks).await,
        Command::Simulate(args) => commands::simulate(&args),
        Command::Import(args) => commands::import(&args),
        Command::Export(args) => commands::export(&args),
    };
    let verdict = ended.unwrap_or_else(|error| {
        let name = Style::stderr().failure("bifrost slo:");
        output::note(&format!("{name} {}", telemetry::why(&error)));
        Verdict::CouldNotCheck
    });
    verdict.into()
}
