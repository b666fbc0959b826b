//! A session per DAG, kept while it is used.
//!
//! Consecutive requests for parts of one DAG find the peers that delivered the parts before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipfs::Cid;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::config::Config;
use super::metrics::Metrics;
use crate::swarm::{Handle, Session, SwarmError};

/// The sessions by the root of their DAG.
pub(super) struct Sessions {
    swarm: Handle,
    idle: Duration,
    max: usize,
    kept: Mutex<HashMap<Of, Kept>>,
    metrics: Metrics,
}

/// A DAG, and whether what is wanted of it can wait.
type Of = (Cid, bool);

struct Kept {
    session: Arc<OnceCell<Arc<Session>>>,
    used: Instant,
}

impl Sessions {
    pub(super) fn new(config: &Config, swarm: Handle, metrics: Metrics) -> Self {
        let (idle, max) = (config.session_idle, config.sessions_max.max(1));
        Self { swarm, idle, max, kept: Mutex::default(), metrics }
    }

    /// The session of a DAG; that of what can wait is another one.
    pub(super) async fn of(&self, root: Cid, deferred: bool) -> Result<Arc<Session>, SwarmError> {
        let cell = self.cell((root, deferred), Instant::now());
        let open = || async {
            let session = match deferred {
                true => self.swarm.deferred_session(root).await,
                false => self.swarm.session(root).await,
            };
            session.map(Arc::new)
        };
        cell.get_or_try_init(open).await.cloned()
    }

    fn cell(&self, of: Of, now: Instant) -> Arc<OnceCell<Arc<Session>>> {
        let mut kept = self.kept.lock();
        if !kept.contains_key(&of) && kept.len() >= self.max {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.used).map(|(of, _)| *of);
            kept.retain(|of, _| Some(*of) != oldest);
        }
        let entry = kept.entry(of).or_insert_with(|| Kept { session: Arc::default(), used: now });
        entry.used = now;
        let cell = entry.session.clone();
        self.metrics.sessions.set(i64::try_from(kept.len()).unwrap_or(i64::MAX));
        cell
    }

    /// Lets go of sessions that were not used for long; each closes with its last request.
    pub(super) fn sweep(&self, now: Instant) {
        let mut kept = self.kept.lock();
        kept.retain(|_, kept| now.saturating_duration_since(kept.used) < self.idle);
        self.metrics.sessions.set(i64::try_from(kept.len()).unwrap_or(i64::MAX));
    }
}
