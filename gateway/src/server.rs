//! Binds the public listener, owns what runs behind it, and lets it end in order.
//!
//! Ending has three steps: readiness goes while requests are still taken, so that load balancers
//! can turn away; then the listener closes and connections are told to; then what is in flight may
//! finish.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use telemetry::access::AccessLog;
use telemetry::metrics::Registry;
use telemetry::service::{self, Socket};
use telemetry::{Drain, Process, TaskHandle, Tasks};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::accept::Accept;
use crate::blocks::Blocks;
use crate::cache::Cache;
use crate::classify::Hosts;
use crate::config::Config;
use crate::denylist::Denylist;
use crate::limit::Limit;
use crate::metrics::Metrics;
pub use crate::mirror::MirrorRoutes;
use crate::mirror::{Config as MirrorConfig, Identity, Mirror};
use crate::names::Names;
use crate::render::Render;
use crate::serve::Gateway;
use crate::stream::Recorder;
use crate::upstream::{Pool, Shared};

/// How often the gauges that are not counted on the way are read.
const GAUGES_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// Why a gateway could not start, or a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration is not valid.
    #[error("configuration: {0}")]
    Config(String),
    /// The public address could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// What a gateway shares with the process around it.
#[derive(Clone)]
pub struct Surroundings {
    /// The owner of its tasks.
    pub tasks: Tasks,
    /// Its readiness and its end.
    pub drain: Drain,
    /// Where its metrics are declared.
    pub registry: Registry,
    /// Where its requests are logged.
    pub access: AccessLog,
}

/// A gateway that takes requests.
pub struct Server {
    address: SocketAddr,
    config: Config,
    around: Surroundings,
    gateway: Arc<Gateway>,
    pool: Shared,
    metrics: Metrics,
    closing: watch::Sender<bool>,
    accepting: TaskHandle<()>,
}

