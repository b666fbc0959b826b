//! `bifrost runbook`: pages that say what to do, checked, published, asked and tried out.
//!
//! A page is Markdown with a head of YAML. What a person reads and what these commands run is the
//! same text, so that neither can be right alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use telemetry::Tasks;

mod build;
mod drill;
mod faults;
mod lint;
pub(crate) mod names;
mod page;
mod steps;
mod triage;

pub(crate) use build::head;
pub(crate) use page::anchor;

use crate::client::Endpoint;
use crate::findings::{self, Finding, Verdict};
use crate::fleet::Fleet;
use crate::output::{self, Format, Style};
use crate::prometheus::Prometheus;
use crate::rota::{ROTA, Rota, RotaError};
use drill::Ground;
use faults::OfFleet;
use lint::{Against, Alerts};
use names::Names;
use page::Page;
use triage::Sources;

/// Longest wait for one answer of a triage.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Where Prometheus is unless somebody says otherwise.
const PROMETHEUS: &str = "http://127.0.0.1:9090";

/// What `bifrost runbook` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost runbook lint
  bifrost runbook lint --alerts slo/generated/rules.yaml --format json
  bifrost runbook build --out public/runbooks
  bifrost runbook triage NodeUnreachable --prometheus http://127.0.0.1:9090
  bifrost runbook drill NodeUnreachable
  bifrost runbook drill --all --data .bifrost --format json

Exit codes:
  0  checked, nothing found; every answer is as expected
  1  checked, with findings; an answer is not as expected; the drill failed
  2  wrong command line
  3  could not check")]
