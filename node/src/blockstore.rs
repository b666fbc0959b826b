//! Keeps blocks on disk: a log of segments, and an index from multihash to place.
//!
//! A block that is served is hashed as it is read, so a disk that rots costs a block and never a
//! wrong answer. A put costs one write and a share of one sync; what is found where is known in
//! memory, for about 50 bytes a block. The file system under it must honour `fdatasync`.

mod config;
mod error;
mod import;
mod index;
mod metrics;
mod pool;
mod record;
mod recover;
mod segment;
mod staged;
mod writer;

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use ipfs::{Block, Cid, Multihash};
use parking_lot::Mutex;
use telemetry::metrics::Registry;
use tokio::sync::Semaphore;
use tracing::warn;

pub use config::Config;
pub use error::{OpenError, StoreError};
pub use import::{Committed, Import};
pub use metrics::{Metrics, Read, Write};
pub use pool::{Pool, Unfinished};

pub(crate) use error::is_full;

use index::{Location, Table};
use segment::Segments;
use writer::{Command, Queued, Reply, Writer};

/// Bytes that one place in the write queue stands for.
const PLACE_BYTES: u64 = 16 * 1024;
/// Most blocks, and about the most bytes, that one thread reads at a time for one caller.
const READ_TOGETHER: (usize, u64) = (32, 1024 * 1024);

/// A store of blocks. Cloning is cheap; the last clone that is dropped closes it.
#[derive(Debug, Clone)]
pub struct Blockstore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    reads: Pool,
    writes: Pool,
    commands: Option<SyncSender<Queued>>,
    places: Arc<Semaphore>,
    places_max: u32,
    writer: Option<JoinHandle<()>>,
}

