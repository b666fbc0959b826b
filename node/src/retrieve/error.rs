//! How a retrieval ends without a block, and how far it came.
//!
//! Shared by all who waited for the same flight, so it is cheap to clone.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use ipfs::trustless::{Phase, Retrieval, RetrievalOutcome};

use crate::bitswap::WantFailure;
use crate::swarm::{GetError, StoreFault, SwarmError};

/// Why there is no block.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RetrieveError {
    /// Nobody who was asked has it, or there was nobody to ask.
    #[error("nobody provides the block ({0})")]
    NoProviders(Retrieval),
    /// Peers were asked and none delivered.
    #[error("no peer delivered the block ({0})")]
    Unreachable(Retrieval),
    /// The caller's deadline passed.
    #[error("no time is left for the block ({0})")]
    Timeout(Retrieval),
    /// It is not in the node's store, and only that was asked.
    #[error("the block is not in the store")]
    NotLocal,
    /// The node wants too many blocks already.
    #[error("too many blocks are wanted at once")]
    Overloaded,
    /// The node's store failed.
    #[error("the store failed: {0}")]
    Store(#[source] Arc<dyn Error + Send + Sync>),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
}

impl RetrieveError {
    /// How far the retrieval came, for the headers of the answer.
    pub fn retrieval(&self) -> Option<&Retrieval> {
        match self {
            Self::NoProviders(state) | Self::Unreachable(state) | Self::Timeout(state) => {
                Some(state)
            }
            Self::NotLocal | Self::Overloaded | Self::Store(_) | Self::Stopped => None,
        }
    }

    pub(super) fn store(fault: StoreFault) -> Self {
        Self::Store(Arc::from(fault))
    }

    pub(super) fn deadline(started: Instant, connected: u32) -> Self {
        let outcome = RetrievalOutcome::Timeout;
        Self::Timeout(state(Phase::Data, outcome, connected, connected, started))
    }

    pub(super) fn network(error: GetError, started: Instant, connected: u32) -> Self {
        match error {
            GetError::Failed(WantFailure::NoPeers | WantFailure::AllDontHave) => {
                let outcome = RetrievalOutcome::NoProviders;
                Self::NoProviders(state(Phase::Providers, outcome, 0, connected, started))
            }
            GetError::Failed(WantFailure::TimedOut) => {
                let outcome = RetrievalOutcome::Unreachable;
                Self::Unreachable(state(Phase::Data, outcome, connected, connected, started))
            }
            GetError::Failed(WantFailure::TooManyWants) => Self::Overloaded,
            GetError::Deadline => Self::deadline(started, connected),
            GetError::Stopped => Self::Stopped,
        }
    }
}

impl From<SwarmError> for RetrieveError {
    /// A session fails to open only when the host has stopped.
    fn from(_: SwarmError) -> Self {
        Self::Stopped
    }
}

fn state(
    phase: Phase,
    outcome: RetrievalOutcome,
    providers: u32,
    connected: u32,
    started: Instant,
) -> Retrieval {
    Retrieval { phase, providers, connected, elapsed: started.elapsed(), outcome: Some(outcome) }
}
