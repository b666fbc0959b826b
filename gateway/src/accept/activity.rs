//! What one connection is doing, so that the watch can tell when it takes too long.
//!
//! Times are ticks of the watch's own clock and all stores are relaxed: a limit may bite a tick
//! late, never early, and no request waits for a lock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

/// A coarse clock in milliseconds that the watch advances.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    /// The time of the last tick; at least 1, so that 0 can mean never.
    pub(super) fn now(&self) -> u64 {
        self.0.load(Relaxed).max(1)
    }

    pub(super) fn set(&self, now: u64) {
        self.0.store(now, Relaxed);
    }
}

/// What one connection is doing.
#[derive(Debug)]
pub(crate) struct Activity {
    client: SocketAddr,
    clock: Arc<Clock>,
    is_h2: AtomicBool,
    /// When the head that is being read began; 0 when none is.
    head_since: AtomicU64,
    /// When the connection last became idle.
    idle_since: AtomicU64,
    requests: AtomicU32,
    /// Whether bytes wait for the client.
    blocked: AtomicBool,
    written: AtomicU64,
    /// Bodies that are under way, and those of them that wait for content rather than the client.
    bodies: AtomicU32,
    waiting: AtomicU32,
    overdue: Notify,
    told: AtomicBool,
}

/// Why the watch closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Head,
    Idle,
    Write,
}

/// What the watch remembers of a connection between ticks.
#[derive(Debug, Default)]
pub(super) struct Window {
    since: u64,
    written: u64,
}

/// Limits in milliseconds and bytes, as the watch applies them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) head_ms: u64,
    pub(super) idle_ms: u64,
    pub(super) write_ms: u64,
    pub(super) write_bytes: u64,
}

impl Activity {
    pub(super) fn new(client: SocketAddr, clock: Arc<Clock>) -> Self {
        let now = clock.now();
        Self {
            client,
            clock,
            is_h2: AtomicBool::new(false),
            head_since: AtomicU64::new(now),
            idle_since: AtomicU64::new(now),
            requests: AtomicU32::new(0),
            blocked: AtomicBool::new(false),
            written: AtomicU64::new(0),
            bodies: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            overdue: Notify::new(),
            told: AtomicBool::new(false),
        }
    }

    /// The address at the other end.
    pub(crate) fn client(&self) -> SocketAddr {
        self.client
    }

