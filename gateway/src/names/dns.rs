//! Looks up DNSLinks: by the system's resolver, by a server of one's own, or over HTTPS.
//!
//! Which one is asked depends on the last labels of the domain alone, so `eth` and other names that
//! are not in the public DNS have resolvers of their own.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::rr::{RData, Record};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use ipfs::dnslink;
use telemetry::Tasks;
use tokio::time::{Instant, timeout_at};

mod https;

use https::Https;

use super::{Config, NameError};

/// Most bytes of TXT records that one domain may have.
const TXT_BYTES_MAX: usize = 64 * 1024;

/// A way to ask for TXT records.
enum Way {
    /// The resolver of the system, or a server by UDP and TCP.
    Plain(Box<TokioResolver>),
    /// A server by HTTPS.
    Https(Box<Https>),
}

/// The resolvers, the longest suffix first.
pub(super) struct Dns {
    ways: Vec<(String, Way)>,
    timeout: Duration,
}

/// What a lookup found: the texts, and the shortest time to live of the records.
struct Texts {
    texts: Vec<String>,
    ttl: Duration,
}

/// Why a lookup found nothing.
#[derive(Debug)]
enum Missing {
    /// There are no such records.
    None,
    /// The server could not be asked, or did not answer.
    Failed(String),
}

impl Dns {
    /// The resolvers of a configuration.
    ///
    /// # Errors
    /// A text that says which resolver is wrong.
    pub(super) fn new(config: &Config, tasks: &Tasks) -> Result<Self, String> {
        let mut ways = Vec::new();
        for resolver in &config.resolvers {
            let wrong = |why: &str| format!("names.resolvers: {:?}: {why}", resolver.url);
            let suffix = match resolver.suffix.trim_matches('.').to_ascii_lowercase() {
                suffix if suffix.is_empty() => suffix,
                suffix => format!(".{suffix}"),
            };
            let way = match resolver.url.as_str() {
                // A system without a resolver has no DNS, and the gateway's other names do work.
                "system" => match TokioResolver::builder_tokio() {
                    Ok(mut builder) => {
                        options(builder.options_mut(), config);
                        let built = builder.build().map_err(|error| wrong(&error.to_string()))?;
                        Way::Plain(Box::new(built))
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the system has no resolver");
                        continue;
                    }
                },
                url => match url.strip_prefix("udp://") {
                    Some(address) => {
                        let address = address.parse().map_err(|_| wrong("no address and port"))?;
                        Way::Plain(Box::new(server(address, config).map_err(|why| wrong(&why))?))
                    }
                    None => {
                        Way::Https(Box::new(Https::new(url, tasks).map_err(|why| wrong(&why))?))
                    }
                },
            };
            ways.push((suffix, way));
        }
        ways.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(Self { ways, timeout: config.dns_timeout })
    }

    /// The content path that a domain's DNSLink names, and its time to live.
    ///
    /// # Errors
    /// [`NameError::NoDnslink`], [`NameError::Dns`] or [`NameError::NotAPath`].
    pub(super) async fn dnslink(
        &self,
        domain: &str,
        deadline: Instant,
    ) -> Result<(String, Duration), NameError> {
        let failed = |why: String| NameError::Dns { name: domain.to_owned(), why };
        let dotted = format!(".{domain}");
        let way = self.ways.iter().find(|(suffix, _)| dotted.ends_with(suffix.as_str()));
        let (_, way) = way.ok_or_else(|| NameError::NoDnslink(domain.to_owned()))?;
        let deadline = deadline.min(Instant::now() + self.timeout);
        let name = dnslink::query_name(domain);
        let found = timeout_at(deadline, way.texts(&name)).await;
        let texts = match found {
            Err(_) => return Err(failed("no answer in time".to_owned())),
            Ok(Err(Missing::None)) => return Err(NameError::NoDnslink(domain.to_owned())),
            Ok(Err(Missing::Failed(why))) => return Err(failed(why)),
            Ok(Ok(texts)) => texts,
        };
        match dnslink::choose(texts.texts.iter().map(String::as_str)) {
            Ok(link) => Ok((link.to_string(), texts.ttl)),
            Err(dnslink::DnslinkError::NotDnslink) => Err(NameError::NoDnslink(domain.to_owned())),
            Err(_) => Err(NameError::NotAPath { name: domain.to_owned() }),
        }
    }
}

impl Way {
    async fn texts(&self, name: &str) -> Result<Texts, Missing> {
        match self {
            Way::Plain(resolver) => {
                // The trailing dot keeps the system's search domains out of it.
                match resolver.txt_lookup(format!("{name}.")).await {
                    Ok(lookup) => texts(lookup.answers()),
                    Err(error) if is_nothing(&error) => Err(Missing::None),
                    Err(error) => Err(Missing::Failed(error.to_string())),
                }
            }
            Way::Https(https) => {
                let records = https.lookup(name).await.map_err(Missing::Failed)?;
                texts(&records)
            }
        }
    }
}

fn is_nothing(error: &NetError) -> bool {
    error.is_no_records_found() || error.is_nx_domain()
}

/// The TXT records among the answers; a server sends the aliases on the way to them too.
fn texts(records: &[Record]) -> Result<Texts, Missing> {
    let mut found = Texts { texts: Vec::new(), ttl: Duration::MAX };
    let mut bytes = 0;
    for record in records {
        let RData::TXT(txt) = &record.data else { continue };
        let parts: Vec<u8> = txt.txt_data.iter().flat_map(|part| part.iter().copied()).collect();
        bytes += parts.len();
        if bytes > TXT_BYTES_MAX {
            return Err(Missing::Failed(format!("more than {TXT_BYTES_MAX} bytes of TXT")));
        }
        found.ttl = found.ttl.min(Duration::from_secs(u64::from(record.ttl)));
        found.texts.extend(String::from_utf8(parts));
    }
    if found.texts.is_empty() { Err(Missing::None) } else { Ok(found) }
}

fn options(options: &mut ResolverOpts, config: &Config) {
    options.timeout = config.dns_timeout;
    options.attempts = 1;
    // Names are kept by this room, with their age.
    options.cache_size = 0;
}

/// A resolver that asks one server.
fn server(address: SocketAddr, config: &Config) -> Result<TokioResolver, String> {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    let servers = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut builder = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default());
    options(builder.options_mut(), config);
    builder.build().map_err(|error| error.to_string())
}
