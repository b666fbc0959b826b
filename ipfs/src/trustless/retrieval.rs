//! How far a retrieval came: what a node tells a gateway so that a page can say what happened.
//!
//! Printed and read as an RFC 9651 dictionary. A reader ignores members that it does not know, so
//! nodes and gateways of different releases understand each other.

use std::fmt;
use std::time::Duration;

/// The stage that a retrieval reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Looking in the node's own store.
    Store,
    /// Searching for peers that provide the content.
    Providers,
    /// Connecting to the peers that were found.
    Connecting,
    /// Waiting for connected peers to deliver.
    Data,
    /// Finished.
    Done,
}

impl Phase {
    const ALL: [(Phase, &'static str); 5] = [
        (Phase::Store, "store"),
        (Phase::Providers, "providers"),
        (Phase::Connecting, "connecting"),
        (Phase::Data, "data"),
        (Phase::Done, "done"),
    ];

    /// The phase's name in the header.
    pub fn text(self) -> &'static str {
        Self::ALL.iter().find(|(phase, _)| *phase == self).map_or("store", |(_, text)| text)
    }
}

/// How a retrieval that gave no block ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetrievalOutcome {
    /// The search finished and nobody has the content.
    NoProviders,
    /// Providers are known, and none delivered.
    Unreachable,
    /// The node ran out of time on its own account.
    Timeout,
    /// The block is malformed below a correct hash.
    BadContent,
}

impl RetrievalOutcome {
    const ALL: [(RetrievalOutcome, &'static str); 4] = [
        (RetrievalOutcome::NoProviders, "no_providers"),
        (RetrievalOutcome::Unreachable, "unreachable"),
        (RetrievalOutcome::Timeout, "timeout"),
        (RetrievalOutcome::BadContent, "bad_content"),
    ];

    /// The outcome's name in the header.
    pub fn text(self) -> &'static str {
        Self::ALL.iter().find(|(outcome, _)| *outcome == self).map_or("timeout", |(_, text)| text)
    }
}

/// The state of one retrieval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retrieval {
    /// The stage that was reached.
    pub phase: Phase,
    /// How many peers are known to provide the content.
    pub providers: u32,
    /// To how many of them there was a connection.
    pub connected: u32,
    /// How long the node worked on it; whole milliseconds on the wire.
    pub elapsed: Duration,
    /// How it ended, when it gave no block.
    pub outcome: Option<RetrievalOutcome>,
}

impl Retrieval {
    /// Reads the header; `None` when it is not one.
    pub fn parse(header: &str) -> Option<Self> {
        let mut phase = None;
        let mut state = Self {
            phase: Phase::Store,
            providers: 0,
            connected: 0,
            elapsed: Duration::ZERO,
            outcome: None,
        };
        for member in header.split(',') {
            let (name, value) = member.trim().split_once('=')?;
            match name {
                "phase" => {
                    phase = Phase::ALL.iter().find(|(_, text)| *text == value).map(|(p, _)| *p);
                }
                "providers" => state.providers = value.parse().ok()?,
                "connected" => state.connected = value.parse().ok()?,
                "elapsed" => state.elapsed = Duration::from_millis(value.parse().ok()?),
                "outcome" => {
                    state.outcome = RetrievalOutcome::ALL
                        .iter()
                        .find(|(_, text)| *text == value)
                        .map(|(outcome, _)| *outcome);
                }
                _ => {}
            }
        }
        state.phase = phase?;
        Some(state)
    }
}

impl fmt::Display for Retrieval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "phase={}, providers={}, connected={}, elapsed={}",
            self.phase.text(),
            self.providers,
            self.connected,
            self.elapsed.as_millis()
        )?;
        match self.outcome {
            Some(outcome) => write!(f, ", outcome={}", outcome.text()),
            None => Ok(()),
        }
    }
}
