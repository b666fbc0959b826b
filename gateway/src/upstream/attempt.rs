//! One request to one node for one block: sent, read within bounds, proven.
//!
//! Whatever a node answers is read no further than the largest block, and nothing of it is
//! believed before it is hashed. A declared length only sizes the first buffer.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use ipfs::block::BLOCK_BYTES_MAX;
use ipfs::trustless::{self, Retrieval, RetrievalOutcome};
use ipfs::{Block, Cid};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::failure::Failure;
use super::node::{Node, Overtaken, Trial};
use super::{Prove, within};
use crate::outcome::Source;

/// Longest pause that a busy node can ask for.
const COOL_DOWN_MAX: Duration = Duration::from_secs(10);

/// What is asked of the pool, and on whose behalf.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The block.
    pub(crate) cid: Cid,
    /// The root that it was reached from, whose providers are worth searching.
    pub(crate) root: Cid,
    /// The path below the root, percent-encoded.
    pub(crate) path: Option<HeaderValue>,
    /// When the answer is of no use any more.
    pub(crate) deadline: Instant,
    /// Whether the network is not to be asked.
    pub(crate) only_if_cached: bool,
    /// The id of the request that this is for.
    pub(crate) request_id: HeaderValue,
    /// The trace that this is part of.
    pub(crate) traceparent: Option<HeaderValue>,
    /// Whether it is for a copy of a request, which can wait.
    pub(crate) is_copy: bool,
}

/// A node's answer, proven.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) block: Block,
    pub(super) source: Source,
    pub(super) node: u8,
}

/// An attempt that gave no block.
#[derive(Debug)]
pub(super) struct Miss {
    pub(super) failure: Failure,
    pub(super) state: Option<Retrieval>,
    /// Whether the connection broke before anything was answered.
    pub(super) unanswered: bool,
}

impl Miss {
    fn of(failure: Failure) -> Self {
        Self { failure, state: None, unanswered: false }
    }
}

/// Asks one node.
pub(super) async fn run(
    node: Arc<Node>,
    ask: &Ask,
    prove: Prove,
    only_if_cached: bool,
    deadline: Instant,
    overtaken: Overtaken,
) -> Result<Answer, Miss> {
    let mut trial = Trial::begin(Arc::clone(&node), overtaken);
    let request = request(&node, ask, only_if_cached, deadline);
    let Some(answered) = within(deadline, node.client.request(request)).await else {
        trial.late();
        return Err(Miss::of(Failure::Timeout));
    };
    let response = match answered {
        Ok(response) => response,
        Err(error) => {
            debug!(node = node.index, %error, "node did not answer");
            trial.failed();
            return Err(Miss { failure: Failure::NoNode, state: None, unanswered: true });
        }
    };
    if response.status() != StatusCode::OK {
        return Err(refused(&node, &mut trial, &response));
    }
    let source = source(response.headers());
    if response.headers().contains_key(header::CONTENT_ENCODING) {
        trial.failed();
        return Err(Miss::of(Failure::BadBytes));
    }
    let bytes = match read(&node, response, deadline).await {
        Ok(bytes) => bytes,
        Err(failure) => {
            trial.failed();
            return Err(Miss::of(failure));
        }
    };
    let length = bytes.len();
    match prove(ask.cid, bytes) {
        Ok(block) => {
            trial.succeeded();
            Ok(Answer { block, source, node: node.index })
        }
        Err(error) => {
            node.metrics.unverified_bytes.inc_by(length as u64);
            warn!(node = node.index, cid = %ask.cid, %error, "node gave bytes that are not the block");
            trial.failed();
            Err(Miss::of(Failure::BadBytes))
        }
    }
}

