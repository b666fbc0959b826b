//! Resolves names: keys of IPNS by records that nodes have, domains by DNSLink.
//!
//! A value is kept for its time to live and refreshed while it is asked for. When that fails, the
//! last good value serves for as long as it is valid, with its age, and no record is ever followed
//! by an older one. Requests for the same name share one lookup.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use ipfs::dnslink;
use ipfs::ipns::{Name, Record};
use ipfs::path::{ContentPath, Named};
use moka::sync::Cache;
use parking_lot::Mutex;
use telemetry::Tasks;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

mod config;
mod dns;
mod lookup;

pub use config::{Config, Resolver};
use dns::Dns;
use lookup::{Lookups, Value};

use crate::metrics::NamesMetrics as Metrics;
use crate::upstream::{RecordFailure, Shared};

/// Most names that lead on to others, one after the other.
const HOPS_MAX: usize = 32;
/// What a name in the cache costs, for the bound by bytes.
const OVERHEAD_BYTES: usize = 512;

/// Why a name leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// Neither a key nor a domain.
    #[error("{0:?} is neither an IPNS key nor a domain name")]
    NotAName(String),
    /// Names that lead to each other.
    #[error("more than {HOPS_MAX} names lead to each other")]
    TooManyHops,
    /// The value of a name is not a content path.
    #[error("{name} has a value that is not a content path")]
    NotAPath {
        /// The name.
        name: String,
    },
    /// No record, or none that is valid.
    #[error("no valid IPNS record for {name}: {failure}")]
    Record {
        /// The name.
        name: String,
        /// What the nodes said.
        failure: RecordFailure,
    },
    /// The record's time is over.
    #[error("the IPNS record of {0} has expired")]
    Expired(String),
    /// The domain has no DNSLink.
    #[error("no DNSLink for {0}")]
    NoDnslink(String),
    /// The domain's servers could not be asked.
    #[error("DNSLink of {name} could not be looked up: {why}")]
    Dns {
        /// The domain.
        name: String,
        /// What went wrong.
        why: String,
    },
    /// It took longer than the request may.
    #[error("{0} could not be resolved in time")]
    Timeout(String),
    /// As many names are being looked up as may be.
    #[error("{0} cannot be looked up: too many names are")]
    Busy(String),
    /// It is not known here, and nobody was to be asked.
    #[error("{0} is not at hand")]
    NotCached(String),
}

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// `/ipfs/{cid}[/path]`, percent-encoded, without a trailing slash.
    pub(crate) path: String,
    /// How long the answer may be kept; none when nothing says it.
    pub(crate) ttl: Option<Duration>,
    /// How long ago the oldest value on the way was looked up.
    pub(crate) age: Duration,
    /// Whether a value had to serve beyond its time to live.
    pub(crate) stale: bool,
    /// The other names that it led through, each with the path below it, percent-encoded.
    pub(crate) through: Vec<(String, String)>,
}

/// On whose behalf a name is resolved.
#[derive(Debug, Clone)]
pub(crate) struct NameAsk {
    /// When the answer is of no use any more.
    pub(crate) deadline: Instant,
    /// Whether nobody is to be asked that is not of this fleet.
    pub(crate) only_if_cached: bool,
    /// The id of the request.
    pub(crate) request_id: HeaderValue,
}

/// A name in the one form that it is kept under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Ipns(Name),
    Dns(Arc<str>),
}

impl Key {
    fn read(name: &str) -> Result<Self, NameError> {
        if let Ok(name) = Name::parse(name) {
            return Ok(Key::Ipns(name));
        }
        if let Some(domain) = dnslink::domain(name) {
            return Ok(Key::Dns(domain.into()));
        }
        Err(NameError::NotAName(name.chars().take(256).collect()))
    }

    fn text(&self) -> String {
        match self {
            Key::Ipns(name) => name.to_string(),
            Key::Dns(domain) => domain.to_string(),
        }
    }
}

/// The names that are known, and the ways to look them up.
pub(crate) struct Names {
    config: Config,
    known: Cache<Key, Arc<Value>>,
    failed: Cache<Key, NameError>,
    lookups: Lookups,
    /// How many more lookups there may be.
    room: Arc<Semaphore>,
    /// Held while a value is compared with the one that is known and kept.
    keeping: Mutex<()>,
    dns: Dns,
    pool: Shared,
    tasks: Tasks,
    metrics: Metrics,
}

