//! Answers of admin calls.
//!
//! Failures are problem documents (RFC 9457), so that a script and a person read the same.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use serde_json::json;

use super::Body;

/// A body of these bytes.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of nothing.
#[must_use]
pub fn empty() -> Body {
    full(Bytes::new())
}

/// An answer in JSON, with a line end for terminals.
///
/// # Panics
/// When `value` is no JSON, such as a map whose keys are no texts.
#[must_use]
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut bytes = serde_json::to_vec(value).expect("answers are plain values");
    bytes.push(b'\n');
    answer(status, "application/json", full(bytes))
}

/// An answer in plain text.
#[must_use]
pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", full(text))
}

/// A failure: what it is, and what to do.
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    problem_with(status, detail, None)
}

pub(super) fn problem_with(
    status: StatusCode,
    detail: &str,
    endpoints: Option<&[&str]>,
) -> Response<Body> {
    let mut document = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Problem"),
        "status": status.as_u16(),
        "detail": detail,
    });
    if let Some(endpoints) = endpoints {
        document["endpoints"] = json!(endpoints);
    }
    let mut response = json(status, &document);
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) fn answer(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
