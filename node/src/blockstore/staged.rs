//! What an import has written and not committed.
//!
//! It removes its files when it is dropped uncommitted, wherever it is by then; what a crash leaves
//! behind is removed by its name when the store is opened.

use std::fs::File;
use std::sync::Arc;

use tracing::warn;

use super::Shared;
use super::index::Change;

/// The segments of one import.
pub(super) struct Staged {
    shared: Arc<Shared>,
    files: Vec<(u32, Arc<File>, u64)>,
    pub(super) entries: Vec<Change>,
}

impl Staged {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, files: Vec::new(), entries: Vec::new() }
    }

    pub(super) fn add(&mut self, id: u32, file: Arc<File>) {
        self.files.push((id, file, 0));
    }

    /// The segment that is written to, and its length.
    pub(super) fn last(&mut self) -> Option<(u32, &Arc<File>, &mut u64)> {
        self.files.last_mut().map(|(id, file, length)| (*id, &*file, length))
    }

    pub(super) fn marks(&self) -> Vec<(u32, u64)> {
        self.files.iter().map(|(id, _, length)| (*id, *length)).collect()
    }

    pub(super) fn files(&self) -> Vec<Arc<File>> {
        self.files.iter().map(|(_, file, _)| Arc::clone(file)).collect()
    }

    /// Takes the files out, so that they are kept.
    pub(super) fn take_files(&mut self) -> Vec<(u32, Arc<File>)> {
        self.files.drain(..).map(|(id, file, _)| (id, file)).collect()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (id, _, _) in &self.files {
            if let Err(error) = self.shared.segments.remove_import(*id) {
                warn!(%error, segment = id, "cannot remove an aborted import; opening will");
            }
        }
    }
}
