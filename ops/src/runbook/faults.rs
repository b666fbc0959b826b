//! Faults of a drill, made in a fleet of `bifrost up` on this machine.
//!
//! Processes are killed, stopped and started again for real, and configs are changed in their files. What
//! a fault changed is noted before it is changed, so that what was made in part is taken back as well.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_yaml::Value;
use telemetry::Tasks;

mod beat;
mod content;
mod corrupt;
mod edits;
mod load;
mod making;
mod processes;

use super::drill::{Fault, Faults, Traffic};
use crate::fleet::{self, Fleet, FleetError, Observers, Process};
use crate::output;
use crate::web::{Web, WebError};
use beat::Beat;
use corrupt::Corrupting;
use edits::Edit;
use load::Load;
use processes::{pid_of, ready, restart, restart_probe, signal};

/// Longest wait for an answer of a process.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Longest answer of a process.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A fleet of `bifrost up`.
#[derive(Debug)]
pub(crate) struct OfFleet {
    fleet: Fleet,
    tasks: Tasks,
    web: Web,
    loads: Vec<Load>,
    beats: Vec<Beat>,
    proxies: Vec<Corrupting>,
    undo: Vec<Undo>,
}

/// How something is taken back.
#[derive(Debug)]
enum Undo {
    /// A stopped process goes on.
    Continue(Pid),
    /// A file is put back, and its process has to hear of it.
    File(Edit, Told),
}

/// How a process hears of its config.
#[derive(Debug, Clone)]
enum Told {
    /// It reads it again.
    Reload(Process),
    /// It is started again.
    Restart(Process),
    /// It is started by `bifrost up` as soon as there is one.
    Start(Process),
    /// The probe is started again, which reads where the fleet is.
    Probe,
}

impl OfFleet {
    /// The fleet of a data folder, and what an earlier drill left in it put back.
    ///
    /// # Errors
    /// As the variants of [`FleetError`] say, or that this machine cannot ask.
    pub(crate) fn new(data: &Path, tasks: &Tasks) -> Result<Self, NoFleet> {
        let moved = Edit::left(&data.join(fleet::FILE));
        if let Some(edit) = &moved {
            edit.put_back().map_err(NoFleet::Left)?;
        }
        let fleet = Fleet::read(data)?;
        let web = Web::new(tasks, ANSWER_WITHIN, ANSWER_BYTES_MAX)?;
        let mut undo = left_by_others(&fleet);
        undo.extend(moved.map(|edit| Undo::File(edit, Told::Probe)));
        let tasks = tasks.clone();
        let (loads, beats, proxies) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { fleet, tasks, web, loads, beats, proxies, undo })
    }

    /// The fleet.
    pub(crate) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The node that is broken, of several the last.
    fn node(&self) -> Result<Process, String> {
        self.fleet.nodes.last().cloned().ok_or_else(|| "the fleet has no node".to_owned())
    }

    /// The gateway that is broken, of several the last.
    fn gateway(&self) -> Result<Process, String> {
        self.fleet.gateways.last().cloned().ok_or_else(|| "the fleet has no gateway".to_owned())
    }

    fn nodes(&self) -> Vec<&Process> {
        self.fleet.nodes.iter().collect()
    }

    fn observers(&self) -> Result<&Observers, String> {
        self.fleet.observe.as_ref().ok_or_else(|| "the fleet has no probe".to_owned())
    }

    /// Stops a process: it is there and says nothing, and `bifrost up` does not start another.
    fn stop(&mut self, pid: Pid) -> Result<(), String> {
        self.undo.push(Undo::Continue(pid));
        signal(pid, Signal::STOP)
    }

    /// Changes keys of a process and tells it.
    async fn change(
        &mut self,
        process: &Process,
        changes: &[(&str, Value)],
        told: Told,
    ) -> Result<(), String> {
        let edit = Edit::set(&process.config, changes)?;
        self.undo.push(Undo::File(edit, told.clone()));
        self.tell(&told).await
    }

    async fn tell(&self, told: &Told) -> Result<(), String> {
        match told {
            Told::Reload(process) => signal(pid_of(process)?, Signal::HUP),
            Told::Restart(process) => restart(process, &self.web).await,
            Told::Start(process) => ready(process, &self.web).await,
            Told::Probe => restart_probe(self.observers()?, &self.web).await,
        }
    }
}

/// Why a fleet cannot be broken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoFleet {
    /// There is none.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// It cannot be asked.
    #[error(transparent)]
    Web(#[from] WebError),
    /// An earlier drill cannot be mended.
    #[error("what an earlier drill left cannot be put back: {0}")]
    Left(String),
}

/// What a drill left that was killed.
fn left_by_others(fleet: &Fleet) -> Vec<Undo> {
    let mut left = Vec::new();
    for process in fleet.gateways.iter().chain(&fleet.nodes) {
        let log = access_log(process).and_then(|path| Edit::left(&path));
        if let Some(edit) = log {
            left.push(Undo::File(edit, Told::Reload(process.clone())));
        }
        if let Some(edit) = Edit::left(&process.config) {
            // What of it was read at a start alone is not known.
            let told = if pid_of(process).is_ok() { Told::Restart } else { Told::Start };
            left.push(Undo::File(edit, told(process.clone())));
        }
    }
    left
}

/// Where the access log of a process lies.
fn access_log(process: &Process) -> Option<PathBuf> {
    let whole = edits::read(&process.config).ok()?;
    whole.get("access")?.get("path")?.as_str().map(PathBuf::from)
}

impl Faults for OfFleet {
    async fn make(&mut self, fault: Fault, traffic: Traffic) -> Result<(), String> {
        if !self.undo.is_empty() {
            output::note("putting back what an earlier drill left");
            self.take_back().await?;
        }
        self.break_by(fault, traffic).await
    }

    async fn take_back(&mut self) -> Result<(), String> {
        self.loads.clear();
        for beat in self.beats.drain(..) {
            beat.end().await;
        }
        let mut left = Vec::new();
        let mut told = Vec::new();
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Continue(pid) => left.extend(signal(pid, Signal::CONT).err()),
                Undo::File(edit, whom) => {
                    left.extend(edit.put_back().err());
                    told.push(whom);
                }
            }
        }
        // With all in its place, so that no process reads a file that is still another.
        for whom in told {
            left.extend(self.tell(&whom).await.err());
        }
        self.proxies.clear();
        if left.is_empty() { Ok(()) } else { Err(left.join("; ")) }
    }
}
