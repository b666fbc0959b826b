//! A gateway on a free port in front of fake nodes, and a client.

use std::time::Duration;

use bytes::Bytes;
use gateway::config::{Config, NodeConfig, Protocol};
use gateway::server::{Server, ServerError, Surroundings};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use telemetry::access::AccessLog;
use telemetry::metrics::Registry;
use telemetry::{Drain, Tasks};

use crate::fake::FakeNode;

/// A gateway under test.
pub(crate) struct Gateway {
    pub(crate) server: Server,
    pub(crate) registry: Registry,
    pub(crate) tasks: Tasks,
    client: Client<HttpConnector, Empty<Bytes>>,
    h2: Client<HttpConnector, Empty<Bytes>>,
}

/// An answer that was read whole, or as far as it came.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body ended as it should.
    pub(crate) whole: bool,
}

impl Got {
    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A configuration with short times, in front of these nodes.
pub(crate) fn config(nodes: &[&FakeNode]) -> Config {
    let mut config = Config::default();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.drain_window = Duration::ZERO;
    config.server.first_byte_timeout = Duration::from_secs(10);
    config.blocks.stall_timeout = Duration::from_secs(3);
    config.upstream.hedge_after = Duration::from_millis(200);
    config.upstream.stall_timeout = Duration::from_millis(300);
    config.upstream.nodes = nodes
        .iter()
        .map(|node| NodeConfig {
            url: format!("http://{}", node.address),
            protocol: Protocol::Http1,
        })
        .collect();
    config
}

impl Gateway {
    pub(crate) async fn start(config: Config) -> Self {
        Self::try_start(config).await.expect("the gateway starts")
    }

    /// As [`Gateway::start`], for configurations that may be refused.
    pub(crate) async fn try_start(config: Config) -> Result<Self, ServerError> {
        Self::try_start_logged(config, AccessLog::off()).await
    }

    /// As [`Gateway::try_start`], with an access log.
    pub(crate) async fn try_start_logged(
        config: Config,
        access: AccessLog,
    ) -> Result<Self, ServerError> {
        let (tasks, registry) = (Tasks::new(), Registry::new());
        let around = Surroundings {
            tasks: tasks.clone(),
            drain: Drain::new(),
            registry: registry.clone(),
            access,
        };
        let server = Server::start(config, around).await?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let h2 = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        Ok(Self { server, registry, tasks, client, h2 })
    }

    /// A gateway in front of nodes, with the tests' defaults.
    pub(crate) async fn of(nodes: &[&FakeNode]) -> Self {
        Self::start(config(nodes)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send(&self.client, method, path, headers).await
    }

    pub(crate) async fn get_h2(&self, path: &str) -> Got {
        self.send(&self.h2, Method::GET, path, &[]).await
    }

    async fn send(
        &self,
        client: &Client<HttpConnector, Empty<Bytes>>,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Got {
        let uri = format!("http://{}{path}", self.server.address());
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).expect("a valid request");
        let response = client.request(request).await.expect("an answer");
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        let mut whole = true;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend(frame.into_data().unwrap_or_default()),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        Got { status: parts.status, headers: parts.headers, body: bytes.into(), whole }
    }

    /// The sum of all series whose line begins with `name` and holds `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> u64 {
        let text = self.registry.text();
        let lines = text.lines().filter(|line| {
            let is_name = line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
            is_name && line.contains(labels)
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Waits until a metric has grown to this value, for at most twenty seconds.
    pub(crate) async fn metric_at_least(&self, name: &str, value: u64) {
        for _ in 0..2000 {
            if self.metric(name, "") >= value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name} is {}, less than {value}", self.metric(name, ""));
    }

    /// Waits until a metric has this value, for at most twenty seconds.
    pub(crate) async fn metric_becomes(&self, name: &str, labels: &str, value: u64) {
        for _ in 0..2000 {
            if self.metric(name, labels) == value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name}{{{labels}}} is {}, not {value}", self.metric(name, labels));
    }
}
