//! Holds the tree to the house rules that neither the compiler nor Clippy can see.
//!
//! The checks read text, not syntax: each is simple enough to be right about what it flags, and what
//! it cannot see is left to review.

mod changelog;
mod edges;
mod floors;
mod headers;
mod knobs;
mod policy;
mod shape;
mod tree;
