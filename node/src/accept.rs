//! Owns connections: accepts them, speaks HTTP/1.1 or cleartext HTTP/2, and closes them in time.
//!
//! The clients are gateways and other trustless readers. The timers are those of the HTTP library, and
//! `io` has those that it lacks; a connection's task is owned and joined, and one that has nothing in flight ends at once when the
//! process drains.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry::metrics::{Counter, Gauge, Registry};
use telemetry::{Drain, Tasks};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::serve::{Body, Serve};

mod io;

use io::Patient;

/// Longest pause between attempts to accept when the process is out of file descriptors.
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// Bytes of a connection's head, and of what waits to be written to it.
const BUFFER_BYTES: usize = 64 * 1024;
/// Bytes of request bodies, of which a request for content has none, that a client may send unasked.
const WINDOW_BYTES: u32 = 64 * 1024;

/// How connections are bounded.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address to listen on. Default `127.0.0.1:8180`.
    pub listen: SocketAddr,
    /// Most open connections; further ones wait in the kernel's queue. Default 4096. Zero counts as
    /// one.
    pub connections_max: usize,
    /// Longest wait for the next request's whole head on an HTTP/1.1 connection, idle time included.
    /// Default 60 s; gateways let go of idle connections sooner.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub header_timeout: Duration,
    /// Most concurrent requests on one HTTP/2 connection. Default 256.
    pub h2_streams_max: u32,
    /// Longest wait for a client to read on; its connection is cut then. Default 60 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub write_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8180)),
            connections_max: 4096,
            header_timeout: Duration::from_secs(60),
            h2_streams_max: 256,
            write_timeout: Duration::from_secs(60),
        }
    }
}

/// What the room counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Open connections.
    pub connections: Gauge,
    /// Attempts to accept a connection that failed.
    pub accept_errors: Counter,
    /// Times that a connection had to wait because there were too many.
    pub full: Counter,
}

impl Metrics {
    /// Registers the room's series.
    pub fn new(registry: &Registry) -> Self {
        Self {
            connections: registry
                .gauge("bifrost_node_accept_connections", "Open HTTP connections."),
            accept_errors: registry.counter(
                "bifrost_node_accept_errors_total",
                "Attempts to accept a connection that failed.",
            ),
            full: registry.counter(
                "bifrost_node_accept_full_total",
                "Times that a connection had to wait because there were too many.",
            ),
        }
    }
}

/// Runs hyper's own tasks as tasks of ours.
#[derive(Clone)]
struct Streams(Tasks);

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(self.0.spawn("http2 stream", future));
    }
}

/// Accepts connections of one listener.
pub(crate) struct Accept {
    pub(crate) config: Config,
    pub(crate) tasks: Tasks,
    pub(crate) drain: Drain,
    pub(crate) metrics: Metrics,
}

impl Accept {
    /// Accepts until the process drains; connections go on as tasks of their own.
    pub(crate) async fn run(self, listener: TcpListener, serve: Arc<Serve>) {
        let accept = Arc::new(self);
        let slots = Arc::new(Semaphore::new(accept.config.connections_max.max(1)));
        let mut back_off = Duration::from_millis(5);
        loop {
            if slots.available_permits() == 0 {
                accept.metrics.full.inc();
            }
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot.expect("never closed"),
                () = accept.drain.draining() => return,
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = accept.drain.draining() => return,
            };
            match accepted {
                Ok((stream, client)) => {
                    back_off = Duration::from_millis(5);
                    let (own, serve) = (Arc::clone(&accept), Arc::clone(&serve));
                    drop(accept.tasks.spawn("http connection", async move {
                        own.connection(stream, client, serve).await;
                        drop(slot);
                    }));
                }
                // Out of descriptors or memory: a pause lets others finish. The listener goes on.
                Err(error) => {
                    accept.metrics.accept_errors.inc();
                    warn!(%error, "could not accept a connection");
                    tokio::time::sleep(back_off).await;
                    back_off = (back_off * 2).min(BACK_OFF_MAX);
                }
            }
        }
    }

    /// Serves one connection to its end.
    async fn connection(&self, stream: TcpStream, client: SocketAddr, serve: Arc<Serve>) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "could not set TCP_NODELAY");
        }
        let _alive = self.drain.in_flight();
        self.metrics.connections.inc();
        let service = service_fn(move |request: Request<Incoming>| {
            let serve = Arc::clone(&serve);
            async move { Ok::<Response<Body>, Infallible>(serve.answer(request, client).await) }
        });
        let builder = self.builder();
        let io = Patient::new(stream, self.config.header_timeout, self.config.write_timeout);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.drain.draining() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%client, %error, "connection ended with an error");
        }
        self.metrics.connections.dec();
    }

    fn builder(&self) -> auto::Builder<Streams> {
        let mut builder = auto::Builder::new(Streams(self.tasks.clone()));
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .max_headers(64)
            .max_buf_size(BUFFER_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.config.h2_streams_max)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_send_buf_size(1024 * 1024)
            .max_header_list_size(16 * 1024)
            .keep_alive_interval(self.config.header_timeout)
            .keep_alive_timeout(self.config.header_timeout);
        builder
    }
}
