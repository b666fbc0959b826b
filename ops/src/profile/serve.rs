//! `bifrost profile serve`: every night, when somebody asks, and when an objective burns.
//!
//! There is one collection at a time, whoever wants it; the second is told so. The listener is the one of
//! every process of ours: on loopback, or with a token.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::{Value, json};
use telemetry::admin::{self, Admin, Body, Routes, Shown};
use telemetry::metrics::Registry;
use telemetry::{Drain, Process, Tasks};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::catalog;
use super::collect::{Job, collect_by};
use super::command::{Collecting, warn};
use super::entry::{self, Head, Trigger};
use super::error::ProfileError;
use super::gc;
use super::lease::{self, Lease};
use super::select::Selector;
use super::store::Store;
use crate::findings::Verdict;
use crate::output;
use crate::prometheus::Prometheus;

mod burn;
pub(super) mod metrics;
mod schedule;

use burn::Burn;
use metrics::Metrics;
use schedule::{At, Night};

/// How often alerts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Longest wait for Prometheus.
const ASK_WITHIN: Duration = Duration::from_secs(10);

/// What `bifrost profile serve` is told.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    collecting: Collecting,
    /// When profiles are taken every day, in UTC.
    #[arg(long, value_name = "HH:MM", default_value = "03:17")]
    at: At,
    /// Longest wait, by chance, beyond that time.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    spread: Duration,
    /// Remove every night what is too old, as `bifrost profile gc` does without flags.
    #[arg(long)]
    gc: bool,
    /// The Prometheus whose alerts that page are looked at: each is collected for once.
    #[arg(long, value_name = "URL")]
    on_burn: Option<String>,
    /// Shortest time between two collections for alerts.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    cool_down: Duration,
    /// Where POST /collect and metrics are answered. Beyond this machine only with a token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9480")]
    listen: SocketAddr,
}

/// What collects, one set at a time.
struct Collector {
    collecting: Collecting,
    store: Store,
    tasks: Tasks,
    metrics: Metrics,
    /// Whether what is too old is removed every night.
    tidies: bool,
    /// Held by the collection that runs.
    turn: Arc<Semaphore>,
    /// The name of that collection.
    running: Mutex<Option<String>>,
    last: Mutex<Option<Head>>,
    /// The last collection of which no set came.
    failed: Mutex<Option<Value>>,
    burn: Mutex<Burn>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether another collection runs.
fn is_busy(error: &ProfileError) -> bool {
    matches!(error, ProfileError::Running(_))
}

impl Collector {
    /// Begins a collection, once the right to it is held.
    ///
    /// # Errors
    /// [`ProfileError::Running`] while another runs, here or elsewhere; all else is counted as a collection
    /// that failed.
    async fn begin(
        self: &Arc<Self>,
        trigger: Trigger,
        reason: Option<String>,
    ) -> Result<(), ProfileError> {
        let turn = Arc::clone(&self.turn).try_acquire_owned();
        let turn = turn.map_err(|_| ProfileError::Running("one of this process".to_owned()))?;
        let collector = Arc::clone(self);
        // Who asked may go before there is an answer; a right that was taken is used all the same.
        let begun = self.tasks.background("profile collection", async move {
            collector.begin_in(turn, trigger, reason).await
        });
        let begun = match begun.await {
            Ok(begun) => begun,
            Err(error) => Err(error.into()),
        };
        begun.inspect_err(|error| {
            if !is_busy(error) {
                self.lost(trigger, error);
            }
        })
    }

    async fn begin_in(
        self: Arc<Self>,
        turn: OwnedSemaphorePermit,
        trigger: Trigger,
        reason: Option<String>,
    ) -> Result<(), ProfileError> {
        let job = self.collecting.job(trigger, reason)?;
        *locked(&self.running) = Some(job.id.clone());
        let lease = Lease::take(&self.store, &job.id, job.deadline).await;
        let lease = lease.inspect_err(|_| *locked(&self.running) = None)?;
        let collector = Arc::clone(&self);
        self.tasks.background("profile collection", async move {
            collector.collect(job, lease).await;
            *locked(&collector.running) = None;
            drop(turn);
        });
        Ok(())
    }

    async fn collect(&self, job: Job, lease: Lease) {
        let trigger = job.trigger;
        match collect_by(lease, &job, &self.store, &self.tasks).await {
            Ok(set) => {
                self.metrics.count(&job.targets, &set);
                let (id, head) = (set.key(), &set.head);
                let (profiled, of) = (head.profiled, head.processes);
                output::note(&format!("{trigger}: {profiled} of {of} processes, {id}"));
                warn(&set);
                if let (Trigger::Slo, Some(alert)) = (trigger, &head.reason) {
                    locked(&self.burn).collected(alert);
                }
                *locked(&self.last) = Some(set.head);
            }
            Err(error) => self.lost(trigger, &error),
        }
    }

    /// Counts a collection of which no set came, and says why.
    fn lost(&self, trigger: Trigger, error: &ProfileError) {
        let why = telemetry::why(error);
        self.metrics.failed.inc();
        output::note(&format!("{trigger}: no set: {why}"));
        let at = entry::now().to_string();
        *locked(&self.failed) = Some(json!({ "at": at, "trigger": trigger, "why": why }));
    }

    /// Does what is due at night; says whether that was all, or whether it is tried again.
    async fn night(self: &Arc<Self>, night: &mut Night, now: Timestamp) -> bool {
        // Room is made first, and whatever comes of the night: a store that is full needs it most.
        if self.tidies && night.is_first_try() {
            self.tidy().await;
        }
        let Err(error) = self.begin(Trigger::Nightly, None).await else { return true };
        let ends = !night.again(now);
        if ends && is_busy(&error) {
            self.lost(Trigger::Nightly, &error);
        }
        ends
    }

