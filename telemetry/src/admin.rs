//! The admin listener: what an operator, a scraper and a supervisor ask of a process.
//!
//! It is never public. On loopback it answers whoever is on the machine, but no web page that a
//! browser there shows; on any other address it starts only with a token.

mod answer;
mod config;
mod endpoints;
mod guard;
mod listen;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

pub use answer::{empty, full, json, problem, text};
pub use config::Config;

use crate::log::LogLevel;
use crate::metrics::Registry;
use crate::service::{self, Socket};
use crate::{Drain, Process, Tasks, profile};
use endpoints::Endpoints;

/// An error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The calls that a process adds to its admin listener.
pub trait Routes: Send + Sync + 'static {
    /// Answers a call that is none of the listener's own; none when it is none of the process's
    /// either. The body of the request is a stream, and nothing bounds its length or time here.
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Option<Response<Body>>>;

    /// The calls, one line each, for who has asked for one that does not exist.
    fn list(&self) -> &'static [&'static str];
}

/// A process without calls of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRoutes;

impl Routes for NoRoutes {
    fn handle(
        self: Arc<Self>,
        _request: Request<Incoming>,
    ) -> BoxFuture<'static, Option<Response<Body>>> {
        Box::pin(std::future::ready(None))
    }

    fn list(&self) -> &'static [&'static str] {
        &[]
    }
}

/// What the listener shows of a process.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Which program it is.
    pub process: Process,
    /// Its metrics.
    pub registry: Registry,
    /// Whether it is ready.
    pub drain: Drain,
    /// Its tasks; the listener's own are among them.
    pub tasks: Tasks,
    /// The level of its log, when it has one that can be changed.
    pub level: Option<LogLevel>,
}

/// Why there is no admin listener.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// It would be open to others without a token.
    #[error(
        "the admin listener would be open to others on {0}: set admin.token (variable \
         BIFROST_ADMIN__TOKEN) or admin.token_file, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// The token cannot be had.
    #[error("{0}")]
    Token(String),
    /// The address cannot be listened on.
    #[error("could not listen on {address} for admin calls: {source}; change admin.listen")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What happened.
        source: std::io::Error,
    },
    /// Heap profiles were asked for and cannot be had.
    #[error("could not begin the heap profile that admin.heap_profile asks for")]
    Heap(#[source] profile::ProfileError),
}

/// The admin listener of a process.
#[derive(Debug)]
pub struct Admin;

impl Admin {
    /// Listens, and answers until the tasks are shut down; the address is the one that was bound, or the
    /// one of the socket that a service manager handed over. Such a manager is told how the process is.
    ///
    /// # Errors
    /// `Open` on an address that is not loopback without a token, `Token` when its file is of no use, `Bind` when the address is taken
    /// or not ours, `Heap` when heap profiles are asked for and the allocator has none.
    ///
    /// # Panics
    /// When the registry already has an admin listener.
    pub async fn start(
        config: &Config,
        shown: Shown,
        routes: Arc<dyn Routes>,
    ) -> Result<SocketAddr, AdminError> {
        if config.heap_profile {
            profile::sample_heap(true).map_err(AdminError::Heap)?;
        }
        let token = config.secret()?;
        let open = |address: SocketAddr| match address.ip().to_canonical().is_loopback() {
            false if token.is_empty() => Err(AdminError::Open(address)),
            _ => Ok(()),
        };
        open(config.listen)?;
        let bind = |source| AdminError::Bind { address: config.listen, source };
        let listener = service::listen(Socket::Admin, config.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        // A socket that was handed over may be elsewhere.
        open(address)?;
        let tasks = shown.tasks.clone();
        service::follow(&tasks, &shown.drain);
        let full = shown.registry.counter(
            "bifrost_telemetry_admin_full_total",
            "Times that all admin connections were taken and a further one had to wait.",
        );
        let endpoints = Arc::new(Endpoints::new(token, shown, routes));
        let accept = listen::Accept::new(config, endpoints, tasks.clone(), full);
        tasks.background("admin listener", accept.run(listener));
        Ok(address)
    }
}
