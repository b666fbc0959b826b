//! Heads of answers as they are compared, and what staging says of its own answer.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipfs::answer::{Answer, HEADERS, Seen};
use serde_json::{Value, json};
use telemetry::build_info;
use telemetry::metrics::Label;

use crate::outcome::Source;

/// The header in which a gateway tells a mirror how long its answer took it (Server Timing).
pub(crate) const TIMING: HeaderName = HeaderName::from_static("server-timing");
/// The header in which it tells its build.
pub(crate) const BUILD: HeaderName = HeaderName::from_static("bifrost-build");

/// An answer without its body.
pub(super) fn head(status: u16, headers: &HeaderMap) -> Answer {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    Answer::new(status, length, |name| headers.get_all(name).iter().map(HeaderValue::as_bytes))
}

/// What is told to a mirror that asks: the time to the head, and the build.
pub(crate) fn tell(headers: &mut HeaderMap, first_byte: Duration) {
    let millis = first_byte.as_secs_f64() * 1000.0;
    let timing = format!("first-byte;dur={millis:.3}");
    headers.insert(TIMING, HeaderValue::try_from(timing).expect("digits"));
    let build = HeaderValue::from_static(build_info::whole());
    headers.insert(BUILD, build);
}

/// How long an answer took the gateway by its own account.
pub(super) fn told_time(headers: &HeaderMap) -> Option<Duration> {
    let timing = headers.get(TIMING)?.to_str().ok()?;
    let metric = timing.split(',').find(|metric| metric.trim().starts_with("first-byte"))?;
    let millis = metric.split(';').find_map(|part| part.trim().strip_prefix("dur="))?;
    let seconds = millis.parse::<f64>().ok()? / 1000.0;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Which build it says it is.
pub(super) fn told_build(headers: &HeaderMap) -> Option<String> {
    let build = headers.get(BUILD)?.to_str().ok()?;
    (build.len() <= 128).then(|| build.to_owned())
}

/// Where its bytes came from, by its `Cache-Status` (RFC 9211).
pub(super) fn told_source(headers: &HeaderMap) -> &'static str {
    let status = headers.get("cache-status").and_then(|value| value.to_str().ok());
    match status {
        Some(status) if status.starts_with("bifrost-gateway; hit") => Source::Hit.text(),
        Some(status) if status.starts_with("bifrost-node; hit") => Source::Pool.text(),
        Some(status) if status.starts_with("bifrost-node; fwd") => Source::Network.text(),
        Some(_) => "unknown",
        None if headers.contains_key(BUILD) => Source::None.text(),
        None => "unknown",
    }
}

/// An answer as records have it.
pub(super) fn shown(answer: &Answer) -> Value {
    let headers = HEADERS
        .iter()
        .zip(&answer.headers)
        .filter_map(|(name, value)| Some(((*name).to_owned(), json!(value.as_deref()?))));
    let Seen { bytes, sha256, whole, blocks, .. } = &answer.body;
    json!({
        "status": answer.status,
        "headers": headers.collect::<serde_json::Map<_, _>>(),
        "length": answer.length,
        "bytes": bytes,
        "sha256": super::hex(sha256),
        "whole": whole,
        "blocks": blocks.map(|blocks| json!({ "count": blocks.count, "wrong": blocks.wrong })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        let mut headers = HeaderMap::new();
        assert_eq!((told_time(&headers), told_build(&headers)), (None, None));
        assert_eq!(told_source(&headers), "unknown");
        tell(&mut headers, Duration::from_micros(1234));
        assert_eq!(told_time(&headers), Some(Duration::from_micros(1234)));
        assert_eq!(told_build(&headers).as_deref(), Some(build_info::whole()));
        assert_eq!(told_source(&headers), "none");
        for lie in ["first-byte;dur=-1", "first-byte;dur=NaN", "first-byte;dur=1e300", "x"] {
            headers.insert(TIMING, HeaderValue::from_static(lie));
            assert_eq!(told_time(&headers), None, "{lie}");
        }
    }
}
