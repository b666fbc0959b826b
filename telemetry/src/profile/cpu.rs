//! Where processor time goes.
//!
//! The sampler is one per process and is driven by a timer signal. Code of the C library is not
//! walked into: it has no frame pointers, and a walk through it may fault.

use tokio::sync::Semaphore;

use super::{CpuRequest, ProfileError, encode};
use crate::Tasks;

/// The sampler of the process.
static SAMPLER: Semaphore = Semaphore::const_new(1);

/// Libraries in which no sample is walked.
const NOT_WALKED: &[&str] = &["libc", "libgcc", "pthread", "vdso"];

/// Samples this process for a while; the profile is compressed.
///
/// # Errors
/// `Busy` when one is being taken; `Cpu` when the sampler fails; `Lost` when the process shuts down.
///
/// # Cancellation
/// Dropped, it ends the sampling and gives nothing.
pub async fn cpu(request: CpuRequest, tasks: &Tasks) -> Result<Vec<u8>, ProfileError> {
    let permit = SAMPLER.try_acquire().map_err(|_| ProfileError::Busy)?;
    let hertz = i32::try_from(request.hertz.get()).expect("the bound is far below");
    let guard = pprof::ProfilerGuardBuilder::default()
        .frequency(hertz)
        .blocklist(NOT_WALKED)
        .build()
        .map_err(ProfileError::Cpu)?;
    tokio::time::sleep(request.duration()).await;
    // Names are looked up in the debug information, which takes up to seconds.
    let encoded = tasks.spawn_blocking("cpu profile", move || {
        let profile = guard.report().build().and_then(|report| report.pprof());
        drop(guard);
        drop(permit);
        profile.map(encode::cpu).map_err(ProfileError::Cpu)
    });
    encoded.await.map_err(ProfileError::Lost)?
}
