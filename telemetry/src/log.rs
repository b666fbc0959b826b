//! The log of a process: JSON lines on stderr, text on a terminal, with a level that can be changed
//! while it runs.
//!
//! Spans reach the collector whatever the level is: quiet logs must not blind the traces. Lines are
//! written by a thread of their own; a terminal that is held or a pipe that nobody reads costs lines,
//! which are counted, and never a request.

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt as format, reload};

/// The crates whose spans are exported. Those of the HTTP client that exports are not among them:
/// each export would otherwise make spans to be exported.
const TRACED: &[&str] = &["bifrost", "gateway", "ipfs", "node", "ops", "telemetry"];

/// Lines that may wait to be written; further ones are dropped and counted.
const LINES_MAX: usize = 4096;

/// What is logged and how.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Level, or directives such as `info,gateway::cache=debug`. Default `info`. `off` logs nothing.
    pub level: String,
    /// `json`, `text`, or `auto`: text on a terminal and JSON elsewhere. Default `auto`.
    pub format: Format,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Auto }
    }
}

impl Config {
    /// Says whether the log can be as asked, without changing anything.
    ///
    /// # Errors
    /// [`LogError::Directive`].
    pub fn check(&self) -> Result<(), LogError> {
        parse(&self.level).map(drop)
    }
}

/// Why the log is not as asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A directive is malformed.
    #[error(
        "{directive:?} is no log level: {problem}; write one such as info,gateway::cache=debug"
    )]
    Directive {
        /// What was asked.
        directive: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The process already has a log.
    #[error("could not install the log: one is there")]
    Install(#[source] tracing_subscriber::util::TryInitError),
    /// The log of the process is gone.
    #[error("could not change the log level")]
    Change(#[source] reload::Error),
}

/// The level of the log, which can be read and changed. Clones share it.
#[derive(Clone)]
pub struct LogLevel {
    filter: reload::Handle<EnvFilter, Registry>,
    text: Arc<Mutex<String>>,
}

impl LogLevel {
    /// The level or directives in force.
    #[must_use]
    pub fn get(&self) -> String {
        self.text.lock().clone()
    }

    /// Changes the level, from the next event on.
    ///
    /// # Errors
    /// `Directive` when it is malformed, and the level stays; `Change` when the log is gone.
    pub fn set(&self, directive: &str) -> Result<(), LogError> {
        let directive = directive.trim();
        let filter = parse(directive)?;
        let mut text = self.text.lock();
        self.filter.reload(filter).map_err(LogError::Change)?;
        directive.clone_into(&mut text);
        Ok(())
    }

    /// A level of a log that is not installed.
    #[cfg(test)]
    pub(crate) fn detached(layer: &reload::Layer<EnvFilter, Registry>) -> Self {
        let text = Arc::new(Mutex::new("info".to_owned()));
        Self { filter: layer.handle(), text }
    }
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogLevel").field(&self.get()).finish()
    }
}

/// The log of a process, for as long as it is held; then the lines that wait are written.
pub(crate) struct Log {
    pub(crate) level: LogLevel,
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Log {
    /// How many lines were dropped because they could not be written in time.
    pub(crate) fn dropped(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let dropped = self.dropped.clone();
        move || dropped.dropped_lines() as u64
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("level", &self.level).finish_non_exhaustive()
    }
}

/// Installs the log, and the way of spans to `tracer`, for the whole process.
pub(crate) fn install(
    config: &Config,
    tracer: Option<opentelemetry_sdk::trace::SdkTracer>,
) -> Result<Log, LogError> {
    let (filter, handle) = reload::Layer::new(parse(&config.level)?);
    let json = match config.format {
        Format::Auto => !std::io::stderr().is_terminal(),
        Format::Json => true,
        Format::Text => false,
    };
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_MAX);
    let (writer, guard) = builder.thread_name("log").finish(std::io::stderr());
    let dropped = writer.error_counter();
    let lines = format::layer().with_writer(writer);
    let lines = if json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let spans = tracer.map(|tracer| {
        let ours = tracing_subscriber::filter::filter_fn(|metadata| {
            let target = metadata.target();
            let root = target.split("::").next().unwrap_or(target);
            // Spans of requests are below the usual level of the log, where they would cost.
            let least = if metadata.is_span() { Level::DEBUG } else { Level::INFO };
            *metadata.level() <= least && TRACED.contains(&root)
        });
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours)
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans)
        .try_init()
        .map_err(LogError::Install)?;
    let level = LogLevel { filter: handle, text: Arc::new(Mutex::new(config.level.clone())) };
    Ok(Log { level, dropped, _writer: guard })
}

/// Reads directives. A bare word has to be a level: it would otherwise be taken for a target, and a
/// misspelt level would log everything of nothing.
fn parse(directive: &str) -> Result<EnvFilter, LogError> {
    let refused =
        |problem: String| LogError::Directive { directive: directive.to_owned(), problem };
    for part in directive.split(',').map(str::trim) {
        let bare = !part.contains(['=', '[', ':']);
        let letters = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphabetic());
        if bare && (!letters || part.parse::<LevelFilter>().is_err()) {
            return Err(refused(format!(
                "{part:?} is none of off, error, warn, info, debug, trace"
            )));
        }
    }
    EnvFilter::try_new(directive).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_level_is_refused_and_the_old_one_stays() {
        let (layer, _handle) = reload::Layer::new(EnvFilter::new("info"));
        let level = LogLevel::detached(&layer);
        for wrong in ["", "inof", "gateway=loud", "info,,debug", "a=b=c"] {
            let error = level.set(wrong).expect_err(wrong).to_string();
            assert!(error.contains("write one such as"), "{error}");
        }
        assert_eq!(level.get(), "info");
    }

    #[test]
    fn level_changes_for_a_part_of_the_program() {
        let (layer, handle) = reload::Layer::new(EnvFilter::new("info"));
        let level = LogLevel::detached(&layer);
        level.set(" warn,gateway::cache=debug\n").expect("is well-formed");
        assert_eq!(level.get(), "warn,gateway::cache=debug");
        let filter = handle.with_current(ToString::to_string).expect("is there");
        assert!(filter.contains("gateway::cache=debug") && filter.contains("warn"), "{filter}");
    }
}