/// What the threads of a store share.
#[derive(Debug)]
struct Shared {
    config: Config,
    metrics: Metrics,
    table: Table,
    segments: Segments,
    /// Keys of blocks that were found rotten, for the image of the index.
    rotten: Mutex<Vec<Box<[u8]>>>,
    /// Held for as long as any thread may touch the files.
    _lock: File,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Blockstore {
    /// Opens a store, or makes an empty one. Reads what the last process did not index; blocks the
    /// calling thread meanwhile.
    ///
    /// # Errors
    /// [`OpenError`], naming the file.
    pub fn open(config: Config, registry: &Registry) -> Result<Self, OpenError> {
        let metrics = Metrics::new(registry);
        let found = recover::open(&config, &metrics)?;
        let thread_error = |source| OpenError::Io { path: config.dir.clone(), source };
        let reads = Pool::new("store-read", config.read_threads, config.read_queue_max)
            .map_err(thread_error)?;
        let writes = Pool::new("store-import", 4, 64).map_err(thread_error)?;
        let places_max = u32::try_from(config.write_queue.as_u64() / PLACE_BYTES);
        let places_max = places_max.unwrap_or(u32::MAX).clamp(256, 65_536);
        let segments = Segments::new(config.dir.clone(), config.open_segments_max, found.next);
        let shared = Arc::new(Shared {
            metrics,
            table: found.table,
            segments,
            rotten: Mutex::default(),
            _lock: found.lock,
            config: config.clone(),
        });
        shared.note_size();
        shared.note_room();
        let (commands, queue) = sync_channel(places_max as usize);
        let writer =
            Writer::new(Arc::clone(&shared), found.image, found.active, found.changes, found.marks);
        let thread = std::thread::Builder::new().name("store-write".to_owned());
        let writer = thread.spawn(move || writer.run(&queue)).map_err(thread_error)?;
        let places = Arc::new(Semaphore::new(places_max as usize));
        let (commands, writer) = (Some(commands), Some(writer));
        let inner = Inner { shared, reads, writes, commands, places, places_max, writer };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Reads a block, proven under the CID that it is asked for by.
    ///
    /// # Errors
    /// [`StoreError::Read`], when the disk gives an error that says nothing of the block.
    pub async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let Some((key, at)) = self.locate(cid) else {
            return Ok(self.absent(cid));
        };
        let (shared, cid) = (Arc::clone(self.shared()), *cid);
        let read = self.inner.reads.run(move || shared.read(&cid, key, at)).await;
        read.map_err(|_| StoreError::Closed)?
    }

    /// Reads blocks, in the order of their CIDs. The caller bounds how many bytes these are.
    ///
    /// # Errors
    /// As [`Blockstore::get`], for any of them.
    pub async fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, StoreError> {
        let mut blocks: Vec<Option<Block>> = vec![None; cids.len()];
        let mut groups: Vec<Vec<(usize, Cid, u128, Location)>> = vec![Vec::new()];
        let mut bytes = 0;
        for (index, cid) in cids.iter().enumerate() {
            let Some((key, at)) = self.locate(cid) else {
                blocks[index] = self.absent(cid);
                continue;
            };
            let group = groups.last_mut().expect("there is always one");
            group.push((index, *cid, key, at));
            bytes += u64::from(at.data_bytes);
            if group.len() >= READ_TOGETHER.0 || bytes >= READ_TOGETHER.1 {
                groups.push(Vec::new());
                bytes = 0;
            }
        }
        let reads = groups.into_iter().filter(|group| !group.is_empty()).map(|group| {
            let shared = Arc::clone(self.shared());
            self.inner.reads.run(move || {
                let read = |(index, cid, key, at): &(usize, Cid, u128, Location)| {
                    shared.read(cid, *key, *at).map(|block| (*index, block))
                };
                group.iter().map(read).collect::<Result<Vec<_>, _>>()
            })
        });
        for read in futures::future::join_all(reads).await {
            for (index, block) in read.map_err(|_| StoreError::Closed)?? {
                blocks[index] = block;
            }
        }
        Ok(blocks)
    }

    /// Whether a block is there. Costs no input or output.
    pub fn has(&self, hash: &Multihash) -> bool {
        is_inline(hash) || self.size_of(hash).is_some()
    }

    /// The bytes of a block that is there, without reading it.
    pub fn size_of(&self, hash: &Multihash) -> Option<usize> {
        if is_inline(hash) {
            return Some(hash.digest().len());
        }
        let table = &self.shared().table;
        table.find(table.key(hash)).map(|at| at.data_bytes as usize)
    }

    /// Stores a block, durable when this returns; returns whether it was not there before.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] and [`StoreError::Write`]; the block is then not stored.
    ///
    /// # Cancellation
    /// Dropped, the block is stored or not.
    pub async fn put(&self, block: Block) -> Result<bool, StoreError> {
        Ok(self.put_many(vec![block]).await? > 0)
    }

    /// Stores blocks, durable when this returns; returns how many were not there before.
    ///
    /// # Errors
    /// As [`Blockstore::put`]; none is then stored.
    ///
    /// # Cancellation
    /// As [`Blockstore::put`].
    pub async fn put_many(&self, blocks: Vec<Block>) -> Result<u64, StoreError> {
        let bytes = bytes_of(&blocks);
        self.ask(bytes, |reply| Command::Put { blocks, sync: true, reply }).await
    }

    /// Stores blocks that could be fetched again: seen by readers when this returns, durable after
    /// [`Blockstore::flush`] or within the checkpoint interval. A crash of the process loses none.
    ///
    /// # Errors
    /// As [`Blockstore::put`].
    pub async fn keep(&self, blocks: Vec<Block>) -> Result<u64, StoreError> {
        let bytes = bytes_of(&blocks);
        self.ask(bytes, |reply| Command::Put { blocks, sync: false, reply }).await
    }

    /// Makes every block durable that was stored before.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.ask(0, |reply| Command::Flush { reply }).await
    }

    /// Deletes blocks and gives their room back; returns how many were there.
    ///
    /// # Errors
    /// [`StoreError`]; none is then deleted.
    pub async fn delete(&self, hashes: &[Multihash]) -> Result<u64, StoreError> {
        let hashes = hashes.to_vec();
        self.ask(0, |reply| Command::Delete { hashes, reply }).await
    }

    /// Begins an import: many blocks that become part of the store together or not at all.
    ///
    /// A block that the store holds already is not written again.
    pub fn import(&self) -> Import {
        Import::new(self.clone())
    }

