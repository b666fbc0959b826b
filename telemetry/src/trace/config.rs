//! Whether and where spans are exported.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TraceError;

/// Export of spans by OTLP over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The collector's URL for traces, such as `http://127.0.0.1:4318/v1/traces`; `https` is not
    /// spoken. Default none, which exports nothing.
    pub endpoint: Option<String>,
    /// Share of traces that is kept, from 0 to 1; a node follows its gateway where that has decided,
    /// a gateway asks none of its callers. Default 0.01. Zero keeps none.
    pub sample_ratio: f64,
    /// Spans that may wait for export; further ones are dropped and counted. Default 4096. Zero
    /// counts as one.
    pub queue_max: usize,
    /// Most spans in one request to the collector. Default 512. Zero counts as one.
    pub batch_max: usize,
    /// How long spans gather before they are exported. Default 5 s. Zero exports at once.
    #[serde(with = "crate::config::duration")]
    #[schemars(with = "crate::config::DurationText")]
    pub export_every: Duration,
    /// Longest time that one request to the collector may take; its spans are then lost and counted.
    /// Default 10 s. Zero loses all.
    #[serde(with = "crate::config::duration")]
    #[schemars(with = "crate::config::DurationText")]
    pub timeout: Duration,
}

impl Config {
    /// Says whether spans can be exported as asked, without starting anything.
    ///
    /// # Errors
    /// [`TraceError::Ratio`], [`TraceError::Endpoint`].
    pub fn check(&self) -> Result<(), TraceError> {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err(TraceError::Ratio(self.sample_ratio));
        }
        match &self.endpoint {
            Some(endpoint) if !endpoint.starts_with("http://") => {
                Err(TraceError::Endpoint(endpoint.clone()))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            sample_ratio: 0.01,
            queue_max: 4096,
            batch_max: 512,
            export_every: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
        }
    }
}
