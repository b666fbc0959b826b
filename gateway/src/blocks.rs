//! The one reader of proven blocks: from the cache, else from a node, verified on the way in.
//!
//! A block that many requests want is fetched once, by a task that belongs to none of them: it
//! goes on while anybody waits for it and stops when nobody does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use bytesize::ByteSize;
use http::HeaderValue;
use ipfs::{Block, Cid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry::Tasks;
use telemetry::access::Counts;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

mod ahead;
mod flight;
mod pull;

use flight::{Flights, Landed, Ticket};
pub(crate) use pull::{Pace, Pull, PullError};

use crate::cache::{self, Cache};
use crate::denylist::Denylist;
use crate::metrics::BlocksMetrics as Metrics;
use crate::outcome::Source;
use crate::resolve::Plan;
use crate::upstream::{self, Ask, Failure, FetchError, Shared};
use crate::verify;

/// How much earlier than the request nodes are to end, for their answer to be of use.
const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// What is remembered, in this gateway's own types.
pub(crate) type Memory = Cache<Plan, FetchError>;

/// How far readers fetch ahead.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes that one reader fetches ahead of what its client takes. Default 8 MiB. Zero fetches
    /// each block when it is needed.
    #[schemars(with = "telemetry::config::SizeText")]
    pub ahead_bytes: ByteSize,
    /// Bytes that all readers together have under way ahead of their clients. Default 128 MiB.
    #[schemars(with = "telemetry::config::SizeText")]
    pub ahead_total_bytes: ByteSize,
    /// Longest wait for one block once the headers have left; past it the stream is aborted.
    /// Default 30 s. Zero is refused at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub stall_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ahead_bytes: ByteSize::mib(8),
            ahead_total_bytes: ByteSize::mib(128),
            stall_timeout: Duration::from_secs(30),
        }
    }
}

/// The blocks that this gateway can get.
pub(crate) struct Blocks {
    config: Config,
    believe: cache::Config,
    memory: Arc<Memory>,
    denylist: Arc<Denylist>,
    pool: Shared,
    tasks: Tasks,
    flights: Arc<Flights>,
    /// Look-ahead under way, in KiB.
    ahead: Arc<Semaphore>,
    metrics: Metrics,
}

/// On whose behalf blocks are read.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The root that the blocks are reached from.
    pub(crate) root: Cid,
    /// The path below it, percent-encoded.
    pub(crate) path: Option<HeaderValue>,
    /// Whether the network is not to be asked.
    pub(crate) only_if_cached: bool,
    /// The id of the request.
    pub(crate) request_id: HeaderValue,
    /// The trace that it is part of.
    pub(crate) traceparent: Option<HeaderValue>,
    /// Whether the request is a copy of another gateway's.
    pub(crate) is_copy: bool,
}

/// Where the blocks of one request came from.
#[derive(Debug)]
pub(crate) struct Provenance {
    source: AtomicU8,
    node: AtomicU8,
    blocks: AtomicU32,
    retries: AtomicU32,
    /// A bit for each node of the pool that gave a block.
    nodes: AtomicU16,
}

impl Default for Provenance {
    fn default() -> Self {
        Self {
            source: AtomicU8::new(Source::None as u8),
            node: AtomicU8::new(u8::MAX),
            blocks: AtomicU32::new(0),
            retries: AtomicU32::new(0),
            nodes: AtomicU16::new(0),
        }
    }
}

impl Provenance {
    /// The farthest place that a block came from.
    pub(crate) fn source(&self) -> Source {
        Source::from_index(self.source.load(Relaxed))
    }

    /// The node that gave the last block that was not in memory.
    pub(crate) fn node(&self) -> Option<u8> {
        let node = self.node.load(Relaxed);
        (node != u8::MAX).then_some(node)
    }

