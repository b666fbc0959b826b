//! The fleet as its users meet it: real processes, real content, peers and browsers that are not ours.
//!
//! One program holds every scenario: linking is most of what a test build costs.

mod add_and_browse;
mod bad_content;
mod bad_input;
mod bad_node;
mod drain;
mod helia_bitswap;
mod ipns;
mod kill_node;
mod mirror;
mod observe;
mod pages;
mod profiles;
mod publish;
mod up;
mod verified_fetch;
mod website;
