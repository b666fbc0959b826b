//! A bounded, sampled copy of what is asked here for staging, never on the path.
//!
//! The line offers a tap when the head of an answer leaves. A request that is chosen has its body
//! hashed as it streams; when that ends, a summary waits for the lane, or is dropped and counted. All
//! else is the lane's, a thread of its own: staging may be dead, slow, hostile or this very gateway.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use ipfs::answer::{Answer, Digest, Question, Shape};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use telemetry::Tasks;
use tokio::sync::{mpsc, watch};

mod ask;
mod compare;
mod config;
mod copied;
mod health;
mod lane;
mod mark;
mod metrics;
mod quota;
mod routes;
mod store;
mod words;

pub use config::Config;
pub(crate) use metrics::MirrorMetrics;
pub use routes::MirrorRoutes;

pub(crate) use compare::tell;
use copied::Copied;
pub(crate) use copied::MARK;
use health::Health;
use mark::Mark;
use quota::Quota;
use store::Latest;
use words::{Dropped, Lane};

use crate::classify::Caller;
use crate::outcome::{Outcome, Source, Traffic};
use crate::stream::{Ended, Record, Tap};

/// What a mirrored request may count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marked {
    /// It is not mirrored.
    No,
    /// Another gateway sent it: mirrored traffic, if that one may say so.
    Other,
    /// This gateway asks itself.
    Again,
    /// Somebody takes this gateway for staging, and it is not.
    Loop,
}

/// The mirror, from the line.
#[derive(Clone)]
pub(crate) struct Mirror {
    shared: Arc<Shared>,
    offers: mpsc::Sender<Offer>,
}

/// What the line and the lane share.
struct Shared {
    settings: ArcSwap<Settings>,
    /// Whom to tell that they changed.
    told: OnceLock<Told>,
    health: Health,
    quota: Quota,
    /// Good answers of production since the last pair that staging was not asked for, being left alone.
    unasked: AtomicU64,
    latest: Mutex<Latest>,
    metrics: MirrorMetrics,
    /// This life of this gateway.
    instance: String,
    /// What the keys of pairs are hashed with.
    secret: [u8; 16],
    env: String,
    gateway: String,
    /// Where this gateway itself is asked.
    own: Uri,
    closing: watch::Sender<bool>,
}

/// What is done when settings changed.
type Told = Box<dyn Fn() + Send + Sync>;

/// Settings that are in force.
struct Settings {
    config: Config,
    staging: Option<Uri>,
}

/// An answer of production that waits to be compared.
#[derive(Clone)]
struct Offer {
    lane: Lane,
    request: Copied,
    question: Question,
    shape: Shape,
    format: &'static str,
    production: Answer,
    ended: Ended,
    at: SystemTime,
    settings: Arc<Settings>,
    retried: bool,
}

/// Who this gateway is.
pub(crate) struct Identity<'a> {
    /// The environment, as access records have it.
    pub(crate) env: &'a str,
    /// The gateway's name, as access records have it.
    pub(crate) name: &'a str,
    /// Its public address.
    pub(crate) address: SocketAddr,
}

impl Mirror {
    /// Starts the lane; it ends with [`Mirror::close`], or when the last clone is gone.
    ///
    /// # Errors
    /// A text that says which key is wrong, or what the system says of the folder.
    pub(crate) fn start(
        config: &Config,
        identity: &Identity<'_>,
        tasks: &Tasks,
        metrics: MirrorMetrics,
    ) -> Result<Self, String> {
        config.check()?;
        let (offers, waiting) = mpsc::channel(config.queue);
        let closing = watch::Sender::new(false);
        let now = Instant::now();
        let shared = Arc::new(Shared {
            settings: ArcSwap::from_pointee(Settings::of(config)?),
            told: OnceLock::new(),
            health: Health::new(now),
            quota: Quota::new(config, now),
            unasked: AtomicU64::new(0),
            latest: Mutex::default(),
            metrics,
            instance: hex(&random()),
            secret: random(),
            env: identity.env.to_owned(),
            gateway: identity.name.to_owned(),
            own: own(identity.address)?,
            closing,
        });
        let store = store::Store::open(config)
            .map_err(|error| format!("mirror.dir cannot be written: {error}"))?;
        drop(lane::start(Arc::clone(&shared), store, waiting, tasks)?);
        shared.tell();
        Ok(Self { shared, offers })
    }

    /// Takes other settings; what waits is compared under those that it was taken under.
    ///
    /// # Errors
    /// A text that names the key that is wrong; the settings before stay.
    pub(crate) fn set(&self, config: &Config) -> Result<(), String> {
        self.shared.set(config)
    }

