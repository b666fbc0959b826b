//! The node's one joint for blocks: its own store first, then the peers.
//!
//! However many requests want a block, one flight fetches it, in a task of its own; it ends when the
//! last of them leaves. Requests for one DAG share a session, so that the peers that had its first
//! blocks are asked for the next ones.

mod config;
mod dag;
mod error;
mod flight;
mod metrics;
mod sessions;

pub use config::Config;
pub use dag::{DagReader, FetchError, Progress, ReadBlock};
pub use error::RetrieveError;
pub use metrics::{Ended, Metrics};

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use ipfs::trustless::CarOptions;
use ipfs::walk::Walk;
use ipfs::{Block, Cid};
use tokio::time::timeout_at;

use self::flight::Flights;
use self::sessions::Sessions;
use crate::swarm::{Handle, Store, StoreFault};

/// What retrieval asks of the blockstore, beside what the exchange asks of it.
pub trait Local: Store {
    /// The block, or `None` when it is not there.
    fn get(&self, cid: Cid) -> BoxFuture<'static, Result<Option<Block>, StoreFault>>;

    /// Returns once all that was kept before is durable.
    fn flush(&self) -> BoxFuture<'static, Result<(), StoreFault>>;
}

/// How a block is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The root of the DAG that it is wanted for; by default the block itself.
    pub root: Option<Cid>,
    /// When the answer is of no use any more.
    pub deadline: Instant,
    /// Whether only the node's own store is asked.
    pub local_only: bool,
    /// Whether what others want comes first: it is for nobody who waits. A block that somebody else
    /// looks for already is not looked for again.
    pub deferred: bool,
}

/// Where a block came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The node had it.
    Store,
    /// A peer gave it.
    Network,
}

/// A block that was retrieved.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The block.
    pub block: Block,
    /// Where it came from.
    pub source: Source,
    /// Whether the node has it in its store.
    pub stored: bool,
}

/// The joint. Cloning is cheap: clones share flights and sessions.
#[derive(Clone)]
pub struct Retrieve(Arc<Inner>);

struct Inner {
    config: Config,
    store: Arc<dyn Local>,
    swarm: Handle,
    flights: Flights,
    sessions: Sessions,
    metrics: Metrics,
    tasks: telemetry::Tasks,
}

impl Retrieve {
    /// Starts the joint over a store and a host; what it runs belongs to `tasks`.
    pub fn start(
        config: Config,
        store: Arc<dyn Local>,
        swarm: Handle,
        registry: &telemetry::metrics::Registry,
        tasks: &telemetry::Tasks,
    ) -> Self {
        let metrics = Metrics::new(registry);
        let sessions = Sessions::new(&config, swarm.clone(), metrics.clone());
        let flights = Flights::new(metrics.clone());
        let (idle, tasks) = (config.session_idle, tasks.clone());
        let inner = Inner { config, store, swarm, flights, sessions, metrics, tasks };
        let retrieve = Self(Arc::new(inner));
        let swept = Arc::downgrade(&retrieve.0);
        drop(retrieve.0.tasks.background("retrieve sessions", async move {
            loop {
                tokio::time::sleep((idle / 2).max(SWEEP_MIN)).await;
                let Some(inner) = swept.upgrade() else { return };
                inner.sessions.sweep(Instant::now());
            }
        }));
        retrieve
    }

    /// The host below.
    pub fn swarm(&self) -> &Handle {
        &self.0.swarm
    }

    /// Gets a block.
    ///
    /// # Errors
    /// [`RetrieveError`], by how the search ended.
    ///
    /// # Cancellation
    /// Dropping the future leaves the flight; the last one to leave ends it, and the want with it.
    pub async fn get(&self, cid: &Cid, asked: &Asked) -> Result<Fetched, RetrieveError> {
        let result = self.look(cid, asked).await;
        self.0.metrics.requests.at(Ended::of(&result)).inc();
        result
    }

    async fn look(&self, cid: &Cid, asked: &Asked) -> Result<Fetched, RetrieveError> {
        if let Some(block) = Block::inline(*cid) {
            return Ok(Fetched { block, source: Source::Store, stored: true });
        }
        let started = Instant::now();
        // A disk that hangs has no more time than a peer.
        let reading = timeout_at(asked.deadline.into(), self.0.store.get(*cid));
        let Ok(read) = reading.await else { return Err(self.out_of_time(started)) };
        if let Some(block) = read.map_err(RetrieveError::store)? {
            return Ok(Fetched { block, source: Source::Store, stored: true });
        }
        if asked.local_only {
            return Err(RetrieveError::NotLocal);
        }
        let flight = self.0.flights.join(cid, || self.fly(*cid, asked));
        let Ok(landed) = timeout_at(asked.deadline.into(), flight.landed()).await else {
            return Err(self.out_of_time(started));
        };
        let fetched = landed?;
        let block = fetched.block.under(*cid).ok_or(RetrieveError::Stopped)?;
        Ok(Fetched { block, ..fetched })
    }

    fn out_of_time(&self, started: Instant) -> RetrieveError {
        RetrieveError::deadline(started, self.0.swarm.bitswap_peers())
    }

    /// One flight: what is shared by all who want the block.
    fn fly(&self, cid: Cid, asked: &Asked) -> flight::Flying {
        let (root, deferred) = (asked.root.unwrap_or(cid), asked.deferred);
        let inner = self.0.clone();
        let longest = inner.config.flight_max;
        self.0.flights.start(&self.0.tasks, async move {
            // It may have come between the miss and the flight.
            if let Some(block) = inner.store.get(cid).await.map_err(RetrieveError::store)? {
                return Ok(Fetched { block, source: Source::Store, stored: true });
            }
            let started = Instant::now();
            let session = inner.sessions.of(root, deferred).await?;
            let got = session.get(cid, started + longest).await;
            let peers = inner.swarm.bitswap_peers();
            let got = got.map_err(|error| RetrieveError::network(error, started, peers))?;
            Ok(Fetched { block: got.block, source: Source::Network, stored: got.stored })
        })
    }

    /// Reads the blocks of a walk in order, fetching ahead.
    pub fn read(&self, walk: Walk, asked: Asked) -> DagReader {
        DagReader::new(self.clone(), walk, asked, &self.0.config)
    }

    /// Fetches a whole DAG into the store; durable when it returns. `progress` is told the sums after
    /// each block.
    ///
    /// # Errors
    /// [`FetchError`], at the first block that cannot be had, read or kept.
    ///
    /// # Cancellation
    /// Dropping the future ends it; what was fetched stays.
    pub async fn fetch_dag(
        &self,
        root: &Cid,
        mut progress: impl FnMut(Progress),
        deadline: Instant,
    ) -> Result<Progress, FetchError> {
        let walk = Walk::new(root, &CarOptions::default());
        let asked = Asked { root: Some(*root), deadline, local_only: false, deferred: false };
        let mut reader = self.read(walk, asked);
        let mut sum = Progress::default();
        while let Some(read) = reader.next().await? {
            if !read.stored {
                return Err(FetchError::NotKept(*read.visit.block.cid()));
            }
            sum.blocks += 1;
            sum.bytes += read.visit.block.data().len() as u64;
            progress(sum);
        }
        self.0.store.flush().await.map_err(RetrieveError::store)?;
        Ok(sum)
    }
}

/// Shortest time between two looks for idle sessions.
const SWEEP_MIN: Duration = Duration::from_millis(100);
