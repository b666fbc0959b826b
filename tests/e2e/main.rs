//! The fleet as its users meet it: real processes, real content, peers and browsers that are not ours.
//!
//! One program holds every scenario: linking is most of what a test build costs.

mod add_and_browse;
mod bad_content;
mod bad_input;
mod bad_node;
mod drain;
mod example_node;
mod helia_bitswap;
mod hosts;
mod ipns;
mod kill_node;
mod mirror;
mod notes;
mod observe;
mod packages;
mod pages;
mod profiles;
mod publish;
mod reference;
mod service;
mod up;
mod verified_fetch;
mod website;
