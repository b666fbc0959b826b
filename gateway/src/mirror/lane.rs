//! The thread behind the queue: asks staging, compares, and writes down what came of it.
//!
//! It runs only where a processor would be idle, so that the processor is the line's whenever both want
//! it: the two share no lock that the line has to wait at. The line seldom wakes it: it takes what waits
//! every few milliseconds. What waits, and what is under way, is bounded; a second try waits beside the
//! others, and takes none of their room.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ipfs::answer::{self, Agreement};
use serde_json::{Value, json};
use telemetry::metrics::Label;
use telemetry::pairs::{Pair, Side, VERSION, micros, millis};
use telemetry::{TaskHandle, Tasks, build_info};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::ask::{Answered, ask};
use super::mark::Mark;
use super::store::Store;
use super::words::{By, Class, Compared, Difference, Dropped, Failure, Lane as Way};
use super::{Offer, Shared, compare, hash};
use crate::outbound::{self, Client};

/// How long the lane lets offers gather before it takes them: to wake a thread costs whoever wakes it.
const GATHER: Duration = Duration::from_millis(2);
/// What the system takes in of an answer ahead of its being read: staging may send without end.
const RECEIVE_BYTES: u32 = 128 * 1024;
/// Second tries that may wait.
const LATER_MAX: usize = 256;
/// How often files are written out and tidied.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// What the thread works with. It ends when nobody can offer anything any more.
pub(super) struct Lane {
    shared: Arc<Shared>,
    client: Client,
    store: Store,
    /// Whether the last write failed, so that a disk that is full is told of once.
    is_refused: bool,
    /// Staging's build, as it last said.
    build: Option<String>,
    /// Whether staging was asked when that was last looked at.
    was_well: bool,
    asked: FuturesUnordered<Pin<Box<dyn Future<Output = Came> + Send>>>,
    later: FuturesUnordered<Pin<Box<dyn Future<Output = Offer> + Send>>>,
}

/// What came of an offer: to be asked again later, or both answers.
enum Came {
    Later(Offer),
    Pair(Offer, Box<Answered>),
}

/// Starts the thread; the handle is its place among the tasks.
///
/// # Errors
/// A text: what the system says of a further thread, or TLS of its settings.
pub(super) fn start(
    shared: Arc<Shared>,
    store: Store,
    offers: mpsc::Receiver<Offer>,
    tasks: &Tasks,
) -> Result<TaskHandle<()>, String> {
    let failed = |error: io::Error| format!("the mirror's thread cannot be started: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let lane = Lane {
        client: outbound::narrow_client(tasks, "mirror connection", RECEIVE_BYTES)?,
        shared,
        store,
        is_refused: false,
        build: None,
        was_well: true,
        asked: FuturesUnordered::new(),
        later: FuturesUnordered::new(),
    };
    let (ended, end) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("mirror".to_owned()).spawn(move || {
        yield_to_the_line();
        runtime.block_on(lane.run(offers));
        drop(runtime);
        ended.send(()).ok();
    });
    thread.map_err(failed)?;
    Ok(tasks.spawn("mirror", async move {
        end.await.ok();
    }))
}

/// Lets the thread run only where a processor would be idle.
fn yield_to_the_line() {
    let last = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let yielded = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, last);
    if let Err(error) = yielded {
        warn!(
            %error,
            "the mirror's thread may take processors from requests: the system refuses SCHED_IDLE"
        );
    }
}

impl Lane {
    async fn run(mut self, mut offers: mpsc::Receiver<Offer>) {
        let mut closed = self.shared.closing.subscribe();
        let mut tidy = tokio::time::interval(TIDY_EVERY);
        let mut taken = Instant::now();
        loop {
            self.drop_waiting(&mut offers);
            let room = self.shared.health.room(&self.shared.settings.load().config);
            tokio::select! {
                _ = closed.wait_for(|closed| *closed) => break,
                offer = next(&mut offers, taken + GATHER), if self.asked.len() < room => {
                    let Some(offer) = offer else { break };
                    self.take(offer);
                    while self.asked.len() < room && let Ok(offer) = offers.try_recv() {
                        self.take(offer);
                    }
                    taken = Instant::now();
                }
                Some(offer) = self.later.next() => self.ask_if_current(offer, false),
                Some(came) = self.asked.next() => match came {
                    Came::Later(offer) => self.wait(offer),
                    Came::Pair(offer, answered) => self.pair(&offer, *answered),
                },
                _ = tidy.tick() => self.tidy(),
            }
        }
        self.tidy();
    }

