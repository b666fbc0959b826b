//! Gets one block from the pool of nodes, and spends the deadline on it.
//!
//! Prefers a second node over waiting for a silent one: a node that says nothing for a while is
//! hedged rather than dropped, since it may be searching the network, and whichever gives proven
//! bytes first wins. Every retry is paid from a budget, so a sick pool is not asked harder.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ipfs::trustless::Retrieval;
use ipfs::{Block, BlockError, Cid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout_at};

mod attempt;
mod failure;
mod node;
mod pool;
mod record;

pub(crate) use attempt::Ask;
use attempt::{Answer, Miss};
pub(crate) use failure::{Failure, FetchError};
use node::Overtaken;
pub(crate) use pool::{Pool, Shared};
pub(crate) use record::{RecordAsk, RecordFailure, record};

use crate::metrics::NODES_MAX;
use crate::outcome::Source;

/// How a node is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Pooled HTTP/1.1 connections.
    #[default]
    Http1,
    /// Cleartext HTTP/2 with prior knowledge.
    H2c,
}

/// One node of the pool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Its address, as `http://host:port`.
    pub url: String,
    /// How it is spoken to: `http1` or `h2c`. Default `http1`.
    #[serde(default)]
    pub protocol: Protocol,
}

/// How the nodes are asked.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The nodes: any trustless gateways, at most 16. Default one at `http://127.0.0.1:8180`. Can
    /// be reloaded.
    pub nodes: Vec<NodeConfig>,
    /// Longest time to connect to a node. Default 1 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub connect_timeout: Duration,
    /// How long a node may be silent before another one is asked as well. Default 2 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub hedge_after: Duration,
    /// Longest time between two reads of an answer. Default 2 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub stall_timeout: Duration,
    /// Longest time that one block may take, all nodes together. Default 30 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub block_timeout: Duration,
    /// Failures in a row after which a node is left alone for a while. Default 5. Zero never
    /// leaves it alone.
    pub eject_after: u32,
    /// How long a node is left alone at first; doubles up to four times that. Default 1 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub eject_for: Duration,
    /// Share of requests by which retries may add to the load. Default 0.2.
    pub retry_ratio: f64,
    /// Retries that are saved up for a burst of failures. Default 500. Zero allows none.
    pub retry_burst: u32,
    /// How much above its even share a node may be loaded before the next one is preferred.
    /// Default 1.25.
    pub load_factor: f64,
    /// Requests in flight below which a node is never thought loaded. Default 64.
    pub load_floor: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: vec![NodeConfig {
                url: "http://127.0.0.1:8180".to_owned(),
                protocol: Protocol::Http1,
            }],
            connect_timeout: Duration::from_secs(1),
            hedge_after: Duration::from_secs(2),
            stall_timeout: Duration::from_secs(2),
            block_timeout: Duration::from_secs(30),
            eject_after: 5,
            eject_for: Duration::from_secs(1),
            retry_ratio: 0.2,
            retry_burst: 500,
            load_factor: 1.25,
            load_floor: 64,
        }
    }
}

impl Config {
    /// Says what is wrong with the nodes, if anything.
    ///
    /// # Errors
    /// A text that says which key is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.nodes.is_empty() || self.nodes.len() > NODES_MAX {
            return Err(format!("upstream.nodes must name between 1 and {NODES_MAX} nodes"));
        }
        (0_u8..).zip(&self.nodes).try_for_each(|(index, node)| {
            node::authority(index, node)?;
            Ok(())
        })
    }

    /// Whether what concerns single nodes is the same, so that they can be kept.
    fn is_same_of_nodes(&self, other: &Self) -> bool {
        let of = |config: &Self| {
            (
                config.connect_timeout,
                config.stall_timeout,
                config.hedge_after,
                config.eject_after,
                config.eject_for,
            )
        };
        of(self) == of(other)
    }
}

/// Proves bytes against a CID.
pub(crate) type Prove = fn(Cid, Bytes) -> Result<Block, BlockError>;

/// A block and where it came from.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The proven block.
    pub(crate) block: Block,
    /// Whether the node had it or fetched it.
    pub(crate) source: Source,
    /// The node's place in the configured pool.
    pub(crate) node: u8,
    /// How many attempts it took.
    pub(crate) tried: u8,
}

