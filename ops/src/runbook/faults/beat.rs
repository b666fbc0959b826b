//! Processes that get the processor for moments only, which is as slow as a machine can be.

use std::time::Duration;

use rustix::process::{Pid, Signal};
use telemetry::{TaskHandle, Tasks};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::processes::signal;

/// Stops and continues until it is ended.
#[derive(Debug)]
pub(super) struct Beat {
    stop: CancellationToken,
    working: TaskHandle<()>,
}

impl Beat {
    /// Lets processes run for a moment only, again and again. Whoever ends it has them go on.
    pub(super) fn of_moments(
        tasks: &Tasks,
        pids: Vec<Pid>,
        stopped_for: Duration,
        running_for: Duration,
    ) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let working = tasks.background("drill fault", async move {
            // One that has left meanwhile is missed where it is asked.
            let all = |what| pids.iter().for_each(|pid| drop(signal(*pid, what)));
            let again = async {
                loop {
                    all(Signal::STOP);
                    sleep(stopped_for).await;
                    all(Signal::CONT);
                    sleep(running_for).await;
                }
            };
            tokio::select! {
                () = again => {}
                () = stopped.cancelled() => {}
            }
        });
        Self { stop, working }
    }

    /// Ends it, and waits until it has.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.working.await.ok();
    }
}