    /// What the access record tells of blocks and nodes.
    pub(crate) fn counts(&self) -> Counts {
        let nodes = self.nodes.load(Relaxed).count_ones();
        Counts {
            blocks: u64::from(self.blocks.load(Relaxed)),
            providers: None,
            peers_used: (nodes > 0).then_some(u64::from(nodes)),
            retries: u64::from(self.retries.load(Relaxed)),
            upstream: self.node().map(u64::from),
        }
    }

    fn note_landed(&self, landed: &Landed) {
        self.note(landed.source);
        self.node.store(landed.node, Relaxed);
        self.blocks.fetch_add(1, Relaxed);
        self.retries.fetch_add(u32::from(landed.tried.saturating_sub(1)), Relaxed);
        self.nodes.fetch_or(1_u16.checked_shl(u32::from(landed.node)).unwrap_or(0), Relaxed);
    }

    /// Notes where something that the answer needs came from.
    pub(crate) fn note(&self, source: Source) {
        self.source.fetch_max(source as u8, Relaxed);
    }
}

impl Blocks {
    /// The blocks behind this memory and this pool.
    pub(crate) fn new(
        config: &crate::config::Config,
        memory: Arc<Memory>,
        denylist: Arc<Denylist>,
        pool: Shared,
        (tasks, metrics): (Tasks, Metrics),
    ) -> Self {
        let ahead = usize::try_from(config.blocks.ahead_total_bytes.as_u64() / 1024);
        let ahead = ahead.unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            config: config.blocks.clone(),
            believe: config.cache.clone(),
            memory,
            denylist,
            pool,
            tasks,
            flights: Arc::default(),
            ahead: Arc::new(Semaphore::new(ahead)),
            metrics,
        }
    }

    /// A reader on behalf of one request.
    pub(crate) fn reader(
        self: &Arc<Self>,
        origin: Origin,
        deadline: Instant,
        provenance: Arc<Provenance>,
    ) -> Reader {
        Reader { blocks: Arc::clone(self), origin: Arc::new(origin), deadline, provenance }
    }

    /// Joins the fetch of a block, or starts it; nodes are told to answer by `deadline`.
    fn join(
        self: &Arc<Self>,
        cid: Cid,
        origin: &Origin,
        deadline: Instant,
        provenance: &Arc<Provenance>,
    ) -> Ticket {
        let key = (*cid.multihash(), origin.only_if_cached);
        self.flights.join(key, |landing| {
            self.metrics.fetches.inc();
            let blocks = Arc::clone(self);
            let pool = self.pool.load_full();
            let provenance = Arc::clone(provenance);
            let ask = Ask {
                cid,
                root: origin.root,
                path: origin.path.clone(),
                deadline,
                only_if_cached: origin.only_if_cached,
                request_id: origin.request_id.clone(),
                traceparent: origin.traceparent.clone(),
                is_copy: origin.is_copy,
            };
            self.tasks.spawn("block fetch", async move {
                let fetched = tokio::select! {
                    fetched = upstream::fetch(&pool, &ask, verify::prove) => fetched,
                    () = landing.abandoned() => {
                        blocks.metrics.abandoned.inc();
                        return;
                    }
                };
                if let Ok(fetched) = &fetched {
                    provenance.note(fetched.source);
                }
                landing.land(blocks.remember(fetched, &ask));
            });
        })
    }

    /// Keeps what a fetch brought, be it a failure.
    fn remember(
        &self,
        fetched: Result<upstream::Fetched, FetchError>,
        ask: &Ask,
    ) -> Result<Landed, FetchError> {
        match fetched {
            Ok(fetched) => {
                self.memory.keep_block(&fetched.block);
                let upstream::Fetched { block, source, node, tried } = fetched;
                Ok(Landed { block, source, node, tried })
            }
            Err(error) if ask.only_if_cached => {
                let failure = match error.failure {
                    Failure::Blocked | Failure::BadContent => error.failure,
                    Failure::NotCached
                    | Failure::NoNode
                    | Failure::Busy
                    | Failure::Timeout
                    | Failure::NoProviders
                    | Failure::Unreachable
                    | Failure::BadBytes => Failure::NotCached,
                };
                Err(FetchError { failure, ..error })
            }
            Err(error) => {
                let believe = match error.failure {
                    Failure::NoProviders => self.believe.no_providers_ttl,
                    Failure::NotCached
                    | Failure::NoNode
                    | Failure::Busy
                    | Failure::Timeout
                    | Failure::Unreachable
                    | Failure::BadBytes
                    | Failure::BadContent
                    | Failure::Blocked => self.believe.failure_ttl,
                };
                self.memory.keep_failure(&ask.cid, error.clone(), believe);
                Err(error)
            }
        }
    }
}

