//! What every answer says beside its content: why it is not what was asked for, and the headers that
//! none goes without.

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};
use telemetry::metrics::Label;
use telemetry::trace::RequestId;
use tracing::info;

use super::Gateway;
use crate::classify::{self, AskError, OwnPages};
use crate::error::Error;
use crate::mirror;
use crate::outcome::{Outcome, Source};
use crate::render::page::{self, Blocked, Explained};
use crate::render::{RenderError, Rendered};
use crate::stream::Record;

impl Gateway {
    /// Explains why a request was not answered as asked.
    pub(super) fn explain(
        &self,
        error: &Error,
        parts: &Parts,
        record: &Record,
    ) -> (Rendered, Outcome) {
        let outcome = error.outcome();
        let status = error.status();
        let request_id = record.asker().request_id.to_str().unwrap_or("-");
        if status.is_server_error() {
            info!(request_id, outcome = outcome.text(), %error, "request failed");
        }
        let why = Explained {
            status,
            outcome,
            cause: error.to_string(),
            path: Some(parts.uri.path()).filter(|path| path.len() <= 1024),
            cid: error.cid(),
            state: error.state(),
            blocked: error.denied().map(Blocked::by),
            retry_after: error.retry_after(self.no_providers_ttl),
            request_id,
            own: self.own_pages(parts, record),
        };
        let pages = self.render.pages();
        let mut rendered =
            page::failure(&pages, &why, &parts.headers, parts.method == Method::HEAD);
        if let Error::Render(RenderError::Range { size }) = error {
            let range = HeaderValue::from_str(&format!("bytes */{size}"));
            rendered.headers_mut().insert(header::CONTENT_RANGE, range.expect("digits"));
        }
        if matches!(error, Error::Ask(AskError::Loop)) {
            rendered.headers_mut().insert(mirror::MARK, HeaderValue::from_static("loop"));
        }
        if outcome == Outcome::Blocked {
            // Short, so that what is allowed again is served again.
            let short = HeaderValue::from_static("public, max-age=60");
            rendered.headers_mut().insert(header::CACHE_CONTROL, short);
        }
        // Who does not say which host is meant may not be who it seems: nothing more is read there.
        if matches!(error, Error::Ask(AskError::BadHost)) && parts.version <= Version::HTTP_11 {
            rendered.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        (rendered, outcome)
    }

    /// Answers a request that made this gateway panic.
    pub(super) fn panicked(&self, parts: &Parts, record: &Record) -> (Rendered, Outcome) {
        let why = Explained {
            status: http::StatusCode::INTERNAL_SERVER_ERROR,
            outcome: Outcome::Internal,
            cause: "a fault of this gateway".to_owned(),
            path: None,
            cid: None,
            state: None,
            blocked: None,
            retry_after: None,
            request_id: record.asker().request_id.to_str().unwrap_or("-"),
            own: self.own_pages(parts, record),
        };
        let head = parts.method == Method::HEAD;
        (page::failure(&self.render.pages(), &why, &parts.headers, head), Outcome::Internal)
    }

    /// Where a page may link to the gateway's own ones.
    fn own_pages(&self, parts: &Parts, record: &Record) -> OwnPages {
        let peer = record.asker().activity.client().ip();
        classify::own_pages(parts, peer, &self.hosts.load())
    }
}

/// The headers of every answer: what other origins may do with it, and the request's id.
pub(super) fn headers_for_all(headers: &mut HeaderMap, record: &Record) {
    let fixed = HeaderValue::from_static;
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, fixed("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, fixed("GET, HEAD, OPTIONS"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        fixed("Content-Type, Range, User-Agent, X-Requested-With"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        fixed(
            "Content-Length, Content-Range, X-Chunked-Output, X-Ipfs-Path, X-Ipfs-Roots, \
             X-Request-Id, X-Stream-Output",
        ),
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
