//! Owns connections: accepts them, speaks HTTP/1.1 or cleartext HTTP/2, and closes them in time.
//!
//! The clients are gateways and other trustless readers, so the timers are those of the HTTP library;
//! a connection's task is owned and joined, and one that has nothing in flight ends at once when the
//! process drains.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use telemetry::metrics::{Counter, Gauge, Registry};
use telemetry::{Drain, Tasks};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::serve::{Body, Serve};

/// Longest pause between attempts to accept when the process is out of file descriptors.
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// How connections are bounded.
#[derive(Debug, Clone, Deserialize, Serialize)]
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
    pub header_timeout: Duration,
    /// Most concurrent requests on one HTTP/2 connection. Default 256.
    pub h2_streams_max: u32,
    /// How many bytes of one HTTP/2 stream may be on their way unread. Default 4 MiB.
    pub h2_window: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8180)),
            connections_max: 4096,
            header_timeout: Duration::from_secs(60),
            h2_streams_max: 256,
            h2_window: ByteSize::mib(4),
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
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
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
        let window = u32::try_from(self.config.h2_window.as_u64()).unwrap_or(u32::MAX >> 1);
        let mut builder = auto::Builder::new(Streams(self.tasks.clone()));
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .max_headers(64);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.config.h2_streams_max)
            .initial_stream_window_size(window)
            .initial_connection_window_size(window)
            .max_send_buf_size(1024 * 1024)
            .max_header_list_size(16 * 1024);
        builder
    }
}
