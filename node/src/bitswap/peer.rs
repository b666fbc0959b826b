//! What is known of one connected peer as a source: what it owes us and how fast it pays.
//!
//! Prefers measured figures and trusts them slowly. Until a peer has answered, guesses stand in that
//! are kind enough to try it and small enough not to depend on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipfs::Cid;
use ipfs::cid::Multihash;

use super::ByHash;
use super::action::SessionId;
use super::config::Config;
use super::wantlist::{Outgoing, WantId};
use super::wire::ProtocolVersion;

/// Round trip of a peer that has not answered yet.
const RTT_GUESS: Duration = Duration::from_millis(100);
/// Blocks after which a peer's latencies are trusted below [`Config::answer_wait_first`].
const SAMPLES_TRUSTED: u32 = 8;
/// A peer never owes more than it paid in this many seconds.
const WINDOW_SECONDS: f64 = 2.0;
/// Queueing below this is noise and does not stop a window from growing.
const JITTER: Duration = Duration::from_millis(10);
/// Silences that are told apart; beyond, a mute peer is as bad as any.
const SILENCES_MAX: u32 = 3;

/// A connected peer.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) version: ProtocolVersion,
    /// Its stream failed too often: nothing is asked of it until it reconnects.
    pub(super) muted: bool,
    pub(super) wantlist: Outgoing,
    /// Blocks that it was asked for and owes.
    pub(super) asked: BTreeSet<WantId>,
    /// Their expected bytes.
    pub(super) in_flight: u64,
    /// Whether its window was full when it was last asked.
    full: bool,
    /// WANT-HAVE questions that it has not answered.
    pub(super) probes: Probes,
    pub(super) pace: Pace,
    /// Bytes of blocks that nobody asked it for, less those that were asked for since.
    pub(super) unsolicited: u64,
}

/// A WANT-HAVE that a session sent to find out whether a peer has its content.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) session: SessionId,
    pub(super) cid: Arc<Cid>,
    pub(super) sent: Instant,
    /// When its silence counts.
    pub(super) due: Instant,
}

/// The probes of one peer, by want and by hash: an answer names only the block, and the want may have
/// ended before it comes.
#[derive(Debug, Default)]
pub(super) struct Probes {
    by_id: BTreeMap<WantId, Probe>,
    by_hash: BTreeMap<ByHash, Vec<WantId>>,
}

impl Probes {
    pub(super) fn insert(&mut self, id: WantId, probe: Probe) {
        let ids = self.by_hash.entry(ByHash(Arc::clone(&probe.cid))).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        self.by_id.insert(id, probe);
    }

    pub(super) fn remove(&mut self, id: WantId) -> Option<Probe> {
        let probe = self.by_id.remove(&id)?;
        if let Some(ids) = self.by_hash.get_mut(probe.cid.multihash()) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_hash.remove(probe.cid.multihash());
            }
        }
        Some(probe)
    }

    pub(super) fn contains(&self, id: WantId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// The oldest probe for a block.
    pub(super) fn find(&self, hash: &Multihash) -> Option<WantId> {
        self.by_hash.get(hash)?.first().copied()
    }

    pub(super) fn ids(&self) -> Vec<WantId> {
        self.by_id.keys().copied().collect()
    }

    pub(super) fn into_all(self) -> impl Iterator<Item = (WantId, Probe)> {
        self.by_id.into_iter()
    }
}

impl Remote {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            version: ProtocolVersion::V1_2,
            muted: false,
            wantlist: Outgoing::unsynced(),
            asked: BTreeSet::new(),
            in_flight: 0,
            full: false,
            probes: Probes::default(),
            pace: Pace::new(config),
            unsolicited: 0,
        }
    }

    /// Whether `size` bytes more may be asked of it.
    ///
    /// A window that was full is refilled only once a quarter of it is free: a want for each block that
    /// comes would be a message each way for every block, and a write of the store.
    pub(super) fn has_room(&self, size: u64, config: &Config) -> bool {
        let window = self.pace.window();
        let limit = if self.full { window - window / 4 } else { window };
        let fits = self.in_flight == 0 || self.in_flight + size <= limit;
        fits && self.asked.len() < config.wants_per_peer_max
    }

    /// It is asked for a block of about this size.
    pub(super) fn owes(&mut self, id: WantId, size: u64) {
        self.asked.insert(id);
        self.in_flight += size;
        self.full = self.in_flight + size > self.pace.window();
    }

    /// When a block of this size would arrive if it was asked for at once.
    pub(super) fn finish(&self, size: u64) -> Duration {
        self.pace.finish(self.in_flight + size)
    }
}