impl Server {
    /// Binds the public address and begins to take requests.
    ///
    /// # Errors
    /// [`ServerError`]: the configuration is not valid, or the address is taken.
    pub async fn start(config: Config, around: Surroundings) -> Result<Self, ServerError> {
        config.check().map_err(ServerError::Config)?;
        let bind = |source| ServerError::Bind { address: config.server.listen, source };
        let metrics = Metrics::new(&around.registry);
        let pool = Pool::new(config.upstream.clone(), None, &around.tasks, &metrics.upstream)
            .map_err(ServerError::Config)?;
        let pool: Shared = Arc::new(ArcSwap::from_pointee(pool));
        let listener = service::listen(Socket::Public, config.server.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let hosts = hosts(&config, address)?;
        let denylist = Denylist::start(&config.denylist, &around.tasks, metrics.denylist.clone());
        let denylist = denylist.await.map_err(ServerError::Config)?;
        let identity = Identity {
            env: &config.access.env,
            name: config.access.name_of(Process::Gateway),
            address,
        };
        let mirror =
            Mirror::start(&config.mirror, &identity, &around.tasks, metrics.mirror.clone());
        let mirror = mirror.map_err(ServerError::Config)?;
        let gateway = rooms(&config, (hosts, denylist), &pool, &around, (&metrics, mirror))?;
        let gateway = Arc::new(gateway);
        tell_mirror(&gateway);
        let (closing, closed) = watch::channel(false);
        let accept = Accept::start(
            config.accept.clone(),
            around.tasks.clone(),
            around.drain.clone(),
            metrics.accept.clone(),
            closed,
            config.hosts.tunnel,
        );
        let accepting = around.tasks.spawn("listener", accept.run(listener, Arc::clone(&gateway)));
        info!(%address, "gateway takes requests");
        around.drain.ready();
        Ok(Self { address, config, around, gateway, pool, metrics, closing, accepting })
    }

    /// The public address, with the port that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many nodes are not left alone.
    pub fn well_nodes(&self) -> usize {
        self.pool.load().well()
    }

    /// Has calls of the admin listener answered for the mirror.
    pub fn show_mirror(&self, routes: &MirrorRoutes) {
        self.gateway.mirror.show(routes);
    }

    /// Takes over what can be changed while requests are served: hosts, sites, pages, the pool and
    /// the mirror.
    ///
    /// # Errors
    /// [`ServerError::Config`]; the configuration before stays in use.
    pub fn reload(&self, config: &Config) -> Result<(), ServerError> {
        let reloaded = config.check().map_err(ServerError::Config).and_then(|()| {
            let before = self.pool.load();
            let (tasks, metrics) = (&self.around.tasks, &self.metrics.upstream);
            let pool = Pool::new(config.upstream.clone(), Some(&before), tasks, metrics)
                .map_err(ServerError::Config)?;
            let hosts = hosts(config, self.address)?;
            // What cannot be reloaded is told as it runs.
            let redrawn =
                self.gateway.render.redraw(|running| running.pages = config.pages.clone());
            redrawn.map_err(ServerError::Config)?;
            Ok((hosts, pool))
        });
        match reloaded {
            Ok((hosts, pool)) => {
                let rows = hosts.len();
                self.gateway.hosts.store(Arc::new(hosts));
                self.pool.store(Arc::new(pool));
                self.gateway.mirror.set(&config.mirror).map_err(ServerError::Config)?;
                info!(hosts = rows, "configuration was read again");
                Ok(())
            }
            Err(error) => {
                self.reload_refused(&error);
                Err(error)
            }
        }
    }

    /// Notes that a configuration was refused, here or before it came here.
    pub fn reload_refused(&self, error: &dyn std::fmt::Display) {
        self.metrics.reloads_rejected.inc();
        warn!(%error, "configuration was refused, the one before stays");
    }

    /// Lets what is in flight finish and ends; returns whether all of it did in time.
    pub async fn drain(self) -> bool {
        let Self { config, around, closing, accepting, gateway, .. } = self;
        gateway.mirror.close();
        around.drain.begin();
        tokio::time::sleep(config.server.drain_window).await;
        closing.send_replace(true);
        if let Err(error) = accepting.await {
            warn!(%error, "the listener did not end well");
        }
        let left = config.server.drain_timeout;
        let finished = tokio::time::timeout(left, around.drain.idle()).await.is_ok();
        if !finished {
            warn!(in_flight = around.drain.in_flight_count(), "connections are cut");
        }
        finished
    }
}

/// Has the policy tell the mirror's settings whenever they change.
fn tell_mirror(gateway: &Arc<Gateway>) {
    let told = Arc::downgrade(gateway);
    gateway.mirror.on_change(move || {
        let Some(gateway) = told.upgrade() else { return };
        let redrawn = gateway.render.redraw(|running| {
            running.mirror = in_force(&gateway.mirror.settings(), &running.mirror);
        });
        if let Err(error) = redrawn {
            warn!(%error, "the policy could not be drawn anew");
        }
    });
}

/// The mirror's settings, but for those that take a restart.
fn in_force(settings: &MirrorConfig, running: &MirrorConfig) -> MirrorConfig {
    MirrorConfig { dir: running.dir.clone(), queue: running.queue, ..settings.clone() }
}

fn hosts(config: &Config, address: SocketAddr) -> Result<Hosts, ServerError> {
    let loopback = address.ip().is_loopback();
    Hosts::new(&config.hosts, loopback).map_err(ServerError::Config)
}

/// Puts the rooms together.
fn rooms(
    config: &Config,
    (hosts, denylist): (Hosts, Arc<Denylist>),
    pool: &Shared,
    around: &Surroundings,
    (metrics, mirror): (&Metrics, Mirror),
) -> Result<Gateway, ServerError> {
    let memory = Arc::new(Cache::new(&config.cache, metrics.cache.clone()));
    let blocks = Blocks::new(
        config,
        Arc::clone(&memory),
        Arc::clone(&denylist),
        Arc::clone(pool),
        (around.tasks.clone(), metrics.blocks.clone()),
    );
    let measured = Arc::clone(&memory);
    let bytes = metrics.cache.bytes.clone();
    around.tasks.background("gauges", async move {
        loop {
            bytes.set(i64::try_from(measured.block_bytes()).unwrap_or(i64::MAX));
            tokio::time::sleep(GAUGES_EVERY).await;
        }
    });
    let recorder = Recorder {
        metrics: metrics.requests.clone(),
        access: around.access.clone(),
        response_timeout: config.server.response_timeout,
    };
    let limit = Limit::new(config.limit.clone(), metrics.limit.clone());
    let (pool, tasks) = (Arc::clone(pool), around.tasks.clone());
    let names = Names::new(&config.names, pool, tasks, metrics.names.clone());
    let names = names.map_err(ServerError::Config)?;
    let render = Render::new(config).map_err(ServerError::Config)?;
    let (limit, blocks) = ((limit, denylist), (Arc::new(blocks), memory));
    Ok(Gateway::new(config, (hosts, render), limit, blocks, names, (recorder, mirror)))
}
