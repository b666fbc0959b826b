//! `bifrost up`: a fleet on this machine, from nothing to pages, and back to nothing without loss.
//!
//! Nodes come first and are told of each other, then the project's site is imported, then gateways
//! start: whoever gets an answer at all gets a good one. On the way out it is the other way round,
//! so that a gateway that drains still has nodes to ask.

use std::io::IsTerminal;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use telemetry::Tasks;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::output::{self, Format, Style};
use crate::publish;

mod bring_up;
mod child;
mod configs;
mod error;
mod hurry;
mod layout;
mod observe;
mod preflight;
mod report;

use bring_up::BringUp;
use child::{Child, Event};
pub(crate) use error::UpError;
pub(crate) use hurry::hurried;
pub(crate) use layout::Places;
use layout::{BASE_PORT, BASE_PORT_RANGE, MEMBERS_MAX};
use preflight::DataFolder;
pub(crate) use preflight::program;

/// Events of children that may wait to be told.
const EVENTS_WAITING_MAX: usize = 64;

/// After how long what watches the fleet has seen enough of it to be shown.
const RENEW_AFTER: Duration = Duration::from_secs(30);

/// Which ports are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ports {
    /// Those that follow from --base-port.
    Fixed,
    /// Free ones, chosen by the system.
    Auto,
}

/// What `bifrost up` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost up                              two nodes and a gateway on http://127.0.0.1:8080
  bifrost up --nodes 3 --gateways 2       a larger fleet
  bifrost up --data /srv/bifrost          content and configs in another folder
  bifrost up --base-port 18080            beside a fleet that runs already
  bifrost up --ports auto --format json   for scripts: one line of JSON when all is ready
  bifrost up --listen 0.0.0.0             gateways for other machines; all else stays on loopback
  bifrost up --staging --staging-bin DIR  another release beside it gets a copy of every request
  bifrost up --observe                    with Prometheus and Alertmanager of this system
  bifrost up --observe --observe-hurry 30 the same for `bifrost runbook drill --all`, in minutes

Ports follow from --base-port P: gateway P, its admin P+1000, node i P+100+i, its admin P+1100+i,
its peers P-3900+i, staging P+1, its admin P+1001, its node P+200, Prometheus P+1050, Alertmanager P+1051,
the probe P+1052. Configs are written to the data folder; one that you edit is kept. Ctrl-C
drains gateways, then nodes; a second Ctrl-C stops everything at once.")]
pub(crate) struct UpArgs {
    /// Folder for configs, content and logs.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
    /// How many nodes.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = members())]
    nodes: u16,
    /// How many gateways.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = members())]
    gateways: u16,
    /// Address on which gateways listen for everybody.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    listen: IpAddr,
    /// Make no connection beyond this machine.
    #[arg(long)]
    offline: bool,
    /// Also start a second gateway with a node of its own, which gets a copy of every request; see
    /// `bifrost mirror`.
    #[arg(long)]
    staging: bool,
    /// Take staging's programs from there: a folder with bifrost-gateway and bifrost-node of another
    /// release, or a gateway alone.
    #[arg(long, value_name = "PATH", requires = "staging")]
    staging_bin: Option<PathBuf>,
    /// Also start this system's Prometheus and Alertmanager with the rules of this build, and a probe.
    #[arg(long)]
    observe: bool,
    /// Time between two scrapes and between two evaluations of rules, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, requires = "observe",
          value_parser = clap::value_parser!(u64).range(1..=60))]
    observe_every: u64,
    /// For drills: divide every duration of the rules by this (windows, `for`, intervals), so that what
    /// takes minutes takes seconds. Only the copy in the data folder is changed; alerts that fire so say
    /// nothing of how soon they would fire in service.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "observe",
          value_parser = clap::value_parser!(u32).range(1..=60))]
    observe_hurry: u32,
    /// Take this file as the config of its process, for this run: a name such as gateway-0 and a
    /// path.
    #[arg(long, value_name = "NAME=FILE", value_parser = named_file)]
    config: Vec<(String, PathBuf)>,
    /// The first gateway's port; the others follow from it.
    #[arg(long, value_name = "PORT", default_value_t = BASE_PORT, value_parser = base_port())]
    base_port: u16,
    /// Which ports are used.
    #[arg(long, value_enum, default_value_t = Ports::Fixed)]
    ports: Ports,
    /// How the addresses are printed once all is ready.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn members() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=i64::from(MEMBERS_MAX))
}

fn base_port() -> clap::builder::RangedI64ValueParser<u16> {
    let (first, last) = (*BASE_PORT_RANGE.start(), *BASE_PORT_RANGE.end());
    clap::value_parser!(u16).range(i64::from(first)..=i64::from(last))
}

