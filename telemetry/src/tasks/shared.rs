//! The register of running tasks.
//!
//! An entry is made before its task starts and is removed when the task's future is dropped, however
//! that comes about. No lock is held while a task is spawned or dropped: a runtime that shuts down
//! drops the future on the spot, and its entry then takes the same lock.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::metrics::{Counter, Gauge};

/// Whether shutdown waits for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Foreground,
    Background,
}

/// State behind every clone of `Tasks`.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Told whenever a task has ended.
    ended: Notify,
    alive: Gauge,
    panics: Counter,
}

struct State {
    closed: bool,
    next: u64,
    foreground: usize,
    entries: HashMap<u64, Entry>,
}

struct Entry {
    name: &'static str,
    kind: Kind,
    since: Instant,
    abort: Option<AbortHandle>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let state = State { closed: false, next: 0, foreground: 0, entries: HashMap::new() };
        Self {
            state: Mutex::new(state),
            ended: Notify::new(),
            alive: crate::metrics::gauge("bifrost_telemetry_tasks", "Tasks that run."),
            panics: crate::metrics::counter(
                "bifrost_telemetry_task_panics_total",
                "Tasks that ended in a panic.",
            ),
        }
    }

    /// Makes an entry, unless tasks are refused.
    pub(super) fn enter(self: &Arc<Self>, name: &'static str, kind: Kind) -> Option<Owned> {
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.foreground += usize::from(kind == Kind::Foreground);
        state.entries.insert(id, Entry { name, kind, since: Instant::now(), abort: None });
        self.alive.inc();
        Some(Owned { shared: Arc::clone(self), id, name })
    }

    /// Gives an entry the means to abort its task; used at once when the tasks were closed meanwhile.
    pub(super) fn adopt(&self, id: u64, abort: AbortHandle) {
        let mut state = self.state.lock();
        let closed = state.closed;
        if let Some(entry) = state.entries.get_mut(&id) {
            if closed {
                drop(state);
                abort.abort();
            } else {
                entry.abort = Some(abort);
            }
        }
    }

    fn leave(&self, id: u64) {
        let mut state = self.state.lock();
        if let Some(entry) = state.entries.remove(&id) {
            state.foreground -= usize::from(entry.kind == Kind::Foreground);
            drop(state);
            self.alive.dec();
            self.ended.notify_waiters();
        }
    }

    pub(super) fn each(&self, mut see: impl FnMut(&'static str, Instant)) {
        for entry in self.state.lock().entries.values() {
            see(entry.name, entry.since);
        }
    }

    pub(super) fn foreground_names(&self) -> Vec<&'static str> {
        let state = self.state.lock();
        let foreground = state.entries.values().filter(|entry| entry.kind == Kind::Foreground);
        let mut names: Vec<_> = foreground.map(|entry| entry.name).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn close_and_abort(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let aborts: Vec<_> =
            state.entries.values_mut().filter_map(|entry| entry.abort.take()).collect();
        drop(state);
        for abort in aborts {
            abort.abort();
        }
    }

    pub(super) async fn foreground_ended(&self) {
        self.until(|state| state.foreground == 0).await;
    }

    pub(super) async fn all_ended(&self) {
        self.until(|state| state.entries.is_empty()).await;
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        loop {
            let ended = self.ended.notified();
            if done(&self.state.lock()) {
                return;
            }
            ended.await;
        }
    }

    pub(super) fn panics(&self) -> &Counter {
        &self.panics
    }

    pub(super) fn alive_gauge(&self) -> &Gauge {
        &self.alive
    }
}

/// A task's place in the register, given up when it is dropped.
pub(super) struct Owned {
    shared: Arc<Shared>,
    id: u64,
    name: &'static str,
}

impl Owned {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Runs the future of the task; nothing is left of a panic but its record.
    pub(super) async fn run<F: Future>(self, future: F) -> Option<F::Output> {
        let result = AssertUnwindSafe(future).catch_unwind().await;
        self.finish(result)
    }

    pub(super) fn finish<T>(self, result: Result<T, Box<dyn Any + Send>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(payload) => {
                self.shared.panics.inc();
                let panic = message(payload.as_ref());
                tracing::error!(task = self.name, panic, "task panicked");
                None
            }
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.shared.leave(self.id);
    }
}

/// The text of a panic, where it has one.
fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a text"
    }
}
