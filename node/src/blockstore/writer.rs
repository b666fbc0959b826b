//! The one thread that writes.
//!
//! Puts that wait while it writes are written and synced together: a busy store pays one sync for
//! many blocks, an idle one answers after one. A block is seen by readers once it is as durable as
//! was asked for, and the image of the index follows behind at checkpoints.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipfs::{Block, Multihash};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{error, warn};

use super::index::{Change, Image, Location};
use super::metrics::Write;
use super::record::{self, Kind};
use super::staged::Staged;
use super::{Shared, StoreError, segment};

/// How often a writer without work looks up, and how often any looks at the room on the disk.
const IDLE: Duration = Duration::from_secs(10);
/// How many times over the bound of a checkpoint changes may pile up while checkpoints fail.
const OVERDUE_FACTOR: usize = 16;

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is asked of the thread.
pub(super) enum Command {
    /// Write blocks; answered with how many were not there before.
    Put { blocks: Vec<Block>, sync: bool, reply: Reply<u64> },
    /// Make all that was written durable.
    Flush { reply: Reply<()> },
    /// Delete blocks; answered with how many were there.
    Delete { hashes: Vec<Multihash>, reply: Reply<u64> },
    /// Make an import part of the store.
    Commit { staged: Staged, reply: Reply<()> },
}

/// A command, and its place in the queue.
pub(super) struct Queued {
    pub(super) command: Command,
    pub(super) _place: OwnedSemaphorePermit,
}

/// The segment that is written to.
#[derive(Debug, Clone)]
pub(super) struct Active {
    pub(super) id: u32,
    pub(super) file: Arc<File>,
    pub(super) length: u64,
}

/// The state of the thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    image: Image,
    active: Option<Active>,
    /// Whether the active segment has bytes that are not durable.
    unsynced: bool,
    /// Bytes of the active segment that are.
    synced: u64,
    /// A failed sync that took blocks along and was told to nobody yet.
    lost: Option<StoreError>,
    /// Why the last checkpoint failed, if it did.
    overdue: Option<StoreError>,
    changes: Vec<Change>,
    marks: HashMap<u32, u64>,
    checkpoint_at: Option<Instant>,
}

