//! Owns connections: accepts them, speaks HTTP/1.1 or HTTP/2 on them, and closes them in time.
//!
//! Hyper's own header timer runs on idle connections too and does not cover the bytes that tell
//! HTTP/1.1 from HTTP/2, so time is kept here: each connection notes what it is doing, and one
//! watch closes those that do it for too long. The hot path pays a few relaxed stores for that.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry::{Drain, Tasks};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

mod activity;
mod executor;
mod io;
mod watch;

pub(crate) use activity::{Activity, Progress};
pub(crate) use executor::TaskExecutor;
use io::Watched;
use watch::Watch;

use crate::stream::Body;

/// Longest pause between attempts to accept when the process is out of file descriptors.
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
/// How long a connection may take to say goodbye once it is told to.
const GOODBYE: Duration = Duration::from_secs(1);

/// How connections are bounded.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most open connections; further ones wait in the kernel's queue. Default 16384. Zero is
    /// refused at start-up.
    pub connections_max: usize,
    /// Longest time from the first byte of a request's head to its last, and from the start of a
    /// connection to its first request. Default 10 s. Zero is refused at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub header_timeout: Duration,
    /// How long a connection may stay open without a request. Default 60 s. Zero is refused at
    /// start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub idle_timeout: Duration,
    /// How long a client may take no bytes, or fewer than `write_rate_min`, while some wait for
    /// it. Default 30 s. Zero is refused at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub write_timeout: Duration,
    /// Least rate at which a client has to take bytes, per second, averaged over `write_timeout`.
    /// Default 1 KiB. Zero asks for any progress only.
    #[schemars(with = "telemetry::config::SizeText")]
    pub write_rate_min: ByteSize,
    /// Most concurrent requests on one HTTP/2 connection. Default 100.
    pub h2_streams_max: u32,
    /// Most streams that a client may reset before they are accepted; past it the connection is
    /// closed. Default 20.
    pub h2_pending_resets_max: usize,
    /// Most streams that are reset for a client's faults; past it the connection is closed.
    /// Default 128.
    pub h2_local_resets_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections_max: 16384,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            write_rate_min: ByteSize::kib(1),
            h2_streams_max: 100,
            h2_pending_resets_max: 20,
            h2_local_resets_max: 128,
        }
    }
}

/// Largest read and write buffer of an HTTP/1.1 connection, and of an HTTP/2 stream. A head that
/// does not fit is refused with 431 by the parser; `classify` refuses what is over its own limits.
const BUFFER_BYTES: usize = 64 * 1024;
/// Most fields that the parser takes, so that `classify` can refuse them with a page.
const FIELDS_PARSED_MAX: usize = 128;

/// Answers the requests of one connection.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Answers one request; never fails, since a failure is an answer too.
    fn answer(
        self: &Arc<Self>,
        request: http::Request<Incoming>,
        from: &Arc<Activity>,
    ) -> impl Future<Output = http::Response<Body>> + Send;
}

/// The acceptor of one listener.
pub(crate) struct Accept {
    config: Config,
    builder: auto::Builder<TaskExecutor>,
    watch: Watch,
    tasks: Tasks,
    drain: Drain,
    metrics: Metrics,
    /// Told when the listener closes and connections have to end.
    closing: tokio::sync::watch::Receiver<bool>,
    /// Whether `CONNECT` opens a tunnel to this gateway itself.
    tunnel: bool,
}

pub(crate) use crate::metrics::AcceptMetrics as Metrics;

impl Accept {
    /// An acceptor; starts the watch over connections.
    pub(crate) fn start(
        config: Config,
        tasks: Tasks,
        drain: Drain,
        metrics: Metrics,
        closing: tokio::sync::watch::Receiver<bool>,
        tunnel: bool,
    ) -> Self {
        let watch = Watch::start(&config, &tasks, metrics.clone());
        let mut builder = auto::Builder::new(TaskExecutor::new(tasks.clone(), "http2 stream"));
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_headers(FIELDS_PARSED_MAX)
            .max_buf_size(BUFFER_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.h2_streams_max)
            .max_pending_accept_reset_streams(config.h2_pending_resets_max)
            .max_local_error_reset_streams(config.h2_local_resets_max)
            .max_send_buf_size(BUFFER_BYTES)
            .max_header_list_size(32 * 1024)
            .keep_alive_interval(config.idle_timeout)
            .keep_alive_timeout(config.header_timeout);
        Self { config, builder, watch, tasks, drain, metrics, closing, tunnel }
    }

    /// Accepts until told to close; connections go on as tasks of their own.
    pub(crate) async fn run<A: Answer>(self, listener: TcpListener, answer: Arc<A>) {
        let accept = Arc::new(self);
        let slots = Arc::new(Semaphore::new(accept.config.connections_max));
        let mut closing = accept.closing.clone();
        let mut back_off = Duration::from_millis(5);
        loop {
            if slots.available_permits() == 0 {
                accept.metrics.full.inc();
            }
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot.expect("never closed"),
                _ = closing.wait_for(|closing| *closing) => return,
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = closing.wait_for(|closing| *closing) => return,
            };
            match accepted {
                Ok((stream, client)) => {
                    back_off = Duration::from_millis(5);
                    let (accept_, answer) = (Arc::clone(&accept), Arc::clone(&answer));
                    accept.tasks.spawn("connection", async move {
                        if let Err(error) = stream.set_nodelay(true) {
                            debug!(%error, "could not set TCP_NODELAY");
                        }
                        accept_.serve(stream, client, answer).await;
                        drop(slot);
                    });
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
    async fn serve<A, S>(self: &Arc<Self>, stream: S, client: SocketAddr, answer: Arc<A>)
    where
        A: Answer,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let _alive = self.drain.in_flight();
        let entered = self.watch.enter(client);
        let activity = Arc::clone(&entered.activity);
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let service = service_fn(|mut request: http::Request<Incoming>| {
            activity.request_began();
            let (activity, answer) = (Arc::clone(&activity), Arc::clone(&answer));
            if self.tunnel && request.method() == http::Method::CONNECT {
                self.open_tunnel(hyper::upgrade::on(&mut request), client, Arc::clone(&answer));
            }
            async move { Ok::<_, std::convert::Infallible>(answer.answer(request, &activity).await) }
        });
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(io, service));
        let mut closing = self.closing.clone();
        let closed = async move { closing.wait_for(|closing| *closing).await.is_ok() };
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = activity.overdue() => None,
            _ = closed => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => Some(ended),
                    () = activity.overdue() => None,
                }
            }
        };
        match ended {
            Some(Ok(())) => {}
            Some(Err(error)) => debug!(%error, "connection ended with an error"),
            None => {
                connection.as_mut().graceful_shutdown();
                if tokio::time::timeout(GOODBYE, connection).await.is_err() {
                    debug!("connection was cut");
                }
            }
        }
    }

    /// Serves what comes through a tunnel as a connection of its own, once it is open.
    fn open_tunnel<A: Answer>(
        self: &Arc<Self>,
        upgrade: hyper::upgrade::OnUpgrade,
        client: SocketAddr,
        answer: Arc<A>,
    ) {
        let accept = Arc::clone(self);
        // A tunnel in a tunnel would be of the type of itself.
        let tunnel: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            match upgrade.await {
                Ok(upgraded) => accept.serve(TokioIo::new(upgraded), client, answer).await,
                Err(error) => debug!(%error, "a tunnel was not opened"),
            }
        });
        self.tasks.spawn("tunnel", tunnel);
    }
}
