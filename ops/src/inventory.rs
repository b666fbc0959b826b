//! `bifrost inventory`: the one list of gateways and nodes, what is wrong with it, and what follows
//! from it.
//!
//! Targets of Prometheus, DNS, documents and probes are rendered from one file, so that a process is
//! named once. A file that cannot be trusted renders nothing: its findings are printed instead.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use telemetry::Tasks;

use crate::findings::{self, EXIT_CODES, Finding, Verdict};
use crate::output::{self, Format, Style};
use crate::prometheus::PrometheusError;
use crate::rota::{Rota, RotaError, on_call};
use crate::web::WebError;
use crate::whole::write_whole;

mod audit;
mod certificate;
mod lines;
mod lint;
mod names;
mod owners;
mod read;
mod render;
mod schema;
mod zone;

pub(crate) use schema::{Inventory, Kind, Process, Status};

/// Where the example stands, and where operators keep theirs unless they say otherwise.
const DEFAULT: &str = "ops/inventory.yaml";

/// Arguments of `bifrost inventory`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct InventoryArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is wrong with the list, with file and line.
    #[command(after_help = "Examples:
  bifrost inventory lint
  bifrost inventory lint --inventory fleet.yaml --rota runbooks/rota.yaml --format json")]
    Lint(LintArgs),
    /// Write what follows from the list: targets, DNS, a table, the status page's data.
    #[command(after_help = "Examples:
  bifrost inventory render --as prometheus --out /etc/prometheus/bifrost.json
  bifrost inventory render --as prometheus --out /etc/prometheus/bifrost.json --check
  bifrost inventory render --as dns --env production >> zone
  bifrost inventory render --as status --rota runbooks/rota.yaml
  bifrost inventory render --as docs")]
    Render(RenderArgs),
    /// Compare the list with what runs: which processes are managed, and what each lacks.
    #[command(after_help = "Examples:
  bifrost inventory audit
  bifrost inventory audit --live
  bifrost inventory audit --live --prometheus http://127.0.0.1:9090 --format json")]
    Audit(AuditArgs),
}

/// Which list.
#[derive(Debug, Args)]
struct At {
    /// The list.
    #[arg(long, value_name = "FILE", default_value = DEFAULT, env = "BIFROST_INVENTORY")]
    inventory: PathBuf,
}

#[derive(Debug, Args)]
struct LintArgs {
    #[command(flatten)]
    at: At,
    /// The rota whose schedules owners are; `rota.yaml` in `runbooks/` if that is there.
    #[arg(long, value_name = "FILE")]
    rota: Option<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Args)]
struct RenderArgs {
    #[command(flatten)]
    at: At,
    /// What is rendered.
    #[arg(long = "as", value_enum)]
    form: render::Form,
    /// Only processes of this environment.
    #[arg(long)]
    env: Option<String>,
    /// For a status page: say who is on call now, by this rota.
    #[arg(long, value_name = "FILE")]
    rota: Option<PathBuf>,
    /// Write here rather than to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write nothing; end in 1 if the file is not what would be written.
    #[arg(long, requires = "out")]
    check: bool,
}

/// Arguments of `bifrost inventory audit`.
#[derive(Debug, Args)]
struct AuditArgs {
    #[command(flatten)]
    at: At,
    /// Ask every process too.
    #[arg(long)]
    live: bool,
    /// The Prometheus that is to scrape them.
    #[arg(long, value_name = "URL", requires = "live")]
    prometheus: Option<String>,
    /// Longest wait for one answer.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Why a list could not be worked with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InventoryError {
    /// The token of the admin listeners cannot be had.
    #[error("{0}")]
    Token(String),
    /// A file cannot be read.
    #[error("could not read {}: {source}; name the list with --inventory FILE", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("could not write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The list is not one that anything can be made from.
    #[error("{} cannot be used as it stands: {}", .path.display(), listed(.findings))]
    Unusable {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        findings: Vec<Finding>,
    },
    /// The rota cannot be used.
    #[error(transparent)]
    Rota(#[from] RotaError),
    /// No client can be made.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Prometheus could not be asked.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
}

fn listed(findings: &[Finding]) -> String {
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    said.join("; ")
}

/// Runs the command.
///
/// # Errors
/// As the variants of [`InventoryError`] say.
pub(crate) async fn run(args: InventoryArgs, tasks: &Tasks) -> Result<Verdict, InventoryError> {
    match args.command {
        Command::Lint(args) => lint(&args),
        Command::Render(args) => render(&args),
        Command::Audit(args) => {
            let inventory = usable(&args.at.inventory)?;
            audit::run(&args, &inventory, tasks).await
        }
    }
}

fn lint(args: &LintArgs) -> Result<Verdict, InventoryError> {
    let path = &args.at.inventory;
    let loaded = read::load(path)?;
    let owners = owners::read(args.rota.as_deref(), path)?;
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut found = loaded.findings;
    found.extend(lint::lint(&loaded.inventory, &loaded.lines, path, &owners, now));
    let clean = found.is_empty();
    let verdict = findings::report(found, args.format);
    if clean && args.format == Format::Text {
        let count = loaded.inventory.processes.len();
        output::note(&format!("{}: {count} processes, nothing found", path.display()));
    }
    Ok(verdict)
}

fn render(args: &RenderArgs) -> Result<Verdict, InventoryError> {
    let mut inventory = usable(&args.at.inventory)?;
    if let Some(env) = &args.env {
        inventory.processes.retain(|process| process.env == *env);
    }
    let rota = args.rota.as_deref().map(Rota::read).transpose()?;
    let on_call = rota.map(|rota| on_call::shown(&rota, jiff::Timestamp::now()));
    let text = render::render(&inventory, args.form, on_call);
    let Some(out) = &args.out else {
        output::result(&text);
        return Ok(Verdict::Clean);
    };
    if args.check {
        return Ok(drift(out, &text, &args.at.inventory));
    }
    // Prometheus reads the file whenever it changes.
    write_whole(out, &text)
        .map_err(|source| InventoryError::Write { path: out.clone(), source })?;
    output::note(&format!("{} {}", Style::stderr().strong("wrote"), out.display()));
    Ok(Verdict::Clean)
}

fn drift(out: &Path, text: &str, from: &Path) -> Verdict {
    let said = match std::fs::read_to_string(out) {
        Ok(there) if there == text => return Verdict::Clean,
        Ok(there) => {
            let same = there.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
            Finding::at(out, same + 1, "drift", stale(from))
        }
        Err(error) => Finding::at(out, 0, "drift", format!("{error}; {}", stale(from))),
    };
    findings::report(vec![said], Format::Text)
}

fn stale(from: &Path) -> String {
    format!("it is not what follows from {}: render it again", from.display())
}

/// Reads a list that something is to be made from.
///
/// # Errors
/// [`InventoryError::Read`], [`InventoryError::Unusable`].
pub(crate) fn usable(path: &Path) -> Result<Inventory, InventoryError> {
    let loaded = read::load(path)?;
    if loaded.findings.is_empty() {
        return Ok(loaded.inventory);
    }
    Err(InventoryError::Unusable { path: path.to_path_buf(), findings: loaded.findings })
}

#[cfg(test)]
mod tests;
