//! What is written down of one request: its metrics and its line in the access log.
//!
//! The account is opened with the head of the request and closed when it is dropped: with the last
//! byte of the answer, or earlier, with the request or with its body. What ends early was left by the
//! client or cut by us, and counts as that whatever the status was.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use ipfs::Cid;
use ipfs::ipns::Name;
use ipfs::trustless::{Phase, RETRIEVAL_HEADER, Retrieval};
use parking_lot::Mutex;
use telemetry::access::{self, Counts, Entry, Root};
use telemetry::metrics::{Counter, Family, Gauge, Histogram, Label, Registry};
use telemetry::trace::{RequestId, TraceContext};
use tracing::field::Empty;
use tracing::{Span, debug_span};

use crate::outcome::{Cache, Form, Outcome};
use crate::retrieve::{Fetched, Source};
use crate::serve::asked::{NameQuestion, Proof, Question};
use crate::serve::{Body, Serve, ServeError, outcome_of};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Upper bounds of first-byte times, in seconds; 0.3 and 30 are promises.
const FIRST_BYTE_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.6, 1.0, 3.0, 10.0, 30.0, 60.0];

/// What the room counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Requests that ended, by form, outcome and source.
    pub requests: Family<(Form, Outcome, Cache), Counter>,
    /// Time from a request to the first byte of its answer.
    pub first_byte: Family<(Form, Cache), Histogram>,
    /// Bytes of bodies that were sent.
    pub bytes: Family<Form, Counter>,
    /// Requests being answered.
    pub in_flight: Gauge,
}

impl Metrics {
    /// Registers the room's series, all at zero.
    pub fn new(registry: &Registry) -> Self {
        Self {
            requests: registry.counter_family(
                "bifrost_node_requests_total",
                "Requests that ended, by form, outcome and where the blocks came from.",
            ),
            first_byte: registry.histogram_family(
                "bifrost_node_first_byte_seconds",
                "Time from a request to the first byte of its answer.",
                &FIRST_BYTE_BUCKETS,
            ),
            bytes: registry
                .counter_family("bifrost_node_response_bytes_total", "Bytes of bodies sent."),
            in_flight: registry.gauge("bifrost_node_in_flight", "Requests being answered."),
        }
    }
}

/// What becomes known while a request is answered.
#[derive(Debug)]
pub(super) struct Facts {
    form: Form,
    cache: Cache,
    blocks: u64,
    root: Option<Cid>,
    /// The name, when the record of one is asked for.
    name: Option<Name>,
    providers: Option<u64>,
}

/// The same, shared with the body of the answer.
pub(super) type SharedFacts = Arc<Mutex<Facts>>;

impl Facts {
    /// Notes a block of the answer and where it came from.
    pub(super) fn note(&mut self, source: Source) {
        self.blocks += 1;
        self.cache = match (source, self.cache) {
            (Source::Network, _) | (_, Cache::Network) => Cache::Network,
            (Source::Store, Cache::Hit | Cache::None) => Cache::Hit,
        };
    }
}

/// How a request ends, as far as is known; at first that the client left before any answer.
#[derive(Debug)]
struct End {
    status: u16,
    outcome: Outcome,
    first_byte: Option<Duration>,
    bytes: u64,
}

/// One request being answered.
pub(super) struct Account {
    serve: Arc<Serve>,
    started: Instant,
    request_id: RequestId,
    trace: TraceContext,
    span: Span,
    method: Method,
    path: String,
    headers: HeaderMap,
    client: SocketAddr,
    facts: SharedFacts,
    end: End,
    _alive: telemetry::InFlight,
}

impl Account {
    /// Opens the account of a request.
    pub(super) fn open<B>(serve: &Arc<Serve>, request: &Request<B>, client: SocketAddr) -> Self {
        serve.metrics.in_flight.inc();
        let request_id = RequestId::of(request.headers());
        let span = debug_span!(
            "request",
            otel.kind = "server",
            http.request.method = access::method_word(request.method()),
            request_id = request_id.as_str(),
            http.response.status_code = Empty,
            outcome = Empty,
            cache = Empty,
        );
        let trace = TraceContext::of_request(request.headers(), &span);
        Self {
            serve: Arc::clone(serve),
            started: Instant::now(),
            request_id,
            trace,
            span,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
            client,
            facts: Arc::new(Mutex::new(Facts {
                form: Form::Own,
                cache: Cache::None,
                blocks: 0,
                root: None,
                name: None,
                providers: None,
            })),
            end: End { status: 499, outcome: Outcome::ClientAbort, first_byte: None, bytes: 0 },
            _alive: serve.drain.in_flight(),
        }
    }

    /// The span of the request, which ends with its last byte.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The request's id, ours or the client's.
    pub(super) fn request_id(&self) -> &str {
        self.request_id.as_str()
    }

    /// The headers of the request.
    pub(super) fn request_headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Time since the request came.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes what is asked for.
    /// Gateways ask for blocks: the root that they want them for joins their records with ours.
    pub(super) fn asked(&self, question: &Question, root: Option<Cid>) {
        let mut facts = self.facts.lock();
        facts.form = match question.proof {
            Proof::Raw => Form::Raw,
            Proof::Car(_) => Form::Car,
        };
        facts.root = root.or(Some(question.path.root));
    }

