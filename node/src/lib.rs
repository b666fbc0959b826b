//! One member of the pool.
//!
//! A request goes `accept → serve → retrieve → (blockstore, else a bitswap session) → answer`. The
//! rooms below are listed in that order; `server` binds them and owns every task.

pub mod config;
pub mod describe;
pub mod headers;
pub mod outcome;
pub mod server;

pub mod accept;
pub mod serve;

pub mod retrieve;

pub mod blockstore;

pub mod records;

pub mod swarm;

pub mod bitswap;

pub mod admin;
pub mod import;
mod local;
