//! The access log: one line of JSON per request, written by a thread of its own.
//!
//! A request copies its line into a bounded buffer and goes on. When the sink cannot keep up, lines
//! are dropped and counted: a slow disk costs lines, never requests. A line is made anonymous while it
//! is made, so that no queue, sink or collector ever holds an address, a query or a secret.

mod collector;
mod config;
mod entry;
mod error;
mod keys;
pub mod ledger;
mod line;
mod metrics;
mod queue;
mod share;
mod sink;
mod stamp;
mod who;
mod writer;

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use collector::Collector;
pub use config::{Cleartext, Config, Destination};
pub use entry::{Counts, Detail, Entry, FIELDS, Root, VERSION};
pub use error::AccessError;
use keys::{Keys, Pair};
use line::Line;
use metrics::Metrics;
use queue::Queue;
use share::Share;
use sink::Sink;
pub use sink::{delete, put_aside};
pub use who::{agent_class, method_word};

use crate::metrics::{Counter, Registry};
use crate::{Process, build_info};

/// How long the last handle waits for the writer when nobody has called `close`.
const DROP_WAIT: Duration = Duration::from_secs(5);

/// The access log. Clones share it; the last one to go writes out what is left.
#[derive(Clone)]
pub struct AccessLog {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    /// Where records go; none when only a collector gets them.
    records: Option<Lane>,
    /// Where records with clear text go, when that is a file of its own.
    clear: Option<Lane>,
    /// Where records go too, without clear text.
    collector: Option<Lane>,
    dropped: Counter,
    keys: Arc<Keys>,
    /// What all records of this process say, as fields.
    about: String,
    share: Share,
    /// Whether clear text is recorded within the record, for want of a file of its own.
    inline: bool,
}

/// One sink, and the way to it.
struct Lane {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What is written to.
#[derive(Default)]
struct Sinks {
    records: Option<Sink>,
    clear: Option<Sink>,
    collector: Option<Sink>,
}

thread_local! {
    /// The memory in which this thread makes its lines.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl AccessLog {
    /// Opens the sink and starts the writer.
    ///
    /// # Errors
    /// As the variants of [`AccessError`] say.
    ///
    /// # Panics
    /// When the registry already has an access log.
    pub fn start(
        config: &Config,
        process: Process,
        registry: &Registry,
    ) -> Result<Self, AccessError> {
        config.check()?;
        let metrics = Metrics::new(registry);
        let errors = config.cleartext == Cleartext::Errors;
        let (records, clear) = match config.to {
            Destination::Off => (None, None),
            Destination::Stdout => (Some(Sink::stdout()), None),
            Destination::File if errors => {
                (Some(Sink::file(config)?), Some(Sink::file(&config.clear())?))
            }
            Destination::File => (Some(Sink::file(config)?), None),
        };
        let collector = config.collector.as_deref().map(|url| {
            Collector::new(url, config, process).map(|to| Sink::Collector(Box::new(to)))
        });
        let collector = collector.transpose()?;
        if records.is_none() && collector.is_none() {
            return Ok(Self::off());
        }
        Self::with_sinks(config, process, Sinks { records, clear, collector }, metrics)
    }

    /// An access log that takes no lines.
    #[must_use]
    pub fn off() -> Self {
        Self { shared: None }
    }

    fn with_sinks(
        config: &Config,
        process: Process,
        sinks: Sinks,
        metrics: Metrics,
    ) -> Result<Self, AccessError> {
        let keys = Keys::open(config.key_file.as_deref(), SystemTime::now())?;
        let keys = Arc::new(keys);
        let dropped = metrics.dropped.clone();
        let inline = config.cleartext == Cleartext::Errors && sinks.clear.is_none();
        let lane = |sink| Lane::start(config, sink, &metrics, &keys);
        let records = sinks.records.map(lane).transpose()?;
        let clear = sinks.clear.map(lane).transpose()?;
        let collector = sinks.collector.map(lane).transpose()?;
        let about = about(config, process);
        let share = Share::new(config.sample, config.successes_max);
        let shared = Shared { records, clear, collector, dropped, keys, about, share, inline };
        Ok(Self { shared: Some(Arc::new(shared)) })
    }

    /// Records a request, if it is one to be recorded. Never waits for the sink.
    pub fn record(&self, entry: &Entry<'_>) {
        let Some(shared) = &self.shared else {
            return;
        };
        let now = SystemTime::now();
        let keys = shared.keys.pair(now);
        let whole = entry.detail != Detail::Sampled;
        let (share, rate) = if whole { (1.0, "1") } else { shared.share.at(now) };
        if !is_sampled(share, entry.req_id, &keys) {
            return;
        }
        if !whole {
            shared.share.taken();
        }
        let mut line = Line::begin(SPARE.take(), now);
        entry.write(&mut line, &shared.about, &keys, rate);
        let is_clear = entry.detail == Detail::Clear;
        let mark = line.mark();
        let clear_inside = is_clear && shared.inline;
        let plain = shared.records.iter().filter(|_| !clear_inside);
        for lane in plain.chain(&shared.collector) {
            shared.push(lane, line.closed());
            line.cut(mark);
        }
        if is_clear {
            entry.write_clear(&mut line);
            let lane = if clear_inside { &shared.records } else { &shared.clear };
            lane.iter().for_each(|lane| shared.push(lane, line.closed()));
        }
        SPARE.set(line.into_spare());
    }

    /// Writes one line; `fill` adds the fields after the time `ts`.
    #[cfg(test)]
    fn write(&self, fill: impl FnOnce(&mut Line)) {
        if let Some(shared) = &self.shared {
            let mut line = Line::begin(SPARE.take(), SystemTime::now());
            fill(&mut line);
            shared.records.iter().for_each(|lane| shared.push(lane, line.closed()));
            SPARE.set(line.into_spare());
        }
    }

    /// Has the file opened anew, for who has moved it away; called on SIGHUP.
    pub fn reopen(&self) {
        for lane in self.lanes() {
            lane.queue.reopen();
        }
    }

    /// Waits until each line written before has reached the sink; false when `deadline` passes first.
    /// It blocks the thread.
    #[must_use]
    pub fn flush(&self, deadline: Duration) -> bool {
        self.lanes().all(|lane| lane.queue.flush(deadline))
    }

    /// Takes no more lines, writes out those that wait and ends the writer; false when `deadline`
    /// passes first, the writer then ends by itself. Lines that come later are dropped and counted.
    /// It blocks the thread.
    #[must_use]
    pub fn close(&self, deadline: Duration) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.close(deadline))
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.shared.iter().flat_map(|shared| shared.lanes())
    }
}