    /// The settings that are in force.
    pub(crate) fn settings(&self) -> Config {
        self.shared.settings.load().config.clone()
    }

    /// Has this done whenever other settings are taken, from wherever they come.
    pub(crate) fn on_change(&self, tell: impl Fn() + Send + Sync + 'static) {
        // A gateway has one mirror.
        self.shared.told.set(Box::new(tell)).ok();
    }

    /// Stops asking; what waits is dropped.
    pub(crate) fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Has the admin listener answer for it.
    pub(crate) fn show(&self, routes: &MirrorRoutes) {
        routes.show(Arc::clone(&self.shared));
    }

    /// Whether anything is copied.
    pub(crate) fn is_on(&self) -> bool {
        self.shared.settings.load().staging.is_some()
    }

    /// What a request says of being mirrored.
    pub(crate) fn marked(&self, headers: &HeaderMap) -> Marked {
        let Some(mark) = Mark::of(headers) else { return Marked::No };
        if mark.id == self.shared.instance {
            return if mark.again { Marked::Again } else { Marked::Loop };
        }
        // Who mirrors is production, and is not staging for its own kind.
        let is_own_kind = self.is_on() && mark.env == mark::env_word(&self.shared.env);
        if is_own_kind { Marked::Loop } else { Marked::Other }
    }

    /// Takes what is needed of a request whose answer's head leaves, if it is to be copied.
    pub(crate) fn tap(
        &self,
        parts: &Parts,
        caller: impl FnOnce() -> Option<Caller>,
        head: Head<'_>,
        record: &Record,
    ) -> Option<Box<dyn Tap>> {
        let settings = self.shared.settings.load_full();
        settings.staging.as_ref()?;
        let is_peoples = matches!(record.traffic, Traffic::Gateway | Traffic::Website);
        if !is_peoples || !copied::is_comparable(parts) {
            return None;
        }
        let path = record.asked_path.as_deref()?;
        let choice = choice(&settings.config.seed, path, record.format, &parts.headers);
        if choice >= settings.config.fraction {
            return None;
        }
        self.shared.metrics.chosen.inc();
        let source = record.provenance.source();
        if let Err(reason) = self.shared.admit(&settings.config, &parts.headers, &head, source) {
            self.shared.metrics.dropped.at(reason).inc();
            return None;
        }
        let request =
            caller().and_then(|caller| Copied::of(parts, &caller, &record.asker().request_id));
        let Some(request) = request else {
            self.shared.metrics.dropped.at(Dropped::Host).inc();
            return None;
        };
        let question = question(parts, &head, record);
        let shape = shape(&head, &question, record.format);
        let limit = settings.config.compare_bytes.as_u64();
        let again = record.is_named && is_again(choice, &settings.config);
        Some(Box::new(Tapped {
            mirror: self.clone(),
            digest: Digest::new(shape, false, limit),
            request,
            question,
            shape,
            format: record.format.unwrap_or("redirect"),
            production: compare::head(head.status, head.headers),
            settings,
            again,
        }))
    }
}

/// The head of an answer, as the tap sees it.
pub(crate) struct Head<'a> {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
    /// How the request ends if all goes well.
    pub(crate) outcome: Outcome,
}

impl Shared {
    /// Whether one more may be copied.
    fn admit(
        &self,
        config: &Config,
        headers: &HeaderMap,
        head: &Head<'_>,
        source: Source,
    ) -> Result<(), Dropped> {
        let outcome = head.outcome;
        if outcome == Outcome::Blocked || copied::is_private(headers) {
            return Err(Dropped::Private);
        }
        if matches!(outcome, Outcome::Overload | Outcome::Limited) {
            return Err(Dropped::Overload);
        }
        // What production looked for and did not find, staging looks for as well.
        let source = if outcome.is_of_network() { Source::Network } else { source };
        let now = Instant::now();
        // What there is no room for would not be asked of a staging that is well either.
        self.quota.take(source, now)?;
        if self.health.admit(config.pause, now) {
            return Ok(());
        }
        self.leave(head.status);
        Err(Dropped::Unhealthy)
    }

    /// Notes what staging is not asked, though production answered.
    fn leave(&self, status: u16) {
        if status < 500 {
            self.unasked.fetch_add(1, Relaxed);
        }
    }

    fn set(&self, config: &Config) -> Result<(), String> {
        config.check()?;
        let settings = Settings::of(config)?;
        self.quota.set(config, Instant::now());
        let before = self.settings.swap(Arc::new(settings));
        if before.config.to != config.to {
            self.health.reset();
            self.unasked.store(0, Relaxed);
        }
        self.tell();
        if let Some(tell) = self.told.get() {
            tell();
        }
        Ok(())
    }

