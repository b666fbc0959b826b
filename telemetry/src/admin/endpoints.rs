//! The calls that every process answers; all others are the process's own.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::{Body, Routes, Shown, answer, guard};
use crate::config::Secret;
use crate::profile::{self, CpuRequest, ProfileError};
use crate::{Readiness, build_info};

/// The calls below, for who has asked for one that does not exist.
const LIST: &[&str] = &[
    "GET /livez",
    "GET /readyz",
    "GET /metrics",
    "GET /debug/metrics/prometheus (the same)",
    "GET /version",
    "GET /debug/pprof/profile?seconds=30&hz=99",
    "GET /debug/pprof/heap",
    "GET /debug/pprof/allocs (the same)",
    "PUT /debug/pprof/heap (the allocator samples from here on)",
    "DELETE /debug/pprof/heap (it ceases to)",
    "GET /debug/pprof/goroutine",
    "GET /log/level",
    "PUT /log/level (the body is a level, or directives such as info,gateway::cache=debug)",
];

/// Which can be turned on and off as well as read.
const HEAP: &str = "/debug/pprof/heap";
/// Length of a processor profile when none is asked for, as in Go.
const CPU_SECONDS: u32 = 30;
const CPU_HERTZ: u32 = 99;
/// Longest directive for the log; those of every room of a process fit.
const LEVEL_BYTES_MAX: usize = 4096;
const LEVEL_WAIT: Duration = Duration::from_secs(5);

/// Answers calls.
pub(super) struct Endpoints {
    token: Secret,
    shown: Shown,
    routes: Arc<dyn Routes>,
}

