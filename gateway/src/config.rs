//! The gateway's configuration: one typed file, composed of what the rooms declare.

use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::accept::Config as AcceptConfig;
pub use crate::blocks::Config as BlocksConfig;
pub use crate::cache::Config as CacheConfig;
pub use crate::classify::{AnyHost, Class, Config as HostsConfig, Host};
pub use crate::denylist::{Config as DenylistConfig, Source as DenylistSource};
pub use crate::limit::Config as LimitConfig;
pub use crate::mirror::Config as MirrorConfig;
pub use crate::names::{Config as NamesConfig, Resolver};
pub use crate::render::Config as RenderConfig;
pub use crate::render::PagesConfig;
pub use crate::upstream::{Config as UpstreamConfig, NodeConfig, Protocol};

use crate::classify::Hosts;

/// What `SIGHUP` takes over without a restart, and what not although it takes over what is around it.
pub const RELOADED: [(&str, bool); 8] = [
    ("hosts", true),
    ("hosts.tunnel", false),
    ("upstream", true),
    ("pages", true),
    ("mirror", true),
    ("mirror.queue", false),
    ("mirror.dir", false),
    ("log.level", true),
];

/// Everything that can be set.
///
/// `SIGHUP` reads the file again: `hosts`, `upstream`, `pages`, `mirror` and the level of the log take effect,
/// other keys wait for a restart. A file that is not valid is refused and the old one stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The public listener and the times of a request.
    pub server: ServerConfig,
    /// The admin listener.
    pub admin: telemetry::admin::Config,
    /// Connections.
    pub accept: AcceptConfig,
    /// Hosts, and what they stand for. Can be reloaded.
    pub hosts: HostsConfig,
    /// How many requests are served at a time.
    pub limit: LimitConfig,
    /// What may not be served.
    pub denylist: DenylistConfig,
    /// What is remembered.
    pub cache: CacheConfig,
    /// How far readers fetch ahead.
    pub blocks: BlocksConfig,
    /// The nodes and how they are asked. Can be reloaded.
    pub upstream: UpstreamConfig,
    /// How names are resolved.
    pub names: NamesConfig,
    /// How answers are drawn.
    pub render: RenderConfig,
    /// What the gateway's own pages say and how they look. Can be reloaded.
    pub pages: PagesConfig,
    /// The copy of requests that staging gets. Can be reloaded.
    pub mirror: MirrorConfig,
    /// The access log.
    pub access: telemetry::access::Config,
    /// The log. Its level can be reloaded.
    pub log: telemetry::log::Config,
    /// Traces.
    pub trace: telemetry::trace::Config,
}

/// The public listener and the times of a request.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Where requests are taken. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Longest time from the last byte of the head to the first byte of the answer; past it the
    /// page of a timeout is sent. Default 30 s. Zero is refused at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub first_byte_timeout: Duration,
    /// Longest time of a whole answer. Default 1 h. Zero is refused at start-up.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub response_timeout: Duration,
    /// How long requests are still taken once the process drains, while load balancers learn of it.
    /// Default 5 s. Zero stops at once.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub drain_window: Duration,
    /// How long requests that were taken may last while the process drains. Default 60 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub drain_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            first_byte_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_secs(3600),
            drain_window: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// Says what is wrong beyond the form of the file, if anything.
    ///
    /// # Errors
    /// A text that names the key and what to mend.
    pub fn check(&self) -> Result<(), String> {
        for (key, duration) in [
            ("server.first_byte_timeout", self.server.first_byte_timeout),
            ("server.response_timeout", self.server.response_timeout),
            ("accept.header_timeout", self.accept.header_timeout),
            ("accept.idle_timeout", self.accept.idle_timeout),
            ("accept.write_timeout", self.accept.write_timeout),
            ("blocks.stall_timeout", self.blocks.stall_timeout),
            ("upstream.connect_timeout", self.upstream.connect_timeout),
            ("upstream.hedge_after", self.upstream.hedge_after),
            ("upstream.stall_timeout", self.upstream.stall_timeout),
            ("upstream.block_timeout", self.upstream.block_timeout),
        ] {
            if duration.is_zero() {
                return Err(format!("{key} must not be zero"));
            }
        }
        if self.accept.connections_max == 0 {
            return Err("accept.connections_max must not be zero".to_owned());
        }
        self.upstream.check()?;
        Hosts::new(&self.hosts, self.server.listen.ip().is_loopback())?;
        self.cache.check()?;
        crate::render::check_pages(self)?;
        self.names.check()?;
        self.mirror.check()?;
        self.denylist.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_refuse_the_start_is_told_by_the_check() {
        type Change = fn(&mut Config);
        let wrong: [(&str, Change); 4] = [
            ("upstream.nodes", |config| config.upstream.nodes.clear()),
            ("upstream.nodes[0]", |config| config.upstream.nodes[0].url = "ftp://a".into()),
            ("hosts:", |config| config.hosts.table = vec![Host::of("a b", Class::Path)]),
            ("hosts:", |config| config.hosts.table = vec![Host::of("a", Class::Path); 2]),
        ];
        assert_eq!(Config::default().check(), Ok(()));
        for (key, change) in wrong {
            let mut config = Config::default();
            change(&mut config);
            let said = config.check().expect_err(key);
            assert!(said.starts_with(key), "{said}");
        }
    }
}