    /// Says in the metrics whether anything is copied.
    fn tell(&self) {
        let is_on = self.settings.load().staging.is_some();
        let is_well = self.health.is_well();
        self.metrics.on.set(i64::from(is_on));
        self.metrics.copying.set(i64::from(is_on && is_well));
    }
}

impl Settings {
    fn of(config: &Config) -> Result<Self, String> {
        Ok(Self { config: config.clone(), staging: config.staging()? })
    }
}

/// A request that is copied, while its answer streams.
struct Tapped {
    mirror: Mirror,
    digest: Digest,
    request: Copied,
    question: Question,
    shape: Shape,
    format: &'static str,
    production: Answer,
    settings: Arc<Settings>,
    again: bool,
}

impl Tap for Tapped {
    fn piece(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    fn ended(self: Box<Self>, ended: &Ended) {
        let shared = &self.mirror.shared;
        let refused = if ended.outcome == Outcome::ClientAbort {
            Some(Dropped::ClientLeft)
        } else if ended.outcome == Outcome::Blocked {
            Some(Dropped::Private)
        } else {
            shared.closing.borrow().then_some(Dropped::Stopped)
        };
        if let Some(reason) = refused {
            shared.metrics.dropped.at(reason).inc();
            return;
        }
        let body = self.digest.finish(ended.outcome != Outcome::Truncated);
        let offer = Offer {
            lane: Lane::Staging,
            request: self.request,
            question: self.question,
            shape: self.shape,
            format: self.format,
            production: Answer { body, ..self.production },
            ended: ended.clone(),
            at: SystemTime::now(),
            settings: self.settings,
            retried: false,
        };
        let again = self.again.then(|| Offer { lane: Lane::Again, ..offer.clone() });
        for offer in std::iter::once(offer).chain(again) {
            match self.mirror.offers.try_send(offer) {
                Ok(()) => shared.metrics.waiting.inc(),
                Err(_) => shared.metrics.dropped.at(Dropped::Queue).inc(),
            }
        }
    }
}

/// Where a key lies between 0 and 1: the same on every gateway with the same seed.
fn choice(seed: &str, path: &str, format: Option<&str>, headers: &HeaderMap) -> f64 {
    let range = headers.get(header::RANGE).map_or(&b""[..], |range| range.as_bytes());
    let hash = hash(&[seed.as_bytes(), path.as_bytes(), format.unwrap_or("").as_bytes(), range]);
    // The 53 bits that a float tells apart.
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether a key that is copied is asked for again: those at the far end are.
fn is_again(choice: f64, config: &Config) -> bool {
    config.again > 0.0 && choice >= config.fraction * (1.0 - config.again)
}

/// The first eight bytes of a hash of parts, each with its length.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    u64::from_le_bytes(hash[..8].try_into().expect("eight bytes"))
}

/// How far an answer can be compared.
fn question(parts: &Parts, head: &Head<'_>, record: &Record) -> Question {
    let is_rendered = compare::told(head.headers).is_rendered;
    let is_head = parts.method == Method::HEAD;
    // The whole of one block is the answer: the block itself, or a file that has no other.
    let is_block = record.format == Some("raw")
        || record.format == Some("page")
            && record.terminal.is_some_and(|cid| cid.codec() == ipfs::Codec::Raw);
    let block = record.terminal.filter(|_| is_block && head.status == 200 && !is_head);
    Question { is_named: record.is_named, is_rendered, is_head, block }
}

fn shape(head: &Head<'_>, question: &Question, format: Option<&str>) -> Shape {
    match format {
        Some("car") if head.status == 200 => Shape::Archive,
        _ if question.is_rendered => Shape::Page,
        _ => Shape::Bytes,
    }
}

/// Where this gateway is asked from its own machine.
fn own(address: SocketAddr) -> Result<Uri, String> {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let address = SocketAddr::new(ip, address.port());
    format!("http://{address}").parse().map_err(|error| format!("{address}: {error}"))
}

fn random() -> [u8; 16] {
    rand::random()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_keys_that_is_asked_again_is_that_of_what_is_copied() {
        for (fraction, again) in [(1.0, 0.5), (0.5, 0.5), (0.1, 0.5), (0.5, 0.0), (0.5, 1.0)] {
            let config = Config { fraction, again, ..Config::default() };
            let choices = (0..20_000).map(|key| {
                choice(&config.seed, &format!("/ipns/{key}.example"), None, &HeaderMap::new())
            });
            let copied: Vec<f64> = choices.filter(|choice| *choice < fraction).collect();
            let asked = copied.iter().filter(|choice| is_again(**choice, &config)).count();
            let share = asked as f64 / copied.len() as f64;
            assert!((share - again).abs() < 0.05, "{fraction} {again}: {share}");
        }
    }
}