    /// Drops what waited for staging when it begins to be left alone; who comes after that tries it.
    fn drop_waiting(&mut self, offers: &mut mpsc::Receiver<Offer>) {
        let is_well = self.shared.health.is_well();
        if !std::mem::replace(&mut self.was_well, is_well) || is_well {
            return;
        }
        while let Ok(offer) = offers.try_recv() {
            if offer.lane == Way::Again {
                self.take(offer);
                continue;
            }
            self.shared.metrics.waiting.dec();
            self.shared.leave(offer.production.status);
            self.shared.metrics.dropped.at(Dropped::Unhealthy).inc();
        }
    }

    /// Takes what waited in the queue.
    fn take(&mut self, offer: Offer) {
        self.shared.metrics.waiting.dec();
        let may_retry = !offer.settings.config.retry_after.is_zero();
        self.ask_if_current(offer, may_retry && self.later.len() < LATER_MAX);
    }

    /// Asks, unless it waited for another staging.
    fn ask_if_current(&mut self, offer: Offer, may_retry: bool) {
        if self.shared.is_current(&offer) {
            self.ask(offer, may_retry);
        } else {
            self.shared.metrics.dropped.at(Dropped::Stopped).inc();
        }
    }

    fn wait(&mut self, offer: Offer) {
        self.later.push(Box::pin(async move {
            tokio::time::sleep(offer.settings.config.retry_after).await;
            Offer { retried: true, ..offer }
        }));
    }

    fn ask(&mut self, offer: Offer, may_retry: bool) {
        let (shared, client) = (Arc::clone(&self.shared), self.client.clone());
        self.asked.push(Box::pin(async move {
            let Some(gateway) = shared.gateway_of(&offer) else {
                let failed = Answered::failed(Failure::Connect);
                return Came::Pair(offer, Box::new(failed));
            };
            let again = offer.lane == Way::Again;
            let mark = Mark { id: &shared.instance, env: &shared.env, again };
            let answered = ask(&client, &gateway, &mark.value(), &offer).await;
            shared.learn(&offer, &answered);
            // Staging may have looked for it at a bad moment, and production at a good one.
            let production_was_good = offer.production.status < 500 && offer.production.body.whole;
            let may_go_better = answered.is_bad() && answered.failure != Some(Failure::Loop);
            if may_retry && !again && production_was_good && may_go_better {
                return Came::Later(offer);
            }
            Came::Pair(offer, Box::new(answered))
        }));
    }

    /// Counts a pair and writes it down.
    fn pair(&mut self, offer: &Offer, answered: Answered) {
        let production = &offer.production;
        let (class, agreement) = match &answered.answer {
            Some(other) => answer::compare(&offer.question, production, other),
            None => (answer::Class::Network, Agreement::Rates),
        };
        self.shared.count(offer, &answered, class, &agreement);
        if offer.lane == Way::Staging && answered.failure.is_none() && !answered.is_busy() {
            self.shared.judge(offer, class, &agreement);
        }
        let unasked = self.unasked(offer, answered.side.as_ref());
        let differences = agreement.differences().iter().map(|found| found.text()).collect();
        let pair = Pair {
            v: VERSION,
            at_ms: millis(offer.at),
            env: self.shared.env.clone(),
            gateway: self.shared.gateway.clone(),
            key: format!("{:016x}", self.shared.key_of(offer)),
            lane: offer.lane.text().to_owned(),
            class: class.word().to_owned(),
            format: offer.format.to_owned(),
            production: production_side(offer),
            staging: answered.side,
            failure: answered.failure.map(|failure| failure.text().to_owned()),
            retried: offer.retried,
            unasked,
            result: agreement.word().to_owned(),
            differences,
        };
        let difference = answered.answer.as_ref().filter(|_| !pair.differences.is_empty());
        let difference = difference.map(|other| self.shared.difference(offer, &pair, other));
        let key = (offer.lane == Way::Staging && offer.settings.config.keys).then(|| key(offer));
        let now = SystemTime::now();
        let written = self.store.write(&pair, difference.as_ref(), key.as_ref(), now);
        self.wrote(written);
        if let Some(difference) = difference {
            self.shared.latest.lock().push(difference);
        }
    }

