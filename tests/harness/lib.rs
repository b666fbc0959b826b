//! What the fleet's tests and its load program share: a fleet of real processes, a plain HTTP client,
//! nodes that misbehave on purpose, content made from a seed, and the peers that are not ours.
//!
//! Everything here blocks and uses threads. A test then reads top to bottom, and nothing that is
//! under test (the async runtime, hyper, our own client) is also what measures it.

pub mod content;
pub mod faulty;
pub mod fleet;
pub mod http;
pub mod interop;
pub mod metrics;
pub mod process;
pub mod prometheus;
pub mod up;

pub use content::{bytes_of_seed, sha256_hex};
pub use faulty::{FaultyNode, Mode};
pub use fleet::{Fleet, FleetPlan};
pub use http::{Answer, Ending, get};