/// Measured speed of a peer.
#[derive(Debug)]
pub(super) struct Pace {
    /// Smoothed round trip.
    rtt: Option<Duration>,
    /// Shortest latency of a block, rising slowly: the path without queues.
    base: Duration,
    /// Longest latency of a block, falling slowly: near the 99th percentile.
    high: Duration,
    /// Smoothed bytes per second.
    throughput: Option<f64>,
    window: u64,
    window_start: u64,
    window_max: u64,
    samples: u32,
    /// Bytes delivered since it connected.
    delivered: u64,
    progress: Option<Instant>,
    /// When lateness last counted against it.
    penalised: Option<Instant>,
    /// Silences that counted against it since it last said anything.
    unanswered: u32,
}

/// What is noted when a block is asked for, to measure the answer by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) at: Instant,
    delivered: u64,
    /// Whether the window was so full that the answer measures the peer and not our demand.
    loaded: bool,
    alone: bool,
}

impl Pace {
    fn new(config: &Config) -> Self {
        let window_start = config.window_start.as_u64();
        Self {
            rtt: None,
            base: Duration::MAX,
            high: Duration::ZERO,
            throughput: None,
            window: window_start,
            window_start,
            window_max: config.window_max.as_u64().max(window_start),
            samples: 0,
            delivered: 0,
            progress: None,
            penalised: None,
            unanswered: 0,
        }
    }

    /// How often it was silent of late: of peers that are alike otherwise, those that answer are asked
    /// first, whichever session found out that the others do not.
    pub(super) fn silences(&self) -> u32 {
        self.unanswered.min(SILENCES_MAX)
    }

