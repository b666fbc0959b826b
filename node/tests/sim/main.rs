//! Bitswap engines against each other, in a network that only exists in numbers.
//!
//! Every run is named by its seed, and every claim about time is in virtual time: none depends on
//! the machine, except the one that measures what the engine itself costs.

mod chance;
mod client;
mod content;
mod faults;
mod network;
mod random;
mod serving;
mod throughput;
