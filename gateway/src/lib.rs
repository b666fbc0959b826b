//! The stateless HTTP gateway: it proves every byte that it sends, and explains every failure.
//!
//! The rooms below stand in the order in which a request passes them; `serve` is the line itself.
//! Only the joints, `serve` and `blocks`, call rooms; a room may name types of earlier ones.

mod accept;
mod blocks;
mod cache;
mod classify;
pub mod config;
mod denylist;
pub mod describe;
mod error;
pub mod headers;
mod limit;
mod metrics;
mod mirror;
mod names;
mod outbound;
mod outcome;
mod render;
mod resolve;
mod serve;
pub mod server;
mod stream;
mod upstream;
mod verify;

pub use render::policy;