impl Names {
    /// No name known yet.
    ///
    /// # Errors
    /// A text that says which key is wrong.
    pub(crate) fn new(
        config: &Config,
        pool: Shared,
        tasks: Tasks,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let known = Cache::builder()
            .max_capacity(config.cache_bytes.as_u64())
            .weigher(|_: &Key, value: &Arc<Value>| {
                u32::try_from(value.weight() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
            })
            .build();
        let failed = Cache::builder().max_capacity(65_536).time_to_live(config.failure_ttl).build();
        let dns = Dns::new(config, &tasks)?;
        let config = config.clone();
        let lookups = Lookups::default();
        let room = Arc::new(Semaphore::new(config.lookups_max));
        let keeping = Mutex::default();
        Ok(Self { config, known, failed, lookups, room, keeping, dns, pool, tasks, metrics })
    }

    /// Follows a name to an immutable path.
    ///
    /// # Errors
    /// [`NameError`].
    ///
    /// # Cancellation
    /// Dropping the future leaves the lookup to itself; its outcome is kept for the next one.
    pub(crate) async fn resolve(
        self: &Arc<Self>,
        name: &str,
        ask: &NameAsk,
    ) -> Result<Resolved, NameError> {
        let mut key = Key::read(name)?;
        let mut rest = String::new();
        let mut resolved = Resolved {
            path: String::new(),
            ttl: None,
            age: Duration::ZERO,
            stale: false,
            through: Vec::new(),
        };
        for _ in 0..HOPS_MAX {
            let (value, stale) = self.value(&key, ask).await?;
            resolved.note(&value, stale);
            let path = value.path.trim_end_matches('/');
            if path.starts_with("/ipfs/") {
                resolved.path = format!("{path}{rest}");
                let whole = ContentPath::parse(&resolved.path);
                whole.map_err(|_| NameError::NotAPath { name: key.text() })?;
                return Ok(resolved);
            }
            let named = Named::parse(path).map_err(|_| NameError::NotAPath { name: key.text() })?;
            rest.insert_str(0, &named.rest);
            key = Key::read(&named.name)?;
            resolved.through.push((key.text(), rest.clone()));
        }
        Err(NameError::TooManyHops)
    }

    /// The record of a key, as nodes have it, and how long it may be kept: not at all when it serves
    /// because it could not be looked up.
    ///
    /// # Errors
    /// [`NameError`].
    pub(crate) async fn record(
        self: &Arc<Self>,
        name: Name,
        ask: &NameAsk,
    ) -> Result<(Arc<Record>, Duration), NameError> {
        let (value, stale) = self.value(&Key::Ipns(name), ask).await?;
        let record = value.record.clone().ok_or(NameError::NotCached(name.to_string()))?;
        let ttl = record.keep_for(SystemTime::now()).min(self.config.ttl_max);
        Ok((record, if stale { Duration::ZERO } else { ttl }))
    }

    /// The value of one name, known or looked up, and whether it serves because it could not be.
    async fn value(
        self: &Arc<Self>,
        key: &Key,
        ask: &NameAsk,
    ) -> Result<(Arc<Value>, bool), NameError> {
        if let Key::Dns(domain) = key
            && let Some(path) = self.config.dnslinks.get(&**domain)
        {
            return Ok((Arc::new(Value::fixed(path)), false));
        }
        let known = self.known.get(key).filter(|value| value.is_valid_at(SystemTime::now()));
        if let Some(value) = &known
            && value.is_fresh()
        {
            self.metrics.hits.inc();
            if value.is_ageing() && !ask.only_if_cached && !self.failed.contains_key(key) {
                // Whoever asks next finds it fresh; nobody waits for that.
                drop(lookup::join(self, key, ask));
            }
            return Ok((Arc::clone(value), false));
        }
        let stale = || known.clone().filter(|value| value.may_serve_stale(self.config.stale_max));
        if let Some(error) = self.failed.get(key) {
            // Believed for a while, so that what fails is not asked for every request.
            return match stale() {
                Some(value) => Ok(self.served_stale(value)),
                None if ask.only_if_cached => Err(NameError::NotCached(key.text())),
                None => Err(error),
            };
        }
        self.metrics.misses.inc();
        // With a value at hand, a lookup has only so long to do better.
        let deadline = match &known {
            Some(_) => ask.deadline.min(Instant::now() + self.config.refresh_wait),
            None => ask.deadline,
        };
        let mut lookup = lookup::join(self, key, ask);
        let outcome = match timeout_at(deadline, lookup.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        let error = match outcome {
            Some(Ok(value)) => return Ok((value, false)),
            // Its servers say that it leads nowhere any more, which is an answer.
            Some(Err(error @ (NameError::NoDnslink(_) | NameError::NotAPath { .. }))) => {
                self.known.invalidate(key);
                return Err(error);
            }
            Some(Err(error)) => error,
            None => NameError::Timeout(key.text()),
        };
        match stale() {
            Some(value) => Ok(self.served_stale(value)),
            None => {
                self.metrics.failures.inc();
                Err(error)
            }
        }
    }

    fn served_stale(&self, value: Arc<Value>) -> (Arc<Value>, bool) {
        self.metrics.stale.inc();
        (value, true)
    }
}

impl Resolved {
    fn note(&mut self, value: &Value, stale: bool) {
        let age = value.age();
        self.age = self.age.max(age);
        self.stale |= stale;
        if let Some(ttl) = value.left(SystemTime::now()) {
            self.ttl = Some(self.ttl.map_or(ttl, |known| known.min(ttl)));
        }
    }
}