    async fn tidy(&self) {
        match gc::tidy(&self.store).await {
            Ok(said) => output::note(&said),
            Err(error) => output::note(&format!("nothing removed: {}", telemetry::why(&error))),
        }
    }

    async fn answer(self: &Arc<Self>, method: &Method, path: &str) -> Option<Response<Body>> {
        match (path, method) {
            ("/collect", &Method::POST) => {
                let begun = self.begin(Trigger::Demand, Some("POST /collect".to_owned())).await;
                let Err(error) = begun else {
                    return Some(admin::json(StatusCode::ACCEPTED, &json!({ "collecting": true })));
                };
                let status = match is_busy(&error) {
                    true => StatusCode::CONFLICT,
                    false => StatusCode::SERVICE_UNAVAILABLE,
                };
                Some(admin::problem(status, &telemetry::why(&error)))
            }
            ("/collect", _) => {
                let detail = "POST begins a collection; GET /last tells of the last one";
                Some(admin::problem(StatusCode::METHOD_NOT_ALLOWED, detail))
            }
            ("/last", &Method::GET) => {
                let running = self.turn.available_permits() == 0;
                let (last, failed) = (locked(&self.last).clone(), locked(&self.failed).clone());
                let said = json!({ "collecting": running, "last": last, "failed": failed });
                Some(admin::json(StatusCode::OK, &said))
            }
            _ => None,
        }
    }
}

impl Routes for Collector {
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Option<Response<Body>>> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        Box::pin(async move { self.answer(&method, &path).await })
    }

    fn list(&self) -> &'static [&'static str] {
        &[
            "POST /collect (take profiles of every process now)",
            "GET /last (the last set, what it lacks, and the last collection that failed)",
        ]
    }
}

/// Collects until a signal comes.
///
/// # Errors
/// Nobody can be profiled, the store refuses, or the listener cannot be opened.
pub(crate) async fn run(
    args: ServeArgs,
    store: Store,
    tasks: &Tasks,
) -> Result<Verdict, ProfileError> {
    // What cannot be read now would not be at night either.
    args.collecting.job(Trigger::Nightly, None)?;
    let registry = Registry::new();
    registry.describe_process(Process::Ops);
    tasks.register(&registry);
    let metrics = Metrics::new(&registry);
    let sets = catalog::sets(&store, &Selector::default()).await?;
    metrics.seen(&sets);
    let collector = Arc::new(Collector {
        collecting: args.collecting.clone(),
        store,
        tasks: tasks.clone(),
        metrics,
        tidies: args.gc,
        turn: Arc::new(Semaphore::new(1)),
        running: Mutex::new(None),
        last: Mutex::new(sets.last().map(|set| set.head.clone())),
        failed: Mutex::new(None),
        burn: Mutex::new(Burn::new(args.cool_down)),
    });
    let drain = Drain::new();
    let shown = Shown {
        process: Process::Ops,
        registry,
        drain: drain.clone(),
        tasks: tasks.clone(),
        level: None,
    };
    let token = args.collecting.token.clone();
    let config = admin::Config { listen: args.listen, token, ..admin::Config::default() };
    let routes: Arc<dyn Routes> = Arc::<Collector>::clone(&collector);
    let place = Admin::start(&config, shown, routes).await.map_err(ProfileError::Admin)?;
    output::note(&format!("POST http://{place}/collect collects; metrics: http://{place}/metrics"));
    drain.ready();
    let mut terminate = signal(SignalKind::terminate()).map_err(ProfileError::Signals)?;
    tokio::select! {
        ended = rounds(&args, &collector, tasks) => ended?,
        _ = terminate.recv() => {}
        ended = tokio::signal::ctrl_c() => ended.map_err(ProfileError::Signals)?,
    }
    let running = locked(&collector.running).clone();
    if let Some(id) = running {
        lease::abandon(&collector.store, &id).await?;
    }
    Ok(Verdict::Clean)
}

/// Waits for the night and for alerts, for ever.
async fn rounds(
    args: &ServeArgs,
    collector: &Arc<Collector>,
    tasks: &Tasks,
) -> Result<(), ProfileError> {
    let prometheus = match &args.on_burn {
        Some(base) => Some(Prometheus::new(tasks, base, ASK_WITHIN)?),
        None => None,
    };
    let mut night = Night::at(tonight(args, Timestamp::now()));
    output::note(&format!(
        "the next profiles are taken at {}",
        night.due().strftime("%Y-%m-%d %H:%M:%S UTC")
    ));
    loop {
        // The clock of the day may be set while we wait, so it is looked at again and again.
        let wait =
            u64::try_from(night.due().as_second() - Timestamp::now().as_second()).unwrap_or(0);
        tokio::time::sleep(Duration::from_secs(wait).min(LOOK_EVERY)).await;
        let now = Timestamp::now();
        if now >= night.due() && collector.night(&mut night, now).await {
            night = Night::at(tonight(args, now));
        }
        let Some(prometheus) = &prometheus else { continue };
        match prometheus.get("/api/v1/alerts").await {
            Ok(data) => {
                let wanted = locked(&collector.burn).wants(&burn::firing(&data), Instant::now());
                if wanted.is_some() && collector.begin(Trigger::Slo, wanted).await.is_ok() {
                    locked(&collector.burn).begun(Instant::now());
                }
            }
            Err(error) => output::note(&format!("alerts: {}", telemetry::why(&error))),
        }
    }
}

fn tonight(args: &ServeArgs, now: Timestamp) -> Timestamp {
    let share: f64 = rand::rng().random();
    let later = args.spread.mul_f64(share).as_secs();
    args.at.after(now, i64::try_from(later).unwrap_or(0))
}

#[cfg(test)]
mod tests;
