//! Which lists are followed, and how.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A list, or a folder of lists. It has a `file` or a `url`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// A file in the compact denylist format, or a folder: then every `*.deny` in it counts, in the
    /// order of their names, and files may come and go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// A list that is followed over HTTPS. What is appended is asked for alone; a list that became
    /// shorter is read anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether nothing is refused, and it is only counted and logged what would be. Default false.
    pub dry_run: bool,
}

/// What may not be served.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The lists, at most 16. Of several that have a rule for something, the last one decides.
    /// Default none. One that cannot be read refuses the start.
    pub lists: Vec<Source>,
    /// How often lists are looked at for changes. Default 2 s. Zero is refused at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub refresh: Duration,
    /// How often a list that is followed over HTTPS is read as a whole, so that what was removed
    /// within it counts. Default 1 h. Zero never does.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub reread: Duration,
    /// Longest time that a server of lists may take for one answer. Default 30 s. Zero is refused
    /// at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub timeout: Duration,
    /// Largest list. Default 1 GiB.
    #[schemars(with = "telemetry::config::SizeText")]
    pub list_bytes_max: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lists: Vec::new(),
            refresh: Duration::from_secs(2),
            reread: Duration::from_secs(3600),
            timeout: Duration::from_secs(30),
            list_bytes_max: ByteSize::gib(1),
        }
    }
}

impl Config {
    /// Says what is wrong with these keys, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, duration) in
            [("denylist.refresh", self.refresh), ("denylist.timeout", self.timeout)]
        {
            if duration.is_zero() {
                return Err(format!("{key} must not be zero"));
            }
        }
        if self.lists.len() > crate::metrics::LISTS_MAX {
            return Err(format!("denylist.lists has more than {}", crate::metrics::LISTS_MAX));
        }
        for (index, source) in self.lists.iter().enumerate() {
            let wrong = |why: &str| format!("denylist.lists[{index}]: {why}");
            match (&source.file, &source.url) {
                (Some(_), None) => {}
                (None, Some(url)) => {
                    crate::outbound::server(url).map_err(|why| wrong(&format!("{url:?} {why}")))?;
                }
                (Some(_), Some(_)) | (None, None) => {
                    return Err(wrong("has either a file or a url"));
                }
            }
        }
        Ok(())
    }
}
