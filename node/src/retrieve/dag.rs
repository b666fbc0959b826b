//! Reads a DAG in order while its next blocks are already on their way.
//!
//! Interior blocks are opened as soon as they arrive, however early, so that leaves are asked for
//! without waiting for what stands before them. What is held ahead is bounded by number and bytes.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use ipfs::walk::{Visit, Walk, WalkError};
use ipfs::{Cid, Codec};
use tokio::time::timeout_at;

use super::config::Config;
use super::{Asked, Fetched, Retrieve, RetrieveError, Source};

/// What a block is taken to have before the first ones came.
const SIZE_GUESS: u64 = 256 * 1024;
/// Share of the last size in the guess of the next, as one in so many.
const SIZE_SHARE: u64 = 8;
/// Share of the bounds, as a fraction, below which more is asked for.
const REFILL_SHARE: (u64, u64) = (3, 4);

/// Sums of a fetch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Blocks so far.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why a DAG cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A block could not be had.
    #[error(transparent)]
    Retrieve(#[from] RetrieveError),
    /// A block is malformed below its right hash, or the DAG is out of bounds.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A block came but the store did not keep it.
    #[error("block {0} could not be kept")]
    NotKept(Cid),
}

/// One block of a DAG in its order.
#[derive(Debug, Clone)]
pub struct ReadBlock {
    /// The block and what it contributes.
    pub visit: Visit,
    /// Where it came from.
    pub source: Source,
    /// Whether the node has it in its store.
    pub stored: bool,
}

type Got = (Cid, Result<Fetched, RetrieveError>);

/// A reader of one DAG.
pub struct DagReader {
    retrieve: Retrieve,
    walk: Walk,
    asked: Asked,
    blocks_max: usize,
    bytes_max: u64,
    /// Longest time that a block is searched for before it is the next.
    search_max: Duration,
    gets: FuturesUnordered<BoxFuture<'static, Got>>,
    coming: HashSet<Cid>,
    ready: HashMap<Cid, Result<Fetched, RetrieveError>>,
    ready_bytes: u64,
    size_guess: u64,
    /// Whether there may be blocks to ask for beside the front one.
    more: bool,
    /// The front block, if its failures count: it was asked for when it was the front already.
    due: Option<Cid>,
}

impl DagReader {
    pub(super) fn new(retrieve: Retrieve, walk: Walk, asked: Asked, config: &Config) -> Self {
        Self {
            retrieve,
            walk,
            asked,
            blocks_max: config.ahead_blocks_max.max(1),
            bytes_max: config.ahead_bytes_max.as_u64(),
            search_max: config.flight_max,
            gets: FuturesUnordered::new(),
            coming: HashSet::new(),
            ready: HashMap::new(),
            ready_bytes: 0,
            size_guess: SIZE_GUESS,
            more: true,
            due: None,
        }
    }

    /// Holds no more than so many bytes ahead, if that is less than is configured.
    #[must_use]
    pub fn with_ahead(mut self, bytes: u64) -> Self {
        self.bytes_max = self.bytes_max.min(bytes);
        self
    }

    /// Gives the next blocks until another deadline. What was asked for ahead has no deadline of its
    /// own: a caller that takes its time must not find that the next block's has passed.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.asked.deadline = deadline;
    }

    /// The next block, or `None` at the end of the DAG.
    ///
    /// # Errors
    /// [`FetchError`]; the reader is of no use after one.
    ///
    /// # Cancellation
    /// Safe: nothing is lost. What is on its way goes on, and ends with the reader.
    pub async fn next(&mut self) -> Result<Option<ReadBlock>, FetchError> {
        loop {
            let Some(front) = self.walk.front() else { return Ok(None) };
            self.settle();
            if let Some(result) = self.take_ready(&front) {
                let fetched = result?;
                self.ready_bytes -= fetched.block.data().len() as u64;
                self.more |= fetched.block.cid().codec() != Codec::Raw;
                let visit = self.walk.feed(fetched.block)?;
                // The next blocks are on their way while the caller works on this one.
                self.ask_ahead();
                let (source, stored) = (fetched.source, fetched.stored);
                return Ok(Some(ReadBlock { visit, source, stored }));
            }
            self.due = Some(front);
            self.ask_ahead();
            let started = Instant::now();
            let came = timeout_at(self.asked.deadline.into(), self.gets.next());
            match came.await {
                Ok(Some((cid, result))) => self.came(cid, result),
                Ok(None) => {}
                Err(_) => return Err(self.retrieve.out_of_time(started).into()),
            }
        }
    }

    /// How the search for the front block ended, if it did. A search that failed ahead of its time is
    /// made once more: whoever has the block may have come back since.
    fn take_ready(&mut self, front: &Cid) -> Option<Result<Fetched, RetrieveError>> {
        let result = self.ready.remove(front)?;
        (result.is_ok() || self.due == Some(*front)).then_some(result)
    }

    fn came(&mut self, cid: Cid, result: Result<Fetched, RetrieveError>) {
        self.coming.remove(&cid);
        if let Ok(fetched) = &result {
            let size = fetched.block.data().len() as u64;
            self.size_guess = (self.size_guess * (SIZE_SHARE - 1) + size) / SIZE_SHARE;
            self.ready_bytes += size;
            self.more |= fetched.block.cid().codec() != Codec::Raw;
            self.walk.expand(&fetched.block);
        }
        self.ready.insert(cid, result);
    }

    /// Asks for the next blocks, as far ahead as the bounds allow; always for the front one.
    ///
    /// Waits for room for several, so that they are asked for, answered and stored together.
    fn ask_ahead(&mut self) {
        let front = self.walk.front().filter(|front| !self.is_known(front));
        if let Some(front) = front {
            self.ask(front);
        }
        if self.more && self.fits(REFILL_SHARE) {
            self.fill();
        }
        // Nothing that was asked for begins before it is polled.
        self.settle();
    }

    /// Takes what has come by now.
    fn settle(&mut self) {
        while let Some(Some((cid, result))) = self.gets.next().now_or_never() {
            self.came(cid, result);
        }
    }

    fn fill(&mut self) {
        let next: Vec<Cid> = self.walk.wanted(self.blocks_max).collect();
        self.more = next.len() == self.blocks_max;
        for cid in next {
            if self.is_known(&cid) {
                continue;
            }
            if !self.fits((1, 1)) {
                self.more = true;
                return;
            }
            self.ask(cid);
        }
    }

    fn is_known(&self, cid: &Cid) -> bool {
        self.coming.contains(cid) || self.ready.contains_key(cid)
    }

    fn ask(&mut self, cid: Cid) {
        self.coming.insert(cid);
        let deadline = Instant::now() + self.search_max;
        let (retrieve, asked) = (self.retrieve.clone(), Asked { deadline, ..self.asked });
        let get = async move {
            let result = retrieve.get(&cid, &asked).await;
            (cid, result)
        };
        self.gets.push(get.boxed());
    }

    /// Whether one block more stays within a share of the bounds.
    fn fits(&self, (part, whole): (u64, u64)) -> bool {
        let coming = self.coming.len() as u64 + 1;
        let held = coming + self.ready.len() as u64;
        held <= self.blocks_max as u64 * part / whole
            && self.ready_bytes + coming * self.size_guess <= self.bytes_max / whole * part
    }
}
