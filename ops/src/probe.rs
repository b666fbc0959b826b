//! `bifrost probe`: asks gateways and nodes as a stranger would, and believes only hashes.
//!
//! A status of 200 with the right type proves nothing: each check rebuilds, hashes or compares the
//! bytes that came. Nothing is asked in silence: a check that cannot be made says why, every time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use telemetry::Tasks;
use telemetry::config::Secret;

use crate::client;
use crate::findings::{EXIT_CODES, Verdict};
use crate::output::{self, Format};

mod ask;
mod check;
mod config;
mod content;
mod error;
mod http;
pub(crate) mod metrics;
mod node;
mod outcome;
mod peer;
mod plan;
mod proof;
mod report;
mod round;
mod seed;
mod serve;

pub(crate) use error::ProbeError;

use config::{Settings, Wanted};
use round::{Pace, Prober};

/// Arguments of `bifrost probe`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ProbeArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make every check once, and say how each ended.
    #[command(after_help = "Examples:
  bifrost probe run
  bifrost probe run --gateway https://gateway.example --canary /ipfs/CID/file
  bifrost probe run --inventory fleet.yaml --seed-node http://127.0.0.1:9180 --format json
  bifrost probe run --config probe.yaml --only http.path,http.car

Exit codes:
  0  every check that could be made passed
  1  a check failed
  2  wrong command line
  3  no check could be made, or seeding failed")]
    Run(RunArgs),
    /// Make every check again and again, and show results and metrics.
    #[command(after_help = "Examples:
  bifrost probe serve --every 30s
  bifrost probe serve --inventory fleet.yaml --seed-node http://127.0.0.1:9180 --listen 127.0.0.1:9380

It answers /metrics for Prometheus, /results as JSON, /livez and /readyz.")]
    Serve(ServeArgs),
    /// Say which checks there are, what each proves and what it needs.
    List(ListArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    pace: PaceArgs,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Args)]
struct PaceArgs {
    /// Longest time of one check.
    #[arg(long, value_name = "TIME", default_value = "40s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Checks at a time.
    #[arg(long, value_name = "N", default_value_t = 4)]
    at_a_time: usize,
}

impl PaceArgs {
    fn pace(&self) -> Pace {
        Pace { timeout: self.timeout, at_a_time: self.at_a_time }
    }
}

/// Arguments of `bifrost probe serve`.
#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    pace: PaceArgs,
    /// Where results are shown. Beyond this machine only with a token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9380")]
    listen: SocketAddr,
    /// The token that whoever reads results has to bring.
    #[arg(long, env = "BIFROST_ADMIN__TOKEN", hide_env_values = true, default_value = "", hide_default_value = true, value_parser = client::token)]
    token: Secret,
    /// How often checks are made; each time a tenth earlier or later.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// Show who is on call too, as alerts name people by: the rota, read at the start.
    #[arg(long, value_name = "FILE")]
    rota: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
/// As the variants of [`ProbeError`] say.
pub(crate) async fn run(args: ProbeArgs, tasks: &Tasks) -> Result<ExitCode, ProbeError> {
    match args.command {
        Command::Run(args) => once(&args, tasks).await.map(ExitCode::from),
        Command::Serve(args) => serve::run(args, tasks).await.map(|()| ExitCode::SUCCESS),
        Command::List(args) => {
            output::result(&check::list(args.format));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether a file says what can be probed.
///
/// # Errors
/// As the variants of [`ProbeError`] say.
pub(crate) fn usable(path: &std::path::Path) -> Result<(), ProbeError> {
    Settings::of(&Wanted::file(path)).map(drop)
}

async fn once(args: &RunArgs, tasks: &Tasks) -> Result<Verdict, ProbeError> {
    let settings = Settings::of(&args.wanted)?;
    let (gateways, nodes) = (settings.gateways.len(), settings.nodes.len());
    output::note(&format!("probing {gateways} gateways and {nodes} nodes"));
    let mut prober = Prober::new(settings, args.pace.pace(), tasks);
    let outcomes = prober.round(true).await?;
    output::result(&report::results(&outcomes, args.format));
    output::note(&report::summary(&outcomes));
    Ok(report::verdict(&outcomes))
}