    /// How much the store holds.
    pub fn stats(&self) -> Stats {
        let table = &self.shared().table;
        Stats { blocks: table.blocks(), bytes: table.bytes() }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Whether there is no room for a block.
    pub fn is_full(&self) -> bool {
        matches!(self.shared().check_room(0), Err(StoreError::DiskFull))
    }

    fn writes(&self) -> &Pool {
        &self.inner.writes
    }

    fn locate(&self, cid: &Cid) -> Option<(u128, Location)> {
        if is_inline(cid.multihash()) {
            return None;
        }
        let table = &self.shared().table;
        let key = table.key(cid.multihash());
        table.find(key).map(|at| (key, at))
    }

    /// The answer for a CID that is in no segment: the block in the CID itself, or none.
    fn absent(&self, cid: &Cid) -> Option<Block> {
        let inline = Block::inline(*cid);
        if inline.is_none() {
            self.shared().metrics.reads.at(Read::Miss).inc();
        }
        inline
    }

    /// Asks the writer, once its queue has room for so many bytes.
    async fn ask<T>(
        &self,
        bytes: u64,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, StoreError> {
        let places = u32::try_from(bytes.div_ceil(PLACE_BYTES)).unwrap_or(u32::MAX);
        let places = places.clamp(1, self.inner.places_max);
        let place = Arc::clone(&self.inner.places).acquire_many_owned(places).await;
        let place = place.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = tokio::sync::oneshot::channel();
        let queued = Queued { command: command(reply), _place: place };
        let commands = self.inner.commands.as_ref().ok_or(StoreError::Closed)?;
        // Every command holds a place and the queue has as many, so this never blocks.
        commands.try_send(queued).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(writer) = self.writer.take() {
            writer.join().ok();
        }
    }
}

impl Shared {
    /// Reads a block and proves it; one that is not what it should be is forgotten.
    fn read(&self, cid: &Cid, key: u128, at: Location) -> Result<Option<Block>, StoreError> {
        let hash = cid.multihash();
        let bytes = at.data_bytes as usize;
        let read = self
            .segments
            .file(at.segment)
            .and_then(|file| segment::read(&file, record::data_at(hash, at), bytes));
        match read {
            Ok(data) => {
                if let Ok(block) = Block::verify(*cid, data) {
                    self.metrics.reads.at(Read::Hit).inc();
                    self.metrics.read_bytes.inc_by(bytes as u64);
                    return Ok(Some(block));
                }
            }
            Err(error) if !is_loss(&error) => {
                self.metrics.reads.at(Read::Failed).inc();
                return Err(StoreError::read(error));
            }
            Err(_) => {}
        }
        // One that was deleted while it was read is not rotten.
        if self.table.remove(key, at) {
            warn!(%cid, segment = at.segment, offset = at.offset, "a stored block rotted");
            self.metrics.reads.at(Read::Rotten).inc();
            self.rotten.lock().push(hash.to_bytes().into_boxed_slice());
            self.note_size();
        } else {
            self.metrics.reads.at(Read::Miss).inc();
        }
        Ok(None)
    }

    /// Refuses a write that would leave less free space than is to be left.
    fn check_room(&self, bytes: u64) -> Result<(), StoreError> {
        let least = self.config.free_min.as_u64();
        if least == 0 {
            return Ok(());
        }
        let free = self.segments.free().map_err(StoreError::write)?;
        if free < least.saturating_add(bytes) { Err(StoreError::DiskFull) } else { Ok(()) }
    }

    /// Shows how much room is left; what could not be learnt stays as it was.
    fn note_room(&self) {
        self.metrics.free_min_bytes.set(gauge(self.config.free_min.as_u64()));
        match self.segments.free() {
            Ok(free) => self.metrics.free_bytes.set(gauge(free)),
            Err(error) => warn!(%error, "cannot learn how much room the disk has"),
        }
    }

    fn note_size(&self) {
        self.metrics.blocks.set(gauge(self.table.blocks()));
        self.metrics.bytes.set(gauge(self.table.bytes()));
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Whether an error says that the block's bytes are lost. A disk that fails or is away says nothing of
/// them, and they may be well when it is back.
fn is_loss(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

fn is_inline(hash: &Multihash) -> bool {
    hash.code() == 0
}

fn bytes_of(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| block.data().len() as u64).sum()
}

#[cfg(test)]
mod tests;
