//! Pages of the gateway itself: failures, explained, and the start page.
//!
//! A failure says what happened, at which stage, for which content, whose side it is on and what to
//! do next: as a page, as `application/problem+json` or as text, by what the client takes.

use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use ipfs::Cid;
use ipfs::trustless::{Phase, Retrieval};
use serde::Serialize;
use telemetry::metrics::Label;

mod words;

use words::{Words, words};

use super::{NOSNIFF, Rendered};
use crate::classify::OwnPage;
use crate::outcome::Outcome;
use crate::stream::Content;

/// What our own pages may do: show themselves.
pub(crate) const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A failure, as the page tells it.
#[derive(Debug)]
pub(crate) struct Explained<'a> {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its outcome.
    pub(crate) outcome: Outcome,
    /// What went wrong, in the words of the room that met it.
    pub(crate) cause: String,
    /// The path that was asked for.
    pub(crate) path: Option<&'a str>,
    /// The block that it is about.
    pub(crate) cid: Option<Cid>,
    /// How far a node's search came.
    pub(crate) state: Option<Retrieval>,
    /// When to try again.
    pub(crate) retry_after: Option<Duration>,
    /// The id of the request.
    pub(crate) request_id: &'a str,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    outcome: &'a str,
    title: &'a str,
    what: &'a str,
    path: Option<&'a str>,
    cid: Option<String>,
    stage: Option<String>,
    side: &'a str,
    retry: Option<u64>,
    request_id: &'a str,
    steps: &'a [&'a str],
}

/// RFC 9457, with members of our own.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    outcome: &'a str,
    side: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
    next_steps: &'a [&'a str],
}

#[derive(Template)]
#[template(path = "start.html", ext = "html")]
struct Start<'a> {
    version: &'a str,
    cid: &'a str,
}

/// How a client wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Page,
    Problem,
    Text,
}

impl Telling {
    fn by(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let accept = accept.unwrap_or("");
        if accept.contains("text/html") {
            Telling::Page
        } else if accept.contains("json") {
            Telling::Problem
        } else {
            Telling::Text
        }
    }
}

/// Tells a failure.
pub(crate) fn failure(why: &Explained<'_>, headers: &HeaderMap, head: bool) -> Rendered {
    let words = words(why.outcome, why.status);
    let what = if words.what.is_empty() { why.cause.as_str() } else { words.what };
    let retry = why.retry_after.map(|pause| pause.as_secs().max(1));
    let telling = Telling::by(headers);
    let (media, text) = match telling {
        Telling::Page => ("text/html; charset=utf-8", page(why, &words, what, retry)),
        Telling::Problem => ("application/problem+json", problem(why, &words, retry)),
        Telling::Text => ("text/plain; charset=utf-8", plain_text(why, &words, what, retry)),
    };
    let length = text.len();
    let content = if head { Content::Empty } else { Content::Full(Bytes::from(text)) };
    let mut response = Response::new(content);
    *response.status_mut() = why.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    if telling == Telling::Page {
        headers.insert(
            HeaderName::from_static("content-security-policy"),
            HeaderValue::from_static(CONTENT_SECURITY_POLICY),
        );
    }
    if let Some(retry) = retry {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry));
    }
    if why.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    }
    response
}

fn page(why: &Explained<'_>, words: &Words, what: &str, retry: Option<u64>) -> String {
    let page = ErrorPage {
        status: why.status.as_u16(),
        outcome: why.outcome.text(),
        title: words.title,
        what,
        path: why.path,
        cid: why.cid.map(|cid| cid.to_string()),
        stage: why.state.map(stage),
        side: words.side,
        retry,
        request_id: why.request_id,
        steps: words.steps,
    };
    page.render().unwrap_or_else(|_| words.title.to_owned())
}

fn problem(why: &Explained<'_>, words: &Words, retry: Option<u64>) -> String {
    let problem = Problem {
        kind: "about:blank",
        title: words.title,
        status: why.status.as_u16(),
        detail: &why.cause,
        outcome: why.outcome.text(),
        side: words.side,
        request_id: why.request_id,
        instance: why.path,
        cid: why.cid.map(|cid| cid.to_string()),
        stage: why.state.map(stage),
        retry_after_s: retry,
        next_steps: words.steps,
    };
    serde_json::to_string(&problem).unwrap_or_else(|_| "{}".to_owned())
}

fn plain_text(why: &Explained<'_>, words: &Words, what: &str, retry: Option<u64>) -> String {
    let mut text = format!("{} {}\n{what}\n", why.status.as_u16(), words.title);
    if !why.cause.is_empty() && why.cause != what {
        text.push_str(&format!("cause: {}\n", why.cause));
    }
    if let Some(state) = why.state {
        text.push_str(&format!("stage: {}\n", stage(state)));
    }
    text.push_str(&format!("side: {}\n", words.side));
    if let Some(retry) = retry {
        text.push_str(&format!("try again in: {retry} s\n"));
    }
    text.push_str(&format!("request: {}\n", why.request_id));
    text
}

/// How far a search came, in words.
fn stage(state: Retrieval) -> String {
    let seconds = state.elapsed.as_secs_f64();
    let Retrieval { providers, connected, .. } = state;
    let text = match state.phase {
        Phase::Store => "looked into the node's own store".to_owned(),
        Phase::Providers => "searched for peers that provide it, and found none".to_owned(),
        Phase::Connecting => format!("found {providers} providers, and could connect to none"),
        Phase::Data => {
            format!("found {providers} providers, connected to {connected}, and none delivered it")
        }
        Phase::Done => format!("finished, with {providers} providers found"),
    };
    format!("{text} ({seconds:.1} s)")
}

/// A page of the gateway itself.
pub(crate) fn own(page: OwnPage, head: bool) -> Rendered {
    let version = telemetry::build_info::version();
    let (media, text) = match page {
        OwnPage::Start => {
            let page = Start { version, cid: "{cid}" };
            ("text/html; charset=utf-8", page.render().unwrap_or_default())
        }
        OwnPage::Version => {
            let commit = telemetry::build_info::commit();
            let version = serde_json::json!({
                "name": "bifrost-gateway", "version": version, "commit": commit,
            });
            ("application/json", version.to_string())
        }
    };
    let length = text.len();
    let mut response =
        Response::new(if head { Content::Empty } else { Content::Full(Bytes::from(text)) });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    );
    response
}

/// The answer to OPTIONS.
pub(crate) fn options() -> Rendered {
    let mut response = Response::new(Content::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}
