//! What the engine asks its owner to do, and what it asks back.
//!
//! Closed on purpose: an owner that handles every action keeps the protocol.

use ipfs::{Block, Cid};
use libp2p_identity::PeerId;

use super::wire::{Message, WantType};

/// One fetch of one DAG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(super) u64);

/// Names one [`Action::Lookup`], so that its answer finds its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(super) u64);

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Write a message to the peer's stream, then call [`Engine::sent`](super::Engine::sent) or
    /// [`Engine::send_failed`](super::Engine::send_failed). No other `Send` for this peer comes
    /// before that.
    Send {
        /// To whom.
        peer: PeerId,
        /// What; encode it for the version that was negotiated.
        message: Message,
    },
    /// Look these wants up in the blockstore, then call
    /// [`Engine::looked_up`](super::Engine::looked_up).
    Lookup {
        /// Goes back with the answer.
        ticket: Ticket,
        /// Whose wants they are.
        peer: PeerId,
        /// A bounded batch, most urgent first.
        wants: Vec<(Cid, WantType)>,
        /// How much may be read for it.
        bounds: LookupBounds,
    },
    /// A block that a session wanted. Store it, then call
    /// [`Engine::have_locally`](super::Engine::have_locally), which answers peers that wait for it.
    Deliver {
        /// Who wanted it.
        session: SessionId,
        /// The block, under the CID that was wanted.
        block: Block,
    },
    /// A want that ended without its block.
    Failed {
        /// Who wanted it.
        session: SessionId,
        /// What was wanted.
        cid: Cid,
        /// How the search ended.
        why: WantFailure,
    },
    /// Close the connection to a peer.
    Disconnect {
        /// To whom.
        peer: PeerId,
        /// What it did.
        why: DisconnectReason,
    },
}

/// How a want ended without its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum WantFailure {
    /// No peer of the session was connected for the whole wait.
    #[error("no connected peer to ask")]
    NoPeers,
    /// Every connected peer of the session said that it lacks the block.
    #[error("no peer that was asked has the block")]
    AllDontHave,
    /// Peers were asked and nothing came.
    #[error("peers were asked and none delivered in time")]
    TimedOut,
    /// This node wants too many blocks already; nothing was asked.
    #[error("too many blocks are wanted at once")]
    TooManyWants,
}

/// Why a peer is to be disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum DisconnectReason {
    /// It did not take a message for [`Config::send_stall`](super::Config::send_stall).
    #[error("did not read a message in time")]
    Stalled,
    /// It sent more than [`Config::unsolicited_bytes_max`](super::Config::unsolicited_bytes_max) of
    /// blocks that nobody asked it for.
    #[error("sent too many bytes that nobody asked for")]
    Unsolicited,
    /// Its streams failed or broke
    /// [`Config::send_failures_max`](super::Config::send_failures_max) times in a row.
    #[error("its streams broke too often")]
    Broken,
}

/// How much of a blockstore one [`Action::Lookup`] may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupBounds {
    /// Sum of the blocks that are found; the first is read even if it is longer.
    pub bytes: u64,
    /// Longest block that is read for a [`WantType::Have`], to be sent in place of the HAVE.
    pub have_bytes: u64,
}

impl LookupBounds {
    /// How many wants of a list can be answered: those before the first whose block is over the
    /// bounds. `size_of` gives the length of a block that is there.
    pub fn fitting(
        &self,
        wants: &[(Cid, WantType)],
        mut size_of: impl FnMut(&Cid) -> Option<u64>,
    ) -> usize {
        let mut sum = 0_u64;
        let over = wants.iter().position(|(cid, want_type)| {
            let size = size_of(cid).filter(|size| self.is_sent(*want_type, *size));
            let first = sum == 0;
            sum = sum.saturating_add(size.unwrap_or(0));
            !first && sum > self.bytes
        });
        over.unwrap_or(wants.len())
    }

    /// Whether a want is answered with the block itself, of this length.
    pub fn is_sent(&self, want_type: WantType, size: u64) -> bool {
        want_type == WantType::Block || size <= self.have_bytes
    }
}

/// The answer to an [`Action::Lookup`]: one entry per want, in the order of the wants.
///
/// It may be shorter than the wants; what is left out is asked again later. When it is empty the
/// lookup failed, and every want is answered as [`Found::Missing`].
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// What was found for each want.
    pub found: Vec<Found>,
}

/// What the blockstore knows of one want.
#[derive(Debug, Clone)]
pub enum Found {
    /// The block. For a [`WantType::Have`] only when it is at most [`LookupBounds::have_bytes`] long: it
    /// is then sent in place of the HAVE.
    Block(Block),
    /// It is there; enough for a [`WantType::Have`].
    Have,
    /// It is not there.
    Missing,
}

#[cfg(test)]
mod tests {
    use ipfs::Codec;

    use super::*;

    #[test]
    fn lookup_stops_at_its_bytes_and_holds_one_block_at_least() {
        let sizes = [10_u64, 2000, 0, 900, 5000];
        let block = |size: &u64| {
            let data = vec![1; usize::try_from(*size).expect("short")];
            Block::of(Codec::Raw, data.into()).expect("a short block")
        };
        let blocks: Vec<Block> = sizes.iter().map(block).collect();
        let size_of = |cid: &Cid| {
            let found = blocks.iter().find(|block| block.cid() == cid);
            found.map(|block| block.data().len() as u64)
        };
        let wants = |want_type| -> Vec<_> {
            blocks.iter().map(|block| (*block.cid(), want_type)).collect()
        };
        for (want_type, bytes, have_bytes, fit) in [
            (WantType::Block, 1, 0, 1),
            (WantType::Block, 2009, 0, 1),
            (WantType::Block, 2010, 0, 3),
            (WantType::Block, 100_000, 0, 5),
            (WantType::Have, 1, 0, 5),
            (WantType::Have, 500, 1024, 3),
            (WantType::Have, 1000, 1024, 5),
        ] {
            let bounds = LookupBounds { bytes, have_bytes };
            let fitting = bounds.fitting(&wants(want_type), size_of);
            assert_eq!(fitting, fit, "{want_type:?} {bounds:?}");
        }
        let bounds = LookupBounds { bytes: 1, have_bytes: 0 };
        assert_eq!(bounds.fitting(&wants(WantType::Block)[1..], size_of), 1);
    }
}
