//! What is noted of one request, and written once when it is over, however it ends.
//!
//! The record is dropped with the request or with the body of its answer, so a request cannot end
//! without an outcome, and cannot have two.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use ipfs::Cid;
use telemetry::access::{self, AccessLog, Counts, Entry, Root};
use telemetry::metrics::Label;
use telemetry::trace::TraceContext;
use tracing::warn;

use super::StreamError;
use crate::accept::Activity;
use crate::blocks::Provenance;
use crate::limit::Permit;
use crate::metrics::RequestMetrics;
use crate::outcome::{Form, Outcome, Source, Traffic};

/// Where records are written.
pub(crate) struct Recorder {
    /// The counters of requests.
    pub(crate) metrics: RequestMetrics,
    /// The access log.
    pub(crate) access: AccessLog,
    /// Longest time of a whole answer.
    pub(crate) response_timeout: Duration,
}

/// Who asks, and what the request is known by.
pub(crate) struct Asker {
    /// The connection.
    pub(crate) activity: Arc<Activity>,
    /// The id that the answer carries too.
    pub(crate) request_id: HeaderValue,
    /// The trace that it is part of.
    pub(crate) trace: TraceContext,
    /// Its span, which ends with the last byte of the answer.
    pub(crate) span: tracing::Span,
}

/// How a request ended, for whoever looked on.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// Its outcome.
    pub(crate) outcome: Outcome,
    /// Where its bytes came from.
    pub(crate) source: Source,
    /// Time to the head of the answer.
    pub(crate) first_byte: Duration,
    /// Time to the last byte.
    pub(crate) total: Duration,
}

/// Looks on while an answer leaves, and never makes it wait.
pub(crate) trait Tap: Send {
    /// A piece of the body that leaves.
    fn piece(&mut self, bytes: &[u8]);

    /// The request ended.
    fn ended(self: Box<Self>, ended: &Ended);
}

/// What is noted of one request.
pub(crate) struct Record {
    recorder: Arc<Recorder>,
    asker: Asker,
    method: Method,
    uri: Uri,
    began: Instant,
    first_byte: Option<Duration>,
    /// What was asked for, in the words of the metrics.
    pub(crate) traffic: Traffic,
    /// As above.
    pub(crate) form: Form,
    /// The form of the answer, for the log.
    pub(crate) format: Option<&'static str>,
    /// The client's address, behind the proxies that are believed.
    pub(crate) client: IpAddr,
    /// Whether a name was asked for.
    pub(crate) is_named: bool,
    /// The root of the content.
    pub(crate) root: Option<Cid>,
    /// Where its blocks came from.
    pub(crate) provenance: Arc<Provenance>,
    /// The list and line that deny what was asked for.
    pub(crate) denied: Option<(Arc<str>, u64)>,
    /// The content path that was asked for, where somebody may want to look on.
    pub(crate) asked_path: Option<String>,
    /// The last block of the path.
    pub(crate) terminal: Option<Cid>,
    /// Who looks on.
    pub(crate) tap: Option<Box<dyn Tap>>,
    /// How many providers a search that failed had found.
    pub(crate) providers: Option<u64>,
    agent: &'static str,
    referrer: Option<HeaderValue>,
    range: bool,
    /// Leave to be served, given back when the request is over.
    pub(crate) permit: Option<Permit>,
    status: u16,
    outcome: Outcome,
    bytes: u64,
    complete: bool,
}

impl Record {
    /// A request that begins. Until it is answered, its end means that the client left.
    pub(crate) fn begin(recorder: &Arc<Recorder>, asker: Asker, parts: &Parts) -> Self {
        recorder.metrics.in_flight.at(Traffic::Gateway).inc();
        Self {
            recorder: Arc::clone(recorder),
            client: asker.activity.client().ip(),
            is_named: false,
            asker,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            agent: access::agent_class(&parts.headers),
            referrer: parts.headers.get(header::REFERER).cloned(),
            range: parts.headers.contains_key(header::RANGE),
            began: Instant::now(),
            first_byte: None,
            traffic: Traffic::Gateway,
            form: Form::Own,
            format: None,
            root: None,
            provenance: Arc::default(),
            denied: None,
            asked_path: None,
            terminal: None,
            tap: None,
            providers: None,
            permit: None,
            status: 499,
            outcome: Outcome::ClientAbort,
            bytes: 0,
            complete: false,
        }
    }

