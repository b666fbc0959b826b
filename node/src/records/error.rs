//! What can go wrong with records, in words that say what to do.
//!
//! What is wrong with a record is its owner's to mend, and the rest the operator's: the variants
//! keep the two apart.

use std::io;
use std::path::PathBuf;

use ipfs::ipns::RecordError;

use crate::blockstore::is_full;

/// Why the store of records could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be used.
    #[error(
        "cannot open the IPNS records in {}: {source}; if it is damaged, move it away and put the records again",
        path.display()
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
    /// The system gives no thread.
    #[error("cannot start a thread for IPNS records: {0}")]
    Thread(#[source] io::Error),
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// There is no room. Reads go on.
    #[error("the disk of the IPNS records is full; free space where the node's folder is")]
    DiskFull,
    /// The file could not be read or written.
    #[error("cannot use the file of the IPNS records: {0}")]
    Database(#[source] Box<redb::Error>),
    /// The store is being closed.
    #[error("the store of IPNS records is closed")]
    Closed,
}

impl From<redb::Error> for RecordsError {
    fn from(source: redb::Error) -> Self {
        if let redb::Error::Io(error) = &source
            && is_full(error)
        {
            return Self::DiskFull;
        }
        Self::Database(Box::new(source))
    }
}

/// Why a record is not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It does not prove what the name stands for.
    #[error("{0}; check that the name is that of the key which signed the record")]
    Record(#[from] RecordError),
    /// It is not valid any more.
    #[error("the record has expired; sign one that is valid for longer")]
    Expired,
    /// One is stored that it does not supersede.
    #[error(
        "the record with sequence {given} does not supersede the stored one with sequence {stored}; sign one with a higher sequence"
    )]
    Superseded {
        /// The sequence of the one that is stored.
        stored: u64,
        /// The sequence of the one that was to be.
        given: u64,
    },
    /// As many records are stored as may be, and none of them has expired.
    #[error("{0} IPNS records are stored, and no more may be; raise records.records_max")]
    Full(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] RecordsError),
}
