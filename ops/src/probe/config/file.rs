//! The file that says what is probed, `probe.yaml`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::findings::Finding;
use crate::probe::error::ProbeError;

/// Version of the file.
const VERSION: u32 = 1;
/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::probe) struct File {
    /// Always 1.
    version: u32,
    /// The list whose gateways and nodes are probed, from the folder of this file.
    pub(super) inventory: Option<PathBuf>,
    /// Only processes of this environment of the list.
    pub(super) env: Option<String>,
    /// Gateways beside those of the list.
    pub(super) gateways: Vec<FileGateway>,
    /// Nodes, by their admin listeners, that take content of the probe.
    pub(super) seed_nodes: Vec<String>,
    /// Files that the fleet has, as `/ipfs/CID/path`.
    pub(super) canaries: Vec<String>,
    /// Names with a DNSLink.
    pub(super) dnslinks: Vec<FileName>,
    /// Names of keys.
    pub(super) names: Vec<FileName>,
    /// Websites by host.
    pub(super) websites: Vec<FileSite>,
    /// Paths that are denied.
    pub(super) denied: Vec<String>,
    /// Longest wait for the page of a timeout. Default 35 s.
    #[serde(with = "telemetry::config::duration")]
    pub(super) page_within: Duration,
    /// How often the lanes `cold` and `new` are probed while serving. Default 5 m.
    #[serde(with = "telemetry::config::duration")]
    pub(super) cold_every: Duration,
    /// Bytes of the files of these lanes. Nodes keep them, so they are few. Default 4 KiB.
    pub(super) cold_bytes: usize,
}

impl Default for File {
    fn default() -> Self {
        Self {
            version: 0,
            inventory: None,
            env: None,
            gateways: Vec::new(),
            seed_nodes: Vec::new(),
            canaries: Vec::new(),
            dnslinks: Vec::new(),
            names: Vec::new(),
            websites: Vec::new(),
            denied: Vec::new(),
            page_within: Duration::from_secs(35),
            cold_every: Duration::from_secs(300),
            cold_bytes: 4096,
        }
    }
}

/// A gateway.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileGateway {
    /// Its name; its URL if there is none.
    pub(super) name: Option<String>,
    /// The public URL.
    pub(super) url: String,
    /// The host below which content has origins of its own.
    pub(super) subdomains: Option<String>,
}

/// A name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileName {
    /// The name itself.
    pub(super) name: String,
    /// A path below it. Default `/`.
    #[serde(default = "slash")]
    pub(super) path: String,
    /// The CID where it has to lead, if that does not change.
    pub(super) root: Option<String>,
}

/// A website.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSite {
    /// Its host.
    pub(super) host: String,
    /// A path of it. Default `/`.
    #[serde(default = "slash")]
    pub(super) path: String,
}

fn slash() -> String {
    "/".to_owned()
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ProbeError::Read`], [`ProbeError::Config`] with the line.
    pub(super) fn read(path: &Path) -> Result<Self, ProbeError> {
        use std::io::Read as _;
        let failed = |source| ProbeError::Read { path: path.to_path_buf(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        Self::parse(path, &text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ProbeError::Config`], with the line.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ProbeError> {
        let bad = |line, said| ProbeError::Config(Finding::at(path, line, "bad-value", said));
        let file: Self = serde_yaml::from_str(text).map_err(|error| {
            let line = error.location().map_or(0, |location| location.line());
            let said = error.to_string();
            bad(line, said.split(" at line ").next().unwrap_or(&said).to_owned())
        })?;
        if file.version != VERSION {
            return Err(bad(1, format!("version {} is not known: write {VERSION}", file.version)));
        }
        Ok(file)
    }
}
