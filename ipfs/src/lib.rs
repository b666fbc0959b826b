//! What is true of content: CIDs, verified blocks, CAR, dag-pb, UnixFS, structured data, IPNS
//! records, and the words that gateways and nodes say to each other.
//!
//! Nothing here opens a socket, reads a clock or starts a task: bytes go in, facts come out. Every
//! byte below a CID was written by a stranger, so each parser is bounded and none can panic.

pub mod answer;
pub mod block;
pub mod car;
pub mod cid;
pub mod dag;
pub mod dag_pb;
pub mod denylist;
pub mod dnslink;
pub mod ipns;
pub mod links;
pub mod path;
pub mod redirects;
pub mod resolve;
pub mod trustless;
pub mod unixfs;
pub mod walk;

pub use block::{Block, BlockError};
pub use cid::{Cid, CidError, Codec, Multihash};
