//! The operator's command: one room per subcommand, each of which ends in one exit code.
//!
//! Results are on stdout, all else is on stderr; the codes are part of the interface.

mod add;
mod chart;
mod client;
mod dash;
mod exposition;
mod findings;
mod fleet;
mod inventory;
mod ipns;
mod locate;
mod logs;
mod migrate;
mod mirror;
mod output;
mod package;
#[cfg(test)]
mod played;
mod probe;
mod profile;
mod prometheus;
mod promql;
mod publish;
mod reference;
mod rota;
mod runbook;
mod site;
mod slo;
mod statistics;
mod up;
mod web;
mod whole;

use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use telemetry::manual::{self, Beyond, Form};
use telemetry::{Tasks, build_info};

use crate::output::{Exit, Style};

/// Longest wait for connections and threads when a command has ended.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "Examples:
  bifrost up                               # a fleet on this machine
  bifrost add my-folder/                   # content into it
  bifrost probe run                        # does it answer, and with the right bytes?
  bifrost mirror verdict                   # may the release that staging runs be promoted?";

/// What pages of the manual say beside what `--help` does.
const BEYOND: Beyond = Beyond {
    files: &[
        (".bifrost", "The fleet that `bifrost up` started here: configurations, blocks, logs."),
        (
            "/etc/bifrost/inventory.yaml",
            "The list of processes that the services of the package ask.",
        ),
    ],
    variables: &[
        ("BIFROST_ADMIN__TOKEN", "The token of the admin listeners that are asked."),
        ("BIFROST_ADMIN__TOKEN_FILE", "A file whose one line is that token."),
    ],
};

/// Bifrost: serves content-addressed (IPFS) data to the web, every byte verified.
#[derive(Debug, Parser)]
#[command(name = "bifrost", version = VERSION.as_str(), after_help = format!("{EXAMPLES}\n\n{}", output::EXIT_CODES))]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start nodes and a gateway on this machine, with content to look at, until Ctrl-C.
    Up(up::UpArgs),
    /// Add files, folders and .car archives to a node, and print their CIDs.
    Add(add::AddArgs),
    /// Make, store and show the signed records of IPNS names.
    Ipns(ipns::IpnsArgs),
    /// Check the list of processes, render what follows from it, and compare it with what runs.
    Inventory(inventory::InventoryArgs),
    /// Ask gateways and nodes as a stranger would, and verify every byte by its hash.
    Probe(probe::ProbeArgs),
    /// Generate, lint and test the dashboards and the public page of metrics.
    Dash(dash::DashArgs),
    /// Make rules and alerts from objectives, check them and report on them.
    Slo(slo::SloArgs),
    /// Say who is on call, and check that somebody always is.
    Rota(rota::RotaArgs),
    /// Check, publish and try out runbooks, and ask their first steps.
    Runbook(runbook::RunbookArgs),
    /// Read access logs: follow, question, rank, explain, check, let grow old and serve them.
    Logs(logs::LogsArgs),
    /// Judge a release by mirrored traffic, and say how often that is wrong.
    Mirror(mirror::MirrorArgs),
    /// Take profiles of every process, keep them, and show where time and memory go.
    Profile(profile::ProfileArgs),
    /// Keep the Helm chart in step with rules and dashboards, test it, and make identities for its nodes.
    Chart(chart::ChartArgs),
    /// Read the settings of Rainbow or Kubo, print ours, and name what is not supported.
    Migrate(migrate::MigrateArgs),
    /// Print, write and check the reference: keys, metrics, log fields, headers, outcomes and commands.
    Reference(reference::ReferenceArgs),
    /// Make what is shipped from built programs: archive, Debian package, image, list of components.
    Package(package::PackageArgs),
    /// Print completions for a shell.
    Completions(package::CompletionsArgs),
    /// Render guides, runbooks, policy, rota, status and metrics as one site, and put it into nodes.
    Publish(publish::PublishArgs),
}

/// Which build this is.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (version, commit) = (build_info::version(), build_info::commit());
    let commit = commit.get(..12).unwrap_or(commit);
    format!("{version} ({commit}, {})", build_info::profile())
});

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run(arguments.command));
            runtime.shutdown_timeout(LEAVE_WITHIN);
            code
        }
        Err(error) => failed(&format!("could not start: {error}"), Exit::Internal),
    }
}

/// Whether this command takes these words, its own name first.
///
/// # Errors
/// What it would say.
fn takes(words: &[&str]) -> Result<(), String> {
    Arguments::try_parse_from(words).map(drop).map_err(|error| error.to_string())
}

/// All commands, as they describe themselves.
fn described() -> clap::Command {
    Arguments::command()
}

/// The pages of the manual, by the names of their files.
fn pages() -> Vec<(String, Vec<u8>)> {
    manual::pages(Arguments::command(), &BEYOND).expect("memory takes them")
}

/// This program in another form.
fn drawn(form: Form) -> Vec<u8> {
    let mut text = Vec::new();
    manual::write(form, Arguments::command(), &BEYOND, &mut text).expect("memory takes it");
    text
}

async fn run(command: Command) -> ExitCode {
    let tasks = Tasks::new();
    let code = match command {
        Command::Up(args) => match up::run(args, &tasks).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&telemetry::why(&error), error.exit()),
        },
        Command::Add(args) => match add::run(args, &tasks).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&telemetry::why(&error), error.exit()),
        },
        Command::Ipns(args) => match ipns::run(args, &tasks).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&telemetry::why(&error), error.exit()),
        },
        Command::Inventory(args) => match inventory::run(args, &tasks).await {
            Ok(verdict) => verdict.into(),
            Err(error) => failed(&telemetry::why(&error), Exit::Input),
        },
        Command::Probe(args) => match probe::run(args, &tasks).await {
            Ok(code) => code,
            Err(error) => failed(&telemetry::why(&error), error.exit()),
        },
        Command::Dash(args) => dash::run(args, &tasks).await.into(),
        Command::Slo(args) => slo::run(args, &tasks).await,
        Command::Rota(args) => rota::run(&args).into(),
        Command::Runbook(args) => runbook::run(args, &tasks).await.into(),
        Command::Logs(args) => match logs::run(args, &tasks).await {
            Ok(code) => code,
            Err(error) => failed(&telemetry::why(&error), error.exit()),
        },
        Command::Mirror(args) => match mirror::run(&args, &tasks).await {
            Ok(code) => code,
            Err(error) => failed(&telemetry::why(&error), error.exit()),
        },
        Command::Profile(args) => match profile::run(args, &tasks).await {
            Ok(code) => code,
            Err(error) => failed(&telemetry::why(&error), error.exit()),
        },
        Command::Chart(args) => chart::run(&args).into(),
        Command::Migrate(args) => migrate::run(&args).into(),
        Command::Reference(args) => reference::run(&args, &tasks).await.into(),
        Command::Package(args) => package::run(&args),
        Command::Completions(args) => package::completions(&args),
        Command::Publish(args) => match publish::run(&args, &tasks).await {
            Ok(verdict) => verdict.into(),
            Err(error) => failed(&telemetry::why(&error), error.exit()),
        },
    };
    tasks.shutdown(Duration::ZERO).await;
    code
}

fn failed(text: &str, exit: Exit) -> ExitCode {
    output::note(&format!("{} {text}", Style::stderr().failure("bifrost:")));
    exit.into()
}