/// Reads blocks on behalf of one request.
#[derive(Clone)]
pub(crate) struct Reader {
    blocks: Arc<Blocks>,
    origin: Arc<Origin>,
    deadline: Instant,
    provenance: Arc<Provenance>,
}

impl Reader {
    /// The block of a CID, if it is in memory or in the CID itself.
    ///
    /// What a list denies is not there: [`Reader::get`] says why.
    pub(crate) fn cached(&self, cid: &Cid) -> Option<Block> {
        self.allow(cid).ok()?;
        self.at_hand(cid)
    }

    /// A block that the lists were asked about, if it is in memory or in the CID itself.
    fn at_hand(&self, cid: &Cid) -> Option<Block> {
        let block = Block::inline(*cid).or_else(|| self.blocks.memory.block(cid))?;
        self.provenance.note(Source::Hit);
        self.provenance.blocks.fetch_add(1, Relaxed);
        Some(block)
    }

    /// The block of a CID, fetched if it has to be, within the time of the first byte.
    ///
    /// # Errors
    /// [`FetchError`].
    ///
    /// # Cancellation
    /// Dropping the future leaves the fetch to others that wait for it, or stops it.
    pub(crate) async fn get(&self, cid: Cid) -> Result<Block, FetchError> {
        self.get_by(cid, self.deadline).await
    }

    /// As [`Reader::get`], for a body whose headers have left.
    pub(crate) async fn get_next(&self, cid: Cid) -> Result<Block, FetchError> {
        self.get_by(cid, Instant::now() + self.blocks.config.stall_timeout).await
    }

    fn allow(&self, cid: &Cid) -> Result<(), FetchError> {
        if self.blocks.denylist.is_empty() {
            return Ok(());
        }
        self.blocks.denylist.check_cid(cid).map_err(|denied| FetchError::denied(*cid, denied))
    }

    async fn get_by(&self, cid: Cid, deadline: Instant) -> Result<Block, FetchError> {
        self.allow(&cid)?;
        if let Some(block) = self.at_hand(&cid) {
            return Ok(block);
        }
        if let Some(failure) = self.blocks.memory.failure(&cid)
            && !self.origin.only_if_cached
        {
            return Err(FetchError { cid, ..failure });
        }
        let timeout = FetchError::of(cid, Failure::Timeout);
        // A fetch that another request began may run out of time before this one does; then it is
        // joined once more.
        for is_last in [false, true] {
            let began = Instant::now();
            // A node that gives up in time can still say how far it came.
            let left = deadline.saturating_duration_since(began);
            let told = deadline - (left / 50).max(ANSWER_MARGIN).min(left / 2);
            let mut ticket = self.blocks.join(cid, &self.origin, told, &self.provenance);
            let landed = timeout_at(deadline, ticket.landed()).await;
            let Ok(landed) = landed else { return Err(timeout) };
            match landed {
                Some(Ok(landed)) => {
                    self.provenance.note_landed(&landed);
                    // A fetch is keyed by hash, and may have been begun under another CID.
                    return landed.block.under(cid).ok_or(timeout);
                }
                Some(Err(error)) => {
                    let early = error.failure == Failure::Timeout && ticket.began() < began;
                    if is_last || !early {
                        return Err(FetchError { cid, ..error });
                    }
                }
                None => return Err(FetchError { failure: Failure::NoNode, ..timeout }),
            }
        }
        Err(timeout)
    }
}
