//! What can go wrong with a store.
//!
//! One failed write fails every put that was written with it, so errors are shared and cheap to
//! clone. Only [`StoreError::DiskFull`] is expected in ordinary life: reads go on, and writes resume
//! as soon as there is room.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the store open.
    #[error("the store in {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The folder or a file in it cannot be used.
    #[error("cannot open {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The index cannot be used, and could not be made anew.
    #[error("cannot open the index {}: {source}", path.display())]
    Index {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
}

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no room. Nothing of what was asked is stored; reads go on.
    #[error("the disk of the blockstore is full")]
    DiskFull,
    /// A block could not be read.
    #[error("cannot read from the blockstore: {0}")]
    Read(#[source] Arc<io::Error>),
    /// Blocks could not be written.
    #[error("cannot write to the blockstore: {0}")]
    Write(#[source] Arc<io::Error>),
    /// The index could not be written.
    #[error("cannot write the index of the blockstore: {0}")]
    Index(#[source] Arc<redb::Error>),
    /// The store is being closed.
    #[error("the blockstore is closed")]
    Closed,
}

impl StoreError {
    pub(super) fn read(source: io::Error) -> Self {
        Self::Read(Arc::new(source))
    }

    pub(super) fn write(source: io::Error) -> Self {
        if is_full(&source) { Self::DiskFull } else { Self::Write(Arc::new(source)) }
    }

    pub(super) fn index(source: redb::Error) -> Self {
        if let redb::Error::Io(error) = &source
            && is_full(error)
        {
            return Self::DiskFull;
        }
        Self::Index(Arc::new(source))
    }
}

/// Whether there was no room: on the disk, in the quota or in a file.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
