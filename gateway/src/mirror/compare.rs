//! Heads of answers as they are compared, and what staging says of its own answer.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipfs::answer::{self, Answer, BUILD_HEADER, HEADERS, Seen, TIMING_HEADER, Told};
use serde_json::{Value, json};
use telemetry::build_info;

use super::copied::counted;

/// The headers that repeat the query, of which a copy has only the parameters that count.
const ADDRESSES: [&str; 2] = ["location", "content-location"];

/// An answer without its body.
pub(super) fn head(status: u16, headers: &HeaderMap) -> Answer {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let addresses = ADDRESSES.map(|name| {
        let values = headers.get_all(name).iter();
        values.map(|value| counted(&String::from_utf8_lossy(value.as_bytes()))).collect::<Vec<_>>()
    });
    Answer::new(status, length, |name| {
        let place = ADDRESSES.iter().position(|address| *address == name);
        let counted = place.map_or(&[][..], |place| &addresses[place]);
        let whole = headers.get_all(name).iter().filter(move |_| place.is_none());
        counted.iter().map(String::as_bytes).chain(whole.map(HeaderValue::as_bytes))
    })
}

/// What is told to a mirror that asks: the time to the head, and the build.
pub(crate) fn tell(headers: &mut HeaderMap, first_byte: Duration) {
    let timing = HeaderValue::try_from(answer::timing(first_byte)).expect("digits");
    headers.insert(HeaderName::from_static(TIMING_HEADER), timing);
    let build = HeaderValue::from_static(build_info::whole());
    headers.insert(HeaderName::from_static(BUILD_HEADER), build);
}

/// What a gateway says of its own answer.
pub(super) fn told(headers: &HeaderMap) -> Told {
    Told::of(|name| headers.get(name).and_then(|value| value.to_str().ok()))
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
    fn of_the_query_that_is_repeated_only_what_counts_is_seen() {
        let head = |query: &str| {
            let mut headers = HeaderMap::new();
            for (name, end) in [("location", "#top"), ("content-location", "")] {
                let value = format!("http://a.example/b/?{query}{end}");
                headers.insert(name, HeaderValue::try_from(value).expect("visible ASCII"));
            }
            headers.append("link", HeaderValue::from_static("</a?b=c>"));
            head(301, &headers)
        };
        // Before a long value is cut.
        let long = format!("utm_source=x&token=CANARY{}&format=raw&", "x".repeat(4096));
        let (production, staging) = (head(&long), head("format=raw"));
        assert_eq!(production, staging);
        let headers = &shown(&production)["headers"];
        assert_eq!(headers["location"], "http://a.example/b/?format=raw#top");
        assert_eq!(headers["content-location"], "http://a.example/b/?format=raw");
        assert_eq!(headers["link"], "</a?b=c>");
        assert_ne!(head("format=car"), staging, "what counts is compared");
    }

    #[test]
    fn what_is_told_is_understood() {
        let mut headers = HeaderMap::new();
        let nothing = told(&headers);
        assert_eq!((nothing.first_byte, nothing.build, nothing.cache), (None, None, "unknown"));
        tell(&mut headers, Duration::from_micros(1234));
        let all = told(&headers);
        assert_eq!(all.first_byte, Some(Duration::from_micros(1234)));
        assert_eq!(all.build.as_deref(), Some(build_info::whole()));
        assert_eq!(all.cache, "none");
        for lie in ["first-byte;dur=-1", "first-byte;dur=NaN", "first-byte;dur=1e300", "x"] {
            headers.insert(TIMING_HEADER, HeaderValue::from_static(lie));
            assert_eq!(told(&headers).first_byte, None, "{lie}");
        }
    }
}
