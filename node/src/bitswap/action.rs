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
    /// The block. For a [`WantType::Have`] only when it is at most
    /// [`Config::have_block_bytes_max`](super::Config::have_block_bytes_max) long: it is then sent in
    /// place of the HAVE.
    Block(Block),
    /// It is there; enough for a [`WantType::Have`].
    Have,
    /// It is not there.
    Missing,
}