pub(crate) struct RunbookArgs {
    #[command(subcommand)]
    command: RunbookCommand,
    /// The folder of the pages.
    #[arg(long, global = true, value_name = "DIR", default_value = "runbooks")]
    runbooks: PathBuf,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum RunbookCommand {
    /// Find what is wrong with pages: names that do not exist, alerts without a page, slow starts.
    Lint(LintArgs),
    /// Write the pages as a site that needs no server and no script.
    Build {
        /// The folder; files of the same names are overwritten.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Ask the first steps of a page and print the answers; changes nothing.
    Triage(AskArgs),
    /// Break a fleet of `bifrost up --observe` on purpose, wait for the alert, and see whether the
    /// page names the cause.
    Drill(DrillArgs),
}

#[derive(Debug, Args)]
struct LintArgs {
    /// The folder of objectives: `*.yaml` in it, `alerts.yaml` with alerts by cause among them.
    #[arg(long, value_name = "DIR", default_value = "slo")]
    slo: PathBuf,
    /// A file of rules of Prometheus whose alerts count too; may be given several times.
    #[arg(long, value_name = "FILE")]
    alerts: Vec<PathBuf>,
    /// A scraped page of metrics whose names exist too; may be given several times.
    #[arg(long, value_name = "FILE")]
    metrics: Vec<PathBuf>,
    /// The rota whose schedules own alerts.
    #[arg(long, value_name = "FILE", default_value = ROTA)]
    rota: PathBuf,
    /// Do not start a gateway and a node to ask them what exists. Names of metrics, keys and calls
    /// are checked only against `--metrics` then, if it is given.
    #[arg(long)]
    without_processes: bool,
    /// The day that counts as today.
    #[arg(long, value_name = "DAY")]
    today: Option<Date>,
}

#[derive(Debug, Args)]
struct AskArgs {
    /// The alert, or the procedure.
    #[arg(value_name = "ALERT")]
    name: String,
    /// Prometheus [default: that of the fleet in --data if it has one, else http://127.0.0.1:9090].
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// The gateway's admin listener, in place of http://127.0.0.1:9080.
    #[arg(long, value_name = "URL")]
    gateway: Option<Endpoint>,
    /// The node's admin listener, in place of http://127.0.0.1:9180.
    #[arg(long, value_name = "URL")]
    node: Option<Endpoint>,
    /// The data folder of a fleet of `bifrost up --observe`.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "A whole round takes minutes on a fleet in haste:
  bifrost up --observe --observe-every 1 --observe-hurry 30
  bifrost runbook drill --all

Everything is done to the last gateway and the last node of the fleet, or to all nodes, and taken back:
processes are stopped or killed, configs are changed and put back, and requests are made, on this machine
alone. Ctrl-C takes back what is broken. A drill that was killed is mended by the next one. On a fleet in
haste durations of rules and of the page's query are divided alike.")]
struct DrillArgs {
    /// The alert.
    #[arg(value_name = "ALERT", required_unless_present = "all")]
    name: Option<String>,
    /// Every page that has a drill, one after the other.
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Prometheus [default: that of the fleet].
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// The data folder of the fleet.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
}

impl AskArgs {
    /// The Prometheus that is named, or that of the fleet, or the one that is usual elsewhere.
    fn prometheus(&self) -> String {
        let of_fleet = || Some(Fleet::read(&self.data).ok()?.observe?.prometheus);
        self.prometheus.clone().or_else(of_fleet).unwrap_or_else(|| PROMETHEUS.to_owned())
    }
}

/// Runs `bifrost runbook` and says how it ended.
pub(crate) async fn run(args: RunbookArgs, tasks: &Tasks) -> Verdict {
    let read = match lint::pages(&args.runbooks) {
        Ok(read) => read,
        Err(error) => {
            let folder = args.runbooks.display();
            return refused(&format!("could not read {folder}: {error}; name it with --runbooks"));
        }
    };
    match &args.command {
        RunbookCommand::Lint(lint) => checked(read, lint, args.format, tasks).await,
        RunbookCommand::Build { out } => built(read, out),
        RunbookCommand::Triage(ask) => triaged(read, ask, args.format, tasks).await,
        RunbookCommand::Drill(drill) => drilled(read, drill, args.format, tasks).await,
    }
}

fn refused(text: &str) -> Verdict {
    output::note(&format!("{} {text}", Style::stderr().failure("bifrost:")));
    Verdict::CouldNotCheck
}

async fn checked(
    (pages, mut findings): (Vec<Page>, Vec<Finding>),
    args: &LintArgs,
    format: Format,
    tasks: &Tasks,
) -> Verdict {
    let alerts = match known_alerts(args, &mut findings) {
        Ok(alerts) => alerts,
        Err(text) => return refused(&text),
    };
    let rota = match Rota::read(&args.rota) {
        Ok(rota) => Some(rota),
        Err(RotaError::Broken(finding)) => {
            findings.push(finding);
            None
        }
        Err(error) => return refused(&error.to_string()),
    };
    let names = match known_names(args, tasks).await {
        Ok(names) => names,
        Err(text) => return refused(&text),
    };
    let against = Against {
        alerts: alerts.as_ref(),
        rota: rota.as_ref(),
        names: names.as_ref(),
        today: args.today.unwrap_or_else(today),
    };
    findings.extend(lint::lint(&pages, &against));
    output::note(&format!("{} pages", pages.len()));
    findings::report(findings, format)
}

/// The alerts of objectives and rules; none when there is no file of them.
fn known_alerts(args: &LintArgs, findings: &mut Vec<Finding>) -> Result<Option<Alerts>, String> {
    let mut files = args.alerts.clone();
    match std::fs::read_dir(&args.slo) {
        Ok(entries) => {
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            let mut paths: Vec<PathBuf> =
                paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
            paths.sort();
            files.extend(paths);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("could not read {}: {error}", args.slo.display())),
    }
    if files.is_empty() {
        let folder = args.slo.display();
        output::note(&format!("{folder} has no objectives: pages and alerts are not compared"));
        return Ok(None);
    }
    let mut alerts = Alerts::default();
    for path in &files {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("could not read {}: {error}", path.display()))?;
        findings.extend(alerts.read(path, &text).err());
    }
    Ok(Some(alerts))
}

async fn known_names(args: &LintArgs, tasks: &Tasks) -> Result<Option<Names>, String> {
    let mut names = Names::default();
    names::scraped_files(&mut names, &args.metrics).map_err(|error| error.to_string())?;
    if args.without_processes {
        output::note("names of keys and calls are not checked without the processes");
        return Ok(None);
    }
    names.of_processes(tasks).await.map_err(|error| error.to_string())?;
    Ok(Some(names))
}

fn today() -> Date {
    jiff::Zoned::now().date()
}

fn built((pages, findings): (Vec<Page>, Vec<Finding>), out: &Path) -> Verdict {
    if !findings.is_empty() {
        return findings::report(findings, Format::Text);
    }
    match build::write(&pages, out) {
        Ok(files) => {
            output::note(&format!("{files} files in {}", out.display()));
            Verdict::Clean
        }
        Err(error) => refused(&format!("could not write {}: {error}", out.display())),
    }
}

/// The page of a name.
fn named((pages, findings): (Vec<Page>, Vec<Finding>), name: &str) -> Result<Page, String> {
    let known: Vec<String> = pages.iter().map(|page| page.name.clone()).collect();
    let broken = |finding: &&Finding| finding.path.file_stem().is_some_and(|stem| stem == name);
    match pages.into_iter().find(|page| page.name.eq_ignore_ascii_case(name)) {
        Some(page) => Ok(page),
        None => Err(match findings.iter().find(broken) {
            Some(finding) => finding.to_string(),
            None => format!("there is no page {name}; there are: {}", known.join(", ")),
        }),
    }
}

/// The page of a name, and whom to ask.
fn asked(
    read: (Vec<Page>, Vec<Finding>),
    args: &AskArgs,
    tasks: &Tasks,
) -> Result<(Page, Sources), String> {
    let page = named(read, &args.name)?;
    let mut sources = Sources::new(tasks, &args.prometheus(), ANSWER_WITHIN)
        .map_err(|error| format!("{error}; name it with --prometheus URL"))?;
    let instead = [("http://127.0.0.1:9080", &args.gateway), ("http://127.0.0.1:9180", &args.node)];
    for (written, asked) in instead {
        sources.instead.extend(asked.as_ref().map(|asked| (written.to_owned(), asked.url())));
    }
    Ok((page, sources))
}

async fn triaged(
    read: (Vec<Page>, Vec<Finding>),
    args: &AskArgs,
    format: Format,
    tasks: &Tasks,
) -> Verdict {
    let (page, sources) = match asked(read, args, tasks) {
        Ok(asked) => asked,
        Err(text) => return refused(&text),
    };
    let sum = triage::run(&page, &sources, format).await;
    output::note(&format!(
        "{}: {} not as expected, {} without an answer; the page goes on with Diagnosis: {}",
        page.name,
        sum.otherwise,
        sum.unanswered,
        page.path.display()
    ));
    match (sum.unanswered, sum.otherwise) {
        (1.., _) => Verdict::CouldNotCheck,
        (0, 1..) => Verdict::Findings,
        (0, 0) => Verdict::Clean,
    }
}

async fn drilled(
    read: (Vec<Page>, Vec<Finding>),
    args: &DrillArgs,
    format: Format,
    tasks: &Tasks,
) -> Verdict {
    let pages = match &args.name {
        Some(name) => named(read, name).map(|page| vec![page]),
        None if read.1.is_empty() => Ok(read.0),
        None => return findings::report(read.1, format),
    };
    let made = pages.and_then(|pages| Ok((pages, ground(args, tasks)?)));
    let (pages, (ground, mut faults)) = match made {
        Ok(made) => made,
        Err(text) => return refused(&text),
    };
    if ground.hurry > 1 {
        let times = ground.hurry;
        output::note(&format!("durations of rules and queries are divided by {times}"));
    }
    if args.name.is_some() && drill::all::in_order(&pages).is_empty() {
        return refused(&drill::DrillError::NoDrill(pages[0].name.clone()).to_string());
    }
    let interrupted = Box::pin(interrupted());
    let rows = drill::all::all(&pages, &ground, &mut faults, interrupted).await;
    output::result(&drill::all::shown(&rows, format, Style::stdout()));
    drill::all::verdict(&rows)
}

/// Where drills are made.
fn ground(args: &DrillArgs, tasks: &Tasks) -> Result<(Ground, OfFleet), String> {
    let faults = OfFleet::new(&args.data, tasks).map_err(|error| error.to_string())?;
    let observers = faults.fleet().observe.as_ref();
    let observers =
        observers.ok_or("nothing watches the fleet: start it with `bifrost up --observe`")?;
    let url = args.prometheus.as_ref().unwrap_or(&observers.prometheus);
    let prometheus = Prometheus::new(tasks, url, ANSWER_WITHIN);
    let prometheus =
        prometheus.map_err(|error| format!("{error}; name it with --prometheus URL"))?;
    let hurry = observers.hurry;
    let fleet = faults.fleet();
    // The probe is one too.
    let processes = fleet.gateways.len() + fleet.nodes.len() + 1;
    Ok((Ground { prometheus, processes, hurry, today: today() }, faults))
}

/// Waits until somebody ends this program.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    // Where signals cannot be heard they end this program; the next drill mends what is left then.
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Observers, Site};

    #[test]
    fn prometheus_is_the_one_named_or_that_of_the_fleet_or_the_usual_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut args = AskArgs {
            name: "A".to_owned(),
            prometheus: None,
            gateway: None,
            node: None,
            data: folder.path().to_owned(),
        };
        assert_eq!(args.prometheus(), PROMETHEUS);
        let [prometheus, alertmanager, probe] =
            ["http://p", "http://a", "http://b"].map(str::to_owned);
        let fleet = Fleet {
            data: args.data.clone(),
            gateways: Vec::new(),
            nodes: Vec::new(),
            site: Site { url: String::new(), root: None, key: None },
            staging: None,
            observe: Some(Observers { prometheus, alertmanager, probe, hurry: 1 }),
        };
        fleet.write().expect("it can be written");
        assert_eq!(args.prometheus(), "http://p");
        args.prometheus = Some("http://q".to_owned());
        assert_eq!(args.prometheus(), "http://q");
    }
}
