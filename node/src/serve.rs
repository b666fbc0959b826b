//! Trustless HTTP for gateways: one request from its head to its last byte.
//!
//! Read `Serve::answer` downwards. Everything before the headers can become a status with a
//! reason; everything after them can only abort the stream, so the first block of an answer is in
//! hand before its headers are decided.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytesize::ByteSize;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header};
use http_body_util::combinators::UnsyncBoxBody;
use ipfs::Cid;
use ipfs::trustless::{DEADLINE_HEADER, ROOT_HEADER, TRAFFIC_HEADER};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry::Drain;
use telemetry::access::AccessLog;
use tracing::Instrument;

use crate::outcome::Outcome;
use crate::records::Records;
use crate::retrieve::{Asked, Retrieve};

mod account;
mod asked;
mod car;
mod error;
mod raw;
mod record;

pub use account::Metrics;
pub use error::ServeError;

use account::Account;
use asked::{NameQuestion, Proof, Question};

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, ServeError>;

/// How requests are bounded.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Longest time from a request to its first block, for askers that name none or a longer one.
    /// Default 30 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub first_block_timeout: Duration,
    /// Longest time from one block of a CAR to the next. Default 30 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub next_block_timeout: Duration,
    /// Most requests in flight; further ones are refused with 503. Default 4096.
    pub requests_max: u32,
    /// Most bytes that are fetched ahead of one CAR's reader, and so the memory that one which does
    /// not read can hold. Default 8 MiB. Zero fetches block by block.
    #[schemars(with = "telemetry::config::SizeText")]
    pub car_ahead: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            first_block_timeout: Duration::from_secs(30),
            next_block_timeout: Duration::from_secs(30),
            requests_max: 4096,
            car_ahead: ByteSize::mib(8),
        }
    }
}

/// Answers requests.
pub(crate) struct Serve {
    pub(crate) config: Config,
    pub(crate) retrieve: Retrieve,
    pub(crate) records: Records,
    pub(crate) drain: Drain,
    pub(crate) metrics: Metrics,
    pub(crate) log: AccessLog,
}

impl Serve {
    /// Answers one request; never fails, since a failure is an answer too.
    pub(crate) async fn answer<B>(
        self: &Arc<Self>,
        request: Request<B>,
        client: SocketAddr,
    ) -> Response<Body> {
        let account = Account::open(self, &request, client);
        let busy = self.metrics.in_flight.get() > i64::from(self.config.requests_max);
        let answered = match request.method() {
            _ if busy => Err(ServeError::Overload),
            &Method::GET | &Method::HEAD => {
                self.content(&request, &account).instrument(account.span()).await
            }
            &Method::OPTIONS => Ok(error::options()),
            _ => Err(ServeError::Method),
        };
        let is_head = request.method() == Method::HEAD;
        let response = match answered {
            Ok(response) => response,
            Err(error) => error::response(&error, account.request_id(), account.elapsed()),
        };
        account.close_head(response, is_head)
    }

    /// Answers a request for content.
    async fn content<B>(
        self: &Arc<Self>,
        request: &Request<B>,
        account: &Account,
    ) -> Result<Response<Body>, ServeError> {
        if request.uri().path() == "/version" {
            return Ok(error::version());
        }
        if let Some(question) = NameQuestion::read(request)? {
            account.asked_name(&question);
            let deadline = self.deadline(request.headers());
            return record::answer(self, &question, deadline, account).await;
        }
        let question = Question::read(request)?;
        let asked = self.asked(request.headers(), &question);
        account.asked(&question, asked.root);
        match question.proof {
            Proof::Raw => raw::answer(self, &question, &asked, account).await,
            // Where the end of the connection is the end of the body, a cut would look whole.
            Proof::Car(_) if request.version() < Version::HTTP_11 => Err(ServeError::Version),
            Proof::Car(options) => car::answer(self, &question, &options, &asked, account).await,
        }
    }

    /// What the retrieval is told about the request.
    fn asked(&self, headers: &HeaderMap, question: &Question) -> Asked {
        let root = headers.get(ROOT_HEADER).and_then(|value| value.to_str().ok());
        let root = root.and_then(|root| Cid::parse(root).ok());
        Asked {
            root: root.or(Some(question.path.root)),
            deadline: self.deadline(headers),
            local_only: question.local_only,
            deferred: headers.get(TRAFFIC_HEADER).is_some_and(|traffic| traffic == "mirror"),
        }
    }

    /// Until when there must be something to answer with.
    fn deadline(&self, headers: &HeaderMap) -> Instant {
        let patience = headers
            .get(DEADLINE_HEADER)
            .and_then(|value| value.to_str().ok())
            .and_then(|millis| millis.parse().ok())
            .map_or(self.config.first_block_timeout, Duration::from_millis)
            .min(self.config.first_block_timeout);
        Instant::now() + patience
    }
}

/// Headers that every answer with content has.
fn content_headers(headers: &mut HeaderMap, question: &Question, roots: &[Cid]) {
    let immutable = HeaderValue::from_static("public, max-age=29030400, immutable");
    headers.insert(header::CACHE_CONTROL, immutable);
    let roots: Vec<String> = roots.iter().map(Cid::to_string).collect();
    if let Ok(roots) = HeaderValue::from_str(&roots.join(",")) {
        headers.insert("x-ipfs-roots", roots);
    }
    answer_headers(headers, &question.path.encoded(), question.is_negotiated, || {
        match question.proof {
            Proof::Raw => "format=raw".to_owned(),
            Proof::Car(options) => options.query(),
        }
    });
}

/// Headers that every answer with something to prove has. `query` is what asks for the same without
/// negotiation, and is told where there was one.
fn answer_headers(
    headers: &mut HeaderMap,
    path: &str,
    is_negotiated: bool,
    query: impl FnOnce() -> String,
) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    if let Ok(path) = HeaderValue::from_str(path) {
        headers.insert("x-ipfs-path", path);
    }
    if is_negotiated && let Ok(location) = HeaderValue::from_str(&format!("{path}?{}", query())) {
        headers.insert(header::CONTENT_LOCATION, location);
    }
}

/// Whether an `If-None-Match` header names this entity tag, by weak comparison.
fn is_match(headers: &HeaderMap, etag: &str) -> bool {
    let bare = etag.trim_start_matches("W/");
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == bare)
}

/// What an answer that ended before its body means for the account.
pub(crate) fn outcome_of(response: &Response<Body>) -> Outcome {
    response.extensions().get::<Outcome>().copied().unwrap_or(Outcome::Ok)
}