    /// What staging was not asked since the last pair. While its build was exchanged for another, neither of the
    /// two was down.
    fn unasked(&mut self, offer: &Offer, side: Option<&Side>) -> u64 {
        if offer.lane != Way::Staging || !self.shared.is_current(offer) {
            return 0;
        }
        let unasked = self.shared.unasked.swap(0, Relaxed);
        if is_exchanged(&mut self.build, side) { 0 } else { unasked }
    }

    fn tidy(&mut self) {
        let settings = self.shared.settings.load();
        let tidied = self.store.tidy(&settings.config, SystemTime::now());
        self.wrote(tidied);
        self.shared.tell();
    }

    fn wrote(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) => self.is_refused = false,
            Err(error) => {
                self.shared.metrics.unwritten.inc();
                if !std::mem::replace(&mut self.is_refused, true) {
                    warn!(%error, "pairs of the mirror cannot be written");
                }
            }
        }
    }
}

/// Whether another build answers than the one that did before.
fn is_exchanged(before: &mut Option<String>, side: Option<&Side>) -> bool {
    let Some(build) = side.and_then(|side| side.build.as_ref()) else { return false };
    before.as_ref() != Some(build) && before.replace(build.clone()).is_some()
}

/// The next offer, not before then.
async fn next(offers: &mut mpsc::Receiver<Offer>, then: Instant) -> Option<Offer> {
    tokio::time::sleep_until(then.into()).await;
    offers.recv().await
}

impl Shared {
    /// Whether an offer is for the staging that is set now.
    fn is_current(&self, offer: &Offer) -> bool {
        offer.settings.staging == self.settings.load().staging
    }

    /// Who is asked.
    fn gateway_of(&self, offer: &Offer) -> Option<http::Uri> {
        match offer.lane {
            Way::Staging => offer.settings.staging.clone(),
            Way::Again => Some(self.own.clone()),
        }
    }

    /// Notes whether staging is well.
    fn learn(&self, offer: &Offer, answered: &Answered) {
        if offer.lane == Way::Again {
            return;
        }
        let bytes = answered.side.as_ref().map_or(0, |side| side.bytes);
        self.quota.spent(bytes);
        self.metrics.bytes.inc_by(bytes);
        if !self.is_current(offer) {
            return;
        }
        let (health, config) = (&self.health, &offer.settings.config);
        let Some(failure) = answered.failure else {
            // What it said decides, once it is compared, unless it is full.
            if answered.is_busy() && health.failed(config, Instant::now()) {
                info!("staging is full, and left alone for a while");
            }
            return;
        };
        match failure {
            Failure::Loop => {
                if health.looped() {
                    warn!(
                        "mirror.to is no staging: it mirrors for the same environment, or is this \
                         gateway; nothing is copied until it is set to another"
                    );
                }
            }
            Failure::Connect
            | Failure::Timeout
            | Failure::Stall
            | Failure::Reset
            | Failure::Long => {
                if health.failed(config, Instant::now()) {
                    info!(?failure, "staging is left alone for a while");
                }
            }
        }
    }

