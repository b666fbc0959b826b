//! What may not be served: asked of the name, the path, every root on the way and every block.
//!
//! Lists are read again while requests are served, and what they say counts at once, for what is in
//! memory too. A list that cannot be read at the start stops the start; later on, the one that was
//! read before stays, and its age grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use arc_swap::ArcSwap;
use ipfs::Cid;
use ipfs::denylist::{List, Verdict};
use telemetry::Tasks;
use tracing::info;

mod config;
mod follow;

pub use config::{Config, Source};
use follow::Follower;

use crate::metrics::DenylistMetrics as Metrics;

/// Content that a list denies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is denied by {list}, line {line}{}", .reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
pub(crate) struct Denied {
    /// What was asked about.
    pub(crate) what: String,
    /// The list.
    pub(crate) list: Arc<str>,
    /// The line of its rule.
    pub(crate) line: u64,
    /// Whether the reason is one of law rather than of policy.
    pub(crate) legal: bool,
    /// Why, in the words of the list.
    pub(crate) reason: Option<Arc<str>>,
}

/// One list as it is in force.
#[derive(Debug)]
pub(crate) struct InForce {
    name: Arc<str>,
    list: Arc<List>,
    /// Whether it is only counted what it would deny.
    dry_run: bool,
}

/// The lists.
pub(crate) struct Denylist {
    /// In their order: of several that have a word on something, the last has the last one.
    lists: ArcSwap<Vec<InForce>>,
    /// Grows whenever a list changes, so that what was found in order can be known as such.
    generation: AtomicU64,
    metrics: Metrics,
}

impl Denylist {
    /// Reads every list and goes on to follow them.
    ///
    /// # Errors
    /// A text that names the list that cannot be read, and why.
    pub(crate) async fn start(
        config: &Config,
        tasks: &Tasks,
        metrics: Metrics,
    ) -> Result<Arc<Self>, String> {
        let mut follower = Follower::new(config, tasks, metrics.clone())?;
        follower.read_all().await?;
        let denylist = Arc::new(Self {
            lists: ArcSwap::from_pointee(follower.in_force()),
            generation: AtomicU64::new(1),
            metrics,
        });
        if config.lists.is_empty() {
            return Ok(denylist);
        }
        let (following, refresh) = (Arc::clone(&denylist), config.refresh);
        tasks.background("denylists", async move {
            loop {
                tokio::time::sleep(refresh).await;
                let began = Instant::now();
                if follower.look().await {
                    following.lists.store(Arc::new(follower.in_force()));
                    following.generation.fetch_add(1, Relaxed);
                    info!(took = ?began.elapsed(), "denylists changed");
                }
            }
        });
        Ok(denylist)
    }

    /// Which state of the lists is in force; nothing that was allowed under it is denied by it.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Whether no list has anything to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.load().is_empty()
    }

    /// Asks about one block or root, whatever the version, codec and base of its CID.
    ///
    /// # Errors
    /// [`Denied`].
    pub(crate) fn check_cid(&self, cid: &Cid) -> Result<(), Denied> {
        self.check(|list| list.blocks_cid(cid), || cid.to_string())
    }

    /// Asks about a path below a root. The root itself is asked with [`Denylist::check_cid`].
    ///
    /// # Errors
    /// [`Denied`].
    pub(crate) fn check_path(&self, root: &Cid, segments: &[String]) -> Result<(), Denied> {
        if segments.is_empty() {
            return Ok(());
        }
        let what = || format!("/ipfs/{root}/{}", segments.join("/"));
        self.check(|list| list.blocks_path(root, segments), what)
    }

    /// Asks about a name and a path below it.
    ///
    /// # Errors
    /// [`Denied`].
    pub(crate) fn check_name(&self, name: &str, segments: &[String]) -> Result<(), Denied> {
        let what = || format!("/ipns/{name}/{}", segments.join("/"));
        self.check(|list| list.blocks_name(name, segments), what)
    }

    fn check(
        &self,
        ask: impl Fn(&List) -> Option<Verdict>,
        what: impl Fn() -> String,
    ) -> Result<(), Denied> {
        let lists = self.lists.load();
        for in_force in lists.iter().rev() {
            let Some(verdict) = ask(&in_force.list) else { continue };
            if verdict.allow {
                return Ok(());
            }
            let denied = Denied {
                what: what(),
                list: Arc::clone(&in_force.name),
                line: verdict.line,
                legal: verdict.legal,
                reason: verdict.reason,
            };
            if in_force.dry_run {
                self.metrics.dry_run.inc();
                info!(%denied, "would be denied");
                continue;
            }
            self.metrics.denied.inc();
            return Err(denied);
        }
        Ok(())
    }
}
