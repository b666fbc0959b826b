//! Where access records go, how long they stay, and how much of a request they hold.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AccessError;
use crate::Process;

const DAY: Duration = Duration::from_secs(86_400);

/// Where the access log goes, and its bounds.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where records go: `stdout`, `file` or `off`. Default `stdout`.
    pub to: Destination,
    /// The file, when `to` is `file`; its folder must exist. Default `access.log`. Records with
    /// clear text go to a file beside it, `<path>.clear`.
    pub path: PathBuf,
    /// Size at which the file is put aside as `<path>.<time>` and another begun, as it is at
    /// midnight UTC. Default 256 MiB. Zero rotates at midnight only.
    #[schemars(with = "crate::config::SizeText")]
    pub rotate_at: ByteSize,
    /// How many files that were put aside are kept. Default 32. Zero keeps none.
    pub keep: usize,
    /// How long files that were put aside are kept. Default 7 days. Zero keeps them until there are
    /// too many.
    #[serde(with = "crate::config::duration")]
    #[schemars(with = "crate::config::DurationText")]
    pub keep_for: Duration,
    /// The same for files with clear text. Default 1 day. Zero keeps them until there are too many.
    #[serde(with = "crate::config::duration")]
    #[schemars(with = "crate::config::DurationText")]
    pub keep_clear_for: Duration,
    /// A collector that gets every record too, by OTLP over HTTP, without clear text:
    /// `http://127.0.0.1:4318/v1/logs`; `https` is not spoken. Default none.
    pub collector: Option<String>,
    /// Most memory for lines that wait for the writer, twice over while it writes. Default 8 MiB,
    /// half a second of 40 thousand requests per second. Zero drops every line.
    #[schemars(with = "crate::config::SizeText")]
    pub queue_max: ByteSize,
    /// Longest time that a line waits to be written together with others. Default 100 ms. Zero
    /// writes as soon as there is a line.
    #[serde(with = "crate::config::duration")]
    #[schemars(with = "crate::config::DurationText")]
    pub flush_every: Duration,
    /// The environment that records name, such as `production`. Default `local`.
    pub env: String,
    /// The process that records name, such as `gateway-0`. Default empty, which names its program.
    pub name: String,
    /// Share of successes that is recorded, from 0 to 1, chosen by request id, so that gateways and
    /// nodes with the same share and key choose the same. Failures are always recorded. Default 1.
    /// Zero records failures only.
    pub sample: f64,
    /// Most successes that are recorded in a second; while there are more, the share is halved and
    /// halved again, and each record says the share that held. Default 2000, which costs a busy
    /// gateway about a hundredth of its rate. Zero records the share whatever it costs.
    pub successes_max: u64,
    /// Which records hold the CID and the path as text, beside their hashes: `errors` are those of
    /// denied and failed requests, `never` is none. Default `errors`.
    pub cleartext: Cleartext,
    /// The file with the key of the hashes, for processes whose records are to be joined: made when
    /// it is missing, and moved on every day so that the key of the day before is gone. Default
    /// none, which draws a key in memory every day.
    pub key_file: Option<PathBuf>,
}

/// Where records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The standard output of the process.
    Stdout,
    /// A file that is rotated by size and by day.
    File,
    /// Nowhere; without a collector records are not even made.
    Off,
}

/// Which records hold the CID and the path as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleartext {
    /// None.
    Never,
    /// Those of denied and failed requests.
    Errors,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            to: Destination::Stdout,
            path: PathBuf::from("access.log"),
            rotate_at: ByteSize::mib(256),
            keep: 32,
            keep_for: 7 * DAY,
            keep_clear_for: DAY,
            collector: None,
            queue_max: ByteSize::mib(8),
            flush_every: Duration::from_millis(100),
            env: "local".to_owned(),
            name: String::new(),
            sample: 1.0,
            successes_max: 2_000,
            cleartext: Cleartext::Errors,
            key_file: None,
        }
    }
}

impl Config {
    /// Says whether records can be made as asked, without opening anything.
    ///
    /// # Errors
    /// [`AccessError::Sample`], [`AccessError::Label`], [`AccessError::Collector`].
    pub fn check(&self) -> Result<(), AccessError> {
        if !(0.0..=1.0).contains(&self.sample) {
            return Err(AccessError::Sample(self.sample));
        }
        if let Some(url) = self.collector.as_ref().filter(|url| !url.starts_with("http://")) {
            return Err(AccessError::Collector(url.clone()));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        for (key, text) in [("access.env", &self.env), ("access.name", &self.name)] {
            if text.len() > 64 || !text.bytes().all(is_plain) {
                return Err(AccessError::Label { key, text: text.clone() });
            }
        }
        Ok(())
    }

    /// The process that records name.
    pub fn name_of(&self, process: Process) -> &str {
        if self.name.is_empty() { process.text() } else { &self.name }
    }

    /// Where records with clear text go.
    pub(super) fn clear(&self) -> Self {
        let mut path = self.path.clone().into_os_string();
        path.push(".clear");
        Self { path: path.into(), keep_for: self.keep_clear_for, ..self.clone() }
    }
}
