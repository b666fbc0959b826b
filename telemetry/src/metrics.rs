//! Metrics: a registry, and series whose labels are closed enums.
//!
//! Every series exists at zero from the start, so that a rate over it is never absent, and counting
//! is an index into an array and one atomic addition. The price is that a label cannot take a value
//! that was not declared, which is also what keeps the number of series bounded.

mod family;
mod label;
mod registry;

pub use family::{Family, Histogram, Listed, Metric};
pub use label::{Label, Labels};
pub use registry::{Described, Registry};
pub(crate) use registry::{counter, gauge};

/// A count that only grows.
pub type Counter = prometheus::IntCounter;

/// A whole number that goes up and down.
pub type Gauge = prometheus::IntGauge;

/// Upper bounds in seconds for waits of clients. They hold 0.3 and 30, the promised bounds for
/// cached and uncached content.
pub const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];

/// Upper bounds in seconds for work within a process, from 50 µs.
pub const FINE_SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0,
];

/// Upper bounds in bytes, from 1 KiB by fours to 1 GiB.
pub const BYTES: &[f64] = &[
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
];

#[cfg(test)]
mod tests;