    /// Notes whether what staging said was right.
    fn judge(&self, offer: &Offer, class: answer::Class, agreement: &Agreement) {
        if !self.is_current(offer) {
            return;
        }
        let is_wrong = class == answer::Class::Verifiable
            && agreement.differences().iter().any(|found| found.is_of_bytes());
        if !is_wrong {
            self.health.answered();
        } else if self.health.lied(&offer.settings.config, Instant::now()) {
            warn!(
                "staging sends wrong bytes, one answer after another; it is left alone for a while"
            );
        }
    }

    fn count(
        &self,
        offer: &Offer,
        answered: &Answered,
        class: answer::Class,
        agreement: &Agreement,
    ) {
        let metrics = &self.metrics;
        metrics.pairs.at((offer.lane, Compared::from(agreement))).inc();
        for found in agreement.differences() {
            let labels = (offer.lane, Class::from(class), Difference::from(*found));
            metrics.differences.at(labels).inc();
        }
        if let Some(failure) = answered.failure.filter(|_| offer.lane == Way::Staging) {
            metrics.failures.at(failure).inc();
        }
        let source = offer.ended.source;
        if let (Some(side), Way::Staging) = (&answered.side, offer.lane)
            && side.cache == source.text()
        {
            let staging = Duration::from_micros(side.first_byte_us);
            metrics
                .first_byte
                .at((By::Production, source))
                .observe_duration(offer.ended.first_byte);
            metrics.first_byte.at((By::Staging, source)).observe_duration(staging);
        }
    }

    fn key_of(&self, offer: &Offer) -> u64 {
        let range = offer.request.headers.iter().find(|(name, _)| name == http::header::RANGE);
        let range = range.map_or(&b""[..], |(_, value)| value.as_bytes());
        let target = offer.request.target.as_bytes();
        hash(&[&self.secret, offer.request.host.as_bytes(), target, range])
    }

    /// What is kept of two answers that differ: enough to ask both again.
    fn difference(&self, offer: &Offer, pair: &Pair, other: &answer::Answer) -> Value {
        let gateway = self.gateway_of(offer).map(|gateway| gateway.to_string()).unwrap_or_default();
        json!({
            "at_ms": pair.at_ms,
            "gateway": pair.gateway,
            "env": pair.env,
            "key": pair.key,
            "lane": pair.lane,
            "class": pair.class,
            "differences": pair.differences,
            "request": offer.request.shown(),
            "named": offer.question.is_named,
            "block": offer.question.block.map(|block| block.to_string()),
            "production": compare::shown(&offer.production),
            "staging": compare::shown(other),
            "staging_build": pair.staging.as_ref().and_then(|side| side.build.clone()),
            "replay": offer.request.command(&gateway),
        })
    }
}

/// Production's answer as pairs have it.
fn production_side(offer: &Offer) -> Side {
    Side {
        status: offer.production.status,
        cache: offer.ended.source.text().to_owned(),
        first_byte_us: micros(offer.ended.first_byte),
        total_us: micros(offer.ended.total),
        bytes: offer.production.body.bytes,
        whole: offer.production.body.whole,
        build: Some(build_info::whole().to_owned()),
    }
}

/// A request as `bifrost mirror replay` reads it.
fn key(offer: &Offer) -> Value {
    let mut key = offer.request.shown();
    key["at_ms"] = json!(millis(offer.at));
    key["named"] = json!(offer.question.is_named);
    key["cache"] = json!(offer.ended.source.text());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_exchanged_when_another_answers() {
        let side = |build: Option<&str>| Side {
            status: 200,
            cache: "hit".into(),
            first_byte_us: 1,
            total_us: 1,
            bytes: 1,
            whole: true,
            build: build.map(str::to_owned),
        };
        let mut before = None;
        let mut exchanged = |side: Option<&Side>| is_exchanged(&mut before, side);
        let (one, two, silent) = (side(Some("one")), side(Some("two")), side(None));
        assert!(!exchanged(None) && !exchanged(Some(&one)), "the first");
        assert!(!exchanged(Some(&silent)) && !exchanged(None) && !exchanged(Some(&one)));
        assert!(exchanged(Some(&two)) && !exchanged(Some(&two)));
    }
}
