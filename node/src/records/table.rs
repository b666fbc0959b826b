//! The file of the records: each by its name, and the names by when their records end.
//!
//! Every change is one transaction, durable when it returns. A database that once failed to write
//! refuses everything, so it is opened again before the next use: a disk that was full must not need
//! a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ipfs::ipns::{Name, Record};
use parking_lot::Mutex;
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    WriteTransaction,
};

/// By the name's binary multihash, when its record ends and the record.
const RECORDS: TableDefinition<'_, &[u8], (u64, &[u8])> = TableDefinition::new("records");
/// When a record ends, in seconds since 1970, and the key of its name.
const ENDS: TableDefinition<'_, (u64, &[u8]), ()> = TableDefinition::new("ends");
/// Memory for pages of the file.
const CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Most expired records that one put drops, so that none takes long.
const DROPPED_TOGETHER_MAX: u64 = 256;

/// The file.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    database: Mutex<Option<Arc<Database>>>,
}

/// What a put changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// Whether there was room.
    pub(super) is_stored: bool,
    /// Expired records that were dropped.
    pub(super) dropped: u64,
    /// Records that are stored then.
    pub(super) count: u64,
}

impl Table {
    pub(super) fn open(path: &Path) -> Result<Self, redb::Error> {
        let table = Self { path: path.to_owned(), database: Mutex::default() };
        table.database()?;
        Ok(table)
    }

    pub(super) fn count(&self) -> Result<u64, redb::Error> {
        self.with(|database| Ok(database.begin_read()?.open_table(RECORDS)?.len()?))
    }

    /// The record of a name, as it was stored.
    pub(super) fn find(&self, name: &Name) -> Result<Option<Bytes>, redb::Error> {
        self.with(|database| {
            let records = database.begin_read()?.open_table(RECORDS)?;
            let found = records.get(&*name.multihash().to_bytes())?;
            Ok(found.map(|found| Bytes::copy_from_slice(found.value().1)))
        })
    }

    /// Drops records that have expired and stores one, if there are fewer than `records_max` others.
    pub(super) fn put(
        &self,
        record: &Record,
        records_max: u64,
        now: SystemTime,
    ) -> Result<Change, redb::Error> {
        self.with(|database| {
            let mut writing = database.begin_write()?;
            writing.set_durability(Durability::Immediate)?;
            writing.set_quick_repair(true);
            let change = change(&writing, record, records_max, now)?;
            writing.commit()?;
            Ok(change)
        })
    }

    /// Does something with the database, and opens it anew next time if that fails.
    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        let database = self.database()?;
        let done = work(&database);
        if done.is_err() {
            let mut current = self.database.lock();
            if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &database)) {
                *current = None;
            }
        }
        done
    }

    fn database(&self) -> Result<Arc<Database>, redb::Error> {
        let mut current = self.database.lock();
        if let Some(database) = &*current {
            return Ok(Arc::clone(database));
        }
        let opened = Database::builder().set_cache_size(CACHE_BYTES).create(&self.path)?;
        let mut making = opened.begin_write()?;
        // Without it this commit would throw away what spares the next opening a full repair.
        making.set_quick_repair(true);
        making.open_table(RECORDS)?;
        making.open_table(ENDS)?;
        making.commit()?;
        Ok(Arc::clone(current.insert(Arc::new(opened))))
    }
}

fn change(
    writing: &WriteTransaction,
    record: &Record,
    records_max: u64,
    now: SystemTime,
) -> Result<Change, redb::Error> {
    let mut records = writing.open_table(RECORDS)?;
    let mut ends = writing.open_table(ENDS)?;
    let now = seconds(now);
    let mut dropped = 0;
    while dropped < DROPPED_TOGETHER_MAX {
        let Some((end, key)) = ends.first()?.map(|(entry, _)| {
            let (end, key) = entry.value();
            (end, key.to_vec())
        }) else {
            break;
        };
        if end > now {
            break;
        }
        ends.remove((end, &*key))?;
        records.remove(&*key)?;
        dropped += 1;
    }
    let key = record.name().multihash().to_bytes();
    let before = records.get(&*key)?.map(|stored| stored.value().0);
    let is_stored = before.is_some() || records.len()? < records_max;
    if is_stored {
        if let Some(end) = before {
            ends.remove((end, &*key))?;
        }
        let end = end_of(record);
        ends.insert((end, &*key), ())?;
        records.insert(&*key, (end, &record.bytes()[..]))?;
    }
    Ok(Change { is_stored, dropped, count: records.len()? })
}

/// The first whole second at which a record is not valid any more.
fn end_of(record: &Record) -> u64 {
    let since = record.validity().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() + u64::from(since.subsec_nanos() > 0)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
