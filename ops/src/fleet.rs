//! The file in which `bifrost up` says what runs, for the commands that talk to it.
//!
//! It is written when every process is ready and removed when they are drained, so that its absence
//! means that nothing runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::output::Exit;
use crate::whole::write_whole;

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "fleet.json";

/// Why the fleet is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    /// No fleet has written itself down there.
    #[error(
        "no fleet runs with the data folder {}: start one with `bifrost up` or `make run`, say where it is with --data, or name a node with --node http://127.0.0.1:9180",
        .0.display()
    )]
    NotRunning(PathBuf),
    /// The file cannot be read.
    #[error("could not read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what `bifrost up` writes.
    #[error("{} is damaged: {source}; stop the fleet and start it again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl FleetError {
    /// The exit code of the command.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            FleetError::NotRunning(_) => Exit::Unreachable,
            FleetError::Read { .. } | FleetError::Damaged { .. } => Exit::Input,
        }
    }
}

/// One process of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Process {
    /// Its name, such as `node-0`.
    pub(crate) name: String,
    /// The public URL.
    pub(crate) url: String,
    /// The admin URL.
    pub(crate) admin: String,
    /// Where its metrics are.
    pub(crate) metrics: String,
    /// Its config file.
    pub(crate) config: PathBuf,
    /// Where its log goes.
    pub(crate) log: PathBuf,
}

/// The project's site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Site {
    /// The website.
    pub(crate) url: String,
    /// Its root, as it was published first; none where there is no site but the one before.
    pub(crate) root: Option<String>,
    /// The key of the name at which the website is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
}

/// What watches the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Observers {
    /// Prometheus.
    pub(crate) prometheus: String,
    /// Alertmanager.
    pub(crate) alertmanager: String,
    /// The probe.
    pub(crate) probe: String,
    /// By how much the durations of its rules are divided.
    #[serde(default = "without_haste")]
    pub(crate) hurry: u32,
}

fn without_haste() -> u32 {
    1
}

/// A second build beside the fleet, which gets copies of what the fleet is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Staging {
    /// Its gateway.
    pub(crate) gateway: Process,
    /// Its node.
    pub(crate) node: Process,
    /// The folder in which each gateway of the fleet has one for pairs of answers.
    pub(crate) pairs: PathBuf,
}

/// A running fleet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Fleet {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The gateways.
    pub(crate) gateways: Vec<Process>,
    /// The nodes.
    pub(crate) nodes: Vec<Process>,
    /// The project's site.
    pub(crate) site: Site,
    /// Staging, with --staging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) staging: Option<Staging>,
    /// What watches them, with --observe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observe: Option<Observers>,
}

impl Fleet {
    /// Reads the fleet of a data folder.
    ///
    /// # Errors
    /// As the variants of [`FleetError`] say.
    pub(crate) fn read(data: &Path) -> Result<Self, FleetError> {
        let path = data.join(FILE);
        let text = fs::read(&path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                FleetError::NotRunning(data.to_path_buf())
            } else {
                FleetError::Read { path: path.clone(), source }
            }
        })?;
        serde_json::from_slice(&text).map_err(|source| FleetError::Damaged { path, source })
    }

    /// Writes the fleet down, whole or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn write(&self) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).expect("a fleet is a tree of plain values");
        write_whole(&self.data.join(FILE), text)
    }

    /// Says that nothing runs any more.
    pub(crate) fn remove(data: &Path) {
        // One that is not there needs no removal.
        fs::remove_file(data.join(FILE)).ok();
    }
}
