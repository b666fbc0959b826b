//! Where processor time goes.
//!
//! The sampler is one per process and is driven by a timer signal. It unwinds by the tables that
//! compilers emit for exceptions: walking frame pointers would lose the function that runs, and all
//! time within the C library. Nothing is allocated in the signal handler, except on its first run,
//! which is made here and not left to the timer.

use std::sync::LazyLock;

use nix::sys::signal::{Signal, raise};
use pprof::{ProfilerGuard, ProfilerGuardBuilder};
use tokio::sync::Semaphore;

use super::{CpuRequest, ProfileError, encode, forget_names};
use crate::Tasks;

/// The sampler of the process.
static SAMPLER: Semaphore = Semaphore::const_new(1);

/// Code that is not sampled: what finds unwind tables, which may hold the lock that the handler
/// needs for the same, and the kernel's own code, whose tables are wrong on some systems.
const NOT_SAMPLED: &[&str] = &["libgcc", "ld-linux", "vdso"];

/// The handler's first run, in which it reads the unwind tables of the process.
static WARM: LazyLock<Result<(), String>> = LazyLock::new(|| {
    // The timer fires after a second of processor time at the earliest, long after this has raised
    // the signal in a thread that holds nothing the handler could wait for.
    let guard = sampler(1).map_err(|error| error.to_string())?;
    let raised = raise(Signal::SIGPROF).map_err(|error| error.to_string());
    drop(guard);
    raised
});

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
    let begun = tasks.spawn_blocking("cpu profile begins", move || {
        WARM.clone().map_err(ProfileError::Cpu)?;
        sampler(hertz).map_err(|error| ProfileError::Cpu(error.to_string()))
    });
    let guard = begun.await.map_err(ProfileError::Lost)??;
    tokio::time::sleep(request.duration()).await;
    // Names are looked up in the debug information, which takes up to seconds.
    let encoded = tasks.spawn_blocking("cpu profile ends", move || {
        let report = guard.report().build();
        drop(guard);
        forget_names();
        drop(permit);
        report
            .map(|report| encode::cpu(&report))
            .map_err(|error| ProfileError::Cpu(error.to_string()))
    });
    encoded.await.map_err(ProfileError::Lost)?
}

fn sampler(hertz: i32) -> Result<ProfilerGuard<'static>, pprof::Error> {
    ProfilerGuardBuilder::default().frequency(hertz).blocklist(NOT_SAMPLED).build()
}
