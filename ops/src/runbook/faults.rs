//! Faults of a drill, made in a fleet on this machine.
//!
//! Processes are found by the config file that they were started with, so that only those of this
//! fleet are touched. What a process of `bifrost up` cannot be made to do from outside is refused with
//! what a person can do instead.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::drill::{Fault, Faults};
use crate::fleet::{Fleet, FleetError, Process};

/// A fleet of `bifrost up`.
#[derive(Debug)]
pub(crate) struct OfFleet {
    fleet: Fleet,
    /// Processes that are stopped.
    stopped: Vec<Pid>,
}

impl OfFleet {
    /// The fleet of a data folder.
    ///
    /// # Errors
    /// As the variants of [`FleetError`] say.
    pub(crate) fn new(data: &Path) -> Result<Self, FleetError> {
        Ok(Self { fleet: Fleet::read(data)?, stopped: Vec::new() })
    }

    /// Stops a process: it is there and says nothing, and `bifrost up` does not start another.
    fn stop(&mut self, process: Option<Process>) -> Result<(), String> {
        let process = process.ok_or("the fleet has no such process")?;
        let pid = pid_of(&process.config)
            .ok_or_else(|| format!("{} does not run on this machine", process.name))?;
        kill_process(pid, Signal::STOP).map_err(|errno| errno.to_string())?;
        self.stopped.push(pid);
        Ok(())
    }
}

impl Faults for OfFleet {
    async fn make(&mut self, fault: Fault) -> Result<(), String> {
        match fault {
            // A node that was killed is started again by `bifrost up` at once; one that is stopped
            // is as silent, for as long as it takes.
            Fault::KillNode | Fault::StopNode => {
                let last = self.fleet.nodes.last().cloned();
                self.stop(last)
            }
            Fault::StopGateway => {
                let last = self.fleet.gateways.last().cloned();
                self.stop(last)
            }
            Fault::FillDisk | Fault::CorruptNode | Fault::Overload => {
                Err("no way is known to make it in a fleet of `bifrost up`".to_owned())
            }
        }
    }

    async fn take_back(&mut self) -> Result<(), String> {
        let mut left = Vec::new();
        for pid in self.stopped.drain(..) {
            if let Err(errno) = kill_process(pid, Signal::CONT) {
                left.push(format!("process {pid:?} is still stopped: {errno}"));
            }
        }
        if left.is_empty() { Ok(()) } else { Err(left.join("; ")) }
    }
}

/// The process that was started with this config file.
fn pid_of(config: &Path) -> Option<Pid> {
    for entry in std::fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let is_ours = words.next().is_some_and(|first| {
            let first = String::from_utf8_lossy(first);
            first.ends_with("bifrost-gateway") || first.ends_with("bifrost-node")
        });
        if is_ours && words.any(|word| word == config.as_os_str().as_encoded_bytes()) {
            return Pid::from_raw(number);
        }
    }
    None
}
