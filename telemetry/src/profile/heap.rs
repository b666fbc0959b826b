//! Where memory is held, by the allocator's own samples.
//!
//! The allocator samples only once it is told to, and from then on: a profile holds what was
//! allocated since and is still held.

use std::sync::Arc;
use std::time::Duration;

use jemalloc_pprof::{JemallocProfCtl, PROF_CTL, ProfStartTime};
use tokio::sync::Mutex;

use super::{ProfileError, encode, forget_names};
use crate::Tasks;

/// A heap profile.
#[derive(Debug, Clone)]
pub struct HeapProfile {
    /// The compressed profile.
    pub bytes: Vec<u8>,
    /// How long the allocator had been sampling; none when it did from the start of the process.
    pub sampled_for: Option<Duration>,
}

/// Has the allocator sample from here on, or cease to. Each sample stands for 4 MiB of allocations and
/// walks a stack: a gateway that serves small files from memory as fast as it can pays for it, and the row
/// "heap sampling" of `make bench` says how much. What was sampled before is kept.
///
/// # Errors
/// `Busy` while a profile is taken, `NoHeap` when the allocator cannot, `Heap` when it refuses.
pub fn sample_heap(on: bool) -> Result<(), ProfileError> {
    let control = control()?;
    let mut control = control.try_lock().map_err(|_| ProfileError::Busy)?;
    if control.activated() == on {
        return Ok(());
    }
    let changed = if on { control.activate() } else { control.deactivate() };
    changed.map_err(|error| ProfileError::Heap(error.to_string()))
}

/// Takes a heap profile, and has the allocator sample from here on if it did not.
///
/// # Errors
/// `Busy` when another is taken at the same moment; `NoHeap` when the allocator cannot; `Heap` when it fails; `Lost`
/// when the process shuts down.
pub async fn heap(tasks: &Tasks) -> Result<HeapProfile, ProfileError> {
    sample_heap(true)?;
    let mut control = control()?.try_lock_owned().map_err(|_| ProfileError::Busy)?;
    let taken = tasks.spawn_blocking("heap profile", move || {
        let sampled_for = match control.get_md().start_time {
            Some(ProfStartTime::Instant(since)) => Some(since.elapsed()),
            Some(ProfStartTime::TimeImmemorial) | None => None,
        };
        let dumped = control.dump_pprof();
        forget_names();
        drop(control);
        let bytes = dumped.map_err(|error| ProfileError::Heap(error.to_string()))?;
        let bytes = encode::heap(&bytes).map_err(|error| ProfileError::Heap(error.to_string()))?;
        Ok(HeapProfile { bytes, sampled_for })
    });
    taken.await.map_err(ProfileError::Lost)?
}

fn control() -> Result<Arc<Mutex<JemallocProfCtl>>, ProfileError> {
    PROF_CTL.as_ref().map(Arc::clone).ok_or(ProfileError::NoHeap)
}
