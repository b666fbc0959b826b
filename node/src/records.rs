//! Keeps signed IPNS records: for each name the latest one that was put.
//!
//! A record is proven when it is put and again when it is read, so a disk that rots costs a record
//! and never a wrong answer. When there is no room a record is refused rather than another one
//! forgotten: only the operator puts records, and can say which one is wanted less. Those that have
//! expired make room.

mod error;
mod metrics;
mod table;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use ipfs::ipns::{Name, Record};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry::metrics::Registry;
use tracing::warn;

pub use error::{OpenError, PutError, RecordsError};
pub use metrics::{Metrics, Read, Write};

use crate::blockstore::Pool;
use table::{Change, Table};

/// Name of the file in the node's folder.
const FILE: &str = "records.redb";
/// Reads that may wait for the thread that reads; further callers wait without a place.
const READS_WAITING_MAX: usize = 256;
/// Puts that may wait for the thread that writes; further callers wait without a place.
const PUTS_WAITING_MAX: usize = 64;

/// Settings of the store of records.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most records that are stored; a further one is refused until another has expired. Default
    /// 100 000, which fill at most 1 GiB of disk, as a record has at most 10 KiB. Zero refuses all.
    pub records_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { records_max: 100_000 }
    }
}

/// What became of a record that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is stored, in place of an older one if there was one.
    Stored,
    /// It was there already.
    Held,
}

/// A store of records. Cloning is cheap; the last clone that is dropped closes it.
#[derive(Debug, Clone)]
pub struct Records {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    records_max: u64,
    table: Arc<Table>,
    metrics: Metrics,
    reads: Pool,
    /// One thread, so that puts of one name take their turns.
    writes: Pool,
}

impl Records {
    /// Opens the store in the node's folder, or makes an empty one; blocks the calling thread
    /// meanwhile.
    ///
    /// # Errors
    /// [`OpenError`], naming the file.
    pub fn open(folder: &Path, config: &Config, registry: &Registry) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let index_error =
            |source| OpenError::Database { path: path.clone(), source: Box::new(source) };
        let table = Table::open(&path).map_err(index_error)?;
        let metrics = Metrics::new(registry);
        metrics.stored.set(i64::try_from(table.count().map_err(index_error)?).unwrap_or(i64::MAX));
        let reads = Pool::new("records-read", 1, READS_WAITING_MAX).map_err(OpenError::Thread)?;
        let writes = Pool::new("records-write", 1, PUTS_WAITING_MAX).map_err(OpenError::Thread)?;
        let (records_max, table) = (config.records_max, Arc::new(table));
        Ok(Self { inner: Arc::new(Inner { records_max, table, metrics, reads, writes }) })
    }

    /// Stores a record of a name, durable when this returns.
    ///
    /// # Errors
    /// As the variants of [`PutError`] say; what is stored is then as it was.
    ///
    /// # Cancellation
    /// Dropped, the record is stored or not.
    pub async fn put(
        &self,
        name: &Name,
        bytes: Bytes,
        now: SystemTime,
    ) -> Result<(Put, Record), PutError> {
        let (inner, name) = (Arc::clone(&self.inner), *name);
        let put = self.inner.writes.run(move || inner.put(&name, &bytes, now)).await;
        put.map_err(|_| PutError::Store(RecordsError::Closed))?
    }

    /// The record of a name, proven and valid at `now`.
    ///
    /// # Errors
    /// [`RecordsError`], when the disk gives an error that says nothing of the record.
    pub async fn get(&self, name: &Name, now: SystemTime) -> Result<Option<Record>, RecordsError> {
        let (inner, name) = (Arc::clone(&self.inner), *name);
        let got = self.inner.reads.run(move || inner.get(&name, now)).await;
        got.map_err(|_| RecordsError::Closed)?
    }
}

impl Inner {
    fn put(&self, name: &Name, bytes: &[u8], now: SystemTime) -> Result<(Put, Record), PutError> {
        let done = self.try_put(name, bytes, now);
        let outcome = match &done {
            Ok((Put::Stored, _)) => Write::Stored,
            Ok((Put::Held, _)) => Write::Held,
            Err(PutError::Record(_) | PutError::Expired) => Write::Bad,
            Err(PutError::Superseded { .. }) => Write::Superseded,
            Err(PutError::Full(_)) => Write::Full,
            Err(PutError::Store(_)) => Write::Failed,
        };
        self.metrics.puts.at(outcome).inc();
        done
    }

    fn try_put(
        &self,
        name: &Name,
        bytes: &[u8],
        now: SystemTime,
    ) -> Result<(Put, Record), PutError> {
        let record = Record::verify(name, bytes)?;
        if !record.is_valid_at(now) {
            return Err(PutError::Expired);
        }
        // What is no record, or no valid one, has no say in what takes its place.
        let stored = self.table.find(name).map_err(RecordsError::from)?;
        let stored = stored.and_then(|bytes| Record::verify(name, &bytes).ok());
        if let Some(stored) = stored.filter(|stored| stored.is_valid_at(now)) {
            if stored.bytes() == record.bytes() {
                return Ok((Put::Held, stored));
            }
            if !record.supersedes(&stored) {
                let (stored, given) = (stored.sequence(), record.sequence());
                return Err(PutError::Superseded { stored, given });
            }
        }
        let change = self.table.put(&record, self.records_max, now).map_err(RecordsError::from)?;
        let Change { is_stored, dropped, count } = change;
        self.metrics.dropped.inc_by(dropped);
        self.metrics.stored.set(i64::try_from(count).unwrap_or(i64::MAX));
        if !is_stored {
            return Err(PutError::Full(self.records_max));
        }
        Ok((Put::Stored, record))
    }

    fn get(&self, name: &Name, now: SystemTime) -> Result<Option<Record>, RecordsError> {
        let found = match self.table.find(name) {
            Ok(found) => found.map(|bytes| Record::verify(name, &bytes)),
            Err(error) => {
                self.metrics.reads.at(Read::Failed).inc();
                return Err(error.into());
            }
        };
        let (outcome, record) = match found {
            None => (Read::Miss, None),
            Some(Ok(record)) if record.is_valid_at(now) => (Read::Hit, Some(record)),
            Some(Ok(_)) => (Read::Expired, None),
            Some(Err(error)) => {
                warn!(%name, %error, "a stored record rotted");
                (Read::Rotten, None)
            }
        };
        self.metrics.reads.at(outcome).inc();
        Ok(record)
    }
}

#[cfg(test)]
mod tests;
