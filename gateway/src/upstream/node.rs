//! One node of the pool: its connections, its load and its health.
//!
//! Health is learnt from real requests alone. A node that fails several times in a row is left
//! alone for a while; then one request tries it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::uri::{Authority, Scheme};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use ipfs::Cid;
use ipfs::ipns::Name;
use parking_lot::Mutex;
use telemetry::Tasks;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Config, NodeConfig, Protocol};
use crate::accept::TaskExecutor;
use crate::metrics::NodeMetrics;

/// Idle connections that are kept to a node, and for how long: less than nodes keep theirs.
const IDLE_CONNECTIONS_MAX: usize = 64;
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes that an HTTP/2 node may send ahead, on a stream and on a connection.
const H2_STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const H2_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// How many times the pause of a failing node doubles.
const EJECT_DOUBLINGS_MAX: u32 = 2;

/// A node.
pub(crate) struct Node {
    pub(super) index: u8,
    pub(super) config: NodeConfig,
    pub(super) client: Client<HttpConnector, Empty<Bytes>>,
    pub(super) stall_timeout: Duration,
    pub(super) metrics: NodeMetrics,
    authority: Authority,
    eject_after: u32,
    eject_for: Duration,
    /// Silence past this counts against the node when it is given up.
    silence: Duration,
    in_flight: AtomicUsize,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    ejections: u32,
    /// Until when it is left alone.
    until: Option<Instant>,
    probing: bool,
    answered: Option<Instant>,
    /// Until when it asked to be spared; nothing is wrong with it.
    spare_until: Option<Instant>,
}

