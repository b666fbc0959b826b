//! Profiles in the form that `go tool pprof` reads: processor time, memory and tasks.
//!
//! Each is taken on request and one at a time; a process that nobody asks pays for none.

mod cpu;
mod encode;
mod heap;
mod names;
pub mod read;

use std::num::NonZeroU32;
use std::time::Duration;

pub use cpu::cpu;
pub use heap::{HeapProfile, heap, sample_heap};

use crate::Tasks;

/// Longest processor profile.
pub const CPU_SECONDS_MAX: u32 = 60;

/// Highest sampling rate; above it the profiler is what the profile shows.
pub const CPU_HERTZ_MAX: u32 = 199;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// One is being taken.
    #[error("a profile of this kind is being taken: try again when it is done")]
    Busy,
    /// The length or rate is out of bounds.
    #[error("{what} is {asked}: ask for 1 to {max}")]
    Bounds {
        /// `seconds` or `hz`.
        what: &'static str,
        /// What was asked.
        asked: u32,
        /// The bound.
        max: u32,
    },
    /// The sampler failed.
    #[error("could not sample the processor: {0}")]
    Cpu(String),
    /// The allocator of this build does not profile.
    #[error("the allocator of this build takes no profiles: it needs jemalloc with prof:true")]
    NoHeap,
    /// The allocator failed.
    #[error("could not take a heap profile: {0}; it needs a temporary folder that can be written")]
    Heap(String),
    /// The task that worked on it did not end well.
    #[error("the profile was lost")]
    Lost(#[source] crate::TaskError),
}

/// How a processor profile is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuRequest {
    seconds: NonZeroU32,
    hertz: NonZeroU32,
}

impl CpuRequest {
    /// A profile of so many seconds at so many samples per second.
    ///
    /// # Errors
    /// `Bounds` when one of them is zero or over its bound.
    pub fn new(seconds: u32, hertz: u32) -> Result<Self, ProfileError> {
        let within = |what, asked: u32, max| {
            let bounds = ProfileError::Bounds { what, asked, max };
            NonZeroU32::new(asked).filter(|number| number.get() <= max).ok_or(bounds)
        };
        Ok(Self {
            seconds: within("seconds", seconds, CPU_SECONDS_MAX)?,
            hertz: within("hz", hertz, CPU_HERTZ_MAX)?,
        })
    }

    fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds.get()))
    }
}

/// The running tasks by name, as a profile that counts them; stands for Go's goroutine profile.
#[must_use]
pub fn tasks(tasks: &Tasks) -> Vec<u8> {
    encode::tasks(&tasks.alive())
}

/// Lets go of what names were looked up in: the debug information of the whole process, several times
/// what it serves from, which would be held for good for the sake of one profile a night.
fn forget_names() {
    backtrace::clear_symbol_cache();
}

#[cfg(test)]
mod tests;
