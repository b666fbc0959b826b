//! Gives hyper's own tasks an owner: a connection's streams are joined or aborted like any task.

use telemetry::Tasks;

/// Runs the futures of hyper as tasks of ours.
#[derive(Clone)]
pub(crate) struct TaskExecutor {
    tasks: Tasks,
    name: &'static str,
}

impl TaskExecutor {
    /// An executor of tasks of one name.
    pub(crate) fn new(tasks: Tasks, name: &'static str) -> Self {
        Self { tasks, name }
    }
}

impl<F> hyper::rt::Executor<F> for TaskExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.tasks.spawn(self.name, async move {
            future.await;
        });
    }
}
