//! Takes content in: a CAR or one file, as a stream, all of it or nothing.
//!
//! The sender is no better known than a peer is, so every block is hashed here whatever sent it.
//! Reading, hashing on several threads and writing overlap, and what is held between them is
//! bounded, so a file of any size passes through the same few megabytes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use ipfs::block::BlockError;
use ipfs::car::{CarError, Reader, Section, Unproven};
use ipfs::unixfs::import::{Chunker, Layout, Leaf, Profile};
use ipfs::{Block, Cid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry::{TaskError, TaskHandle, Tasks};

use crate::blockstore::{Blockstore, Import, StoreError};

/// Bytes of blocks that are hashed by one task, so that small blocks do not cost a task each.
const HASHED_TOGETHER: usize = 1024 * 1024;
/// Hashing tasks under way at a time: with what they hold, about 16 MiB.
const HASHING_MAX: usize = 8;

/// How imports are bounded.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Longest time without a byte from the sender before the import is given up. Default 60 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub idle_timeout: Duration,
    /// Most blocks of one import; each takes about 115 bytes of memory until the end. Default 8 Mi.
    pub blocks_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { idle_timeout: Duration::from_secs(60), blocks_max: 8 * 1024 * 1024 }
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The stream is not a sound CAR.
    #[error(transparent)]
    Car(#[from] CarError),
    /// The CAR names a root that is neither in it nor in the store.
    #[error("the CAR does not hold the block of its root {0}")]
    NoRoot(Cid),
    /// More blocks than one import may have.
    #[error("the import has more than {0} blocks: split it, or raise import.blocks_max")]
    TooMany(u64),
    /// A block of our own making is over the limit, which profiles rule out.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The store took it not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection broke before the end of the body.
    #[error("the sender stopped in the middle: {0}")]
    Body(String),
    /// No byte came for too long.
    #[error("the sender sent nothing for {} s", .0.as_secs())]
    Idle(Duration),
    /// A hashing task ended without its result.
    #[error("hashing ended early: {0}")]
    Task(#[from] TaskError),
}

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A CAR, version 1 or 2.
    Car,
    /// One file, imported under a profile.
    File(Profile),
}

/// Sums of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Blocks so far, those that were there before included.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A finished import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The roots: those that the CAR claims, or the file's.
    pub roots: Vec<Cid>,
    /// What was imported.
    pub sums: Sums,
}

/// Imports a body; `progress` is told the sums now and then.
///
/// # Errors
/// [`ImportError`]; nothing is stored then.
///
/// # Cancellation
/// Dropping the future leaves nothing stored.
pub async fn import<B>(
    store: &Blockstore,
    tasks: &Tasks,
    config: &Config,
    kind: Kind,
    body: B,
    mut progress: impl FnMut(&Sums),
) -> Result<Imported, ImportError>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut frames = Frames { body, idle: config.idle_timeout };
    let mut sink = Sink {
        import: store.import(),
        sums: Sums::default(),
        blocks_max: config.blocks_max,
        told: Instant::now(),
    };
    let roots = match kind {
        Kind::Car => car(&mut frames, tasks, &mut sink, &mut progress).await?,
        Kind::File(profile) => {
            vec![file(&mut frames, tasks, profile, &mut sink, &mut progress).await?]
        }
    };
    if let Some(root) = roots.iter().find(|root| !sink.import.holds(root)) {
        return Err(ImportError::NoRoot(*root));
    }
    sink.import.commit().await?;
    progress(&sink.sums);
    Ok(Imported { roots, sums: sink.sums })
}

/// The bytes of a body.
struct Frames<B> {
    body: B,
    idle: Duration,
}

impl<B> Frames<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    async fn next(&mut self) -> Result<Option<Bytes>, ImportError> {
        loop {
            let frame = tokio::time::timeout(self.idle, Pin::new(&mut self.body).frame())
                .await
                .map_err(|_| ImportError::Idle(self.idle))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(ImportError::Body(error.to_string())),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }
}

/// Where blocks go.
struct Sink {
    import: Import,
    sums: Sums,
    blocks_max: u64,
    told: Instant,
}

