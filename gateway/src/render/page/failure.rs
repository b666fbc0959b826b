//! Failures, explained: what happened, at which stage, for which content, whose side it is on and
//! what to do next.
//!
//! The same is told as a page, as `application/problem+json` or as text, by what the client takes.
//! A page that cannot be drawn is told as text: an explanation never fails.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use ipfs::Cid;
use ipfs::trustless::{Phase, Retrieval};
use serde::Serialize;
use telemetry::metrics::Label;

use super::words::{Words, words};
use super::{Blocked, CONTENT_SECURITY_POLICY, Look, Pages};
use crate::classify::OwnPages;
use crate::outcome::Outcome;
use crate::render::{NOSNIFF, Rendered};
use crate::stream::Content;

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
    /// Which list denies it, if one does.
    pub(crate) blocked: Option<Blocked<'a>>,
    /// When to try again.
    pub(crate) retry_after: Option<Duration>,
    /// The id of the request.
    pub(crate) request_id: &'a str,
    /// Where the gateway's own pages are, from this host.
    pub(crate) own: OwnPages,
}

#[derive(Serialize)]
struct ErrorPage<'a> {
    status: u16,
    outcome: &'a str,
    title: &'a str,
    what: &'a str,
    cause: Option<&'a str>,
    path: Option<&'a str>,
    cid: Option<String>,
    stage: Option<String>,
    blocked: Option<Blocked<'a>>,
    side: &'a str,
    retry: Option<u64>,
    request_id: &'a str,
    steps: &'a [&'a str],
    check: Option<String>,
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
    blocked: Option<Blocked<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
    next_steps: &'a [&'a str],
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
pub(crate) fn failure(
    pages: &Pages,
    why: &Explained<'_>,
    headers: &HeaderMap,
    head: bool,
) -> Rendered {
    let words = words(why.outcome, why.status);
    let (media, text) = told(&pages.look, why, &words, Telling::by(headers));
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
    headers.insert(HeaderName::from_static("content-security-policy"), CONTENT_SECURITY_POLICY);
    if let Some(retry) = why.retry() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry));
    }
    if why.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    }
    //= https://www.rfc-editor.org/rfc/rfc7725#section-4
    if why.status == StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS
        && let Some(policy) = pages.look.policy(&why.own)
        && let Ok(link) = HeaderValue::from_str(&format!("<{policy}>; rel=\"blocked-by\""))
    {
        headers.insert(header::LINK, link);
    }
    response
}

fn told(
    look: &Look,
    why: &Explained<'_>,
    words: &Words,
    telling: Telling,
) -> (&'static str, String) {
    let text = || ("text/plain; charset=utf-8", plain_text(why, words));
    match telling {
        Telling::Page => match page(look, why, words) {
            Ok(page) => ("text/html; charset=utf-8", page),
            Err(error) => {
                tracing::error!(%error, "the page of a failure could not be drawn");
                text()
            }
        },
        Telling::Problem => ("application/problem+json", problem(why, words)),
        Telling::Text => text(),
    }
}

impl Explained<'_> {
    /// After how many seconds to try again.
    fn retry(&self) -> Option<u64> {
        self.retry_after.map(|pause| pause.as_secs().max(1))
    }

    /// What happened: in our words where there are some, else in those of the cause.
    fn what<'a>(&'a self, words: &Words) -> &'a str {
        if words.what.is_empty() { &self.cause } else { words.what }
    }

    /// The cause, where it says more than what happened.
    fn more<'a>(&'a self, words: &Words) -> Option<&'a str> {
        (!self.cause.is_empty() && self.cause != self.what(words)).then_some(&self.cause)
    }
}

fn page(look: &Look, why: &Explained<'_>, words: &Words) -> Result<String, minijinja::Error> {
    let cid = why.cid.map(|cid| cid.to_string());
    let check = look.config.check_url.as_ref().filter(|_| why.outcome.is_of_network());
    let page = ErrorPage {
        status: why.status.as_u16(),
        outcome: why.outcome.text(),
        title: words.title,
        what: why.what(words),
        cause: why.more(words),
        path: why.path,
        stage: why.state.map(stage),
        blocked: why.blocked,
        side: words.side,
        retry: why.retry(),
        request_id: why.request_id,
        steps: words.steps,
        check: check.zip(cid.as_deref()).map(|(url, cid)| url.replace("{cid}", cid)),
        cid,
    };
    look.draw_from("error.html", &why.own, page)
}

fn problem(why: &Explained<'_>, words: &Words) -> String {
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
        blocked: why.blocked,
        retry_after_s: why.retry(),
        next_steps: words.steps,
    };
    serde_json::to_string(&problem).unwrap_or_else(|_| "{}".to_owned())
}

fn plain_text(why: &Explained<'_>, words: &Words) -> String {
    let mut text = format!("{} {}\n{}\n", why.status.as_u16(), words.title, why.what(words));
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\n"));
    if let Some(cause) = why.more(words) {
        line("cause", cause);
    }
    if let Some(blocked) = why.blocked {
        line("list", blocked.list);
        line("reason", blocked.reason.unwrap_or("none is given"));
    }
    if let Some(state) = why.state {
        line("stage", &stage(state));
    }
    line("side", words.side);
    if let Some(retry) = why.retry() {
        line("try again in", &format!("{retry} s"));
    }
    line("request", why.request_id);
    for step in words.steps {
        line("next", step);
    }
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

/// Draws a failure that has everything and one that has nothing.
pub(super) fn try_draw(look: &Look) -> Result<(), minijinja::Error> {
    let text = || Some("-".to_owned());
    for (is_full, retry) in [(true, Some(1)), (false, None)] {
        let some = |text: &'static str| is_full.then_some(text);
        let page = ErrorPage {
            status: 504,
            outcome: "-",
            title: "-",
            what: "-",
            cause: some("-"),
            path: some("-"),
            cid: text().filter(|_| is_full),
            stage: text().filter(|_| is_full),
            blocked: is_full.then_some(Blocked { list: "-", reason: some("-"), legal: true }),
            side: "-",
            retry,
            request_id: "-",
            steps: &["-"],
            check: text().filter(|_| is_full),
        };
        look.draw("error.html", is_full, page)?;
    }
    Ok(())
}
