//! The request line: read downwards, this is the gateway.
//!
//! What goes wrong in any room comes back here as an error and leaves as a page; every request has
//! one record, and with it one outcome.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::FutureExt;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use telemetry::metrics::Label;
use telemetry::trace::{RequestId, TraceContext};
use tokio::time::{Instant, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, debug_span, error, info};

use crate::accept::{Activity, Answer};
use crate::blocks::{Blocks, Memory, Origin};
use crate::classify::{self, Asked, Content as Ask, Hosts, Wish};
use crate::config::{Config, RenderConfig, ServerConfig};
use crate::error::Error;
use crate::limit::Limit;
use crate::outcome::{Outcome, Source};
use crate::render::page::{self, Explained};
use crate::render::{self, Rendered};
use crate::resolve::{Plan, PlanError, Way};
use crate::stream::{Asker, Body, Content, Record, Recorder};
use crate::upstream::{Failure, FetchError};

/// The rooms, in the order of the line.
pub(crate) struct Gateway {
    pub(crate) hosts: ArcSwap<Hosts>,
    pub(crate) limit: Arc<Limit>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) config: ServerConfig,
    pub(crate) render: RenderConfig,
    pub(crate) no_providers_ttl: std::time::Duration,
}

impl Gateway {
    /// The rooms of a configuration.
    pub(crate) fn new(
        config: &Config,
        hosts: Hosts,
        limit: Limit,
        blocks: (Arc<Blocks>, Arc<Memory>),
        recorder: Recorder,
    ) -> Self {
        Self {
            hosts: ArcSwap::from_pointee(hosts),
            limit: Arc::new(limit),
            memory: blocks.1,
            blocks: blocks.0,
            recorder: Arc::new(recorder),
            config: config.server.clone(),
            render: config.render.clone(),
            no_providers_ttl: config.cache.no_providers_ttl,
        }
    }

    /// Answers one request, or says why not.
    async fn line(&self, parts: &Parts, record: &mut Record) -> Result<Rendered, Error> {
        let asked = classify::request(parts, &self.hosts.load())?; // what is wanted, in which form
        record.set_traffic(asked.traffic());
        record.form = asked.form();
        let client = record.asker().activity.client();
        record.permit = Some(self.limit.admit(&asked, client)?); // may it be served at this moment
        let ask = match asked {
            Asked::Content(ask) => ask,
            Asked::Own(own) => return Ok(page::own(own, parts.method == Method::HEAD)),
            Asked::Options => return Ok(page::options()),
        };
        record.format = format(&ask);
        let deadline = Instant::now() + self.config.first_byte_timeout;
        let answer = self.content(&ask, record, deadline);
        let rendered = match timeout_at(deadline, answer).await {
            Ok(answer) => answer?,
            Err(_) => return Err(late(record)),
        };
        // Where the end of the connection is the end of the body, a cut would look whole.
        if parts.version < Version::HTTP_11 && rendered.body().is_endless() {
            return Err(Error::Ask(classify::AskError::Version));
        }
        Ok(rendered)
    }

    /// Answers a request for content.
    async fn content(
        &self,
        ask: &Ask,
        record: &mut Record,
        deadline: Instant,
    ) -> Result<Rendered, Error> {
        let page = ask.wish == Wish::Page;
        // A raw block or a CAR is of what the path names, whether or not it ends in a slash.
        let path = if page { &ask.path } else { ask.path.trim_end_matches('/') };
        // A plan for a page knows what the last block is, which other forms do not ask.
        let key = if page { Cow::Borrowed(path) } else { Cow::Owned(format!("as it is: {path}")) };
        let (plan, reader) = match self.memory.plan(&key) {
            Some(plan) => {
                record.root = Some(plan.root);
                record.provenance.note(Source::Hit);
                let reader = self.reader(ask, record, deadline, plan.root, plan.below.clone());
                (plan, reader)
            }
            None => {
                let way = Way::parse(path)?;
                record.root = Some(way.root());
                let reader = self.reader(ask, record, deadline, way.root(), way.below());
                let plan = Arc::new(way.follow(&reader, page).await?); // which blocks answer it
                self.memory.keep_plan(&key, &plan);
                (plan, reader)
            }
        };
        let plan: &Plan = &plan;
        Ok(render::response(plan, ask, reader, &self.render).await?) // status and headers
    }

    fn reader(
        &self,
        ask: &Ask,
        record: &Record,
        deadline: Instant,
        root: ipfs::Cid,
        path: Option<HeaderValue>,
    ) -> crate::blocks::Reader {
        let asker = record.asker();
        let origin = Origin {
            root,
            path,
            only_if_cached: ask.only_if_cached,
            request_id: asker.request_id.clone(),
            traceparent: Some(asker.trace.header_value()),
        };
        self.blocks.reader(origin, deadline, Arc::clone(&record.provenance))
    }