    /// Sets whose traffic it is.
    pub(crate) fn set_traffic(&mut self, traffic: Traffic) {
        let in_flight = &self.recorder.metrics.in_flight;
        in_flight.at(self.traffic).dec();
        in_flight.at(traffic).inc();
        self.traffic = traffic;
    }

    /// Who asks.
    pub(crate) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// Notes that the headers leave, with this status and, if all goes well, this outcome.
    pub(crate) fn answered(&mut self, status: StatusCode, outcome: Outcome) {
        self.status = status.as_u16();
        self.outcome = outcome;
        let known = outcome.statuses();
        debug_assert!(known.contains(&self.status), "{outcome:?} with {status}, not {known:?}");
        let elapsed = self.began.elapsed();
        self.first_byte = Some(elapsed);
        let labels = (self.traffic, self.provenance.source());
        self.recorder.metrics.first_byte.at(labels).observe_duration(elapsed);
    }

    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(tap) = &mut self.tap {
            tap.piece(bytes);
        }
    }

    /// Time since the request began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    pub(super) fn failed(&mut self, error: &StreamError) {
        self.complete = true;
        let denied = error.is_denied();
        self.outcome = if denied { Outcome::Blocked } else { Outcome::Truncated };
        warn!(
            request_id = self.asker.request_id.to_str().unwrap_or("-"),
            bytes = self.bytes,
            %error,
            "answer was cut"
        );
    }

    /// Whether the answer took longer than any answer may.
    pub(super) fn is_overdue(&self) -> bool {
        self.began.elapsed() > self.recorder.response_timeout
    }

    fn write(&self, total: Duration) {
        let ns = match (self.is_named, self.root) {
            (true, _) => Some("ipns"),
            (false, Some(_)) => Some("ipfs"),
            (false, None) => None,
        };
        let root = self.root.as_ref().map(|cid| Root {
            digest: cid.multihash().digest(),
            codec: cid.codec().word(),
            text: cid,
        });
        self.recorder.access.record(&Entry {
            detail: self.outcome.detail(),
            req_id: self.asker.request_id.to_str().unwrap_or("-"),
            trace: self.asker.trace,
            traffic: Some(self.traffic.text()),
            form: self.form.text(),
            method: &self.method,
            ns,
            root,
            format: self.format,
            path: self.uri.path(),
            range: self.range,
            status: self.status,
            outcome: self.outcome.text(),
            cache: self.provenance.source().text(),
            first_byte: self.first_byte.unwrap_or(total),
            total,
            bytes: self.bytes,
            counts: Counts { providers: self.providers, ..self.provenance.counts() },
            truncated: self.outcome == Outcome::Truncated,
            blocked_by: self.denied.as_ref().map(|(list, line)| (&**list, *line)),
            agent: self.agent,
            client: self.client,
            referrer: self.referrer.as_ref(),
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.complete {
            self.outcome = Outcome::ClientAbort;
        }
        let total = self.began.elapsed();
        let source = self.provenance.source();
        let metrics = &self.recorder.metrics;
        metrics.in_flight.at(self.traffic).dec();
        metrics.requests.at((self.traffic, self.form, self.outcome, source)).inc();
        metrics.response.at((self.traffic, source)).observe_duration(total);
        metrics.response_bytes.at((self.traffic, self.form)).inc_by(self.bytes);
        self.asker.activity.request_ended();
        let span = &self.asker.span;
        span.record("http.response.status_code", self.status);
        span.record("outcome", self.outcome.text());
        span.record("cache", source.text());
        self.write(total);
        if let Some(tap) = self.tap.take() {
            let (outcome, first_byte) = (self.outcome, self.first_byte.unwrap_or(total));
            tap.ended(&Ended { outcome, source, first_byte, total });
        }
    }
}