struct Put {
    blocks: Vec<Block>,
    reply: Reply<u64>,
    _place: OwnedSemaphorePermit,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        image: Image,
        active: Option<Active>,
        changes: Vec<Change>,
        marks: HashMap<u32, u64>,
    ) -> Self {
        let checkpoint_at = (!changes.is_empty() || !marks.is_empty()).then(Instant::now);
        let synced = active.as_ref().map_or(0, |active| active.length);
        Self {
            shared,
            image,
            active,
            unsynced: false,
            synced,
            lost: None,
            overdue: None,
            changes,
            marks,
            checkpoint_at,
        }
    }

    /// Works until every sender is gone, then makes a last checkpoint.
    pub(super) fn run(mut self, commands: &Receiver<Queued>) {
        let mut next = None;
        let mut looked = Instant::now();
        loop {
            if looked.elapsed() >= IDLE {
                looked = Instant::now();
                self.shared.note_room();
            }
            let wait =
                self.checkpoint_at.map_or(IDLE, |at| at.saturating_duration_since(Instant::now()));
            let queued = match next.take() {
                Some(queued) => Ok(queued),
                None => commands.recv_timeout(wait),
            };
            match queued {
                Ok(queued) => next = self.handle(queued, commands),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.is_checkpoint_due() {
                self.checkpoint();
            }
        }
        self.checkpoint();
    }

    /// Does what is asked, with the puts that wait behind it; returns the command that ended them.
    fn handle(&mut self, queued: Queued, commands: &Receiver<Queued>) -> Option<Queued> {
        let (mut puts, mut sync, mut bytes) = (Vec::new(), false, 0);
        let mut next = Some(queued);
        while let Some(queued) = next.take() {
            match queued.command {
                Command::Put { blocks, sync: durable, reply } => {
                    sync |= durable;
                    bytes += blocks.iter().map(|block| block.data().len() as u64).sum::<u64>();
                    puts.push(Put { blocks, reply, _place: queued._place });
                }
                command @ (Command::Flush { .. }
                | Command::Delete { .. }
                | Command::Commit { .. }) => {
                    if puts.is_empty() {
                        self.alone(command);
                        return None;
                    }
                    next = Some(Queued { command, _place: queued._place });
                    break;
                }
            }
            if bytes >= self.shared.config.batch.as_u64() {
                break;
            }
            next = commands.try_recv().ok();
        }
        self.put(puts, sync);
        next
    }

    fn alone(&mut self, command: Command) {
        match command {
            Command::Put { .. } => {}
            Command::Flush { reply } => {
                let synced = self.sync();
                drop(reply.send(self.lost.take().map_or(synced, Err)));
            }
            Command::Delete { hashes, reply } => drop(reply.send(self.delete(&hashes))),
            Command::Commit { staged, reply } => drop(reply.send(self.adopt(staged))),
        }
    }

    /// Writes what the puts bring that is not there, and answers them.
    fn put(&mut self, puts: Vec<Put>, sync: bool) {
        let began = Instant::now();
        let mut fresh: Vec<(u128, &Block)> = Vec::new();
        let mut counts = Vec::with_capacity(puts.len());
        let mut seen = HashSet::new();
        for put in &puts {
            let before = fresh.len();
            for block in put.blocks.iter().filter(|block| block.cid().identity_data().is_none()) {
                let key = self.shared.table.key(block.cid().multihash());
                if self.shared.table.find(key).is_none() && seen.insert(key) {
                    fresh.push((key, block));
                }
            }
            counts.push((fresh.len() - before) as u64);
        }
        let offered = puts.iter().map(|put| put.blocks.len()).sum::<usize>();
        let done = self.write_blocks(&fresh, sync);
        let bytes = fresh.iter().map(|(_, block)| block.data().len() as u64).sum();
        self.count(&done, (fresh.len(), bytes), offered - fresh.len(), began);
        for (put, count) in puts.into_iter().zip(counts) {
            drop(put.reply.send(done.clone().map(|()| count)));
        }
    }

    fn write_blocks(&mut self, fresh: &[(u128, &Block)], sync: bool) -> Result<(), StoreError> {
        self.check_overdue()?;
        let mut parts = Vec::with_capacity(fresh.len() * 2);
        let mut places = Vec::with_capacity(fresh.len());
        let mut length = 0;
        for (key, block) in fresh {
            let hash = block.cid().multihash().to_bytes();
            let prefix = record::prefix(Kind::Block, &hash, block.data());
            places.push((*key, hash.into_boxed_slice(), length, block.data().len()));
            length += (prefix.len() + block.data().len()) as u64;
            parts.push(Bytes::from(prefix));
            parts.push(block.data().clone());
        }
        if !parts.is_empty() {
            self.shared.check_room(length)?;
        }
        let at = if parts.is_empty() { None } else { Some(self.append(&parts, length)?) };
        if sync {
            self.sync()?;
        }
        let Some((id, start)) = at else { return Ok(()) };
        for (key, hash, offset, data_bytes) in places {
            let offset = u32::try_from(start + offset).expect("a segment is below 4 GiB");
            let data_bytes = u32::try_from(data_bytes).expect("a block is below the limit");
            let to = Location { segment: id, offset, data_bytes };
            self.shared.table.insert(key, to);
            self.change(Change { key: hash, to: Some(to) });
        }
        self.shared.note_size();
        Ok(())
    }

    /// Writes bytes behind the last ones; returns where they begin. A failed write leaves nothing.
    fn append(&mut self, parts: &[Bytes], length: u64) -> Result<(u32, u64), StoreError> {
        let mut active = self.active_segment()?;
        let start = active.length;
        if let Err(error) = self.shared.segments.write(&active.file, start, parts) {
            if let Err(error) = active.file.set_len(start) {
                warn!(%error, segment = active.id, "cannot cut a failed write; the segment is closed");
                self.active = None;
            }
            return Err(StoreError::write(error));
        }
        active.length += length;
        self.marks.insert(active.id, active.length);
        let id = active.id;
        self.active = Some(active);
        self.unsynced = true;
        Ok((id, start))
    }

    /// The segment to write to, after closing one that is full.
    fn active_segment(&mut self) -> Result<Active, StoreError> {
        let end = self.shared.config.segment_end();
        if self.active.as_ref().is_some_and(|active| active.length >= end) {
            self.sync()?;
            self.active = None;
        }
        if let Some(active) = &self.active {
            return Ok(active.clone());
        }
        let create = || -> io::Result<Active> {
            let (id, file) = self.shared.segments.create(segment::PACK)?;
            self.shared.segments.sync_names()?;
            Ok(Active { id, file: Arc::new(file), length: 0 })
        };
        let active = create().map_err(StoreError::write)?;
        self.shared.segments.keep(active.id, Arc::clone(&active.file));
        self.active = Some(active.clone());
        self.synced = 0;
        Ok(active)
    }

    /// Makes the active segment durable.
    ///
    /// After a failure the kernel may take what was not written for clean, so that trying again
    /// proves nothing: the segment is closed, and what was not durable before is forgotten.
    fn sync(&mut self) -> Result<(), StoreError> {
        let Some(active) = self.active.as_ref().filter(|_| self.unsynced) else { return Ok(()) };
        let (synced, segment, length) = (active.file.sync_data(), active.id, active.length);
        self.unsynced = false;
        match synced {
            Ok(()) => {
                self.synced = length;
                Ok(())
            }
            Err(error) => {
                let error = StoreError::write(error);
                error!(%error, segment, "cannot sync a segment; it is closed");
                self.active = None;
                self.forget(segment, self.synced);
                self.lost = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Forgets blocks whose bytes may never have reached the disk. No checkpoint knows of them yet,
    /// for it syncs first.
    fn forget(&mut self, segment: u32, from: u64) {
        let table = &self.shared.table;
        let is_lost = |at: &Location| at.segment == segment && u64::from(at.offset) >= from;
        self.changes.retain(|change| {
            let lost = change.to.filter(is_lost);
            lost.is_none_or(|at| !table.remove(table.key_of(&change.key), at))
        });
        self.marks.insert(segment, from);
        self.shared.note_size();
    }

    fn delete(&mut self, hashes: &[Multihash]) -> Result<u64, StoreError> {
        let (mut parts, mut length, mut found) = (Vec::new(), 0, Vec::new());
        for hash in hashes {
            let key = self.shared.table.key(hash);
            let Some(at) = self.shared.table.find(key) else { continue };
            let data = record::tombstone(at);
            let prefix = record::prefix(Kind::Tombstone, &hash.to_bytes(), &data);
            length += (prefix.len() + data.len()) as u64;
            parts.extend([Bytes::from(prefix), Bytes::copy_from_slice(&data)]);
            found.push((key, hash, at));
        }
        if found.is_empty() {
            return Ok(0);
        }
        // The room that is kept free is for this too: a full disk has to be emptied.
        self.append(&parts, length)?;
        self.sync()?;
        let mut deleted = 0;
        for (key, hash, at) in found {
            if self.shared.table.remove(key, at) {
                deleted += 1;
                self.change(Change { key: hash.to_bytes().into_boxed_slice(), to: None });
                self.punch(hash, at);
            }
        }
        self.shared.note_size();
        Ok(deleted)
    }

    /// Frees the room of a deleted block. Failing to costs room and nothing else.
    fn punch(&self, hash: &Multihash, at: Location) {
        let end = u64::from(at.offset) + record::bytes(hash, at.data_bytes);
        let punched = self
            .shared
            .segments
            .file(at.segment)
            .and_then(|file| segment::punch(&file, record::data_at(hash, at), end));
        if let Err(error) = punched {
            warn!(%error, segment = at.segment, "cannot free the room of a deleted block");
        }
    }

    /// Makes an import part of the store: the commit of the image is where it happens.
    fn adopt(&mut self, mut staged: Staged) -> Result<(), StoreError> {
        self.gather_rotten();
        self.sync()?;
        let marks: Vec<(u32, u64)> = self.marks.iter().map(|(id, length)| (*id, *length)).collect();
        let marks = [marks, staged.marks()].concat();
        let changes = self.changes.iter().chain(&staged.entries);
        self.image.commit(changes, &marks).map_err(StoreError::index)?;
        self.clean();
        for (id, file) in staged.take_files() {
            self.shared.segments.keep(id, file);
            if let Err(error) = self.shared.segments.adopt(id) {
                error!(%error, segment = id, "cannot rename a committed import; opening will");
            }
        }
        if let Err(error) = self.shared.segments.sync_names() {
            warn!(%error, "cannot sync the names of a committed import; opening will mend them");
        }
        for Change { key, to } in staged.entries.drain(..) {
            if let Some(to) = to {
                self.shared.table.insert(self.shared.table.key_of(&key), to);
            }
        }
        self.shared.note_size();
        Ok(())
    }

    fn change(&mut self, change: Change) {
        self.changes.push(change);
        let wait = self.shared.config.checkpoint_interval;
        self.checkpoint_at.get_or_insert_with(|| Instant::now() + wait);
    }

    fn is_checkpoint_due(&self) -> bool {
        self.changes.len() >= self.shared.config.checkpoint_changes_max
            || self.checkpoint_at.is_some_and(|at| at <= Instant::now())
    }

    fn checkpoint(&mut self) {
        self.gather_rotten();
        if self.changes.is_empty() && self.marks.is_empty() {
            self.checkpoint_at = None;
            return;
        }
        let marks: Vec<(u32, u64)> = self.marks.iter().map(|(id, length)| (*id, *length)).collect();
        let done = self
            .sync()
            .and_then(|()| self.image.commit(&self.changes, &marks).map_err(StoreError::index));
        match done {
            Ok(()) => {
                self.overdue = None;
                self.clean();
            }
            Err(error) => {
                self.overdue = Some(error.clone());
                warn!(%error, "checkpoint of the index failed; it is tried again");
                self.shared.metrics.checkpoint_failures.inc();
                let wait = self.shared.config.checkpoint_interval.max(Duration::from_secs(1));
                self.checkpoint_at = Some(Instant::now() + wait);
            }
        }
    }

    fn clean(&mut self) {
        self.changes.clear();
        self.marks.clear();
        self.checkpoint_at = None;
    }

    /// Takes note of blocks that were found rotten; one may have been stored anew since then.
    fn gather_rotten(&mut self) {
        let rotten = std::mem::take(&mut *self.shared.rotten.lock());
        let table = &self.shared.table;
        let change = |key: Box<[u8]>| Change { to: table.find(table.key_of(&key)), key };
        self.changes.extend(rotten.into_iter().map(change));
    }

    /// Refuses writes while checkpoints fail and too many changes wait for one.
    fn check_overdue(&mut self) -> Result<(), StoreError> {
        let most =
            self.shared.config.checkpoint_changes_max.max(1024).saturating_mul(OVERDUE_FACTOR);
        match &self.overdue {
            Some(error) if self.changes.len() >= most => Err(error.clone()),
            Some(_) | None => Ok(()),
        }
    }

    fn count(
        &self,
        done: &Result<(), StoreError>,
        (fresh, bytes): (usize, u64),
        held: usize,
        began: Instant,
    ) {
        let metrics = &self.shared.metrics;
        let outcome = match done {
            Ok(()) => Write::Stored,
            Err(StoreError::DiskFull) => Write::Full,
            Err(_) => Write::Failed,
        };
        metrics.writes.at(outcome).inc_by(fresh as u64);
        if done.is_ok() {
            metrics.writes.at(Write::Held).inc_by(held as u64);
            metrics.written_bytes.inc_by(bytes);
        }
        metrics.put_seconds.observe_duration(began.elapsed());
    }
}
