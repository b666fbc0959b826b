//! Gets the record of an IPNS name from nodes.
//!
//! A record proves itself but not that it is the latest, so several nodes are asked at once and the
//! one that supersedes the others is taken.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use ipfs::ipns::{Name, RECORD_BYTES_MAX, Record, RecordError};
use ipfs::trustless;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::attempt::retry_after;
use super::node::{Node, Overtaken, Trial};
use super::{Pool, within};

/// How many nodes are asked for one record.
const NODES_ASKED: usize = 3;

/// What is asked of the pool, and on whose behalf.
#[derive(Debug, Clone)]
pub(crate) struct RecordAsk {
    /// The name.
    pub(crate) name: Name,
    /// When the answer is of no use any more.
    pub(crate) deadline: Instant,
    /// Whether the network is not to be asked.
    pub(crate) only_if_cached: bool,
    /// The id of the request that this is for.
    pub(crate) request_id: HeaderValue,
}

/// Why no node gave a valid record. Later ones tell more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum RecordFailure {
    /// No node could be asked.
    #[error("no healthy node")]
    NoNode,
    /// The nodes were too slow.
    #[error("nodes were too slow")]
    Timeout,
    /// Nodes were asked, and have none.
    #[error("no node has a record")]
    NotFound,
    /// What they have is a record whose time is over.
    #[error("the record has expired")]
    Expired,
    /// What they have is not a valid record of this name.
    #[error("{0}")]
    Invalid(String),
}

/// Proves bytes against a name.
pub(crate) type ProveRecord = fn(&Name, &[u8]) -> Result<Record, RecordError>;

/// Gets the record that supersedes all others that nodes have.
///
/// # Errors
/// [`RecordFailure`], the most telling of what the nodes said.
///
/// # Cancellation
/// Dropping the future drops every request that is under way.
pub(crate) async fn record(
    pool: &Pool,
    ask: &RecordAsk,
    prove: ProveRecord,
) -> Result<Record, RecordFailure> {
    let order = pool.order(&ask.name.cid());
    let asked = order.into_iter().take(NODES_ASKED);
    let mut answers: FuturesUnordered<_> = asked.map(|node| one(node, ask, prove)).collect();
    let mut best: Option<Record> = None;
    let mut failure = RecordFailure::NoNode;
    // Once there is a record, the others have only a little longer to bring a later one.
    let mut until = ask.deadline;
    loop {
        let answer = tokio::select! {
            answer = answers.next() => answer,
            () = sleep_until(until) => None,
        };
        match answer {
            Some(Ok(record)) => {
                if best.as_ref().is_none_or(|best| record.supersedes(best)) {
                    best = Some(record);
                }
                until = until.min(Instant::now() + pool.config().hedge_after / 8);
            }
            Some(Err(other)) => failure = failure.max(other),
            None => return best.ok_or(failure),
        }
    }
}

/// Asks one node.
async fn one(
    node: Arc<Node>,
    ask: &RecordAsk,
    prove: ProveRecord,
) -> Result<Record, RecordFailure> {
    let mut trial = Trial::begin(Arc::clone(&node), Overtaken::default());
    let answered = within(ask.deadline, node.client.request(request(&node, ask))).await;
    let response = match answered {
        None => {
            trial.late();
            return Err(RecordFailure::Timeout);
        }
        Some(Err(error)) => {
            debug!(node = node.index, %error, "node did not answer");
            trial.failed();
            return Err(RecordFailure::NoNode);
        }
        Some(Ok(response)) => response,
    };
    match response.status() {
        StatusCode::OK => {}
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            trial.busy(retry_after(response.headers()));
            return Err(RecordFailure::NoNode);
        }
        // A node without a record, and one that knows no records at all.
        status if status.is_client_error() || status == StatusCode::BAD_GATEWAY => {
            trial.refused();
            return Err(RecordFailure::NotFound);
        }
        StatusCode::GATEWAY_TIMEOUT => {
            trial.refused();
            return Err(RecordFailure::Timeout);
        }
        _ => {
            trial.failed();
            return Err(RecordFailure::NoNode);
        }
    }
    let bytes = match read(response, ask.deadline).await {
        Ok(bytes) => bytes,
        Err(failure) => {
            trial.failed();
            return Err(failure);
        }
    };
    match prove(&ask.name, &bytes) {
        // An expired one must not stand in the way of another node's.
        Ok(record) if !record.is_valid_at(std::time::SystemTime::now()) => {
            trial.succeeded();
            Err(RecordFailure::Expired)
        }
        Ok(record) => {
            trial.succeeded();
            Ok(record)
        }
        Err(error) => {
            // Nodes keep what strangers publish, so a bad record is not held against them.
            trial.succeeded();
            warn!(node = node.index, name = %ask.name, %error, "node gave a record that is not valid");
            Err(RecordFailure::Invalid(error.to_string()))
        }
    }
}

fn request(node: &Node, ask: &RecordAsk) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = node.record_uri(&ask.name);
    let headers = request.headers_mut();
    let accept = HeaderValue::from_static(trustless::IPNS_RECORD_TYPE);
    headers.insert(header::ACCEPT, accept);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let left = ask.deadline.saturating_duration_since(Instant::now()).as_millis();
    let left = HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX));
    headers.insert(HeaderName::from_static(trustless::DEADLINE_HEADER), left);
    headers.insert(HeaderName::from_static("x-request-id"), ask.request_id.clone());
    if ask.only_if_cached {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("only-if-cached"));
    }
    request
}

/// Reads a body, no further than a record can be long.
async fn read(response: Response<Incoming>, deadline: Instant) -> Result<Bytes, RecordFailure> {
    let body = Limited::new(response.into_body(), RECORD_BYTES_MAX);
    match within(deadline, body.collect()).await {
        None => Err(RecordFailure::Timeout),
        Some(Ok(whole)) => Ok(whole.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            Err(RecordFailure::Invalid("it is larger than a record can be".to_owned()))
        }
        Some(Err(_)) => Err(RecordFailure::NoNode),
    }
}
