//! One lookup of one name, shared by all who wait for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ipfs::ipns::{Name, Record};
use ipfs::path::encode_segment;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{Key, NameAsk, NameError, Names};
use crate::upstream::{self, RecordAsk};

/// What a name leads to.
#[derive(Debug)]
pub(super) struct Value {
    /// `/ipfs/…` or `/ipns/…`, percent-encoded.
    pub(super) path: String,
    /// The signed record, for a key of IPNS.
    pub(super) record: Option<Arc<Record>>,
    /// How long it need not be looked up again; none when it never has to be.
    ttl: Option<Duration>,
    looked_up: Instant,
}

impl Value {
    /// A value that is configured.
    pub(super) fn fixed(path: &str) -> Self {
        Self { path: path.to_owned(), record: None, ttl: None, looked_up: Instant::now() }
    }

    fn of_record(record: Record, ttl_max: Duration) -> Self {
        let ttl = Some(record.ttl().min(ttl_max));
        // A record's value is a path as it is, and ours are percent-encoded.
        let segments = record.value().split('/');
        let segments = segments.map(|segment| encode_segment(segment).collect::<String>());
        let path = segments.collect::<Vec<_>>().join("/");
        Self { path, record: Some(Arc::new(record)), ttl, looked_up: Instant::now() }
    }

    /// What is found in DNS.
    pub(super) fn of_dns(path: String, ttl: Duration) -> Self {
        Self { path, record: None, ttl: Some(ttl), looked_up: Instant::now() }
    }

    pub(super) fn weight(&self) -> usize {
        self.path.len() + self.record.as_ref().map_or(0, |record| record.bytes().len())
    }

    pub(super) fn age(&self) -> Duration {
        if self.ttl.is_none() { Duration::ZERO } else { self.looked_up.elapsed() }
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.ttl.is_none_or(|ttl| self.looked_up.elapsed() < ttl)
    }

    /// Whether most of its time to live is over.
    pub(super) fn is_ageing(&self) -> bool {
        self.ttl.is_some_and(|ttl| self.looked_up.elapsed() > ttl.mul_f32(0.8))
    }

    /// Whether the record, if it is one, has not expired.
    pub(super) fn is_valid_at(&self, now: SystemTime) -> bool {
        self.record.as_ref().is_none_or(|record| record.is_valid_at(now))
    }

    /// Whether it may serve although it should have been looked up again.
    pub(super) fn may_serve_stale(&self, stale_max: Duration) -> bool {
        let ttl = self.ttl.unwrap_or_default();
        match &self.record {
            Some(record) => record.is_valid_at(SystemTime::now()),
            None => self.looked_up.elapsed() < ttl.saturating_add(stale_max),
        }
    }

    /// How long an answer that depends on it may be kept: what is left of its time to live, and of
    /// the record's validity.
    pub(super) fn left(&self, now: SystemTime) -> Option<Duration> {
        let left = self.ttl?.saturating_sub(self.looked_up.elapsed());
        Some(self.record.as_ref().map_or(left, |record| left.min(record.keep_for(now))))
    }
}

/// What a lookup is known by: the name, and whether nobody is to be asked that is not of the fleet.
type Flight = (Key, bool);

type Outcome = Option<Result<Arc<Value>, NameError>>;

/// The lookups under way.
#[derive(Default)]
pub(super) struct Lookups {
    running: Mutex<HashMap<Flight, watch::Receiver<Outcome>>>,
}

/// Joins the lookup of a name, or starts it.
pub(super) fn join(names: &Arc<Names>, key: &Key, ask: &NameAsk) -> watch::Receiver<Outcome> {
    let flight = (key.clone(), ask.only_if_cached);
    let mut running = names.lookups.running.lock();
    if let Some(lookup) = running.get(&flight) {
        return lookup.clone();
    }
    let (tell, told) = watch::channel(None);
    running.insert(flight.clone(), told.clone());
    drop(running);
    let deadline = Instant::now() + names.config.lookup_timeout;
    let ask = NameAsk { deadline, ..ask.clone() };
    let ended = Ended { names: Arc::clone(names), flight };
    let Ok(room) = Arc::clone(&names.room).try_acquire_owned() else {
        names.metrics.busy.inc();
        tell.send_replace(Some(Err(NameError::Busy(key.text()))));
        return told;
    };
    names.tasks.spawn("name lookup", async move {
        let _room = room;
        let Ended { names, flight: (key, _) } = &ended;
        let found = timeout_at(deadline, look_up(names, key, &ask)).await;
        let found = found.unwrap_or_else(|_| Err(NameError::Timeout(key.text())));
        let found = found.map(|value| keep(names, key, value));
        if let Err(error) = &found
            && !ask.only_if_cached
        {
            names.failed.insert(key.clone(), error.clone());
        }
        tell.send_replace(Some(found));
    });
    told
}

/// Takes a lookup off the list when it ends, by a panic too.
struct Ended {
    names: Arc<Names>,
    flight: Flight,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.names.lookups.running.lock().remove(&self.flight);
    }
}

async fn look_up(names: &Names, key: &Key, ask: &NameAsk) -> Result<Value, NameError> {
    match key {
        Key::Ipns(name) => ipns(names, *name, ask).await,
        Key::Dns(domain) => {
            if ask.only_if_cached {
                return Err(NameError::NotCached(domain.to_string()));
            }
            let (path, ttl) = names.dns.dnslink(domain, ask.deadline).await?;
            let ttl = ttl.max(names.config.ttl_min).min(names.config.ttl_max);
            Ok(Value::of_dns(path, ttl))
        }
    }
}

async fn ipns(names: &Names, name: Name, ask: &NameAsk) -> Result<Value, NameError> {
    let pool = names.pool.load_full();
    let ask = RecordAsk {
        name,
        deadline: ask.deadline,
        only_if_cached: ask.only_if_cached,
        request_id: ask.request_id.clone(),
    };
    match upstream::record(&pool, &ask, Record::verify).await {
        Ok(record) if record.is_valid_at(SystemTime::now()) => {
            Ok(Value::of_record(record, names.config.ttl_max))
        }
        Ok(_) => Err(NameError::Expired(name.to_string())),
        Err(_) if ask.only_if_cached => Err(NameError::NotCached(name.to_string())),
        Err(failure) => Err(NameError::Record { name: name.to_string(), failure }),
    }
}

/// Keeps a value, unless the record that is known supersedes it: then that one stays, looked up
/// again.
fn keep(names: &Names, key: &Key, value: Value) -> Arc<Value> {
    // Two lookups of one name may end at once; the later record stays whichever is last.
    let _alone = names.keeping.lock();
    let known = names.known.get(key).and_then(|known| known.record.clone());
    let value = match (&value.record, known) {
        (Some(record), Some(known))
            if known.supersedes(record) && known.is_valid_at(SystemTime::now()) =>
        {
            names.metrics.rollbacks.inc();
            Value::of_record((*known).clone(), names.config.ttl_max)
        }
        _ => value,
    };
    let value = Arc::new(value);
    names.known.insert(key.clone(), Arc::clone(&value));
    names.failed.invalidate(key);
    value
}