    /// Explains why a request was not answered as asked.
    fn explain(&self, error: &Error, parts: &Parts, record: &Record) -> (Rendered, Outcome) {
        let outcome = error.outcome();
        let status = error.status();
        let request_id = record.asker().request_id.to_str().unwrap_or("-");
        if status.is_server_error() {
            info!(request_id, path = parts.uri.path(), outcome = outcome.text(), %error, "request failed");
        }
        let why = Explained {
            status,
            outcome,
            cause: error.to_string(),
            path: Some(parts.uri.path()).filter(|path| path.len() <= 1024),
            cid: error.cid(),
            state: error.state(),
            retry_after: error.retry_after(self.no_providers_ttl),
            request_id,
        };
        let mut rendered = page::failure(&why, &parts.headers, parts.method == Method::HEAD);
        if let Error::Render(render::RenderError::Range { size }) = error {
            let range = HeaderValue::from_str(&format!("bytes */{size}"));
            rendered.headers_mut().insert(header::CONTENT_RANGE, range.expect("digits"));
        }
        // Who does not say which host is meant may not be who it seems: nothing more is read there.
        if matches!(error, Error::Ask(classify::AskError::BadHost))
            && parts.version <= Version::HTTP_11
        {
            rendered.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        (rendered, outcome)
    }
}

impl Answer for Gateway {
    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        from: &Arc<Activity>,
    ) -> Response<Body> {
        let (parts, _) = request.into_parts();
        let request_id = RequestId::of(&parts.headers).header_value();
        let span = debug_span!(
            "request",
            otel.kind = "server",
            http.request.method = parts.method.as_str(),
            url.path = parts.uri.path(),
            request_id = request_id.to_str().unwrap_or("-"),
            http.response.status_code = Empty,
            outcome = Empty,
            cache = Empty,
        );
        let trace = TraceContext::of_request(&parts.headers, &span);
        let asker = Asker { activity: Arc::clone(from), request_id, trace, span: span.clone() };
        let mut record =
            Record::begin(&self.recorder, asker, parts.method.clone(), parts.uri.clone());
        let line = AssertUnwindSafe(self.line(&parts, &mut record)).catch_unwind();
        let line = line.instrument(span).await;
        let (mut rendered, outcome) = match line {
            Ok(Ok(rendered)) => {
                let outcome = Outcome::of_status(rendered.status());
                (rendered, outcome)
            }
            Ok(Err(error)) => self.explain(&error, &parts, &record),
            Err(_) => {
                self.recorder.metrics.panics.inc();
                error!(path = parts.uri.path(), "answering a request panicked");
                self.panicked(&parts, &record)
            }
        };
        headers_for_all(rendered.headers_mut(), &record);
        record.answered(rendered.status(), outcome);
        rendered.map(|content: Content| Body::new(content, record, from))
    }
}

impl Gateway {
    fn panicked(&self, parts: &Parts, record: &Record) -> (Rendered, Outcome) {
        let why = Explained {
            status: http::StatusCode::INTERNAL_SERVER_ERROR,
            outcome: Outcome::Internal,
            cause: "a fault of this gateway".to_owned(),
            path: None,
            cid: None,
            state: None,
            retry_after: None,
            request_id: record.asker().request_id.to_str().unwrap_or("-"),
        };
        let head = parts.method == Method::HEAD;
        (page::failure(&why, &parts.headers, head), Outcome::Internal)
    }
}

/// The headers of every answer: what other origins may do with it, and the request's id.
fn headers_for_all(headers: &mut HeaderMap, record: &Record) {
    let fixed = HeaderValue::from_static;
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, fixed("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, fixed("GET, HEAD, OPTIONS"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        fixed("Content-Type, Range, User-Agent, X-Requested-With"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        fixed("Content-Length, Content-Range, X-Ipfs-Path, X-Ipfs-Roots, X-Request-Id"),
    );
    let status = match record.provenance.source() {
        Source::None => None,
        Source::Hit => Some("bifrost-gateway; hit"),
        Source::Pool => Some("bifrost-node; hit, bifrost-gateway; fwd=miss"),
        Source::Network => Some("bifrost-node; fwd=miss, bifrost-gateway; fwd=miss"),
    };
    if let Some(status) = status {
        headers.insert(HeaderName::from_static("cache-status"), fixed(status));
    }
    headers.insert(RequestId::HEADER, record.asker().request_id.clone());
    let traceparent = record.asker().trace.header_value();
    headers.insert(HeaderName::from_static("traceparent"), traceparent);
}

/// The time of the first byte ran out.
fn late(record: &Record) -> Error {
    let Some(cid) = record.root else {
        return Error::Limit(crate::limit::LimitError::Full(std::time::Duration::from_secs(2)));
    };
    let failure = Failure::Timeout;
    Error::Plan(PlanError::Fetch(FetchError { cid, failure, state: None, nodes_tried: 0 }))
}

/// The form of an answer, for the log.
fn format(ask: &Ask) -> &'static str {
    match ask.wish {
        Wish::Page => "page",
        Wish::Raw => "raw",
        Wish::Car(_) => "car",
    }
}
