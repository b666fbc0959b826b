//! What holds of trace contexts, request ids and the export of spans.

use std::time::Duration;

use opentelemetry::trace::{Span, Tracer};

use super::*;
use crate::Process;
use crate::metrics::Registry;

const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn header_is_read_and_written_the_same() {
    let context = TraceContext::parse(VALID).expect("is well-formed");
    assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(context.span_id(), "b7ad6b7169203331");
    assert!(context.is_sampled());
    assert_eq!(context.header_value(), VALID);
}

#[test]
fn malformed_headers_are_not_repaired() {
    let malformed = [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0é",
    ];
    for text in malformed {
        assert_eq!(TraceContext::parse(text), None, "{text}");
    }
}

//= https://www.w3.org/TR/trace-context/#versioning-of-traceparent
//= type=test
//# If a higher version is detected, the implementation SHOULD try to parse it
#[test]
fn later_version_is_read_for_what_is_known_of_it() {
    let later = TraceContext::parse(&format!("01{}-what-comes", &VALID[2..])).expect("is read");
    assert_eq!(later.to_string(), VALID);
    let unsampled = TraceContext::parse(&VALID.replace("-01", "-fe")).expect("is read");
    assert!(!unsampled.is_sampled());
}

#[test]
fn child_stays_in_its_trace() {
    let root = TraceContext::root(true);
    let child = root.child();
    assert_eq!(child.trace_id(), root.trace_id());
    assert_ne!(child.span_id(), root.span_id());
    assert_eq!(TraceContext::parse(&child.to_string()), Some(child));
}

#[test]
fn two_headers_are_as_good_as_none() {
    let mut headers = HeaderMap::new();
    headers.append(TRACEPARENT, HeaderValue::from_static(VALID));
    assert!(TraceContext::from_headers(&headers).is_some());
    headers.append(TRACEPARENT, HeaderValue::from_static(VALID));
    assert!(TraceContext::from_headers(&headers).is_none());
}

#[test]
fn request_id_of_a_client_is_kept_only_when_harmless() {
    let mut headers = HeaderMap::new();
    let kept = "A-b_9".repeat(12);
    headers.insert(RequestId::HEADER, HeaderValue::try_from(&kept).expect("a value"));
    assert_eq!(RequestId::of(&headers).as_str(), kept);
    let long = "a".repeat(65);
    for wrong in ["", "a b", "a\"b", "a/b", "$(x)", long.as_str()] {
        headers.insert(RequestId::HEADER, HeaderValue::from_str(wrong).expect("a value"));
        let id = RequestId::of(&headers);
        assert_eq!(id.as_str().len(), 32, "{wrong}");
        assert_ne!(id.as_str(), wrong);
    }
}

#[test]
fn random_request_ids_differ() {
    let ids: std::collections::HashSet<_> = (0..1000).map(|_| RequestId::random()).collect();
    assert_eq!(ids.len(), 1000);
}

#[tokio::test]
async fn unusable_configuration_is_told_at_start() {
    for (endpoint, ratio, expected) in [
        ("collector:4318", 1.0, "write an http URL"),
        ("https://127.0.0.1:4318/v1/traces", 1.0, "write an http URL"),
        ("http://", 1.0, "exporter"),
        ("http://127.0.0.1:4318/v1/traces", 1.5, "write a number from 0 to 1"),
        ("http://127.0.0.1:4318/v1/traces", f64::NAN, "write a number from 0 to 1"),
    ] {
        let config = Config {
            endpoint: Some(endpoint.to_owned()),
            sample_ratio: ratio,
            ..Config::default()
        };
        let error = Exporter::start(&config, Process::Node).expect_err("is refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(Exporter::start(&Config::default(), Process::Node).expect("is off").is_none());
}

#[tokio::test]
async fn spans_that_nobody_takes_are_counted() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = gone.local_addr().expect("has an address");
    drop(gone);
    let config = Config {
        endpoint: Some(format!("http://{address}/v1/traces")),
        sample_ratio: 1.0,
        queue_max: 2,
        batch_max: 1,
        export_every: Duration::from_secs(3600),
        timeout: Duration::from_secs(5),
    };
    let exporter = Exporter::start(&config, Process::Node).expect("starts").expect("is on");
    let registry = Registry::new();
    exporter.register(&registry);
    // The task that sends has not run yet, so that the queue holds two of five.
    for _ in 0..5 {
        exporter.tracer().start("a span").end();
    }
    assert!(exporter.shutdown(Duration::from_secs(20)).await);
    let text = registry.text();
    assert!(text.contains("bifrost_telemetry_trace_dropped_spans_total 3"), "{text}");
    assert!(text.contains("bifrost_telemetry_trace_failed_spans_total 2"), "{text}");
    assert!(text.contains("bifrost_telemetry_trace_exported_spans_total 0"), "{text}");
}