fn is_process(name: &str) -> bool {
    ["gateway-", "node-", "staging-"].iter().any(|kind| name.starts_with(kind))
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if is_process(name) => {
            let path = std::path::absolute(file).map_err(|error| format!("{file}: {error}"))?;
            if !path.is_file() {
                return Err(format!("{file}: no such file"));
            }
            Ok((name.to_owned(), path))
        }
        _ => Err("write it as gateway-0=FILE or node-0=FILE".to_owned()),
    }
}

/// Runs `bifrost up` until it is told to stop.
///
/// # Errors
/// As the variants of [`UpError`] say; nothing runs any more then.
pub(crate) async fn run(args: UpArgs, tasks: &Tasks) -> Result<(), UpError> {
    let mut signals = Signals::new()?;
    let (sender, mut events) = mpsc::channel(EVENTS_WAITING_MAX);
    let mut running = Running::default();
    let steps = Steps::new(args.format == Format::Text);
    let data = DataFolder::open(&args.data)?;
    if let Some(warning) = &data.warning {
        steps.note(&Style::stderr().warning(warning));
    }
    let mut bring_up = BringUp::new(&args, tasks, &data, sender, steps.clone())?;
    let outcome = tokio::select! {
        up = bring_up.all(&mut running) => up,
        () = signals.next() => Err(UpError::Interrupted),
    };
    steps.clear();
    let outcome = match outcome {
        Ok(fleet) => {
            let program = std::env::current_exe().unwrap_or_else(|_| "bifrost".into());
            output::result(&report::ready(&fleet, &program, args.format, Style::stdout()));
            tokio::select! {
                () = watch(&mut signals, &mut events, &steps) => {}
                () = renew(&fleet, tasks, &steps) => {}
            }
            Ok(())
        }
        Err(error) => Err(error),
    };
    Fleet::remove(&data.path);
    let drained = drain(&mut running, &mut signals, &mut events, &steps).await;
    outcome.and(drained)
}

/// Publishes the site once more when there are figures of the fleet to show, and never ends.
async fn renew(fleet: &Fleet, tasks: &Tasks, steps: &Steps) {
    if fleet.observe.is_some() {
        tokio::time::sleep(RENEW_AFTER).await;
        if let Err(error) = publish::renew(fleet, tasks).await {
            let text = format!("the site's figures are not renewed: {}", telemetry::why(&error));
            steps.note(&Style::stderr().warning(&text));
        }
    }
    std::future::pending().await
}

/// Tells what happens to children until a signal comes.
async fn watch(signals: &mut Signals, events: &mut mpsc::Receiver<Event>, steps: &Steps) {
    loop {
        tokio::select! {
            () = signals.next() => return,
            Some(event) = events.recv() => steps.note(&report::event(&event, Style::stderr())),
        }
    }
}

async fn drain(
    running: &mut Running,
    signals: &mut Signals,
    events: &mut mpsc::Receiver<Event>,
    steps: &Steps,
) -> Result<(), UpError> {
    let began = Instant::now();
    let draining = async {
        let observers = ("what watches them", &running.observers);
        let kinds = [("gateways", &running.gateways), ("nodes", &running.nodes), observers];
        for (kind, children) in kinds {
            if !children.is_empty() {
                steps.note(&format!("draining {kind} (Ctrl-C again stops everything at once)"));
                futures::future::join_all(children.iter().map(Child::drain)).await;
            }
        }
    };
    tokio::pin!(draining);
    loop {
        tokio::select! {
            () = &mut draining => break,
            Some(event) = events.recv() => steps.note(&report::event(&event, Style::stderr())),
            () = signals.next() => {
                let Running { gateways, nodes, observers } = &running;
                gateways.iter().chain(nodes).chain(observers).for_each(Child::kill);
                draining.await;
                steps.clear();
                return Err(UpError::Killed);
            }
        }
    }
    steps.clear();
    if !running.nodes.is_empty() {
        steps.note(&format!("stopped; drained in {:.1} s", began.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// SIGINT, SIGTERM and the SIGHUP of a terminal that is closed, which mean the same here.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, UpError> {
        let listen = |kind| signal(kind).map_err(UpError::Signals);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// The children that run.
#[derive(Debug, Default)]
struct Running {
    gateways: Vec<Child>,
    nodes: Vec<Child>,
    observers: Vec<Child>,
}

/// Says how far things are: a spinner on terminals, plain lines elsewhere.
#[derive(Debug, Clone)]
struct Steps {
    spinner: Option<ProgressBar>,
    plain: bool,
}

impl Steps {
    fn new(text: bool) -> Self {
        let spinner = (text && std::io::stderr().is_terminal()).then(|| {
            let spinner = ProgressBar::new_spinner();
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        Self { plain: spinner.is_none(), spinner }
    }

    fn begin(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.set_message(text.to_owned()),
            None if self.plain => output::note(text),
            None => {}
        }
    }

    fn note(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| output::note(text)),
            None => output::note(text),
        }
    }

    fn clear(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
