//! The thread that writes the access log.
//!
//! It takes all lines that wait at once, so that one call of the system writes many. A failed write
//! loses its lines, is counted, and is told in the log once until writing works again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use memchr::memchr_iter;

use super::Metrics;
use super::keys::Keys;
use super::queue::Queue;
use super::sink::Sink;

/// Memory kept between writes; a larger buffer from a burst is given back.
const KEPT_BYTES: usize = 1024 * 1024;

/// Longest time without a look at what is due: files of a day that is over, and its key.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// The writer's side of the log.
pub(super) struct Writer {
    queue: Arc<Queue>,
    sink: Sink,
    gather: Duration,
    metrics: Metrics,
    keys: Arc<Keys>,
    failing: bool,
}

impl Writer {
    pub(super) fn new(
        queue: Arc<Queue>,
        sink: Sink,
        gather: Duration,
        metrics: Metrics,
        keys: Arc<Keys>,
    ) -> Self {
        Self { queue, sink, gather, metrics, keys, failing: false }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        // However the thread ends, nobody may wait for it in vain.
        let ended = Ended(Arc::clone(&self.queue));
        let mut spare = Vec::new();
        loop {
            let mut work = self.queue.take(self.gather, TIDY_EVERY, spare);
            if work.reopen {
                let reopened = self.sink.reopen();
                self.note(reopened.err());
            }
            let now = SystemTime::now();
            self.write(&work.bytes, work.lines, now);
            self.keys.roll(now);
            let tidied = self.sink.tidy(now);
            self.note(tidied.err());
            self.queue.done(work.lines);
            if work.last {
                break;
            }
            work.bytes.clear();
            work.bytes.shrink_to(KEPT_BYTES);
            spare = work.bytes;
        }
        drop(ended);
    }

    fn write(&mut self, bytes: &[u8], lines: u64, now: SystemTime) {
        let mut left = lines;
        for part in parts(bytes, lines, self.sink.lines_max()) {
            match self.sink.write(part.bytes, now) {
                Ok(()) => {
                    self.metrics.written.inc_by(part.lines);
                    self.failing = false;
                    left -= part.lines;
                }
                Err(error) => {
                    // What comes behind is not tried: it would fail as slowly.
                    self.metrics.dropped.inc_by(left);
                    self.note(Some(error));
                    return;
                }
            }
        }
    }

    fn note(&mut self, error: Option<std::io::Error>) {
        let Some(error) = error else {
            return;
        };
        self.metrics.failures.inc();
        if !self.failing {
            tracing::warn!(%error, "the access log cannot be written; its lines are lost");
            self.failing = true;
        }
    }
}

/// Whole lines that are written at once.
struct Part<'a> {
    bytes: &'a [u8],
    lines: u64,
}

/// Cuts so many lines into parts of `lines_max` at most; ends of lines are looked for only where a cut
/// is needed.
fn parts(bytes: &[u8], lines: u64, lines_max: u64) -> impl Iterator<Item = Part<'_>> {
    let mut left = Part { bytes, lines };
    std::iter::from_fn(move || {
        let lines = left.lines.min(lines_max);
        let end = if lines == left.lines {
            left.bytes.len()
        } else {
            let last = usize::try_from(lines).ok()?.checked_sub(1)?;
            memchr_iter(b'\n', left.bytes).nth(last)? + 1
        };
        let (bytes, rest) = left.bytes.split_at(end);
        left = Part { bytes: rest, lines: left.lines - lines };
        (lines > 0).then_some(Part { bytes, lines })
    })
}

struct Ended(Arc<Queue>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended();
    }
}