/// Least time between two words of progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

impl Sink {
    async fn put(
        &mut self,
        blocks: Vec<Block>,
        progress: &mut impl FnMut(&Sums),
    ) -> Result<(), ImportError> {
        for block in blocks {
            self.sums.blocks += 1;
            if self.sums.blocks > self.blocks_max {
                return Err(ImportError::TooMany(self.blocks_max));
            }
            self.sums.bytes += block.data().len() as u64;
            self.import.put(block).await?;
        }
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            progress(&self.sums);
        }
        Ok(())
    }
}

type Proving = FuturesOrdered<TaskHandle<Result<Vec<Block>, CarError>>>;

/// Imports a CAR.
async fn car<B>(
    frames: &mut Frames<B>,
    tasks: &Tasks,
    sink: &mut Sink,
    progress: &mut impl FnMut(&Sums),
) -> Result<Vec<Cid>, ImportError>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut reader = Reader::new();
    let mut roots = Vec::new();
    let mut waiting: Vec<Unproven> = Vec::new();
    let mut waiting_bytes = 0;
    let mut proving = Proving::new();
    while let Some(bytes) = frames.next().await? {
        reader.push(&bytes);
        while let Some(section) = reader.next()? {
            match section {
                Section::Header(claimed) => roots = claimed,
                Section::Block(unproven) => {
                    waiting_bytes += unproven.data.len();
                    waiting.push(unproven);
                }
            }
            if waiting_bytes >= HASHED_TOGETHER || waiting.len() >= 256 {
                waiting_bytes = 0;
                prove(std::mem::take(&mut waiting), tasks, &mut proving);
            }
            while proving.len() >= HASHING_MAX {
                store_next(&mut proving, sink, progress).await?;
            }
        }
    }
    reader.finish()?;
    prove(waiting, tasks, &mut proving);
    while !proving.is_empty() {
        store_next(&mut proving, sink, progress).await?;
    }
    Ok(roots)
}

/// Hashes blocks on another thread.
fn prove(blocks: Vec<Unproven>, tasks: &Tasks, proving: &mut Proving) {
    if !blocks.is_empty() {
        let prove = move || blocks.into_iter().map(Unproven::prove).collect();
        proving.push_back(tasks.spawn_blocking("import hashing", prove));
    }
}

async fn store_next(
    proving: &mut Proving,
    sink: &mut Sink,
    progress: &mut impl FnMut(&Sums),
) -> Result<(), ImportError> {
    if let Some(proved) = proving.next().await {
        sink.put(proved??, progress).await?;
    }
    Ok(())
}

/// Imports one file.
async fn file<B>(
    frames: &mut Frames<B>,
    tasks: &Tasks,
    profile: Profile,
    sink: &mut Sink,
    progress: &mut impl FnMut(&Sums),
) -> Result<Cid, ImportError>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut chunker = Chunker::new(profile);
    let mut layout = Layout::new(profile);
    let mut hashing: FuturesOrdered<TaskHandle<Leaf>> = FuturesOrdered::new();
    let mut chunks: VecDeque<Bytes> = VecDeque::new();
    let hash = |chunk| tasks.spawn_blocking("import hashing", move || Leaf::new(profile, chunk));
    while let Some(mut bytes) = frames.next().await? {
        while let Some(chunk) = chunker.push(&mut bytes) {
            chunks.push_back(chunk);
        }
        while let Some(chunk) = chunks.pop_front() {
            hashing.push_back(hash(chunk));
            while hashing.len() >= HASHING_MAX {
                if let Some(leaf) = hashing.next().await {
                    sink.put(layout.push(leaf?), progress).await?;
                }
            }
        }
    }
    if let Some(chunk) = chunker.finish() {
        hashing.push_back(hash(chunk));
    }
    while let Some(leaf) = hashing.next().await {
        sink.put(layout.push(leaf?), progress).await?;
    }
    let imported = layout.finish();
    sink.put(imported.blocks, progress).await?;
    Ok(imported.cid)
}
