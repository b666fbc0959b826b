//! `bifrost profile serve`: every night, when somebody asks, and when an objective burns.
//!
//! There is one collection at a time, whoever wants it; the second is told so. The listener is the one of
//! every process of ours: on loopback, or with a token.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::json;
use telemetry::admin::{self, Admin, Body, Routes, Shown};
use telemetry::metrics::Registry;
use telemetry::{Drain, Process, Tasks};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use super::catalog;
use super::collect::collect;
use super::command::{Collecting, warn};
use super::entry::{Head, Trigger};
use super::error::ProfileError;
use super::gc;
use super::lease;
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
use schedule::At;

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
    last: Mutex<Option<Head>>,
}

impl Collector {
    /// Begins a collection.
    ///
    /// # Errors
    /// Why it is not begun: another runs here.
    fn begin(self: &Arc<Self>, trigger: Trigger, reason: Option<String>) -> Result<(), String> {
        let turn = Arc::clone(&self.turn).try_acquire_owned();
        let turn = turn.map_err(|_| "a collection runs already: ask again when it has ended")?;
        let collector = Arc::clone(self);
        self.tasks.background("profile collection", async move {
            collector.collect(trigger, reason).await;
            if collector.tidies && trigger == Trigger::Nightly {
                collector.tidy().await;
            }
            drop(turn);
        });
        Ok(())
    }

    async fn collect(&self, trigger: Trigger, reason: Option<String>) {
        let collected = match self.collecting.job(trigger, reason) {
            Ok(job) => collect(&job, &self.store, &self.tasks).await.map(|set| (job, set)),
            Err(error) => Err(error),
        };
        match collected {
            Ok((job, set)) => {
                self.metrics.count(&job.targets, &set);
                let (id, head) = (set.key(), &set.head);
                let (profiled, of) = (head.profiled, head.processes);
                output::note(&format!("{trigger}: {profiled} of {of} processes, {id}"));
                warn(&set);
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(set.head);
            }
            Err(error) => {
                self.metrics.failed.inc();
                output::note(&format!("{trigger}: no set: {}", telemetry::why(&error)));
            }
        }
    }

    /// Makes room, whatever came of the night: a store that is full needs it most.
    async fn tidy(&self) {
        match gc::tidy(&self.store).await {
            Ok(said) => output::note(&said),
            Err(error) => output::note(&format!("nothing removed: {}", telemetry::why(&error))),
        }
    }

    fn answer(self: &Arc<Self>, method: &Method, path: &str) -> Option<Response<Body>> {
        match (path, method) {
            ("/collect", &Method::POST) => {
                let began = self.begin(Trigger::Demand, Some("POST /collect".to_owned()));
                Some(match began {
                    Ok(()) => admin::json(StatusCode::ACCEPTED, &json!({ "collecting": true })),
                    Err(why) => admin::problem(StatusCode::CONFLICT, &why),
                })
            }
            ("/collect", _) => {
                let detail = "POST begins a collection; GET /last tells of the last one";
                Some(admin::problem(StatusCode::METHOD_NOT_ALLOWED, detail))
            }
            ("/last", &Method::GET) => {
                let running = self.turn.available_permits() == 0;
                let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Some(admin::json(StatusCode::OK, &json!({ "collecting": running, "last": last })))
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
        let answer = self.answer(request.method(), request.uri().path());
        Box::pin(std::future::ready(answer))
    }

    fn list(&self) -> &'static [&'static str] {
        &[
            "POST /collect (take profiles of every process now)",
            "GET /last (the last set, and what it lacks)",
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
        last: Mutex::new(sets.last().map(|set| set.head.clone())),
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
    if collector.turn.available_permits() == 0 {
        lease::abandon(&collector.store).await?;
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
    let mut burn = Burn::new(args.cool_down);
    let mut night = tonight(args, Timestamp::now());
    output::note(&format!(
        "the next profiles are taken at {}",
        night.strftime("%Y-%m-%d %H:%M:%S UTC")
    ));
    loop {
        // The clock of the day may be set while we wait, so it is looked at again and again.
        let wait = u64::try_from(night.as_second() - Timestamp::now().as_second()).unwrap_or(0);
        tokio::time::sleep(Duration::from_secs(wait).min(LOOK_EVERY)).await;
        let now = Timestamp::now();
        if now >= night {
            night = tonight(args, now);
            if let Err(why) = collector.begin(Trigger::Nightly, None) {
                output::note(&format!("nightly: {why}"));
            }
        }
        let Some(prometheus) = &prometheus else { continue };
        match prometheus.get("/api/v1/alerts").await {
            Ok(data) => {
                let alerts = burn::firing(&data);
                if let Some(reason) = burn.wants(&alerts, Instant::now())
                    && collector.begin(Trigger::Slo, Some(reason.clone())).is_ok()
                {
                    burn.collected(&reason, Instant::now());
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
