//! Admission: whether a request may be served, given how many are already.
//!
//! A permit lives to the last byte of the body, because a slow body holds memory just as a slow
//! lookup does. A client over its share is told so (429) apart from this gateway being full (503).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::classify::{Asked, Wish};
use crate::metrics::LimitMetrics;

/// How many maps the clients are spread over, so that admission does not wait for one lock.
const SHARDS: usize = 16;

/// How many requests are served at a time.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most requests in flight; further ones get 503. Default 4096. Zero refuses everything.
    pub requests_max: usize,
    /// Most CARs and TARs in flight, which are the longest answers; further ones get 503. Default
    /// 256. Zero refuses all of them.
    pub cars_max: usize,
    /// Most requests in flight from one address, or one /64 of IPv6; further ones get 429. Default
    /// 128. Zero sets no bound.
    pub per_client_max: usize,
    /// Whether clients on this machine have no bound of their own. Default true.
    pub exempt_loopback: bool,
    /// What `Retry-After` says to those who are refused. Default 2 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub retry_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            requests_max: 4096,
            cars_max: 256,
            per_client_max: 128,
            exempt_loopback: true,
            retry_after: Duration::from_secs(2),
        }
    }
}

/// Why a request may not be served at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitError {
    /// This gateway serves as many as it can.
    #[error("this gateway is serving as many requests as it can")]
    Full(Duration),
    /// This client has as many requests in flight as it may.
    #[error("this client has as many requests in flight as it may")]
    ClientShare(Duration),
}

/// The door to the request line.
pub(crate) struct Limit {
    config: Config,
    metrics: LimitMetrics,
    requests: AtomicUsize,
    cars: AtomicUsize,
    clients: [Mutex<HashMap<IpAddr, usize>>; SHARDS],
}

/// Leave to be served. It is given back when dropped.
pub(crate) struct Permit {
    limit: Arc<Limit>,
    car: bool,
    client: Option<IpAddr>,
}

impl Limit {
    /// A door with these bounds.
    pub(crate) fn new(config: Config, metrics: LimitMetrics) -> Self {
        Self {
            config,
            metrics,
            requests: AtomicUsize::new(0),
            cars: AtomicUsize::new(0),
            clients: Default::default(),
        }
    }

    /// Admits a request, or says why not.
    ///
    /// # Errors
    /// [`LimitError`].
    pub(crate) fn admit(
        self: &Arc<Self>,
        asked: &Asked,
        from: IpAddr,
    ) -> Result<Permit, LimitError> {
        let full = LimitError::Full(self.config.retry_after);
        let car = matches!(
            asked,
            Asked::Content(content) if matches!(content.wish, Wish::Car(_) | Wish::Tar)
        );
        // The permit is made before anything is counted for it in full, so that its drop undoes
        // exactly what was counted.
        let mut permit = Permit { limit: Arc::clone(self), car: false, client: None };
        if self.requests.fetch_add(1, Relaxed) >= self.config.requests_max {
            self.metrics.full.inc();
            return Err(full);
        }
        if car {
            permit.car = true;
            if self.cars.fetch_add(1, Relaxed) >= self.config.cars_max {
                self.metrics.full.inc();
                return Err(full);
            }
        }
        let exempt = self.config.exempt_loopback && from.is_loopback();
        if self.config.per_client_max > 0 && !exempt {
            let client = prefix(from);
            let mut clients = self.shard(client).lock();
            let count = clients.entry(client).or_insert(0);
            *count += 1;
            permit.client = Some(client);
            if *count > self.config.per_client_max {
                drop(clients);
                self.metrics.client_share.inc();
                return Err(LimitError::ClientShare(self.config.retry_after));
            }
        }
        Ok(permit)
    }

    fn shard(&self, client: IpAddr) -> &Mutex<HashMap<IpAddr, usize>> {
        let byte = match client {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[7],
        };
        &self.clients[usize::from(byte) % SHARDS]
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limit.requests.fetch_sub(1, Relaxed);
        if self.car {
            self.limit.cars.fetch_sub(1, Relaxed);
        }
        if let Some(client) = self.client {
            let mut clients = self.limit.shard(client).lock();
            if let Some(count) = clients.get_mut(&client) {
                *count -= 1;
                if *count == 0 {
                    clients.remove(&client);
                }
            }
        }
    }
}

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address.
fn prefix(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::OwnPage;

    const ASKED: Asked = Asked::Own(OwnPage::Start);

    fn limit(config: Config) -> Arc<Limit> {
        let metrics = crate::metrics::Metrics::new(&telemetry::metrics::Registry::new());
        Arc::new(Limit::new(config, metrics.limit))
    }

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn permits_are_given_back() {
        let limit = limit(Config { requests_max: 1, ..Config::default() });
        let permit = limit.admit(&ASKED, client(1)).expect("the first");
        assert!(matches!(limit.admit(&ASKED, client(2)), Err(LimitError::Full(_))));
        drop(permit);
        drop(limit.admit(&ASKED, client(2)).expect("room again"));
        assert_eq!(limit.requests.load(Relaxed), 0);
        assert!(limit.clients.iter().all(|shard| shard.lock().is_empty()));
    }

    #[test]
    fn one_client_cannot_take_all() {
        let limit = limit(Config { per_client_max: 2, ..Config::default() });
        let permits: Vec<_> = (0..2).map(|_| limit.admit(&ASKED, client(1))).collect();
        assert!(matches!(limit.admit(&ASKED, client(1)), Err(LimitError::ClientShare(_))));
        assert!(limit.admit(&ASKED, client(2)).is_ok());
        drop(permits);
        assert!(limit.admit(&ASKED, client(1)).is_ok());
    }

    #[test]
    fn loopback_is_exempt_and_a_v6_prefix_is_one_client() {
        let limit = limit(Config { per_client_max: 1, ..Config::default() });
        let local = IpAddr::from([127, 0, 0, 1]);
        let _local: Vec<_> = (0..9).map(|_| limit.admit(&ASKED, local).expect("exempt")).collect();
        let address = |text: &str| text.parse().expect("an address");
        let _one = limit.admit(&ASKED, address("2001:db8::1")).expect("the first");
        assert!(limit.admit(&ASKED, address("2001:db8::2")).is_err());
        assert!(limit.admit(&ASKED, address("2001:db8:0:1::2")).is_ok());
    }
}
