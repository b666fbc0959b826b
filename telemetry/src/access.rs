//! The access log: one line of JSON per request, written by a thread of its own.
//!
//! A request copies its line into a bounded buffer and goes on. When the sink cannot keep up, lines
//! are dropped and counted: a slow disk costs lines, never requests.

mod line;
mod queue;
mod sink;
mod stamp;
mod writer;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use bytesize::ByteSize;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use line::Line;
use queue::Queue;
use sink::Sink;

use crate::metrics::{Counter, Registry};

/// How long the last handle waits for the writer when nobody has called `close`.
const DROP_WAIT: Duration = Duration::from_secs(5);

/// Where the access log goes, and its bounds.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where lines go: `stdout`, `file` or `off`. Default `stdout`.
    pub to: Destination,
    /// The file, when `to` is `file`; its folder must exist. Default `access.log`.
    pub path: PathBuf,
    /// Size at which the file is put aside as `<path>.1` and another begun. Default 256 MiB. Zero
    /// never rotates.
    pub rotate_at: ByteSize,
    /// How many files that were put aside are kept. Default 4. Zero keeps none.
    pub keep: usize,
    /// Most memory for lines that wait for the writer, twice over while it writes. Default 8 MiB,
    /// half a second of 40 thousand requests per second. Zero drops every line.
    pub queue_max: ByteSize,
    /// Longest time that a line waits to be written together with others. Default 100 ms. Zero
    /// writes as soon as there is a line.
    #[serde(with = "crate::config::duration")]
    pub flush_every: Duration,
}

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The standard output of the process.
    Stdout,
    /// A file that is rotated by size.
    File,
    /// Nowhere; lines are not even made.
    Off,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            to: Destination::Stdout,
            path: PathBuf::from("access.log"),
            rotate_at: ByteSize::mib(256),
            keep: 4,
            queue_max: ByteSize::mib(8),
            flush_every: Duration::from_millis(100),
        }
    }
}

/// Why there is no access log.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file could not be opened.
    #[error("could not open the access log {}: {source}; make its folder or change access_log.path", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The writer's thread could not be started.
    #[error("could not start the writer of the access log")]
    Start(#[source] io::Error),
}

/// What the access log counts.
#[derive(Debug, Clone)]
struct Metrics {
    written: Counter,
    dropped: Counter,
    failures: Counter,
}

impl Metrics {
    fn new(registry: &Registry) -> Self {
        Self {
            written: registry.counter(
                "bifrost_telemetry_access_lines_total",
                "Access log lines that reached their sink.",
            ),
            dropped: registry.counter(
                "bifrost_telemetry_access_dropped_lines_total",
                "Access log lines that were dropped, because the queue was full or the sink failed.",
            ),
            failures: registry.counter(
                "bifrost_telemetry_access_write_failures_total",
                "Writes to the sink of the access log, and rotations of it, that failed.",
            ),
        }
    }
}

/// The access log. Clones share it; the last one to go writes out what is left.
#[derive(Clone)]
pub struct AccessLog {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    queue: Arc<Queue>,
    dropped: Counter,
    writer: Mutex<Option<JoinHandle<()>>>,
}

thread_local! {
    /// The memory in which this thread makes its lines.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl AccessLog {
    /// Opens the sink and starts the writer.
    ///
    /// # Errors
    /// `Open` when the file cannot be opened, `Start` when there can be no thread.
    ///
    /// # Panics
    /// When the registry already has an access log.
    pub fn start(config: &Config, registry: &Registry) -> Result<Self, AccessError> {
        let metrics = Metrics::new(registry);
        let sink = match config.to {
            Destination::Off => return Ok(Self::off()),
            Destination::Stdout => Sink::stdout(),
            Destination::File => Sink::file(config)?,
        };
        Self::with_sink(config, sink, metrics)
    }

    /// An access log that takes no lines.
    #[must_use]
    pub fn off() -> Self {
        Self { shared: None }
    }

    fn with_sink(config: &Config, sink: Sink, metrics: Metrics) -> Result<Self, AccessError> {
        let bytes_max = usize::try_from(config.queue_max.as_u64()).unwrap_or(usize::MAX);
        let queue = Arc::new(Queue::new(bytes_max));
        let dropped = metrics.dropped.clone();
        let work = writer::Writer::new(Arc::clone(&queue), sink, config.flush_every, metrics);
        let thread = std::thread::Builder::new().name("access log".to_owned());
        let writer = thread.spawn(move || work.run()).map_err(AccessError::Start)?;
        let shared = Shared { queue, dropped, writer: Mutex::new(Some(writer)) };
        Ok(Self { shared: Some(Arc::new(shared)) })
    }

    /// Writes one line; `fill` adds the fields after the time `ts`. Never waits for the sink.
    pub fn write(&self, fill: impl FnOnce(&mut Line)) {
        let Some(shared) = &self.shared else {
            return;
        };
        // Taken and put back rather than borrowed, so that a `fill` that logs is harmless.
        let mut line = Line::begin(SPARE.take(), SystemTime::now());
        fill(&mut line);
        let bytes = line.end();
        if !shared.queue.push(&bytes) {
            shared.dropped.inc();
        }
        SPARE.set(bytes);
    }

    /// Has the file opened anew, for who has moved it away; called on SIGHUP.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.queue.reopen();
        }
    }

    /// Waits until each line written before has reached the sink; false when `deadline` passes first.
    /// It blocks the thread.
    #[must_use]
    pub fn flush(&self, deadline: Duration) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.queue.flush(deadline))
    }

    /// Takes no more lines, writes out those that wait and ends the writer; false when `deadline`
    /// passes first, the writer then ends by itself. Lines that come later are dropped and counted.
    /// It blocks the thread.
    #[must_use]
    pub fn close(&self, deadline: Duration) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.close(deadline))
    }
}

impl Shared {
    fn close(&self, deadline: Duration) -> bool {
        if !self.queue.close(deadline) {
            return false;
        }
        let writer = self.writer.lock().take();
        writer.is_none_or(|writer| writer.join().is_ok())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !self.close(DROP_WAIT) {
            tracing::error!("the access log lost lines: its sink did not take them in time");
        }
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("on", &self.shared.is_some()).finish()
    }
}

#[cfg(test)]
mod tests;
