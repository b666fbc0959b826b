//! The handle to one task.
//!
//! Awaiting it gives what the task gave, or why it gave nothing; the panic itself has been logged by
//! then, so a caller only decides what to do without the value.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::{AbortHandle, JoinHandle};

/// Why a task gave no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It panicked; the panic is in the log.
    #[error("task {0} panicked")]
    Panicked(&'static str),
    /// It was aborted, or came after the tasks were shut down.
    #[error("task {0} was aborted")]
    Aborted(&'static str),
}

/// A task; awaiting it waits for its end. Dropped, it lets the task run on.
#[derive(Debug)]
pub struct TaskHandle<T> {
    name: &'static str,
    join: Option<JoinHandle<Option<T>>>,
    abort_on_drop: bool,
}

impl<T> TaskHandle<T> {
    pub(super) fn running(name: &'static str, join: JoinHandle<Option<T>>) -> Self {
        Self { name, join: Some(join), abort_on_drop: false }
    }

    pub(super) fn refused(name: &'static str) -> Self {
        Self { name, join: None, abort_on_drop: false }
    }

    /// Aborts the task when the handle is dropped, so that it lives no longer than its user.
    #[must_use]
    pub fn abort_on_drop(mut self) -> Self {
        self.abort_on_drop = true;
        self
    }

    /// Ends the task at its next await point.
    pub fn abort(&self) {
        if let Some(join) = &self.join {
            join.abort();
        }
    }

    /// The means to abort the task while the handle itself is awaited; none when it was refused.
    #[must_use]
    pub fn abort_handle(&self) -> Option<AbortHandle> {
        self.join.as_ref().map(JoinHandle::abort_handle)
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.join.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The name it was spawned with.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let name = self.name;
        let Some(join) = self.join.as_mut() else {
            return Poll::Ready(Err(TaskError::Aborted(name)));
        };
        Pin::new(join).poll(context).map(|joined| match joined {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(TaskError::Panicked(name)),
            Err(_) => Err(TaskError::Aborted(name)),
        })
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        if self.abort_on_drop {
            self.abort();
        }
    }
}