    /// Notes that a head was read whole.
    pub(super) fn request_began(&self) {
        self.head_since.store(0, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    /// Notes that a request is over, its body included.
    pub(crate) fn request_ended(&self) {
        self.idle_since.store(self.clock.now(), Relaxed);
        self.requests.fetch_sub(1, Relaxed);
    }

    pub(super) fn is_h2(&self) {
        self.is_h2.store(true, Relaxed);
    }

    /// Notes that bytes came in; between requests they begin a head.
    pub(super) fn bytes_came(&self) {
        if self.requests.load(Relaxed) == 0
            && !self.is_h2.load(Relaxed)
            && self.head_since.load(Relaxed) == 0
        {
            self.head_since.store(self.clock.now(), Relaxed);
        }
    }

    pub(super) fn bytes_left(&self, count: usize) {
        self.written.fetch_add(count as u64, Relaxed);
        if self.blocked.load(Relaxed) {
            self.blocked.store(false, Relaxed);
        }
    }

    pub(super) fn write_blocked(&self) {
        self.blocked.store(true, Relaxed);
    }

    /// Resolves when the watch finds that the connection took too long.
    pub(super) async fn overdue(&self) {
        self.overdue.notified().await;
    }

    /// Tells the connection to close; returns whether it was not told before.
    pub(super) fn close(&self) -> bool {
        self.overdue.notify_one();
        !self.told.swap(true, Relaxed)
    }

    /// Whether a limit is passed. `window` belongs to this connection.
    pub(super) fn check(&self, limits: &Limits, window: &mut Window) -> Option<Overdue> {
        let now = self.clock.now();
        let head_since = self.head_since.load(Relaxed);
        if head_since != 0 {
            return (now.saturating_sub(head_since) > limits.head_ms).then_some(Overdue::Head);
        }
        if self.requests.load(Relaxed) == 0 && !self.blocked.load(Relaxed) {
            let idle = now.saturating_sub(self.idle_since.load(Relaxed));
            return (idle > limits.idle_ms).then_some(Overdue::Idle);
        }
        // Bytes wait for the client, in the socket or in a body that is not asked for more. A slow
        // client asks seldom, so what counts is what it takes.
        let unread = self.bodies.load(Relaxed) > self.waiting.load(Relaxed);
        let written = self.written.load(Relaxed);
        if !(self.blocked.load(Relaxed) || unread) || window.since == 0 {
            *window = Window { since: now, written };
        } else if now.saturating_sub(window.since) > limits.write_ms {
            if written.saturating_sub(window.written) < limits.write_bytes.max(1) {
                return Some(Overdue::Write);
            }
            *window = Window { since: now, written };
        }
        None
    }
}

/// Says of one body whether it waits for content or for the client.
#[derive(Debug)]
pub(crate) struct Progress {
    activity: Arc<Activity>,
    waiting: bool,
}

impl Progress {
    /// A body that begins.
    pub(crate) fn begin(activity: Arc<Activity>) -> Self {
        activity.bodies.fetch_add(1, Relaxed);
        Self { activity, waiting: false }
    }

    /// Notes that the body was asked for bytes, and whether it has to wait for them.
    pub(crate) fn polled(&mut self, waits: bool) {
        if waits != self.waiting {
            self.waiting = waits;
            if waits {
                self.activity.waiting.fetch_add(1, Relaxed);
            } else {
                self.activity.waiting.fetch_sub(1, Relaxed);
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.polled(false);
        self.activity.bodies.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { head_ms: 10_000, idle_ms: 60_000, write_ms: 30_000, write_bytes: 30_720 };

    fn activity() -> (Arc<Clock>, Arc<Activity>) {
        let clock = Arc::new(Clock::default());
        clock.set(1_000);
        let client = SocketAddr::from(([127, 0, 0, 1], 1));
        (Arc::clone(&clock), Arc::new(Activity::new(client, clock)))
    }

    #[test]
    fn silent_connection_has_the_time_of_a_head() {
        let (clock, activity) = activity();
        let mut window = Window::default();
        clock.set(11_000);
        assert_eq!(activity.check(&LIMITS, &mut window), None);
        clock.set(11_001);
        assert_eq!(activity.check(&LIMITS, &mut window), Some(Overdue::Head));
    }

    #[test]
    fn idle_connection_has_more_time_than_one_within_a_head() {
        let (clock, activity) = activity();
        let mut window = Window::default();
        activity.request_began();
        activity.request_ended();
        clock.set(60_000);
        assert_eq!(activity.check(&LIMITS, &mut window), None);
        activity.bytes_came();
        clock.set(70_001);
        assert_eq!(activity.check(&LIMITS, &mut window), Some(Overdue::Head));
    }

    #[test]
    fn reader_below_the_least_rate_is_overdue() {
        let (clock, activity) = activity();
        let mut window = Window::default();
        activity.request_began();
        for second in 2..33 {
            clock.set(second * 1_000);
            activity.bytes_left(100);
            activity.write_blocked();
            assert_eq!(activity.check(&LIMITS, &mut window), None, "second {second}");
        }
        clock.set(33_000);
        assert_eq!(activity.check(&LIMITS, &mut window), Some(Overdue::Write));
    }

    #[test]
    fn body_that_nobody_takes_is_overdue_and_one_that_waits_for_content_is_not() {
        let (clock, activity) = activity();
        let mut window = Window::default();
        activity.request_began();
        let mut progress = Progress::begin(Arc::clone(&activity));
        progress.polled(true);
        clock.set(100_000);
        assert_eq!(activity.check(&LIMITS, &mut window), None);
        progress.polled(false);
        clock.set(130_001);
        assert_eq!(activity.check(&LIMITS, &mut window), Some(Overdue::Write));
        drop(progress);
        assert_eq!(activity.check(&LIMITS, &mut window), None);
    }
}
