//! Work that is shared by several threads and comes back in the order it was given.
//!
//! Job *k* goes to thread *k* mod *n* and its result is fetched from there, so order costs no
//! bookkeeping; the price is that a slow job holds up the next round. Each thread has at most
//! [`WAITING_MAX`] jobs and as many results waiting, which bounds the memory of an import.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use telemetry::Tasks;

/// Jobs, and results, that wait per thread.
const WAITING_MAX: usize = 4;

/// The end into which jobs are given.
#[derive(Debug)]
pub(crate) struct Jobs<I> {
    inputs: Vec<SyncSender<I>>,
    next: usize,
}

/// The end from which results are taken.
#[derive(Debug)]
pub(crate) struct Results<O> {
    outputs: Vec<Receiver<O>>,
    next: usize,
}

/// Starts `threads` threads that do `work`. They end when the jobs' end is dropped.
pub(crate) fn start<I, O>(tasks: &Tasks, threads: usize, work: fn(I) -> O) -> (Jobs<I>, Results<O>)
where
    I: Send + 'static,
    O: Send + 'static,
{
    let mut inputs = Vec::with_capacity(threads);
    let mut outputs = Vec::with_capacity(threads);
    for _ in 0..threads {
        let (job_sender, jobs) = sync_channel::<I>(WAITING_MAX);
        let (result_sender, results) = sync_channel::<O>(WAITING_MAX);
        let _thread = tasks.spawn_blocking("hash", move || {
            while let Ok(job) = jobs.recv() {
                if result_sender.send(work(job)).is_err() {
                    return;
                }
            }
        });
        inputs.push(job_sender);
        outputs.push(results);
    }
    (Jobs { inputs, next: 0 }, Results { outputs, next: 0 })
}

/// How many threads hash: every core, and two where there is one, so that hashing and reading
/// overlap.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16)
}

impl<I> Jobs<I> {
    /// Gives the next job; `false` when the other side has gone.
    pub(crate) fn give(&mut self, job: I) -> bool {
        let thread = self.next % self.inputs.len();
        self.next += 1;
        self.inputs[thread].send(job).is_ok()
    }
}

impl<O> Results<O> {
    /// The next result in order, or `None` when its job will not be done.
    pub(crate) fn take(&mut self) -> Option<O> {
        let thread = self.next % self.outputs.len();
        self.next += 1;
        self.outputs[thread].recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_come_in_the_order_of_jobs() {
        let tasks = Tasks::new();
        let (mut jobs, mut results) = start(&tasks, 3, |job: u32| job * 2);
        let giver = tasks.spawn_blocking("give", move || (0..100).all(|job| jobs.give(job)));
        let taker = tasks.spawn_blocking("take", move || {
            (0..100).map(|_| results.take()).collect::<Option<Vec<u32>>>()
        });
        assert_eq!(giver.await, Ok(true));
        assert_eq!(taker.await, Ok(Some((0..200).step_by(2).collect())));
    }

    #[tokio::test]
    async fn a_giver_whose_taker_left_is_told() {
        let tasks = Tasks::new();
        let (mut jobs, results) = start(&tasks, 2, |job: u32| job);
        drop(results);
        let giver = tasks.spawn_blocking("give", move || (0..1000).all(|job| jobs.give(job)));
        assert_eq!(giver.await, Ok(false));
    }
}
