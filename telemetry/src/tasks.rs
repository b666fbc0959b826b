//! Owns every task of a process: each has a name, and each is joined or aborted.
//!
//! A task that outlives its owner is a leak and a panic that nobody sees is an outage, so this is
//! the only place that spawns. The price is one short lock at the start and the end of a task.

mod handle;
mod shared;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use handle::{TaskError, TaskHandle};
use shared::{Kind, Shared};

use crate::metrics::Registry;

/// How long the futures of aborted tasks may take to be dropped before `shutdown` returns anyway.
/// Dropping happens at the next await point; only a task that blocks its thread takes longer.
const ABORT_WAIT: Duration = Duration::from_secs(1);

/// The owner of a process's tasks. Clones share the same tasks.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
}

/// The running tasks of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    /// The name they were spawned with.
    pub name: &'static str,
    /// How many run.
    pub count: usize,
    /// How long the oldest of them has run.
    pub oldest: Duration,
}

impl Tasks {
    /// An owner without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared::new()) }
    }

    /// Runs `future` as a task called `name`; must be called within a tokio runtime.
    ///
    /// A panic in it is logged and counted. `shutdown` waits for it. Dropping the handle lets the
    /// task run on; see [`TaskHandle::abort_on_drop`]. Once `shutdown` has aborted the tasks that
    /// were left, the future is dropped unpolled.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.start(name, Kind::Foreground, future)
    }

    /// Runs `future` as a task that never ends by itself, such as a sweep on a timer.
    ///
    /// `shutdown` does not wait for it: it is aborted as soon as the other tasks have ended, and is
    /// not among those that were left.
    pub fn background<F>(&self, name: &'static str, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.start(name, Kind::Background, future)
    }

    /// Runs `work` on a thread where it may block.
    ///
    /// # Cancellation
    /// Work that has begun cannot be aborted: `shutdown` waits for it and, past its deadline, names
    /// it. The runtime keeps up to 512 such threads; callers bound how much they start.
    pub fn spawn_blocking<F, T>(&self, name: &'static str, work: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let Some(owned) = self.shared.enter(name, Kind::Foreground) else {
            return TaskHandle::refused(name);
        };
        let id = owned.id();
        let join = tokio::task::spawn_blocking(move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            owned.finish(result)
        });
        self.shared.adopt(id, join.abort_handle());
        TaskHandle::running(name, join)
    }

    /// The running tasks by name, in order of name.
    #[must_use]
    pub fn alive(&self) -> Vec<Alive> {
        let now = Instant::now();
        let mut names: BTreeMap<&'static str, Alive> = BTreeMap::new();
        self.shared.each(|name, since| {
            let age = now.saturating_duration_since(since);
            let alive =
                names.entry(name).or_insert(Alive { name, count: 0, oldest: Duration::ZERO });
            alive.count += 1;
            alive.oldest = alive.oldest.max(age);
        });
        names.into_values().collect()
    }

    /// The names of the running tasks, each once, in order.
    #[must_use]
    pub fn names_alive(&self) -> Vec<&'static str> {
        self.alive().into_iter().map(|alive| alive.name).collect()
    }

    /// How many tasks have panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.shared.panics().get()
    }

    /// Shows the tasks in `registry`: how many run, and how many panicked.
    ///
    /// # Panics
    /// When called twice with the same registry.
    pub fn register(&self, registry: &Registry) {
        registry.adopt(self.shared.alive_gauge().clone());
        registry.adopt(self.shared.panics().clone());
    }

    /// Waits until all tasks but those in the background have ended, at most for `deadline`, then
    /// aborts what is left and refuses further tasks.
    ///
    /// Returns the names of the tasks that had to be aborted, one entry per task, in order.
    ///
    /// # Cancellation
    /// Dropped before it is done, it leaves the tasks as they are; it can be called again.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<&'static str> {
        let in_time = tokio::time::timeout(deadline, self.shared.foreground_ended()).await;
        let left = if in_time.is_ok() { Vec::new() } else { self.shared.foreground_names() };
        self.shared.close_and_abort();
        if tokio::time::timeout(ABORT_WAIT, self.shared.all_ended()).await.is_err() {
            tracing::warn!(tasks = ?self.names_alive(), "aborted tasks still hold their threads");
        }
        left
    }

    #[expect(clippy::disallowed_methods, reason = "this is the owner of tasks")]
    fn start<F>(&self, name: &'static str, kind: Kind, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let Some(owned) = self.shared.enter(name, kind) else {
            return TaskHandle::refused(name);
        };
        let id = owned.id();
        let join = tokio::spawn(owned.run(future));
        self.shared.adopt(id, join.abort_handle());
        TaskHandle::running(name, join)
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("alive", &self.alive()).finish()
    }
}

#[cfg(test)]
mod tests;
