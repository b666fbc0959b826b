//! Installs the log and the export of spans, once per process.

use std::time::Duration;

use crate::Process;
use crate::log::{self, Log, LogError, LogLevel};
use crate::metrics::Registry;
use crate::trace::{self, Exporter, TraceError};

/// Why a process cannot show itself.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The export of spans.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// The log and traces of a process.
#[derive(Debug)]
pub struct Telemetry {
    log: Log,
    exporter: Option<Exporter>,
}

/// Starts the log, and the export of spans when it is configured; within a tokio runtime.
///
/// # Errors
/// `Log` when the level is malformed or there is a log already, `Trace` when the export's
/// configuration is refused.
pub fn install(
    log: &log::Config,
    trace: &trace::Config,
    process: Process,
) -> Result<Telemetry, InstallError> {
    let exporter = Exporter::start(trace, process)?;
    let log = log::install(log, exporter.as_ref().map(Exporter::tracer))?;
    Ok(Telemetry { log, exporter })
}

impl Telemetry {
    /// The level of the log.
    #[must_use]
    pub fn level(&self) -> &LogLevel {
        &self.log.level
    }

    /// Shows in `registry` how many log lines were dropped, and how many spans were exported, failed
    /// and dropped.
    ///
    /// # Panics
    /// When called twice with the same registry.
    pub fn register(&self, registry: &Registry) {
        registry.counter_read(
            "bifrost_telemetry_log_dropped_lines_total",
            "Log lines that were dropped, because they could not be written in time.",
            self.log.dropped(),
        );
        if let Some(exporter) = &self.exporter {
            exporter.register(registry);
        }
    }

    /// Sends the spans that wait, ends the export and writes the log lines that wait; the last thing
    /// that a process does.
    pub async fn shutdown(self, deadline: Duration) {
        if let Some(exporter) = self.exporter
            && !exporter.shutdown(deadline).await
        {
            tracing::warn!("spans were lost: the collector did not take them in time");
        }
    }
}
