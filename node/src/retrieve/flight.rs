//! One search per block, however many wait for it.
//!
//! The search is a task that belongs to those who wait: when the last of them leaves, it is aborted,
//! and the want that it made is taken back. A flight is found by multihash, so that a block under
//! another version or codec is searched for only once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Weak};

use ipfs::{Cid, Multihash};
use parking_lot::Mutex;
use telemetry::{TaskHandle, Tasks};
use tokio::sync::watch;

use super::metrics::Metrics;
use super::{Fetched, RetrieveError};

type Landed = Result<Fetched, RetrieveError>;
type Air = Mutex<HashMap<Multihash, Weak<Flight>>>;

/// The flights that are under way.
#[derive(Debug)]
pub(super) struct Flights {
    air: Arc<Air>,
    metrics: Metrics,
}

/// The task of a flight, and where it lands.
#[derive(Debug)]
pub(super) struct Flying {
    _task: TaskHandle<()>,
    landing: watch::Receiver<Option<Landed>>,
}

/// One search; its task ends with it.
#[derive(Debug)]
pub(super) struct Flight {
    hash: Multihash,
    air: Arc<Air>,
    flying: Flying,
    metrics: Metrics,
}

impl Flights {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { air: Arc::default(), metrics }
    }

    /// The flight for a block; started when there is none.
    pub(super) fn join(&self, cid: &Cid, start: impl FnOnce() -> Flying) -> Arc<Flight> {
        let hash = *cid.multihash();
        let mut air = self.air.lock();
        if let Some(flight) = air.get(&hash).and_then(Weak::upgrade) {
            self.metrics.joined.inc();
            return flight;
        }
        let (air_of, metrics) = (self.air.clone(), self.metrics.clone());
        let flight = Arc::new(Flight { hash, air: air_of, flying: start(), metrics });
        air.insert(hash, Arc::downgrade(&flight));
        self.metrics.flights.set(i64::try_from(air.len()).unwrap_or(i64::MAX));
        flight
    }

    /// Starts the task of a flight.
    pub(super) fn start(
        &self,
        tasks: &Tasks,
        search: impl Future<Output = Landed> + Send + 'static,
    ) -> Flying {
        let (land, landing) = watch::channel(None);
        let task = tasks.spawn("retrieve flight", async move {
            // Whoever left meanwhile does not want to know.
            land.send(Some(search.await)).ok();
        });
        Flying { _task: task.abort_on_drop(), landing }
    }
}

impl Flight {
    /// Waits for the search to end.
    ///
    /// # Cancellation
    /// Safe: the search goes on while anyone holds the flight.
    pub(super) async fn landed(&self) -> Landed {
        let mut landing = self.flying.landing.clone();
        match landing.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone().unwrap_or(Err(RetrieveError::Stopped)),
            Err(_) => Err(RetrieveError::Stopped),
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut air = self.air.lock();
        // Another flight for the same block may have started since the last holder let go.
        if air.get(&self.hash).is_some_and(|flight| flight.strong_count() == 0) {
            air.remove(&self.hash);
        }
        self.metrics.flights.set(i64::try_from(air.len()).unwrap_or(i64::MAX));
    }
}
