//! How names are resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A resolver of the domains below a suffix.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    /// The last labels of the domains that it is asked for, as `eth` or `example.org`; `.` is all.
    pub suffix: String,
    /// `system`, or the URL of a DNS-over-HTTPS endpoint (RFC 8484). Plain `http` is for loopback
    /// addresses only.
    pub url: String,
}

/// How names are resolved.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// DNSLinks that are known without asking, as `domain: /ipfs/…` or `domain: /ipns/…`. Default
    /// none.
    pub dnslinks: BTreeMap<String, String>,
    /// Who is asked for DNSLinks; the longest suffix wins. Default the system's resolver for all,
    /// and `https://dns.eth.limo/dns-query` for `eth`. With none, DNSLinks are not looked up.
    pub resolvers: Vec<Resolver>,
    /// Longest time that one DNS server may take. Default 2 s. Zero is refused at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub dns_timeout: Duration,
    /// Longest time that one lookup may take; it goes on when who asked has left. Default 30 s.
    /// Zero is refused at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub lookup_timeout: Duration,
    /// Shortest time to live of a DNSLink, whatever its servers say. Default 60 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub ttl_min: Duration,
    /// Longest time to live of any name. Default 1 h.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub ttl_max: Duration,
    /// How long a DNSLink serves beyond its time to live while it cannot be looked up; a record of
    /// IPNS says by itself how long it is valid. Default 24 h. Zero never serves it.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub stale_max: Duration,
    /// How long a lookup may take before the value that is at hand is served instead. Default 1 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub refresh_wait: Duration,
    /// How long a failure is believed without asking again. Default 10 s. Zero asks each time.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub failure_ttl: Duration,
    /// Most names that are looked up at a time; further ones get 503, or the value that is at hand.
    /// Default 1024.
    pub lookups_max: usize,
    /// Bytes of names and values that are kept. Default 16 MiB.
    #[schemars(with = "telemetry::config::SizeText")]
    pub cache_bytes: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        let resolver =
            |suffix: &str, url: &str| Resolver { suffix: suffix.to_owned(), url: url.to_owned() };
        Self {
            dnslinks: BTreeMap::new(),
            resolvers: vec![
                resolver(".", "system"),
                resolver("eth", "https://dns.eth.limo/dns-query"),
            ],
            dns_timeout: Duration::from_secs(2),
            lookup_timeout: Duration::from_secs(30),
            ttl_min: Duration::from_secs(60),
            ttl_max: Duration::from_secs(3600),
            stale_max: Duration::from_secs(24 * 3600),
            refresh_wait: Duration::from_secs(1),
            failure_ttl: Duration::from_secs(10),
            lookups_max: 1024,
            cache_bytes: ByteSize::mib(16),
        }
    }
}

impl Config {
    /// Says what is wrong with these keys, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, duration) in
            [("names.dns_timeout", self.dns_timeout), ("names.lookup_timeout", self.lookup_timeout)]
        {
            if duration.is_zero() {
                return Err(format!("{key} must not be zero"));
            }
        }
        if self.ttl_min > self.ttl_max {
            return Err("names.ttl_min must not be longer than names.ttl_max".to_owned());
        }
        for (domain, path) in &self.dnslinks {
            if !ipfs::dnslink::is_domain(domain) || *domain != domain.to_ascii_lowercase() {
                return Err(format!("names.dnslinks: {domain:?} is not a domain in lower case"));
            }
            let is_path = ipfs::path::ContentPath::parse(path).is_ok()
                || ipfs::path::Named::parse(path).is_ok();
            if !is_path {
                return Err(format!("names.dnslinks: {path:?} is not a content path"));
            }
        }
        Ok(())
    }
}
