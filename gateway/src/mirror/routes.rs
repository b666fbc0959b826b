//! The mirror's calls on the admin listener: how it is, the latest differences, and its settings.
//!
//! What is set here holds until the configuration is read again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use telemetry::admin::{self, Body, Routes};

use super::Shared;
use super::config::Config;

/// Longest settings that are read.
const SETTINGS_BYTES_MAX: usize = 16 * 1024;
/// Longest wait for them.
const SETTINGS_WAIT: Duration = Duration::from_secs(5);

/// The calls below, for who has asked for one that does not exist.
const LIST: &[&str] = &[
    "GET /mirror (how it is, its settings, the latest differences)",
    "PUT /mirror (the body is JSON with the keys to change, such as {\"fraction\":0.1})",
];

/// Answers the calls, once it is given the mirror: the admin listener is there before the gateway.
#[derive(Default)]
pub struct MirrorRoutes {
    shared: OnceLock<Arc<Shared>>,
}

impl MirrorRoutes {
    /// Gives it the mirror.
    pub(super) fn show(&self, shared: Arc<Shared>) {
        // A process has one gateway.
        self.shared.set(shared).ok();
    }
}

/// The mirror, as its calls see it.
struct Called(Arc<Shared>);

impl Called {
    async fn put(&self, request: Request<Incoming>) -> Response<Body> {
        let refused = |detail: &str| admin::problem(StatusCode::BAD_REQUEST, detail);
        let body = Limited::new(request.into_body(), SETTINGS_BYTES_MAX).collect();
        let Ok(Ok(body)) = tokio::time::timeout(SETTINGS_WAIT, body).await else {
            return refused("the body has over 16 KiB, or did not come");
        };
        let changes: Value = match serde_json::from_slice(&body.to_bytes()) {
            Ok(changes @ Value::Object(_)) => changes,
            Ok(_) | Err(_) => return refused("the body is no JSON object: {\"fraction\":0.1}"),
        };
        match self.changed(&changes).and_then(|config| self.0.set(&config)) {
            Ok(()) => {
                tracing::info!(%changes, "settings of the mirror were changed");
                self.shown()
            }
            Err(error) => refused(&error),
        }
    }

    /// The settings with some keys changed.
    fn changed(&self, changes: &Value) -> Result<Config, String> {
        let before = self.0.settings.load().config.clone();
        let mut tree = json!(before);
        for (key, value) in changes.as_object().into_iter().flatten() {
            if ["dir", "queue"].contains(&key.as_str()) {
                return Err(format!("mirror.{key} takes a restart"));
            }
            tree[key] = value.clone();
        }
        serde_json::from_value(tree).map_err(|error| format!("mirror: {error}"))
    }

    fn shown(&self) -> Response<Body> {
        let settings = self.0.settings.load();
        let health = &self.0.health;
        let state = match settings.staging {
            None => "off",
            Some(_) if health.is_loop() => "loop",
            Some(_) if health.is_well() => "on",
            Some(_) => "paused",
        };
        let document = json!({
            "state": state,
            "waiting": self.0.metrics.waiting.get(),
            "settings": settings.config,
            "differences": self.0.latest.lock().all(),
        });
        admin::json(StatusCode::OK, &document)
    }
}

impl Routes for MirrorRoutes {
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Option<Response<Body>>> {
        Box::pin(async move {
            if request.uri().path() != "/mirror" {
                return None;
            }
            let Some(shared) = self.shared.get() else {
                let detail = "the gateway is starting";
                return Some(admin::problem(StatusCode::SERVICE_UNAVAILABLE, detail));
            };
            let called = Called(Arc::clone(shared));
            Some(match *request.method() {
                Method::GET | Method::HEAD => called.shown(),
                Method::PUT => called.put(request).await,
                _ => admin::problem(StatusCode::METHOD_NOT_ALLOWED, "/mirror takes GET, HEAD, PUT"),
            })
        })
    }

    fn list(&self) -> &'static [&'static str] {
        LIST
    }
}
