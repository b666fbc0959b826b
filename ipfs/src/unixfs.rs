//! UnixFS: files, directories and symbolic links as DAGs of dag-pb nodes and raw leaves.
//!
//! Readers here fetch nothing: they take verified blocks and say which they want next. What a
//! block declares of itself (sizes, fanouts) is a claim by a stranger and is checked before use.

pub mod hamt;
pub mod import;
pub mod listing;
pub mod meta;

pub use meta::{Kind, Meta, UnixfsError};
