//! What retrieval counts.
//!
//! A request is counted once, when it ends; a flight is counted while it lasts.

use telemetry::metrics::{Counter, Family, Gauge, Label, Registry};

use super::{Fetched, RetrieveError, Source};

/// The series of the retrieve room.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Requests for a block that ended, by how.
    pub requests: Family<Ended, Counter>,
    /// Requests that joined a search under way.
    pub joined: Counter,
    /// Searches under way.
    pub flights: Gauge,
    /// Sessions that are kept.
    pub sessions: Gauge,
}

impl Metrics {
    /// Registers the room's series, all at zero.
    pub fn new(registry: &Registry) -> Self {
        Self {
            requests: registry.counter_family(
                "bifrost_node_retrieve_requests_total",
                "Requests for a block that ended, by how.",
            ),
            joined: registry.counter(
                "bifrost_node_retrieve_joined_total",
                "Requests that joined a search under way.",
            ),
            flights: registry.gauge("bifrost_node_retrieve_flights", "Searches under way."),
            sessions: registry.gauge("bifrost_node_retrieve_sessions", "Sessions that are kept."),
        }
    }
}

/// How a request for a block ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The store had it.
    Store,
    /// A peer gave it.
    Network,
    /// Nobody has it.
    NoProviders,
    /// Nobody delivered it.
    Unreachable,
    /// Its deadline passed.
    Timeout,
    /// Only the store was asked, and lacks it.
    NotLocal,
    /// Too many blocks were wanted.
    Overloaded,
    /// The node failed or was stopping.
    Failed,
}

impl Ended {
    pub(super) fn of(result: &Result<Fetched, RetrieveError>) -> Self {
        match result {
            Ok(Fetched { source: Source::Store, .. }) => Self::Store,
            Ok(Fetched { source: Source::Network, .. }) => Self::Network,
            Err(RetrieveError::NoProviders(_)) => Self::NoProviders,
            Err(RetrieveError::Unreachable(_)) => Self::Unreachable,
            Err(RetrieveError::Timeout(_)) => Self::Timeout,
            Err(RetrieveError::NotLocal) => Self::NotLocal,
            Err(RetrieveError::Overloaded) => Self::Overloaded,
            Err(RetrieveError::Store(_) | RetrieveError::Stopped) => Self::Failed,
        }
    }
}

impl Label for Ended {
    const NAME: &'static str = "ended";
    const ALL: &'static [Self] = &[
        Self::Store,
        Self::Network,
        Self::NoProviders,
        Self::Unreachable,
        Self::Timeout,
        Self::NotLocal,
        Self::Overloaded,
        Self::Failed,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Network => "network",
            Self::NoProviders => "no_providers",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::NotLocal => "not_local",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}
