//! Whether a process takes work, and whether any is left.
//!
//! One value answers the readiness check, tells listeners to stop and lets the end wait for the work
//! that had begun. Draining is final: a process that has begun to leave does not come back.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

/// Whether a process takes work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet, and why.
    Starting(Cow<'static, str>),
    /// It takes work.
    Ready,
    /// It takes no further work and ends when what it has is done.
    Draining,
}

/// The state of a process between its start and its end. Clones share it.
#[derive(Clone)]
pub struct Drain {
    shared: Arc<Shared>,
}

struct Shared {
    readiness: watch::Sender<Readiness>,
    in_flight: AtomicUsize,
    emptied: Notify,
}

impl Drain {
    /// A process that is starting.
    #[must_use]
    pub fn new() -> Self {
        let (readiness, _) = watch::channel(Readiness::Starting(Cow::Borrowed("starting")));
        let shared = Shared { readiness, in_flight: AtomicUsize::new(0), emptied: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// From here on the process takes work; without effect while it drains.
    pub fn ready(&self) {
        self.change(Readiness::Ready);
    }

    /// The process takes no work for the reason given; without effect while it drains.
    pub fn starting(&self, reason: impl Into<Cow<'static, str>>) {
        self.change(Readiness::Starting(reason.into()));
    }

    /// Begins to drain; calling it again changes nothing.
    pub fn begin(&self) {
        self.change(Readiness::Draining);
    }

    /// Whether the process takes work.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.shared.readiness.borrow().clone()
    }

    /// Whether the process takes work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.shared.readiness.borrow() == Readiness::Ready
    }

    /// Whether draining has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.shared.readiness.borrow() == Readiness::Draining
    }

    /// Returns when draining begins, at once if it has begun.
    ///
    /// # Cancellation
    /// May be dropped at any time.
    pub async fn draining(&self) {
        let mut readiness = self.shared.readiness.subscribe();
        readiness
            .wait_for(|readiness| *readiness == Readiness::Draining)
            .await
            .expect("the sender lives as long as this drain");
    }

    /// The state as it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Readiness> {
        self.shared.readiness.subscribe()
    }

    /// A token for a piece of work; `idle` waits until each is dropped.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        self.shared.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { shared: Arc::clone(&self.shared) }
    }

    /// How many pieces of work have begun and not ended.
    #[must_use]
    pub fn in_flight_count(&self) -> usize {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Returns when no work is in flight. Without `begin` more may come right after; the caller
    /// brings the deadline.
    ///
    /// # Cancellation
    /// May be dropped at any time.
    pub async fn idle(&self) {
        loop {
            let emptied = self.shared.emptied.notified();
            if self.shared.in_flight.load(Ordering::Acquire) == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn change(&self, to: Readiness) {
        self.shared.readiness.send_if_modified(|readiness| {
            let changes = *readiness != Readiness::Draining && *readiness != to;
            if changes {
                *readiness = to;
            }
            changes
        });
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("readiness", &self.readiness())
            .field("in_flight", &self.in_flight_count())
            .finish()
    }
}

/// A piece of work in flight, over when it is dropped.
pub struct InFlight {
    shared: Arc<Shared>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.shared.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.emptied.notify_waiters();
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn process_is_not_ready_until_it_says_so() {
        let drain = Drain::new();
        assert_eq!(drain.readiness(), Readiness::Starting("starting".into()));
        drain.starting("opening the store");
        assert_eq!(drain.readiness(), Readiness::Starting("opening the store".into()));
        drain.ready();
        assert!(drain.is_ready());
    }

    #[test]
    fn draining_is_final() {
        let drain = Drain::new();
        drain.begin();
        drain.ready();
        drain.starting("again");
        assert!(drain.is_draining());
    }

    #[tokio::test(start_paused = true)]
    async fn idle_waits_for_the_last_token() {
        let drain = Drain::new();
        let (first, second) = (drain.in_flight(), drain.in_flight());
        drop(first);
        assert_eq!(drain.in_flight_count(), 1);
        let waited = tokio::time::timeout(Duration::from_secs(1), drain.idle()).await;
        assert!(waited.is_err(), "one token is left");
        let (idle, ()) =
            tokio::join!(tokio::time::timeout(Duration::from_secs(1), drain.idle()), async move {
                drop(second)
            });
        assert!(idle.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn everyone_who_waits_learns_of_draining() {
        let drain = Drain::new();
        let other = drain.clone();
        let wait = async { tokio::join!(drain.draining(), other.draining()) };
        let both = tokio::time::timeout(Duration::from_secs(1), wait);
        let (both, ()) = tokio::join!(both, async { drain.begin() });
        assert!(both.is_ok());
        drain.draining().await;
    }
}
