//! Why a block could not be had from any node.

use std::sync::Arc;

use ipfs::Cid;
use ipfs::trustless::Retrieval;

use crate::denylist::Denied;

/// What kept a node from giving a block. Later ones tell more: of several, the last in this order
/// is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// No node has it, and the network was not to be asked.
    NotCached,
    /// No node is well, or none could be reached.
    NoNode,
    /// The nodes are too busy or draining.
    Busy,
    /// The nodes were too slow.
    Timeout,
    /// The search finished and nobody has it.
    NoProviders,
    /// Somebody has it, and nobody delivered it.
    Unreachable,
    /// The nodes gave bytes that are not the block.
    BadBytes,
    /// The content is malformed below a correct hash.
    BadContent,
    /// A list of this gateway denies it, or the node's operator has blocked it.
    Blocked,
}

impl Failure {
    /// Whether no other node can do better.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Failure::Blocked | Failure::BadContent)
    }

    /// Whether it tells of the content on the network rather than of the node.
    pub(super) fn is_about_content(self) -> bool {
        matches!(self, Failure::NoProviders | Failure::Unreachable)
    }

    /// Whether it tells of the node alone, which may have the content for all that is known.
    pub(super) fn is_about_node(self) -> bool {
        match self {
            Failure::NoNode | Failure::Busy | Failure::Timeout | Failure::BadBytes => true,
            Failure::NotCached
            | Failure::NoProviders
            | Failure::Unreachable
            | Failure::BadContent
            | Failure::Blocked => false,
        }
    }

    /// Its word in logs and metrics.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Failure::NotCached => "not cached",
            Failure::NoNode => "no healthy node",
            Failure::Busy => "nodes are busy",
            Failure::Timeout => "nodes were too slow",
            Failure::NoProviders => "no providers",
            Failure::Unreachable => "providers did not deliver",
            Failure::BadBytes => "nodes gave bytes that are not the block",
            Failure::BadContent => "malformed content",
            Failure::Blocked => "blocked",
        }
    }
}

/// A block could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not fetch {cid}: {}", .failure.text())]
pub(crate) struct FetchError {
    /// The block.
    pub(crate) cid: Cid,
    /// Why.
    pub(crate) failure: Failure,
    /// How far a node's search came, by its own word.
    pub(crate) state: Option<Retrieval>,
    /// How many requests were sent to nodes.
    pub(crate) nodes_tried: u8,
    /// The list that denies it, if one of this gateway's does.
    pub(crate) denied: Option<Arc<Denied>>,
}

impl FetchError {
    /// A failure that no node has a part in.
    pub(crate) fn of(cid: Cid, failure: Failure) -> Self {
        Self { cid, failure, state: None, nodes_tried: 0, denied: None }
    }

    /// A block that a list of this gateway denies.
    pub(crate) fn denied(cid: Cid, denied: Denied) -> Self {
        Self { denied: Some(Arc::new(denied)), ..Self::of(cid, Failure::Blocked) }
    }
}
