//! A few threads for work that blocks or computes, with a bounded queue before them.
//!
//! Apart from the runtime's own blocking threads, of which there may be hundreds: a burst of reads
//! must wait in order, and must not take a thread from anyone else.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// The pool is gone, or the work panicked.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the work was not finished")]
pub struct Unfinished;

/// A pool of threads, joined when it is dropped.
#[derive(Debug)]
pub struct Pool {
    jobs: Option<SyncSender<Job>>,
    places: Arc<Semaphore>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `threads` threads of a name, with at most `queue_max` jobs begun or waiting.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(name: &str, threads: usize, queue_max: usize) -> std::io::Result<Self> {
        let places = queue_max.max(1);
        let (jobs, waiting) = sync_channel::<Job>(places);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut pool =
            Self { jobs: Some(jobs), places: Arc::new(Semaphore::new(places)), threads: vec![] };
        for _ in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name(name.to_owned());
            pool.threads.push(thread.spawn(move || work(&waiting))?);
        }
        Ok(pool)
    }

    /// Does `job` on a thread of the pool.
    ///
    /// # Errors
    /// [`Unfinished`], when the job panicked.
    ///
    /// # Cancellation
    /// Dropped before it has a place, the job is not done; later it is, and its result is dropped.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        self.start(job).await?.await.map_err(|_| Unfinished)
    }

    /// Begins `job` as soon as it has a place; what is returned gives its result.
    ///
    /// # Errors
    /// [`Unfinished`], when the pool is being dropped.
    pub async fn start<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Unfinished> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Unfinished)?;
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !reply.is_closed() {
                reply.send(job()).ok();
            }
            drop(place);
        });
        let jobs = self.jobs.as_ref().ok_or(Unfinished)?;
        // The queue has as many places as there are permits, so this never blocks.
        jobs.try_send(job).map_err(|_| Unfinished)?;
        Ok(answer)
    }
}

fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let next = waiting.lock().recv();
        let Ok(job) = next else { return };
        // A job that panics gives no answer, which its caller sees; the thread goes on.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("work in a pool panicked");
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.thread().id() != std::thread::current().id() {
                thread.join().ok();
            }
        }
    }
}
