//! The node's configuration: what the rooms declare, under one roof.
//!
//! Read from one YAML file, overlaid by `BIFROST_ROOM__KEY` variables and `--set room.key=value`.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{accept, admin, bitswap, blockstore, import, records, retrieve, serve, swarm};

/// What `SIGHUP` takes over without a restart.
pub const RELOADED: [(&str, bool); 1] = [("log.level", true)];

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the node's identity and of its IPNS records. Default `.bifrost/node`.
    pub dir: PathBuf,
    /// The public listener and its connections.
    pub http: accept::Config,
    /// The admin listener.
    pub admin: telemetry::admin::Config,
    /// The operator's calls.
    pub calls: admin::Config,
    /// Requests.
    pub serve: serve::Config,
    /// Imports.
    pub import: import::Config,
    /// Retrieval.
    pub retrieve: retrieve::Config,
    /// The blockstore.
    pub blockstore: blockstore::Config,
    /// The IPNS records.
    pub records: records::Config,
    /// The libp2p host.
    pub swarm: swarm::Config,
    /// The exchange of blocks.
    pub bitswap: bitswap::Config,
    /// The access log.
    pub access: telemetry::access::Config,
    /// The log.
    pub log: telemetry::log::Config,
    /// Traces.
    pub trace: telemetry::trace::Config,
    /// The way out.
    pub drain: Drain,
}

/// How the node stops.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// Longest wait for what is in flight once the node is told to stop. Default 60 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dir: PathBuf::from(".bifrost/node"),
            http: accept::Config::default(),
            admin: telemetry::admin::Config {
                listen: ([127, 0, 0, 1], 9180).into(),
                ..telemetry::admin::Config::default()
            },
            calls: admin::Config::default(),
            serve: serve::Config::default(),
            import: import::Config::default(),
            retrieve: retrieve::Config::default(),
            blockstore: blockstore::Config::default(),
            records: records::Config::default(),
            swarm: swarm::Config::default(),
            bitswap: bitswap::Config::default(),
            access: telemetry::access::Config::default(),
            log: telemetry::log::Config::default(),
            trace: telemetry::trace::Config::default(),
            drain: Drain::default(),
        }
    }
}

impl Config {
    /// Says what is wrong beyond the form of the file, if anything.
    ///
    /// # Errors
    /// What to mend, with its key.
    pub fn check(&self) -> anyhow::Result<()> {
        self.swarm.validate()?;
        self.admin.check()?;
        self.log.check()?;
        self.trace.check()?;
        self.access.check()?;
        Ok(())
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { patience: Duration::from_secs(60) }
    }
}
