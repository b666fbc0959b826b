//! What the gateway says of itself: start, help, policy, and what robots and researchers ask for.
//!
//! All of it is drawn when the configuration is read, but for the day on which `security.txt`
//! expires, which would pass in a process that runs for long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::policy::Policy;
use super::{CONTENT_SECURITY_POLICY, Look, Pages, word_of};
use crate::classify::{OwnPage, etag_matches};
use crate::config::Config;
use crate::render::{NOSNIFF, Rendered};
use crate::stream::Content;

/// How long a copy of these pages may be kept.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// What crawlers are asked for: content is somebody else's, and every path of it costs a search.
const ROBOTS: &str = "User-agent: *\nDisallow: /ipfs/\nDisallow: /ipns/\n";
/// After how many days `security.txt` is to be read again; RFC 9116 wants less than a year.
const SECURITY_DAYS: u64 = 180;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A page that is ready to be sent.
#[derive(Debug, Clone)]
struct Body {
    media: &'static str,
    text: Bytes,
    etag: HeaderValue,
}

impl Body {
    fn new(media: &'static str, text: String) -> Self {
        let etag = format!("\"{}\"", word_of(&[&text]));
        let etag = HeaderValue::from_str(&etag).expect("it holds digits and letters only");
        Self { media, text: text.into(), etag }
    }

    fn html(text: String) -> Self {
        Self::new("text/html; charset=utf-8", text)
    }

    fn plain(text: String) -> Self {
        Self::new("text/plain; charset=utf-8", text)
    }
}

/// The pages that are ready to be sent.
#[derive(Debug)]
pub(super) struct Bodies {
    start: Body,
    help: Body,
    policy: Body,
    policy_json: Body,
    robots: Body,
    version: Body,
}

impl Bodies {
    /// Draws them.
    pub(super) fn draw(look: &Look, running: &Config) -> Result<Self, minijinja::Error> {
        let policy = Policy::of(running);
        let json = policy.json_text(&look.config);
        let robots = look.config.robots.as_deref().unwrap_or(ROBOTS);
        let version = json!({
            "name": "bifrost-gateway",
            "version": telemetry::build_info::version(),
            "commit": telemetry::build_info::commit(),
        });
        Ok(Self {
            start: Body::html(look.draw("start.html", true, json!({}))?),
            help: Body::html(look.draw("help.html", true, json!({}))?),
            policy: Body::html(look.draw("policy.html", true, &policy)?),
            policy_json: Body::new("application/json", json),
            robots: Body::plain(format!("{}\n", robots.trim_end())),
            version: Body::new("application/json", version.to_string()),
        })
    }
}

/// RFC 9116, if there is somebody to write to.
fn security(look: &Look, now: SystemTime) -> Option<Body> {
    let contact = look.config.security_contact.as_ref()?;
    let days = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY.as_secs();
    let expires = UNIX_EPOCH + DAY * u32::try_from(days + SECURITY_DAYS).ok()?;
    let expires = humantime::format_rfc3339_seconds(expires);
    Some(Body::plain(format!("Contact: {contact}\nExpires: {expires}\nPreferred-Languages: en\n")))
}

impl Pages {
    /// Answers with a page of the gateway itself; none when it is not there with this
    /// configuration.
    pub(crate) fn own(
        &self,
        page: OwnPage,
        headers: &HeaderMap,
        head: bool,
        now: SystemTime,
    ) -> Option<Rendered> {
        let body = match page {
            OwnPage::Start => self.own.start.clone(),
            OwnPage::Help => self.own.help.clone(),
            OwnPage::Policy => self.own.policy.clone(),
            OwnPage::PolicyJson => self.own.policy_json.clone(),
            OwnPage::Robots => self.own.robots.clone(),
            OwnPage::Version => self.own.version.clone(),
            OwnPage::Security => security(&self.look, now)?,
        };
        let known = headers.get(header::IF_NONE_MATCH);
        let known = known.is_some_and(|tags| etag_matches(tags.as_bytes(), body.etag.as_bytes()));
        Some(answer(body, known, head))
    }
}

fn answer(body: Body, is_known: bool, head: bool) -> Rendered {
    let length = body.text.len();
    let content = if head || is_known { Content::Empty } else { Content::Full(body.text) };
    let mut response = Response::new(content);
    let headers = response.headers_mut();
    headers.insert(header::ETAG, body.etag);
    headers.insert(header::CACHE_CONTROL, KEEP);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(HeaderName::from_static("content-security-policy"), CONTENT_SECURITY_POLICY);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(body.media));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
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
