//! An import: many blocks that become part of the store together or not at all.
//!
//! Its blocks go to segments of their own while the next ones are still being hashed, and are seen
//! by nobody before the commit. Nobody waits for durability until then, but the disk is set to work
//! every few megabytes: it writes while later blocks are hashed, and little is left at the commit.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use ipfs::{Block, Cid};
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::index::{Change, Location};
use super::metrics::Write;
use super::record::{self, Kind};
use super::staged::Staged;
use super::writer::Command;
use super::{Blockstore, StoreError, segment};

/// Bytes that are gathered for one write.
const GATHER_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes after which the disk is set to work, unless it still is.
const SYNC_BYTES: u64 = 32 * 1024 * 1024;

/// What an import brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Blocks that were not in the store before.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An import under way. Dropped before it is committed, it leaves nothing.
pub struct Import {
    store: Blockstore,
    staged: Staged,
    seen: HashSet<u128>,
    parts: Vec<Bytes>,
    gathered: u64,
    /// The write under way, one at a time.
    writing: Option<oneshot::Receiver<std::io::Result<()>>>,
    /// The sync under way, one at a time.
    syncing: Option<oneshot::Receiver<std::io::Result<()>>>,
    unsynced: u64,
    brought: Committed,
}

impl Import {
    pub(super) fn new(store: Blockstore) -> Self {
        let staged = Staged::new(Arc::clone(store.shared()));
        Self {
            store,
            staged,
            seen: HashSet::new(),
            parts: Vec::new(),
            gathered: 0,
            writing: None,
            syncing: None,
            unsynced: 0,
            brought: Committed::default(),
        }
    }

    /// Adds a block; returns whether it was not there before.
    ///
    /// # Errors
    /// [`StoreError`]; the import can only be dropped after one.
    ///
    /// # Cancellation
    /// Not safe: drop the import with it.
    pub async fn put(&mut self, block: Block) -> Result<bool, StoreError> {
        if block.cid().identity_data().is_some() {
            return Ok(false);
        }
        let table = &self.store.shared().table;
        let key = table.key(block.cid().multihash());
        if table.find(key).is_some() || !self.seen.insert(key) {
            self.store.shared().metrics.writes.at(Write::Held).inc();
            return Ok(false);
        }
        let hash = block.cid().multihash().to_bytes();
        let prefix = record::prefix(Kind::Block, &hash, block.data());
        let data_bytes = u32::try_from(block.data().len()).expect("a block is below the limit");
        let length = (prefix.len() + block.data().len()) as u64;
        let (segment, offset) = self.place(length).await?;
        let to = Location { segment, offset, data_bytes };
        self.staged.entries.push(Change { key: hash.into_boxed_slice(), to: Some(to) });
        self.parts.extend([Bytes::from(prefix), block.into_data()]);
        self.gathered += length;
        self.brought.blocks += 1;
        self.brought.bytes += u64::from(data_bytes);
        if self.gathered >= GATHER_BYTES {
            self.write().await?;
        }
        Ok(true)
    }

    /// Whether a block is in the import or was in the store before.
    pub fn holds(&self, cid: &Cid) -> bool {
        let table = &self.store.shared().table;
        let key = table.key(cid.multihash());
        cid.identity_data().is_some() || self.seen.contains(&key) || table.find(key).is_some()
    }

    /// Makes the blocks durable and part of the store.
    ///
    /// # Errors
    /// [`StoreError`], and then none of the blocks is part of it.
    ///
    /// # Cancellation
    /// Dropped while it waits, the import is committed or not as a whole.
    pub async fn commit(mut self) -> Result<Committed, StoreError> {
        self.write().await?;
        self.written().await?;
        if let Some(syncing) = self.syncing.take() {
            syncing.await.map_err(|_| StoreError::Closed)?.map_err(StoreError::write)?;
        }
        let (files, shared) = (self.staged.files(), Arc::clone(self.store.shared()));
        let synced = self.store.writes().run(move || -> std::io::Result<()> {
            for file in files {
                file.sync_data()?;
            }
            shared.segments.sync_names()
        });
        synced.await.map_err(|_| StoreError::Closed)?.map_err(StoreError::write)?;
        let metrics = self.store.shared().metrics.clone();
        let empty = Staged::new(Arc::clone(self.store.shared()));
        let staged = std::mem::replace(&mut self.staged, empty);
        self.store.ask(0, |reply| Command::Commit { staged, reply }).await?;
        metrics.writes.at(Write::Stored).inc_by(self.brought.blocks);
        metrics.written_bytes.inc_by(self.brought.bytes);
        Ok(self.brought)
    }

    /// Where the next record goes; begins the next segment when one is full.
    async fn place(&mut self, length: u64) -> Result<(u32, u32), StoreError> {
        let end = self.store.shared().config.segment_end();
        let full = self.staged.last().is_none_or(|(_, _, at)| *at >= end);
        if full {
            self.write().await?;
            let create = self.store.shared().segments.create(segment::IMPORT);
            let (id, file) = create.map_err(StoreError::write)?;
            self.staged.add(id, Arc::new(file));
        }
        let (id, _, at) = self.staged.last().expect("made above");
        let offset = u32::try_from(*at).expect("a segment is below 4 GiB");
        *at += length;
        Ok((id, offset))
    }

    /// Begins to write what was gathered, once the write before it is done.
    async fn write(&mut self) -> Result<(), StoreError> {
        self.written().await?;
        let (parts, length) = (std::mem::take(&mut self.parts), std::mem::take(&mut self.gathered));
        let shared = Arc::clone(self.store.shared());
        let Some((_, file, end)) = self.staged.last().filter(|_| length > 0) else { return Ok(()) };
        shared.check_room(length)?;
        let (file, at) = (Arc::clone(file), *end - length);
        let job = move || shared.segments.write(&file, at, &parts);
        let begun = self.store.writes().start(job).await;
        self.writing = Some(begun.map_err(|_| StoreError::Closed)?);
        self.unsynced += length;
        self.write_back().await
    }

    /// Begins to sync what was written, unless that is under way.
    async fn write_back(&mut self) -> Result<(), StoreError> {
        match self.syncing.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return Ok(()),
            Some(Err(TryRecvError::Closed)) => return Err(StoreError::Closed),
            Some(Ok(synced)) => synced.map_err(StoreError::write)?,
            None => {}
        }
        self.syncing = None;
        if self.unsynced < SYNC_BYTES {
            return Ok(());
        }
        let Some((_, file, _)) = self.staged.last() else { return Ok(()) };
        let file = Arc::clone(file);
        self.unsynced = 0;
        let begun = self.store.writes().start(move || file.sync_data()).await;
        self.syncing = Some(begun.map_err(|_| StoreError::Closed)?);
        Ok(())
    }

    async fn written(&mut self) -> Result<(), StoreError> {
        match self.writing.take() {
            Some(writing) => {
                writing.await.map_err(|_| StoreError::Closed)?.map_err(StoreError::write)
            }
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("brought", &self.brought).finish_non_exhaustive()
    }
}