    /// Notes that the record of a name is asked for, which is then logged in its one spelling.
    pub(super) fn asked_name(&self, question: &NameQuestion) {
        let mut facts = self.facts.lock();
        facts.form = Form::IpnsRecord;
        facts.root = Some(question.name.cid());
        facts.name = Some(question.name);
    }

    /// Notes that the record is there; none comes from elsewhere.
    pub(super) fn found_record(&self) {
        self.facts.lock().cache = Cache::Hit;
    }

    /// Notes a block of the answer.
    pub(super) fn fetched(&self, fetched: &Fetched) {
        self.facts.lock().note(fetched.source);
    }

    /// What is known, for a body that learns more.
    pub(super) fn facts(&self) -> SharedFacts {
        Arc::clone(&self.facts)
    }

    /// Says where the blocks came from, as far as is known before the body.
    pub(super) fn cache_status(&self, headers: &mut HeaderMap) {
        let text = match self.facts.lock().cache {
            Cache::Network => "bifrost-node; fwd=miss",
            Cache::Hit | Cache::None => "bifrost-node; hit",
        };
        headers.insert(CACHE_STATUS, HeaderValue::from_static(text));
        let state = Retrieval {
            phase: Phase::Done,
            providers: 0,
            connected: 0,
            elapsed: self.elapsed(),
            outcome: None,
        };
        if let Ok(state) = HeaderValue::from_str(&state.to_string()) {
            headers.insert(RETRIEVAL_HEADER, state);
        }
    }

    /// Puts the account behind the body, so that it is closed with it.
    pub(super) fn close_head(mut self, response: Response<Body>, is_head: bool) -> Response<Body> {
        let outcome = outcome_of(&response);
        let (mut head, body) = response.into_parts();
        head.headers.insert(RequestId::HEADER, self.request_id.header_value());
        let first_byte = self.elapsed();
        let state = head.headers.get(RETRIEVAL_HEADER).filter(|_| head.status.is_server_error());
        let state = state.and_then(|state| Retrieval::parse(state.to_str().ok()?));
        let mut facts = self.facts.lock();
        facts.providers = state.map(|state| u64::from(state.providers));
        let metric = self.serve.metrics.first_byte.at((facts.form, facts.cache));
        metric.observe_duration(first_byte);
        drop(facts);
        self.end.status = head.status.as_u16();
        let known = outcome.statuses();
        debug_assert!(known.contains(&self.end.status), "{outcome:?} with {}", head.status);
        self.end.first_byte = Some(first_byte);
        let body = if is_head { Body::default() } else { body };
        let counted = Counted { body, account: self, outcome };
        Response::from_parts(head, counted.boxed_unsync())
    }
}

impl Account {
    fn record(&self, facts: &Facts, total: Duration) {
        let end = &self.end;
        let ns = facts.root.map(|_| if facts.name.is_some() { "ipns" } else { "ipfs" });
        let root = facts.root.as_ref().map(|cid| {
            let name = facts.name.as_ref().map(|name| name as &dyn fmt::Display);
            let (digest, codec) = (cid.multihash().digest(), cid.codec().word());
            Root { digest, codec, text: name.unwrap_or(cid) }
        });
        self.serve.log.record(&Entry {
            detail: end.outcome.detail(),
            req_id: self.request_id(),
            trace: self.trace,
            traffic: None,
            form: facts.form.text(),
            method: &self.method,
            ns,
            root,
            format: Some(facts.form.text()),
            path: &self.path,
            range: self.headers.contains_key(header::RANGE),
            status: end.status,
            outcome: end.outcome.text(),
            cache: facts.cache.text(),
            first_byte: end.first_byte.unwrap_or(total),
            total,
            bytes: end.bytes,
            counts: Counts {
                blocks: facts.blocks,
                providers: facts.providers,
                ..Counts::default()
            },
            truncated: end.outcome == Outcome::Truncated,
            blocked_by: None,
            agent: access::agent_class(&self.headers),
            client: self.client.ip(),
            referrer: None,
        });
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let (facts, end, total) = (self.facts.lock(), &self.end, self.elapsed());
        let metrics = &self.serve.metrics;
        metrics.requests.at((facts.form, end.outcome, facts.cache)).inc();
        metrics.bytes.at(facts.form).inc_by(end.bytes);
        metrics.in_flight.dec();
        self.span.record("http.response.status_code", end.status);
        self.span.record("outcome", end.outcome.text());
        self.span.record("cache", facts.cache.text());
        self.record(&facts, total);
    }
}

/// A body that counts what is sent and tells its account when it is whole.
struct Counted {
    body: Body,
    account: Account,
    /// What the request ends with if its body is sent to the end.
    outcome: Outcome,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = ServeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ServeError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.account.end.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::info!(req_id = self.account.request_id(), %error, "answer was cut");
                self.outcome = Outcome::Truncated;
                self.account.end.outcome = Outcome::Truncated;
            }
            Poll::Ready(None) => self.account.end.outcome = self.outcome,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // A body of known length is not asked for its end once all of it was given.
        if self.body.is_end_stream() {
            self.account.end.outcome = self.outcome;
        }
    }
}
