//! Spans on their way to a collector, and the log level over the admin listener.
//!
//! The log and the way of spans are installed once per process, so only this test installs them.

use std::sync::Arc;
use std::time::Duration;

#[path = "collector.rs"]
mod collector;

use self::collector::played_collector;
use super::client::{call, call_with};
use http::StatusCode;
use telemetry::admin::{Admin, Config, NoRoutes, Shown};
use telemetry::metrics::Registry;
use telemetry::trace::TraceContext;
use telemetry::{Drain, Process, Tasks, install, log, trace};

#[tokio::test]
async fn span_arrives_at_the_collector_as_child_of_its_caller() {
    let tasks = Tasks::new();
    let (endpoint, mut arrived) = played_collector(&tasks, "/v1/traces", StatusCode::OK).await;
    // The interval is long: what arrives was sent by the end, not by the clock.
    let config = trace::Config {
        endpoint: Some(endpoint),
        sample_ratio: 0.0,
        export_every: Duration::from_secs(3600),
        ..trace::Config::default()
    };
    let log = log::Config { level: "error".to_owned(), ..log::Config::default() };
    let telemetry = install(&log, &config, Process::Node).expect("installs");
    let registry = Registry::new();
    telemetry.register(&registry);
    let caller = TraceContext::root(true);

    let span = tracing::info_span!(target: "gateway::serve", "answer a request", outcome = "ok");
    caller.adopt(&span);
    let own = span.in_scope(|| TraceContext::of_span(&span)).expect("it is exported");
    drop(span);
    let unsampled = tracing::info_span!(target: "gateway::serve", "not kept");
    TraceContext::root(false).adopt(&unsampled);
    drop(unsampled);

    level_is_changed_over_the_admin_listener(&telemetry).await;
    telemetry.shutdown(Duration::from_secs(20)).await;

    assert_eq!(own.trace_id(), caller.trace_id());
    assert!(own.is_sampled());
    let request = arrived.recv().await.expect("one request arrives");
    assert!(holds(&request, b"answer a request"));
    assert!(holds(&request, b"bifrost-node"));
    assert!(holds(&request, &hex::decode(caller.trace_id()).expect("hexadecimal")));
    assert!(holds(&request, &hex::decode(caller.span_id()).expect("hexadecimal")), "its parent");
    assert!(!holds(&request, b"not kept"));
    let text = registry.text();
    assert!(text.contains("bifrost_telemetry_trace_exported_spans_total 1"), "{text}");
    assert!(text.contains("bifrost_telemetry_trace_dropped_spans_total 0"), "{text}");
    assert!(text.contains("bifrost_telemetry_log_dropped_lines_total 0"), "{text}");
}

async fn level_is_changed_over_the_admin_listener(telemetry: &telemetry::Telemetry) {
    let shown = Shown {
        process: Process::Gateway,
        registry: Registry::new(),
        drain: Drain::new(),
        tasks: Tasks::new(),
        level: Some(telemetry.level().clone()),
    };
    let config = Config { listen: "127.0.0.1:0".parse().expect("an address"), ..Config::default() };
    let address = Admin::start(&config, shown, Arc::new(NoRoutes)).await.expect("starts");
    let put = |body: &str| call_with(address, "PUT /log/level", &[], body.as_bytes().to_vec());

    assert!(!tracing::enabled!(target: "gateway::cache", tracing::Level::DEBUG));
    let answer = put("error,gateway::cache=debug").await;
    assert_eq!((answer.status, answer.text()), (200, "error,gateway::cache=debug\n".to_owned()));
    assert!(tracing::enabled!(target: "gateway::cache", tracing::Level::DEBUG));

    let answer = put("loud").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("is none of off, error"), "{}", answer.text());
    assert_eq!(put(&"x".repeat(5000)).await.status, 400);
    assert_eq!(call(address, "GET /log/level").await.text(), "error,gateway::cache=debug\n");
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