impl Endpoints {
    pub(super) fn new(token: Secret, shown: Shown, routes: Arc<dyn Routes>) -> Self {
        Self { token, shown, routes }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        // Who is not known keeps no connection, so that strangers cannot hold all of them.
        let stranger = guard::is_stranger(&request, &self.token);
        let mut answer = match guard::refuse(&request, &self.token) {
            Some(refusal) => refusal,
            None => self.admitted(request).await,
        };
        if stranger {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn admitted(&self, request: Request<Incoming>) -> Response<Body> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/log/level" if request.method() == Method::PUT => self.set_level(request).await,
            HEAP if request.method() == Method::PUT => sample_heap(true),
            HEAP if request.method() == Method::DELETE => sample_heap(false),
            "/livez"
            | "/readyz"
            | "/metrics"
            | "/debug/metrics/prometheus"
            | "/version"
            | "/debug/pprof/profile"
            | HEAP
            | "/debug/pprof/allocs"
            | "/debug/pprof/goroutine"
            | "/log/level"
                if !reads =>
            {
                not_allowed(request.uri().path())
            }
            "/livez" => answer::text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            "/metrics" | "/debug/metrics/prometheus" => {
                let body = answer::full(self.shown.registry.text());
                answer::answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body)
            }
            "/version" => self.version(),
            "/log/level" => self.level(),
            "/debug/pprof/profile" => self.cpu(&request).await,
            HEAP | "/debug/pprof/allocs" => self.heap().await,
            "/debug/pprof/goroutine" => profile_answer(profile::tasks(&self.shown.tasks)),
            _ => self.own(request).await,
        }
    }

    /// Passes a call on to the process.
    async fn own(&self, request: Request<Incoming>) -> Response<Body> {
        let asked = format!("{} {}", request.method(), request.uri().path());
        match Arc::clone(&self.routes).handle(request).await {
            Some(response) => response,
            None => {
                let list = [LIST, self.routes.list()].concat();
                let detail = format!("there is no {asked}: see endpoints for what there is");
                answer::problem_with(StatusCode::NOT_FOUND, &detail, Some(&list))
            }
        }
    }

    fn readiness(&self) -> Response<Body> {
        match self.shown.drain.readiness() {
            Readiness::Ready => answer::text(StatusCode::OK, "ready\n"),
            Readiness::Starting(reason) => {
                answer::problem(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {reason}"))
            }
            Readiness::Draining => {
                let left = self.shown.drain.in_flight_count();
                let detail = format!("not ready: draining, {left} in flight");
                answer::problem(StatusCode::SERVICE_UNAVAILABLE, &detail)
            }
        }
    }

    fn version(&self) -> Response<Body> {
        let version = json!({
            "process": self.shown.process.text(),
            "version": build_info::version(),
            "commit": build_info::commit(),
            "profile": build_info::profile(),
        });
        answer::json(StatusCode::OK, &version)
    }

    fn level(&self) -> Response<Body> {
        match &self.shown.level {
            Some(level) => answer::text(StatusCode::OK, format!("{}\n", level.get())),
            None => answer::problem(StatusCode::NOT_FOUND, "this process has no log level"),
        }
    }

    async fn set_level(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(level) = &self.shown.level else {
            return answer::problem(StatusCode::NOT_FOUND, "this process has no log level");
        };
        let body = Limited::new(request.into_body(), LEVEL_BYTES_MAX).collect();
        let Ok(Ok(body)) = tokio::time::timeout(LEVEL_WAIT, body).await else {
            let detail = format!(
                "the body is not a level: it has over {LEVEL_BYTES_MAX} bytes, or did not come"
            );
            return answer::problem(StatusCode::BAD_REQUEST, &detail);
        };
        let bytes = body.to_bytes();
        match level.set(&String::from_utf8_lossy(&bytes)) {
            Ok(()) => {
                tracing::info!(level = level.get(), "log level changed");
                self.level()
            }
            Err(error) => answer::problem(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    async fn cpu(&self, request: &Request<Incoming>) -> Response<Body> {
        let number = |name, default| match parameter(request.uri().query(), name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| {
                let detail = format!("{name}={text} is no whole number");
                failed(StatusCode::BAD_REQUEST, detail)
            }),
        };
        let (seconds, hertz) = match (number("seconds", CPU_SECONDS), number("hz", CPU_HERTZ)) {
            (Ok(seconds), Ok(hertz)) => (seconds, hertz),
            (Err(refusal), _) | (_, Err(refusal)) => return refusal,
        };
        let taken = match CpuRequest::new(seconds, hertz) {
            Ok(request) => profile::cpu(request, &self.shown.tasks).await,
            Err(error) => Err(error),
        };
        taken.map_or_else(|error| profile_failure(&error), profile_answer)
    }

    async fn heap(&self) -> Response<Body> {
        match profile::heap(&self.shown.tasks).await {
            Ok(taken) => {
                let mut response = profile_answer(taken.bytes);
                // The first profile of a process that did not sample is all but empty.
                if let Some(sampled_for) = taken.sampled_for {
                    let seconds = HeaderValue::from(sampled_for.as_secs());
                    response.headers_mut().insert("x-profile-sampled-seconds", seconds);
                }
                response
            }
            Err(error) => profile_failure(&error),
        }
    }
}

fn profile_answer(bytes: Vec<u8>) -> Response<Body> {
    answer::answer(StatusCode::OK, "application/octet-stream", answer::full(bytes))
}

fn sample_heap(on: bool) -> Response<Body> {
    match profile::sample_heap(on) {
        Ok(()) => {
            tracing::info!(on, "heap sampling set");
            answer::text(
                StatusCode::OK,
                format!("heap sampling is {}\n", if on { "on" } else { "off" }),
            )
        }
        Err(error) => profile_failure(&error),
    }
}

fn profile_failure(error: &ProfileError) -> Response<Body> {
    let status = match error {
        ProfileError::Busy => StatusCode::TOO_MANY_REQUESTS,
        ProfileError::Bounds { .. } => StatusCode::BAD_REQUEST,
        ProfileError::NoHeap => StatusCode::NOT_IMPLEMENTED,
        ProfileError::Cpu(_) | ProfileError::Heap(_) => StatusCode::INTERNAL_SERVER_ERROR,
        ProfileError::Lost(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    failed(status, error.to_string())
}

/// A failure in the form whose text `go tool pprof` shows.
fn failed(status: StatusCode, detail: String) -> Response<Body> {
    let mut response = answer::text(status, format!("{detail}\n"));
    let headers = response.headers_mut();
    headers.insert("x-go-pprof", HeaderValue::from_static("1"));
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(CPU_SECONDS));
    }
    response
}

fn not_allowed(path: &str) -> Response<Body> {
    let allowed = match path {
        "/log/level" => "GET, HEAD, PUT",
        HEAP => "GET, HEAD, PUT, DELETE",
        _ => "GET, HEAD",
    };
    let detail = format!("{path} takes {allowed}");
    let mut response = answer::problem(StatusCode::METHOD_NOT_ALLOWED, &detail);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}