fn request(
    node: &Node,
    ask: &Ask,
    only_if_cached: bool,
    deadline: Instant,
) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = node.uri(&ask.cid);
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static(trustless::RAW_TYPE));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let root = HeaderValue::from_str(&ask.root.to_string()).expect("a CID is plain text");
    headers.insert(HeaderName::from_static(trustless::ROOT_HEADER), root);
    if let Some(path) = &ask.path {
        headers.insert(HeaderName::from_static(trustless::PATH_HEADER), path.clone());
    }
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    let left = HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX));
    headers.insert(HeaderName::from_static(trustless::DEADLINE_HEADER), left);
    headers.insert(HeaderName::from_static("x-request-id"), ask.request_id.clone());
    if let Some(traceparent) = &ask.traceparent {
        headers.insert(HeaderName::from_static("traceparent"), traceparent.clone());
    }
    if ask.is_copy {
        let name = HeaderName::from_static(trustless::TRAFFIC_HEADER);
        headers.insert(name, HeaderValue::from_static("mirror"));
    }
    if only_if_cached {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("only-if-cached"));
    }
    request
}

/// Reads a body to its end, within the bounds of a block.
async fn read(
    node: &Node,
    response: Response<Incoming>,
    deadline: Instant,
) -> Result<Bytes, Failure> {
    let declared = response
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0_usize);
    let mut body = response.into_body();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let stalled = deadline.min(Instant::now() + node.stall_timeout);
        let frame = match within(stalled, body.frame()).await {
            Some(Some(Ok(frame))) => frame,
            Some(None) => break,
            Some(Some(Err(error))) => {
                debug!(node = node.index, %error, "node's answer was cut");
                return Err(Failure::NoNode);
            }
            None => {
                debug!(node = node.index, "node stalled within its answer");
                return Err(Failure::Timeout);
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        let length = first.len() + rest.len() + data.len();
        if length > BLOCK_BYTES_MAX {
            node.metrics.unverified_bytes.inc_by(length as u64);
            warn!(node = node.index, "node's answer is larger than any block");
            return Err(Failure::BadBytes);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.reserve(declared.clamp(length, BLOCK_BYTES_MAX));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    // What arrived in one piece may be a slice of a much larger read buffer; a copy of its own
    // size is what a cache that counts bytes can keep.
    Ok(if rest.is_empty() { Bytes::copy_from_slice(&first) } else { rest.freeze() })
}

/// What an answer without a block means.
fn refused(node: &Node, trial: &mut Trial, response: &Response<Incoming>) -> Miss {
    let headers = response.headers();
    let state = headers
        .get(trustless::RETRIEVAL_HEADER)
        .and_then(|value| Retrieval::parse(value.to_str().ok()?));
    let outcome = state.and_then(|state| state.outcome);
    let failure = match (outcome, response.status().as_u16()) {
        (Some(RetrievalOutcome::NoProviders), _) => Failure::NoProviders,
        (Some(RetrievalOutcome::Unreachable), _) => Failure::Unreachable,
        (Some(RetrievalOutcome::Timeout), _) => Failure::Timeout,
        (Some(RetrievalOutcome::BadContent), _) => Failure::BadContent,
        (None, 412) => Failure::NotCached,
        (None, 404) => Failure::NoProviders,
        (None, 410 | 451) => Failure::Blocked,
        (None, 429 | 503) => Failure::Busy,
        // A node that does not tell more has searched the network for all of its time.
        (None, 504) => Failure::Unreachable,
        (None, _) => Failure::NoNode,
    };
    match failure {
        Failure::Busy => trial.busy(retry_after(headers)),
        Failure::NoNode if response.status().is_client_error() => trial.refused(),
        Failure::NoNode => trial.failed(),
        Failure::NotCached
        | Failure::Timeout
        | Failure::NoProviders
        | Failure::Unreachable
        | Failure::BadBytes
        | Failure::BadContent
        | Failure::Blocked => trial.succeeded(),
    }
    debug!(node = node.index, status = response.status().as_u16(), ?failure, "node has no block");
    Miss { failure, state, unanswered: false }
}

/// For how long a busy node is to be spared.
pub(super) fn retry_after(headers: &HeaderMap) -> Duration {
    headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map_or(Duration::from_secs(1), Duration::from_secs)
        .min(COOL_DOWN_MAX)
}

/// Whether a node had the block or fetched it, by its `Cache-Status` (RFC 9211).
fn source(headers: &HeaderMap) -> Source {
    let status = headers.get("cache-status").and_then(|value| value.to_str().ok());
    match status {
        Some(status) if status.contains("fwd=") => Source::Network,
        Some(_) | None => Source::Pool,
    }
}
