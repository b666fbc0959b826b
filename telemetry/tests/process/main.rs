//! A process from outside: its admin listener, its profiles and its traces, over real connections.
//!
//! It has the allocator of the binaries, without which there are no heap profiles.

mod admin;
mod client;
mod profiles;
mod traces;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