/// What all records of a process say, as fields of JSON behind a comma.
fn about(config: &Config, process: Process) -> String {
    let name = config.name_of(process);
    let commit = build_info::commit();
    let commit = commit.get(..12).unwrap_or(commit);
    // None of these has anything to escape: see `Config::check`.
    format!(
        ",\"v\":{VERSION},\"env\":\"{}\",\"role\":\"{}\",\"node\":\"{name}\",\"build\":\"{}-{commit}\"",
        config.env,
        process.text(),
        build_info::version(),
    )
}

/// Whether the request of this id is in the sample: the same wherever share and key are.
fn is_sampled(share: f64, req_id: &str, keys: &Pair) -> bool {
    if share >= 1.0 {
        return true;
    }
    let hash = blake3::keyed_hash(&keys.sample, req_id.as_bytes());
    let place = u32::from_be_bytes(hash.as_bytes()[..4].try_into().expect("four bytes"));
    f64::from(place) < share * (f64::from(u32::MAX) + 1.0)
}

impl Shared {
    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.records.iter().chain(&self.clear).chain(&self.collector)
    }

    fn push(&self, lane: &Lane, line: &[u8]) {
        if !lane.queue.push(line) {
            self.dropped.inc();
        }
    }

    fn close(&self, deadline: Duration) -> bool {
        // Each has its own time, and none is left out because another was late.
        let closed: Vec<bool> = self.lanes().map(|lane| lane.close(deadline)).collect();
        closed.iter().all(|closed| *closed)
    }
}

impl Lane {
    fn start(
        config: &Config,
        sink: Sink,
        metrics: &Metrics,
        keys: &Arc<Keys>,
    ) -> Result<Self, AccessError> {
        let bytes_max = usize::try_from(config.queue_max.as_u64()).unwrap_or(usize::MAX);
        let queue = Arc::new(Queue::new(bytes_max));
        let (metrics, keys) = (metrics.clone(), Arc::clone(keys));
        let flush = config.flush_every;
        let work = writer::Writer::new(Arc::clone(&queue), sink, flush, metrics, keys);
        let thread = std::thread::Builder::new().name("access log".to_owned());
        let writer = thread.spawn(move || work.run()).map_err(AccessError::Start)?;
        Ok(Self { queue, writer: Mutex::new(Some(writer)) })
    }

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
mod collector_tests;
#[cfg(test)]
mod privacy_tests;
#[cfg(test)]
mod tests;
