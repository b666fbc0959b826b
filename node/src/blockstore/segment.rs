//! The segment files: their names, handles, and how bytes get into and out of them.
//!
//! A segment of an import is called `*.import` until the import is committed, so that whatever is
//! left of an aborted one can be told by its name.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::fs::FallocateFlags;

/// Most slices in one write: what every kernel takes.
const SLICES_MAX: usize = 1024;
/// Extension of a segment that is part of the store.
pub(super) const PACK: &str = "pack";
/// Extension of a segment of an import that is not committed.
pub(super) const IMPORT: &str = "import";

/// The segment files of one store.
#[derive(Debug)]
pub(super) struct Segments {
    dir: PathBuf,
    open: Mutex<HashMap<u32, Arc<File>>>,
    open_max: usize,
    next: AtomicU32,
    /// Bytes that may yet be written, for tests of a full disk.
    #[cfg(test)]
    pub(super) room: std::sync::atomic::AtomicU64,
}

impl Segments {
    pub(super) fn new(dir: PathBuf, open_max: usize, next: u32) -> Self {
        Self {
            dir,
            open: Mutex::default(),
            open_max: open_max.max(1),
            next: AtomicU32::new(next),
            #[cfg(test)]
            room: std::sync::atomic::AtomicU64::new(u64::MAX),
        }
    }

    /// Makes the file of a segment with a number that no other has.
    pub(super) fn create(&self, extension: &str) -> io::Result<(u32, File)> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let path = path(&self.dir, id, extension);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok((id, file))
    }

    /// The file of a segment that is part of the store.
    pub(super) fn file(&self, id: u32) -> io::Result<Arc<File>> {
        if let Some(file) = self.open.lock().get(&id) {
            return Ok(Arc::clone(file));
        }
        let open = |extension| {
            OpenOptions::new().read(true).write(true).open(path(&self.dir, id, extension))
        };
        let file = match open(PACK) {
            // A committed import whose renaming failed; opening the store renames it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => open(IMPORT)?,
            opened => opened?,
        };
        let file = Arc::new(file);
        self.keep(id, Arc::clone(&file));
        Ok(file)
    }

    /// Holds a file open, and lets go of another when there are too many.
    pub(super) fn keep(&self, id: u32, file: Arc<File>) {
        let mut open = self.open.lock();
        if open.len() >= self.open_max
            && let Some(other) = open.keys().next().copied()
        {
            open.remove(&other);
        }
        open.insert(id, file);
    }

    /// Makes the segment of a committed import part of the store by its name.
    pub(super) fn adopt(&self, id: u32) -> io::Result<()> {
        std::fs::rename(path(&self.dir, id, IMPORT), path(&self.dir, id, PACK))
    }

    pub(super) fn remove_import(&self, id: u32) -> io::Result<()> {
        std::fs::remove_file(path(&self.dir, id, IMPORT))
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    /// Bytes that the file system has left.
    pub(super) fn free(&self) -> io::Result<u64> {
        let room = rustix::fs::statvfs(&self.dir)?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Writes all of `parts` at a place in a file.
    pub(super) fn write(&self, file: &File, mut at: u64, parts: &[Bytes]) -> io::Result<()> {
        for some in parts.chunks(SLICES_MAX) {
            let mut slices: Vec<IoSlice<'_>> = some.iter().map(|part| IoSlice::new(part)).collect();
            let mut rest = &mut slices[..];
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                self.spend(rest)?;
                match rustix::io::pwritev(file, rest, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        at += count as u64;
                        IoSlice::advance_slices(&mut rest, count);
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    #[cfg(test)]
    fn spend(&self, slices: &[IoSlice<'_>]) -> io::Result<()> {
        let bytes = slices.iter().map(|slice| slice.len() as u64).sum();
        let enough = |room: u64| room.checked_sub(bytes);
        self.room
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, enough)
            .map(|_| ())
            .map_err(|_| io::ErrorKind::StorageFull.into())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only tests limit the room")]
    fn spend(&self, _slices: &[IoSlice<'_>]) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a part of a file, into memory that is not filled with zeros first.
pub(super) fn read(file: &File, mut at: u64, bytes: usize) -> io::Result<Bytes> {
    let mut out = Vec::with_capacity(bytes);
    while out.len() < bytes {
        let read = rustix::io::pread(file, rustix::buffer::spare_capacity(&mut out), at);
        match read {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => at += count as u64,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    out.truncate(bytes);
    Ok(Bytes::from(out))
}

/// Gives the pages that lie wholly within a range back to the file system.
pub(super) fn punch(file: &File, from: u64, to: u64) -> io::Result<()> {
    const PAGE: u64 = 4096;
    let (from, to) = (from.next_multiple_of(PAGE), to - to % PAGE);
    if from < to {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(file, flags, from, to - from)?;
    }
    Ok(())
}

/// The file of a segment.
pub(super) fn path(dir: &Path, id: u32, extension: &str) -> PathBuf {
    dir.join(format!("{id:08}.{extension}"))
}

/// The number and extension of a segment file.
pub(super) fn parse_name(path: &Path) -> Option<(u32, &str)> {
    let id = path.file_stem()?.to_str()?.parse().ok()?;
    Some((id, path.extension()?.to_str()?))
}
