//! Bitswap messages as bytes.
//!
//! Bounds come before memory: a frame is refused by its announced length, lists are cut while they
//! are read, and a block exists only once its hash was computed. Decoding therefore costs hashing and
//! belongs off the task that drives the network.

mod decode;
mod encode;
mod fields;

pub use decode::decode;
pub use encode::encode;

use ipfs::{Block, Cid};

/// Longest message in bytes, its length prefix not counted.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most wants that are read from one message; further ones are dropped and counted.
pub const WANTS_MAX: usize = 1024;
/// Most cancels that are read from one message: they free memory, so more are let in than wants.
pub const CANCELS_MAX: usize = 4096;
/// Most presences that are read from one message.
pub const PRESENCES_MAX: usize = 4096;
/// Most blocks that are read from one message: each costs a hash, however short it is.
pub const BLOCKS_MAX: usize = 4096;

/// Longest varint that can announce a message within [`MESSAGE_BYTES_MAX`].
const FRAME_VARINT_BYTES: usize = 4;

/// A version of the protocol, as negotiated for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// `/ipfs/bitswap`: the words of 1.0 before they had a number.
    Unversioned,
    /// `/ipfs/bitswap/1.0.0`: blocks without CIDs.
    V1_0,
    /// `/ipfs/bitswap/1.1.0`: blocks with CID prefixes.
    V1_1,
    /// `/ipfs/bitswap/1.2.0`: HAVE and DONT_HAVE.
    V1_2,
}

impl ProtocolVersion {
    /// All versions, the one to prefer first.
    pub const ALL: [Self; 4] = [Self::V1_2, Self::V1_1, Self::V1_0, Self::Unversioned];

    /// The name that is negotiated.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unversioned => "/ipfs/bitswap",
            Self::V1_0 => "/ipfs/bitswap/1.0.0",
            Self::V1_1 => "/ipfs/bitswap/1.1.0",
            Self::V1_2 => "/ipfs/bitswap/1.2.0",
        }
    }

    /// The version with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }

    /// Whether HAVE and DONT_HAVE can be said.
    pub fn has_presences(self) -> bool {
        self == Self::V1_2
    }

    /// Whether blocks travel with the prefix of their CID.
    pub fn has_prefixes(self) -> bool {
        matches!(self, Self::V1_1 | Self::V1_2)
    }
}

/// What a want asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WantType {
    /// The block.
    Block,
    /// Whether the peer has it.
    Have,
}

/// Whether a peer has a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// It has it.
    Have,
    /// It does not.
    DontHave,
}

/// One line of a wantlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantEntry {
    /// What is wanted, or wanted no more.
    pub cid: Cid,
    /// Urgency among the wants of one peer; higher is sooner.
    pub priority: i32,
    /// Takes an earlier want back.
    pub cancel: bool,
    /// Block or presence.
    pub want_type: WantType,
    /// Whether absence is to be answered.
    pub send_dont_have: bool,
}

/// A message to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Changes of our wantlist, or all of it.
    pub wants: Vec<WantEntry>,
    /// Whether `wants` replaces what the peer knew of us.
    pub full: bool,
    /// Blocks that the peer wanted.
    pub blocks: Vec<Block>,
    /// Answers about blocks that the peer wanted.
    pub presences: Vec<(Cid, Presence)>,
    /// Bytes of blocks that are queued for the peer after this message.
    pub pending_bytes: i32,
}

/// A message that came, every block of it proven.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// Wants and cancels in their order.
    pub wants: Vec<WantEntry>,
    /// Whether `wants` replaces what was known of the peer.
    pub full: bool,
    /// Blocks, each hashed.
    pub blocks: Vec<Block>,
    /// What the peer has and lacks.
    pub presences: Vec<(Cid, Presence)>,
    /// What was left out.
    pub dropped: Dropped,
}

/// What was left out of a received message, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Blocks and entries under a hash that is not accepted.
    pub unknown_hashes: u64,
    /// Entries over the bounds of one message.
    pub over_bounds: u64,
    /// CIDs and prefixes that do not parse, and blocks over the limit of one block.
    pub malformed: u64,
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The announced length is over [`MESSAGE_BYTES_MAX`], or is no length.
    #[error("message is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// The bytes are not protobuf.
    #[error("message is not protobuf: {0}")]
    Malformed(&'static str),
}

/// Reads the length prefix of a frame: the bytes of the prefix and of the message that follows.
///
/// `None` means that more bytes are needed to tell. The length is judged before any of the message
/// has to be buffered.
///
/// # Errors
/// [`WireError::TooLong`].
pub fn frame_len(bytes: &[u8]) -> Result<Option<(usize, usize)>, WireError> {
    let mut body = 0;
    for (at, byte) in bytes.iter().take(FRAME_VARINT_BYTES).enumerate() {
        body |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let fits = body <= MESSAGE_BYTES_MAX;
            return if fits { Ok(Some((at + 1, body))) } else { Err(WireError::TooLong) };
        }
    }
    if bytes.len() >= FRAME_VARINT_BYTES { Err(WireError::TooLong) } else { Ok(None) }
}

#[cfg(test)]
mod tests;