/// Where a node is.
///
/// # Errors
/// A text that says what is wrong with its URL.
pub(super) fn authority(index: u8, node: &NodeConfig) -> Result<Authority, String> {
    let wrong = |what: &str| format!("upstream.nodes[{index}].url {:?}: {what}", node.url);
    let uri: Uri = node.url.parse().map_err(|_| wrong("not a URL"))?;
    if uri.scheme() != Some(&Scheme::HTTP) {
        return Err(wrong("the scheme must be http"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong("it must have no path"));
    }
    uri.authority().cloned().ok_or_else(|| wrong("no host"))
}

impl Node {
    /// A node of the pool.
    ///
    /// # Errors
    /// A text that says what is wrong with its URL.
    pub(super) fn new(
        index: u8,
        node: &NodeConfig,
        config: &Config,
        tasks: &Tasks,
        metrics: NodeMetrics,
    ) -> Result<Self, String> {
        let authority = authority(index, node)?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(config.connect_timeout));
        connector.set_nodelay(true);
        let mut client = Client::builder(TaskExecutor::new(tasks.clone(), "node connection"));
        client
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http1_max_headers(64);
        if node.protocol == Protocol::H2c {
            client
                .http2_only(true)
                .http2_initial_stream_window_size(H2_STREAM_WINDOW)
                .http2_initial_connection_window_size(H2_CONNECTION_WINDOW)
                .http2_keep_alive_interval(Duration::from_secs(5))
                .http2_keep_alive_timeout(config.hedge_after);
        }
        // The place may have been that of a node that was left alone when it was replaced.
        metrics.ejected.set(0);
        Ok(Self {
            index,
            config: node.clone(),
            client: client.build(connector),
            stall_timeout: config.stall_timeout,
            metrics,
            authority,
            eject_after: config.eject_after,
            eject_for: config.eject_for,
            silence: config.hedge_after,
            in_flight: AtomicUsize::new(0),
            health: Mutex::default(),
        })
    }

    /// Where this node has the raw block of a CID.
    pub(super) fn uri(&self, cid: &Cid) -> Uri {
        self.at(format!("/ipfs/{cid}?format=raw"))
    }

    /// Where this node has the record of a name.
    pub(super) fn record_uri(&self, name: &Name) -> Uri {
        self.at(format!("/ipns/{name}?format=ipns-record"))
    }

    fn at(&self, path_and_query: String) -> Uri {
        Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(path_and_query)
            .build()
            .expect("CIDs and names are plain text")
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Whether it may be asked: it is well, or it is time to try it again.
    pub(super) fn may_ask(&self) -> bool {
        let (health, now) = (self.health.lock(), Instant::now());
        health.until.is_none_or(|until| !health.probing && now >= until)
            && health.spare_until.is_none_or(|until| now >= until)
    }

    /// When it may be asked again; none when it may be now.
    pub(super) fn resting_until(&self) -> Option<Instant> {
        let health = self.health.lock();
        health.until.max(health.spare_until)
    }

    /// Whether it is not left alone.
    pub(super) fn is_well(&self) -> bool {
        self.health.lock().until.is_none()
    }
}

/// One request to a node, which its health learns from.
pub(super) struct Trial {
    node: Arc<Node>,
    began: Instant,
    told: bool,
    /// Set when another node gave the block in the meantime.
    overtaken: Overtaken,
}

/// Whether a block came from somewhere, shared by the attempts to get it.
pub(super) type Overtaken = Arc<AtomicBool>;

impl Trial {
    /// A request that begins.
    pub(super) fn begin(node: Arc<Node>, overtaken: Overtaken) -> Self {
        node.in_flight.fetch_add(1, Relaxed);
        node.metrics.requests.inc();
        let mut health = node.health.lock();
        if health.until.is_some() {
            health.probing = true;
        }
        drop(health);
        Self { node, began: Instant::now(), told: false, overtaken }
    }

    /// The node answered as a well node does.
    pub(super) fn succeeded(&mut self) {
        self.told = true;
        let mut health = self.node.health.lock();
        if health.until.take().is_some() {
            info!(node = self.node.index, "node is well again");
            self.node.metrics.ejected.set(0);
        }
        let spare_until = health.spare_until;
        *health = Health { answered: Some(Instant::now()), spare_until, ..Health::default() };
    }

    /// The node refused this request in particular, which says nothing of how it is.
    pub(super) fn refused(&mut self) {
        self.told = true;
        let mut health = self.node.health.lock();
        health.probing = false;
        health.answered = Some(Instant::now());
    }

    /// The time for an answer ran out. That is held against a node that answered nobody meanwhile;
    /// one that did may have been searching the network.
    pub(super) fn late(&mut self) {
        self.told = true;
        let answered = self.node.health.lock().answered;
        let silent = answered.is_none_or(|answered| answered < self.began);
        if silent && self.began.elapsed() >= self.node.silence {
            self.failed();
        } else {
            self.node.health.lock().probing = false;
        }
    }

    /// The node failed.
    pub(super) fn failed(&mut self) {
        self.told = true;
        let node = &self.node;
        node.metrics.failures.inc();
        let mut health = node.health.lock();
        health.failures = health.failures.saturating_add(1);
        let probe_failed = std::mem::take(&mut health.probing);
        let is_out = health.until.is_some_and(|until| until > Instant::now());
        let over = node.eject_after > 0 && health.failures >= node.eject_after;
        if (over || probe_failed) && !is_out {
            let pause = node.eject_for * 2_u32.pow(health.ejections.min(EJECT_DOUBLINGS_MAX));
            health.ejections = health.ejections.saturating_add(1);
            health.until = Some(Instant::now() + pause);
            node.metrics.ejections.inc();
            node.metrics.ejected.set(1);
            drop(health);
            warn!(node = node.index, ?pause, "node is left alone");
        }
    }

    /// The node asked to be left alone for a while.
    pub(super) fn busy(&mut self, pause: Duration) {
        self.told = true;
        let mut health = self.node.health.lock();
        health.probing = false;
        health.answered = Some(Instant::now());
        health.spare_until = Some(Instant::now() + pause);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.node.in_flight.fetch_sub(1, Relaxed);
        if self.told {
            return;
        }
        // Given up. A client that left says nothing of the node; another node's answer does.
        if self.overtaken.load(Relaxed) {
            self.late();
        } else {
            self.node.health.lock().probing = false;
        }
    }
}