    /// It did not answer what it was asked in time.
    pub(super) fn silent(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// Whether it has ever delivered.
    pub(super) fn is_proven(&self) -> bool {
        self.samples > 0
    }

    pub(super) fn mark(&self, in_flight: u64, size: u64, now: Instant) -> Mark {
        Mark {
            at: now,
            delivered: self.delivered,
            loaded: 2 * (in_flight + size) > self.window(),
            alone: in_flight == 0,
        }
    }

    /// A block came that was asked for at `mark`.
    pub(super) fn delivered(&mut self, mark: Mark, bytes: u64, now: Instant) {
        self.progressed(bytes, now);
        self.samples = self.samples.saturating_add(1);
        let latency = now.saturating_duration_since(mark.at);
        self.base = if latency < self.base {
            latency
        } else {
            self.base.saturating_add((latency - self.base) / 256)
        };
        self.high = latency.max(self.high - self.high.saturating_sub(latency) / 64);
        if mark.alone {
            self.answered(latency);
        }
        self.measure(mark, latency);
        if mark.loaded && latency <= self.base.saturating_mul(2).saturating_add(JITTER) {
            self.window = (self.window + bytes).min(self.window_max);
        }
    }

    /// Any block came, also one that is no longer owed.
    pub(super) fn progressed(&mut self, bytes: u64, now: Instant) {
        self.delivered += bytes;
        self.progress = Some(now);
        self.unanswered = 0;
    }

    /// An answer without queueing took this long.
    pub(super) fn answered(&mut self, latency: Duration) {
        self.unanswered = 0;
        self.rtt = Some(match self.rtt {
            Some(rtt) => (rtt * 7 + latency) / 8,
            None => latency,
        });
    }

    /// It let a want of `mark` wait too long. Wants that were out together count once; returns
    /// whether this one counts. Its window shrinks if the wait shows that it is `slow`.
    pub(super) fn overdue(&mut self, mark: Mark, now: Instant, slow: bool) -> bool {
        if self.penalised.is_some_and(|at| mark.at <= at) {
            return false;
        }
        self.penalised = Some(now);
        self.silent();
        if slow {
            self.window = (self.window / 2).max(self.window_start / 16);
            self.throughput = self.throughput.map(|bytes| bytes / 2.0);
        }
        true
    }

    /// The delivery rate over the life of one want. A want asked of an idle peer measures our demand
    /// and counts only upwards.
    fn measure(&mut self, mark: Mark, latency: Duration) {
        let seconds = latency.max(Duration::from_micros(100)).as_secs_f64();
        let sample = (self.delivered - mark.delivered) as f64 / seconds;
        self.throughput = Some(match self.throughput {
            None => sample,
            Some(old) if mark.loaded || sample > old => old + (sample - old) / 8.0,
            Some(old) => old,
        });
    }

    /// Bytes that may be owed at once.
    fn window(&self) -> u64 {
        let paid = match self.throughput {
            Some(bytes) if self.samples >= SAMPLES_TRUSTED => (bytes * WINDOW_SECONDS) as u64,
            Some(_) | None => u64::MAX,
        };
        self.window.min(paid)
    }

    fn finish(&self, bytes: u64) -> Duration {
        let rtt = self.rtt.unwrap_or(RTT_GUESS);
        let guess = self.window_start.max(1) as f64 / rtt.max(JITTER).as_secs_f64();
        let throughput = match self.throughput {
            Some(measured) if self.samples >= SAMPLES_TRUSTED => measured,
            Some(measured) => measured.max(guess),
            None => guess,
        };
        let seconds = bytes as f64 / throughput.max(1.0);
        rtt.saturating_add(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// Since when nothing came that was asked at `asked` or later.
    pub(super) fn quiet_since(&self, asked: Instant) -> Instant {
        self.progress.map_or(asked, |progress| progress.max(asked))
    }

    /// Whether nothing came since a want was asked, for as long as the peer is given to answer.
    pub(super) fn is_silent(&self, mark: Mark, now: Instant, config: &Config) -> bool {
        now >= self.quiet_since(mark.at) + self.wait(config)
    }

    fn wait(&self, config: &Config) -> Duration {
        let mut wait = (self.high * 2).clamp(config.answer_wait_min, config.answer_wait_max);
        if self.samples < SAMPLES_TRUSTED {
            wait = wait.max(config.answer_wait_first);
        }
        wait
    }

    /// When an answer to something asked at `asked` is late.
    pub(super) fn due(&self, asked: Instant, config: &Config) -> Instant {
        let wait = self.wait(config);
        (self.quiet_since(asked) + wait).min(asked + config.answer_wait_max.max(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = 256 * 1024;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn an_unproven_peer_is_late_after_the_first_wait() {
        let (pace, start) = (Pace::new(&Config::default()), Instant::now());
        assert_eq!(pace.due(start, &Config::default()), after(start, 1000));
    }

    #[test]
    fn a_fast_peer_is_late_after_the_shortest_wait_and_a_slow_one_after_the_longest() {
        let (config, start) = (Config::default(), Instant::now());
        for (latency, wait) in [(20, 250), (400, 800), (9000, 5000)] {
            let mut pace = Pace::new(&config);
            for _ in 0..SAMPLES_TRUSTED {
                let mark = pace.mark(0, BLOCK, start);
                pace.delivered(mark, BLOCK, after(start, latency));
            }
            let asked = after(start, latency);
            assert_eq!(pace.due(asked, &config), after(asked, wait), "latency {latency} ms");
        }
    }

    #[test]
    fn the_window_grows_while_no_queue_builds_and_never_past_its_cap() {
        let (config, start) = (Config::default(), Instant::now());
        let mut pace = Pace::new(&config);
        for _ in 0..200 {
            let mark = pace.mark(pace.window(), BLOCK, start);
            pace.delivered(mark, BLOCK, after(start, 10));
        }
        assert_eq!(pace.window, config.window_max.as_u64());
    }

    #[test]
    fn a_lone_want_does_not_make_a_fast_peer_look_slow() {
        let (config, start) = (Config::default(), Instant::now());
        let mut pace = Pace::new(&config);
        let mark = pace.mark(0, 16 << 20, start);
        pace.delivered(mark, 16 << 20, after(start, 100));
        let fast = pace.throughput;
        let lone = pace.mark(0, 1024, start);
        pace.delivered(lone, 1024, after(start, 100));
        assert!(pace.throughput >= fast);
    }
}