/// What one failed fetch learnt.
#[derive(Debug, Default)]
struct Learnt {
    failure: Option<Failure>,
    state: Option<Retrieval>,
    tried: u8,
    /// Whether some node said nothing of the content: it was left alone, or failed.
    unheard: bool,
}

impl Learnt {
    fn add(&mut self, miss: &Miss) {
        self.unheard |= miss.failure.is_about_node();
        if let Some(state) = miss.state {
            self.state = Some(state);
        }
        self.failure = match self.failure {
            Some(known) if known >= miss.failure => Some(known),
            _ => Some(miss.failure),
        };
    }

    fn into_error(self, cid: Cid, otherwise: Failure) -> FetchError {
        let mut failure = self.failure.unwrap_or(otherwise);
        // Nobody else has it, and the node that did not speak may.
        if failure == Failure::NoProviders && self.unheard {
            failure = Failure::Unreachable;
        }
        FetchError { state: self.state, nodes_tried: self.tried, ..FetchError::of(cid, failure) }
    }
}

/// Gets the block that is asked for from some node.
///
/// # Errors
/// [`FetchError`] with what the nodes said, the most telling first.
///
/// # Cancellation
/// Dropping the future drops every request that is under way.
pub(crate) async fn fetch(pool: &Pool, ask: &Ask, prove: Prove) -> Result<Fetched, FetchError> {
    let mut order = pool.order(&ask.root);
    if order.is_empty() {
        return Err(Learnt::default().into_error(ask.cid, Failure::NoNode));
    }
    // A connection that the node closed while it was idle fails before anything was asked, so the
    // first node is asked once more at the end.
    order.push(Arc::clone(&order[0]));
    let again = order.len() - 1;
    let deadline = ask.deadline.min(Instant::now() + pool.config().block_timeout);
    let mut attempts = FuturesUnordered::new();
    let overtaken = Overtaken::default();
    let mut learnt = Learnt { unheard: again < pool.size(), ..Learnt::default() };
    let mut next = 0;
    let mut only_if_cached = ask.only_if_cached;
    let mut start = Some(Start::First);
    loop {
        if let Some(why) = start.take().filter(|_| next < order.len()) {
            if matches!(why, Start::First | Start::Elsewhere) || pool.budget().withdraw() {
                let node = Arc::clone(&order[next]);
                learnt.tried = learnt.tried.saturating_add(1);
                let overtaken = Arc::clone(&overtaken);
                attempts.push(attempt::run(node, ask, prove, only_if_cached, deadline, overtaken));
                next += 1;
            } else if why == Start::Again {
                next = order.len();
            }
        }
        let hedge_at = Instant::now() + pool.config().hedge_after;
        let can_hedge = next < again && attempts.len() < 2;
        tokio::select! {
            ended = attempts.next() => match ended {
                None => return Err(learnt.into_error(ask.cid, Failure::NoNode)),
                Some(Ok(Answer { block, source, node })) => {
                    overtaken.store(true, Relaxed);
                    return Ok(Fetched { block, source, node, tried: learnt.tried });
                }
                Some(Err(miss)) => {
                    learnt.add(&miss);
                    if miss.failure.is_final() {
                        return Err(learnt.into_error(ask.cid, miss.failure));
                    }
                    // What one node could not find on the network is not searched for again, but
                    // another node may have it.
                    only_if_cached |= miss.failure.is_about_content();
                    if next < again || miss.unanswered {
                        let is_well = !miss.failure.is_about_node();
                        start = Some(if is_well { Start::Elsewhere } else { Start::Again });
                    }
                }
            },
            () = sleep_until(hedge_at), if can_hedge => start = Some(Start::Hedge),
            () = sleep_until(deadline) => {
                return Err(learnt.into_error(ask.cid, Failure::Timeout));
            }
        }
    }
}

/// Why a node is asked. What is done because nodes fail or are slow is paid from the budget, so that
/// a sick pool is not asked several times over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// It is the first.
    First,
    /// A well node does not have the block.
    Elsewhere,
    /// A node failed.
    Again,
    /// A node is slow.
    Hedge,
}

/// Waits for a future no longer than until a deadline.
async fn within<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    timeout_at(deadline, future).await.ok()
}
