//! What may not be served: asked of the name, the path, every root on the way and every block.
//!
//! Lists are read again while requests are served, and what they say counts at once, for what is in
//! memory too. A list that cannot be read at the start stops the start; later on, the one that was
//! read before stays, and its age grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ipfs::Cid;
use ipfs::denylist::{List, Verdict};
use parking_lot::Mutex;
use telemetry::Tasks;
use tracing::{info, warn};

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
    /// What each source says, and when it was last found to say it.
    sources: Mutex<Vec<Said>>,
    /// Grows whenever a list changes, so that what was found in order can be known as such.
    generation: AtomicU64,
    metrics: Metrics,
}

/// What one source says.
struct Said {
    lists: Vec<Arc<List>>,
    dry_run: bool,
    seen: Instant,
}

impl Denylist {
    /// Reads every list and goes on to follow them, each source at its own pace.
    ///
    /// # Errors
    /// A text that names the list that cannot be read, and why.
    pub(crate) async fn start(
        config: &Config,
        tasks: &Tasks,
        metrics: Metrics,
    ) -> Result<Arc<Self>, String> {
        let denylist = Arc::new(Self {
            lists: ArcSwap::default(),
            sources: Mutex::default(),
            generation: AtomicU64::new(1),
            metrics,
        });
        let mut followers = Vec::new();
        for (index, source) in config.lists.iter().enumerate() {
            let wrong = |why: String| format!("denylist.lists[{index}]: {why}");
            let mut follower = Follower::new(source, config, tasks).map_err(wrong)?;
            if let Some(error) = follower.look().await.error {
                return Err(wrong(error));
            }
            let (lists, dry_run) = (follower.lists(), source.dry_run);
            denylist.sources.lock().push(Said { lists, dry_run, seen: Instant::now() });
            followers.push(follower);
        }
        denylist.publish();
        for (index, follower) in followers.into_iter().enumerate() {
            let following = Arc::clone(&denylist).follow(index, follower, config.refresh);
            tasks.background("denylist", following);
        }
        Ok(denylist)
    }

    /// Follows one source for ever.
    async fn follow(self: Arc<Self>, index: usize, mut follower: Follower, refresh: Duration) {
        loop {
            tokio::time::sleep(refresh).await;
            let look = follower.look().await;
            match look.error {
                Some(error) => {
                    self.metrics.failures.inc();
                    warn!(list = index, error, "denylist cannot be read, the one before stays");
                }
                None => self.sources.lock()[index].seen = Instant::now(),
            }
            if look.changed {
                self.sources.lock()[index].lists = follower.lists();
                self.publish();
                info!(list = index, "denylist changed");
            }
            self.measure();
        }
    }

    /// Puts in force what the sources say.
    fn publish(&self) {
        let sources = self.sources.lock();
        let mut lists = Vec::new();
        for said in sources.iter() {
            lists.extend(said.lists.iter().map(|list| InForce {
                name: list.name().into(),
                list: Arc::clone(list),
                dry_run: said.dry_run,
            }));
        }
        self.lists.store(Arc::new(lists));
        self.generation.fetch_add(1, Release);
        drop(sources);
        self.measure();
    }

    fn measure(&self) {
        let lists = self.lists.load();
        let count = |of: fn(&List) -> u64| lists.iter().map(|in_force| of(&in_force.list)).sum();
        self.metrics.set(count(List::lines), count(|list| list.skipped().lines));
        let oldest = self.sources.lock().iter().map(|said| said.seen.elapsed()).max();
        self.metrics.set_age(oldest.unwrap_or_default());
    }

    /// Which state of the lists is in force; nothing that was allowed under it is denied by it.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Acquire)
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
                // What is only tried lifts nothing either.
                if in_force.dry_run {
                    continue;
                }
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
