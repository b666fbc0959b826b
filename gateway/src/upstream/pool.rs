//! The pool of nodes: which one to ask first for a root, and how many retries there are.
//!
//! A root always leads to the same node while that node is well and not overloaded, so one DAG is
//! fetched and kept once (rendezvous hashing with bounded load).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use ipfs::Cid;
use telemetry::Tasks;

use super::Config;
use super::node::Node;
use crate::metrics::UpstreamMetrics;

/// A retry in the budget's unit.
const RETRY: i64 = 1000;

/// The pool that is in use; replaced whole when the configuration is read again.
pub(crate) type Shared = Arc<ArcSwap<Pool>>;

/// The nodes.
pub(crate) struct Pool {
    config: Config,
    nodes: Vec<Arc<Node>>,
    budget: Budget,
}

impl Pool {
    /// The pool of a configuration. Nodes that `before` has too are kept, with their connections.
    ///
    /// # Errors
    /// A text that says which key is wrong.
    pub(crate) fn new(
        config: Config,
        before: Option<&Pool>,
        tasks: &Tasks,
        metrics: &UpstreamMetrics,
    ) -> Result<Self, String> {
        config.check()?;
        let mut nodes = Vec::new();
        for (index, node) in (0_u8..).zip(&config.nodes) {
            let known =
                before.filter(|pool| pool.config.is_same_of_nodes(&config)).and_then(|pool| {
                    pool.nodes.iter().find(|known| known.config == *node && known.index == index)
                });
            nodes.push(match known {
                Some(known) => Arc::clone(known),
                None => Arc::new(Node::new(index, node, &config, tasks, metrics.node(index))?),
            });
        }
        for vacant in nodes.len()..before.map_or(0, |pool| pool.nodes.len()) {
            let index = u8::try_from(vacant).expect("there are at most 255 nodes");
            metrics.node(index).ejected.set(0);
        }
        let budget = Budget::new(&config, metrics.clone());
        Ok(Self { config, nodes, budget })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// How many nodes there are.
    pub(super) fn size(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes are not left alone.
    pub(crate) fn well(&self) -> usize {
        self.nodes.iter().filter(|node| node.is_well()).count()
    }

    /// The retries that there are.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The nodes that may be asked, the best for this root first; when none may be, the one that
    /// may be soonest, for what is asked now cannot wait.
    pub(super) fn order(&self, root: &Cid) -> Vec<Arc<Node>> {
        self.budget.deposit();
        let mut order: Vec<_> = self.nodes.iter().filter(|node| node.may_ask()).collect();
        if order.is_empty() {
            order.extend(self.nodes.iter().min_by_key(|node| node.resting_until()));
        }
        let total: usize = order.iter().map(|node| node.in_flight()).sum();
        let share = (total + 1) as f64 / order.len().max(1) as f64;
        let bound = (share * self.config.load_factor).max(self.config.load_floor as f64);
        order.sort_by_cached_key(|node| {
            let mut hasher = DefaultHasher::new();
            root.multihash().digest().hash(&mut hasher);
            node.config.url.hash(&mut hasher);
            (node.in_flight() as f64 >= bound, std::cmp::Reverse(hasher.finish()))
        });
        order.into_iter().cloned().collect()
    }
}

/// Retries, saved up from requests.
pub(super) struct Budget {
    /// In thousandths of a retry.
    saved: AtomicI64,
    most: i64,
    per_request: i64,
    metrics: UpstreamMetrics,
}

impl Budget {
    fn new(config: &Config, metrics: UpstreamMetrics) -> Self {
        let most = i64::from(config.retry_burst) * RETRY;
        let per_request = (config.retry_ratio.clamp(0.0, 10.0) * RETRY as f64) as i64;
        Self { saved: AtomicI64::new(most), most, per_request, metrics }
    }

    fn deposit(&self) {
        if self.saved.load(Relaxed) < self.most {
            self.saved.fetch_add(self.per_request, Relaxed);
        }
    }

    /// Takes one retry, if there is one.
    pub(super) fn withdraw(&self) -> bool {
        if self.saved.fetch_sub(RETRY, Relaxed) >= RETRY {
            self.metrics.retries.inc();
            return true;
        }
        self.saved.fetch_add(RETRY, Relaxed);
        self.metrics.retries_refused.inc();
        false
    }
}
