//! Binds the rooms together, owns every task, and takes the process from its start to its end.
//!
//! The order of the way out is the reverse of the way in: say so, take nothing more, finish what is
//! in flight, leave the peers, close the store. Each step has a deadline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use telemetry::access::{AccessError, AccessLog};
use telemetry::admin::{Admin as Listener, AdminError, Shown};
use telemetry::metrics::Registry;
use telemetry::service::{self, Socket};
use telemetry::{Drain, Process, Tasks, Telemetry};
use tracing::{info, warn};

use crate::accept::{self, Accept};
use crate::admin::Admin;
use crate::blockstore::{Blockstore, OpenError};
use crate::config::Config;
use crate::records::{self, Records};
use crate::retrieve::Retrieve;
use crate::serve::{self, Serve};
use crate::swarm::identity::{self, IdentityError};
use crate::swarm::{self, Handle, Settings, SwarmError};

/// How long the start waits until the listeners for peers have their addresses.
const LISTEN_WAIT: Duration = Duration::from_secs(10);
/// How long the last steps may take, beside what is in flight.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// Why the node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of the node cannot be made.
    #[error("cannot make the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The IPNS records cannot be opened.
    #[error(transparent)]
    Records(#[from] records::OpenError),
    /// There is no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The host cannot be started.
    #[error(transparent)]
    Swarm(#[from] SwarmError),
    /// The public address cannot be listened on.
    #[error("cannot listen on {address}: {source}; is another node running? see http.listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The admin listener cannot be started.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// There is no access log.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// A running node.
pub struct Node {
    drain: Drain,
    tasks: Tasks,
    swarm: Handle,
    store: Blockstore,
    log: AccessLog,
    patience: Duration,
    /// Where the public listener is, with the port that the kernel chose if none was named.
    pub http: SocketAddr,
    /// Where the admin listener is.
    pub admin: SocketAddr,
}

impl Node {
    /// Starts a node; must be called within a tokio runtime. With `telemetry` the admin listener can
    /// change the level of the log, and shows what log and traces count.
    ///
    /// # Errors
    /// [`StartError`], with what to mend; nothing is left running.
    pub async fn start(config: Config, telemetry: Option<&Telemetry>) -> Result<Self, StartError> {
        let registry = Registry::new();
        registry.describe_process(Process::Node);
        let (tasks, drain) = (Tasks::new(), Drain::new());
        tasks.register(&registry);
        if let Some(telemetry) = telemetry {
            telemetry.register(&registry);
        }
        std::fs::create_dir_all(&config.dir)
            .map_err(|source| StartError::Folder { path: config.dir.clone(), source })?;
        let key = match &config.swarm.identity_file {
            Some(path) => identity::load(path)?,
            None => identity::load_or_create(&config.dir)?,
        };
        let store = Blockstore::open(config.blockstore.clone(), &registry)?;
        let records = Records::open(&config.dir, &config.records, &registry)?;
        let address = config.http.listen;
        let listener = service::listen(Socket::Public, address)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let http = listener.local_addr().unwrap_or(address);
        let settings = Settings { swarm: config.swarm.clone(), bitswap: config.bitswap.clone() };
        let shared = Arc::new(store.clone());
        let swarm = swarm::start(&key, settings, shared.clone(), &registry, &tasks)?;
        let retrieve =
            Retrieve::start(config.retrieve.clone(), shared, swarm.clone(), &registry, &tasks);
        let log = AccessLog::start(&config.access, Process::Node, &registry)?;
        let calls = Arc::new(Admin {
            config: config.calls.clone(),
            import: config.import.clone(),
            store: store.clone(),
            records: records.clone(),
            retrieve: retrieve.clone(),
            tasks: tasks.clone(),
            drain: drain.clone(),
        });
        let shown = Shown {
            process: Process::Node,
            registry: registry.clone(),
            drain: drain.clone(),
            tasks: tasks.clone(),
            level: telemetry.map(|telemetry| telemetry.level().clone()),
        };
        let admin = Listener::start(&config.admin, shown, calls).await?;
        let serve = Arc::new(Serve {
            config: config.serve.clone(),
            retrieve,
            records,
            drain: drain.clone(),
            metrics: serve::Metrics::new(&registry),
            log: log.clone(),
        });
        let accept = Accept {
            config: config.http.clone(),
            tasks: tasks.clone(),
            drain: drain.clone(),
            metrics: accept::Metrics::new(&registry),
        };
        drop(tasks.spawn("accept", accept.run(listener, serve)));
        // Who sees this node ready may ask it at once where its peers find it.
        if tokio::time::timeout(LISTEN_WAIT, swarm.all_listen()).await.is_err() {
            warn!("a listener for peers has no address yet; see swarm.listen");
        }
        drain.ready();
        info!(%http, %admin, peer = %swarm.peer_id(), "node is ready");
        Ok(Self { drain, tasks, swarm, store, log, patience: config.drain.patience, http, admin })
    }

    /// Where peers reach this node: whole addresses, one of every listener at least.
    pub fn peer_addresses(&self) -> Vec<Multiaddr> {
        self.swarm.addresses()
    }

    /// Opens the file of the access log anew, for who has moved it away.
    pub fn reopen_log(&self) {
        self.log.reopen();
    }

    /// Stops: finishes what is in flight within the configured patience and closes the store.
    /// Returns whether everything had its end.
    pub async fn stop(self) -> bool {
        info!(in_flight = self.drain.in_flight_count(), "draining");
        self.drain.begin();
        let finished = tokio::time::timeout(self.patience, self.drain.idle()).await.is_ok();
        if !finished {
            warn!(
                in_flight = self.drain.in_flight_count(),
                "patience is over; cutting what is left"
            );
        }
        if tokio::time::timeout(LAST_STEPS, self.swarm.stop()).await.is_err() {
            warn!("the host did not stop in time");
        }
        let flushed = match tokio::time::timeout(LAST_STEPS, self.store.flush()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                warn!(%error, "the store could not be flushed");
                false
            }
            Err(_) => {
                warn!("the store was not flushed in time");
                false
            }
        };
        let left = self.tasks.shutdown(LAST_STEPS).await;
        if !left.is_empty() {
            warn!(tasks = ?left, "tasks were aborted");
        }
        let log = self.log;
        let written = tokio::task::block_in_place(|| log.close(LAST_STEPS));
        info!("stopped");
        finished && flushed && written && left.is_empty()
    }
}
