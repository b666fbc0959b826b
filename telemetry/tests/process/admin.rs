//! The admin listener over a real connection: what it answers, and whom it refuses.
//!
//! Nothing is stubbed but the process behind it.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Answer, call, call_with};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use telemetry::admin::{Admin, Body, Config, Routes, Shown, text};
use telemetry::config::Secret;
use telemetry::metrics::Registry;
use telemetry::{Drain, Process, Tasks};

/// A process with one call, which counts the bytes of its body as they come.
struct Counting;

impl Routes for Counting {
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Option<Response<Body>>> {
        Box::pin(async move {
            if request.uri().path() != "/count" {
                return None;
            }
            let (mut body, mut bytes) = (request.into_body(), 0);
            while let Some(frame) = body.frame().await {
                bytes += frame.expect("arrives whole").data_ref().map_or(0, bytes::Bytes::len);
            }
            Some(text(StatusCode::OK, bytes.to_string()))
        })
    }

    fn list(&self) -> &'static [&'static str] {
        &["POST /count"]
    }
}

struct Running {
    address: std::net::SocketAddr,
    drain: Drain,
    tasks: Tasks,
}

async fn start(token: &str) -> Running {
    let (registry, drain, tasks) = (Registry::new(), Drain::new(), Tasks::new());
    registry.describe_process(Process::Node);
    tasks.register(&registry);
    let (shown_drain, shown_tasks) = (drain.clone(), tasks.clone());
    let shown = Shown {
        process: Process::Node,
        registry,
        drain: shown_drain,
        tasks: shown_tasks,
        level: None,
    };
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        token: Secret::new(token),
        ..Config::default()
    };
    let address = Admin::start(&config, shown, Arc::new(Counting)).await.expect("starts");
    Running { address, drain, tasks }
}

#[tokio::test]
async fn readiness_follows_the_process_and_liveness_does_not() {
    let running = start("").await;
    running.drain.starting("opening the store");
    let answer = get(&running, "/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("not ready: opening the store"), "{}", answer.text());

    running.drain.ready();
    assert_eq!(get(&running, "/readyz").await.status, 200);

    running.drain.begin();
    let _work = running.drain.in_flight();
    let answer = get(&running, "/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("draining, 1 in flight"), "{}", answer.text());
    assert_eq!(get(&running, "/livez").await.status, 200);
}

#[tokio::test]
async fn metrics_have_both_paths() {
    let running = start("").await;
    for path in ["/metrics", "/debug/metrics/prometheus"] {
        let answer = get(&running, path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert!(answer.text().contains("bifrost_build_info{"), "{}", answer.text());
        assert!(answer.text().contains("bifrost_telemetry_tasks "), "{}", answer.text());
    }
}

#[tokio::test]
async fn version_names_process_and_build() {
    let running = start("").await;
    let answer = get(&running, "/version").await;
    let version: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(version["process"], "node");
    assert_eq!(version["version"], telemetry::build_info::version());
    assert_eq!(version["commit"], telemetry::build_info::commit());
}

#[tokio::test]
async fn body_streams_to_the_process() {
    let running = start("").await;
    let body = vec![7; 3 * 1024 * 1024];
    let answer = call_with(running.address, "POST /count", &[], body).await;
    assert_eq!(answer.text(), "3145728");
}

#[tokio::test]
async fn unknown_path_is_answered_with_what_there_is() {
    let running = start("").await;
    let answer = get(&running, "/metric").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(problem["detail"], "there is no GET /metric: see endpoints for what there is");
    let endpoints = problem["endpoints"].as_array().expect("a list");
    for expected in ["GET /metrics", "GET /log/level", "POST /count"] {
        assert!(endpoints.iter().any(|endpoint| endpoint == expected), "{expected}");
    }
}

#[tokio::test]
async fn wrong_method_is_told_the_right_one() {
    let running = start("").await;
    let answer = call(running.address, "POST /metrics").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD".to_owned()));
    let answer = call(running.address, "HEAD /metrics").await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[tokio::test]
async fn token_is_asked_for_everywhere_but_by_supervisors() {
    let running = start("swordfish").await;
    for path in ["/metrics", "/debug/pprof/heap", "/version", "/count", "/nothing"] {
        let answer = get(&running, path).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer".to_owned()));
    }
    for wrong in ["swordfish", "Bearer swordfis", "Bearer swordfishs", "Basic swordfish", "Bearer "]
    {
        let headers = [("authorization", wrong)];
        let answer = call_with(running.address, "GET /metrics", &headers, Vec::new()).await;
        assert_eq!(answer.status, 401, "{wrong}");
    }
    let headers = [("authorization", "Bearer swordfish")];
    let answer = call_with(running.address, "GET /metrics", &headers, Vec::new()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(get(&running, "/livez").await.status, 200);
    assert_eq!(get(&running, "/readyz").await.status, 503);
}

#[tokio::test]
async fn web_pages_are_not_answered() {
    let running = start("").await;
    for header in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example:9080"),
        ("host", "127.0.0.1.evil.example"),
    ] {
        let answer = call_with(running.address, "POST /count", &[header], Vec::new()).await;
        assert_eq!(answer.status, 403, "{header:?}");
    }
    for host in ["localhost:1", "127.0.0.1", "[::1]:9080"] {
        let answer =
            call_with(running.address, "GET /version", &[("host", host)], Vec::new()).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn open_address_without_token_is_refused_at_start() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let tasks = Tasks::new();
        let shown = Shown {
            process: Process::Node,
            registry: Registry::new(),
            drain: Drain::new(),
            tasks,
            level: None,
        };
        let config = Config { listen: listen.parse().expect("an address"), ..Config::default() };
        let error = Admin::start(&config, shown, Arc::new(Counting)).await.expect_err("is refused");
        assert!(error.to_string().contains("set admin.token"), "{error}");
    }
}

#[tokio::test]
async fn connections_are_bounded_and_further_ones_wait() {
    let (registry, tasks) = (Registry::new(), Tasks::new());
    let shown = Shown {
        process: Process::Node,
        registry: registry.clone(),
        drain: Drain::new(),
        tasks,
        level: None,
    };
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        connections_max: 1,
        header_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let address = Admin::start(&config, shown, Arc::new(Counting)).await.expect("starts");
    let _silent = tokio::net::TcpStream::connect(address).await.expect("connects");
    let answer = call(address, "GET /livez").await;
    assert_eq!(answer.status, 200, "served once the silent connection was cut");
    assert!(!registry.text().contains("bifrost_telemetry_admin_full_total 0"));
}

#[tokio::test]
async fn listener_does_not_hold_up_the_end() {
    let running = start("").await;
    let _idle = tokio::net::TcpStream::connect(running.address).await.expect("connects");
    assert_eq!(get(&running, "/livez").await.status, 200);
    let left = running.tasks.shutdown(Duration::from_secs(30)).await;
    assert!(left.is_empty(), "{left:?}");
    assert!(tokio::net::TcpStream::connect(running.address).await.is_err());
}

async fn get(running: &Running, path: &str) -> Answer {
    call(running.address, &format!("GET {path}")).await
}
