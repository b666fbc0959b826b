//! `bifrost probe serve`: rounds for ever, and what came of them, on one listener.
//!
//! A round begins when the one before has ended and its time has come, so a slow fleet is probed less
//! often and never twice at once. The listener is the one of every process of ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use rand::Rng as _;
use serde_json::json;
use telemetry::admin::{self, Admin, Body, Routes, Shown};
use telemetry::metrics::Registry;
use telemetry::{Drain, Process, Tasks};
use tokio::signal::unix::{SignalKind, signal};

use super::ServeArgs;
use super::check::Verdict;
use super::config::Settings;
use super::error::ProbeError;
use super::metrics::Metrics;
use super::outcome::Outcome;
use super::report;
use super::round::Prober;
use crate::output;
use crate::rota::Rota;
use crate::rota::on_call::OnCall;

/// The last outcome of each check of each target.
#[derive(Debug, Default)]
pub(crate) struct Results {
    outcomes: Mutex<Vec<Outcome>>,
}

impl Results {
    /// Takes the outcomes of a round. Those of lanes that were not probed in it stay.
    pub(crate) fn take(&self, round: Vec<Outcome>) {
        let mut all = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|old| !round.iter().any(|one| (one.check, one.lane) == (old.check, old.lane)));
        all.extend(round);
        all.sort_by_key(|outcome| (outcome.check as usize, outcome.lane as usize));
    }

    fn document(&self) -> serde_json::Value {
        let all = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        json!({ "results": *all })
    }
}

impl Routes for Results {
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Option<Response<Body>>> {
        let wanted = request.uri().path() == "/results" && request.method() == http::Method::GET;
        let answer = wanted.then(|| admin::json(StatusCode::OK, &self.document()));
        Box::pin(std::future::ready(answer))
    }

    fn list(&self) -> &'static [&'static str] {
        &["GET /results (the last outcome of every check)"]
    }
}

/// Probes until a signal comes.
///
/// # Errors
/// Nothing can be probed, or results cannot be shown.
pub(super) async fn run(args: ServeArgs, tasks: &Tasks) -> Result<(), ProbeError> {
    let settings = Settings::of(&args.wanted)?;
    let registry = Registry::new();
    registry.describe_process(Process::Ops);
    tasks.register(&registry);
    let metrics = Metrics::new(&registry);
    let rota = args.rota.as_deref().map(Rota::read).transpose()?;
    let on_call = rota.map(|rota| OnCall::new(rota, &registry));
    let (results, drain) = (Arc::new(Results::default()), Drain::new());
    let config = admin::Config {
        listen: args.listen,
        token: args.token.clone(),
        ..admin::Config::default()
    };
    let shown = Shown {
        process: Process::Ops,
        registry,
        drain: drain.clone(),
        tasks: tasks.clone(),
        level: None,
    };
    let routes: Arc<dyn Routes> = Arc::<Results>::clone(&results);
    let place = Admin::start(&config, shown, routes).await.map_err(ProbeError::Admin)?;
    output::note(&format!("results: http://{place}/results, metrics: http://{place}/metrics"));
    // A round takes minutes where nothing answers, and that is for results to say.
    drain.ready();
    let prober = Prober::new(settings, args.pace.pace(), tasks);
    let mut terminate = signal(SignalKind::terminate()).map_err(ProbeError::Signals)?;
    let (every, cold_at) = (args.every, None);
    let rounds = Rounds { prober, results, metrics, on_call, every, cold_at };
    tokio::select! {
        ended = rounds.run() => ended,
        _ = terminate.recv() => Ok(()),
        ended = tokio::signal::ctrl_c() => ended.map_err(ProbeError::Signals),
    }
}

struct Rounds {
    prober: Prober,
    results: Arc<Results>,
    metrics: Metrics,
    on_call: Option<OnCall>,
    every: Duration,
    /// When the lanes `cold` and `new` were probed last.
    cold_at: Option<Instant>,
}

impl Rounds {
    async fn run(mut self) -> Result<(), ProbeError> {
        loop {
            let began = Instant::now();
            if let Some(on_call) = &self.on_call {
                on_call.refresh(jiff::Timestamp::now());
            }
            let cold_every = self.prober.settings().cold_every;
            let cold = self.cold_at.is_none_or(|at| at.elapsed() >= cold_every);
            if cold {
                self.cold_at = Some(began);
            }
            let outcomes = self.prober.round(cold).await?;
            let now = SystemTime::now();
            for outcome in &outcomes {
                self.metrics.count(outcome, now);
                if outcome.verdict == Verdict::Fail {
                    output::note(&json!(outcome).to_string());
                }
            }
            self.metrics.rounds.inc();
            output::note(&report::summary(&outcomes));
            self.results.take(outcomes);
            tokio::time::sleep(jittered(self.every).saturating_sub(began.elapsed())).await;
        }
    }
}

/// A time at most a tenth off, so that probes that were started together do not stay together.
fn jittered(every: Duration) -> Duration {
    let tenths = f64::from(rand::rng().next_u32()) / f64::from(u32::MAX);
    every.mul_f64(0.9 + 0.2 * tenths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::check::{Check, Lane};
    use crate::probe::outcome::Trace;

    #[test]
    fn rounds_are_never_more_than_a_tenth_off() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(10));
            assert!((9.0..=11.0).contains(&pause.as_secs_f64()), "{pause:?}");
        }
    }

    #[test]
    fn results_of_a_lane_stay_until_it_is_probed_again() {
        let results = Results::default();
        let of = |lane, target: &str| {
            Outcome::of((Check::HttpPath, lane), target, Trace::begin(), Ok(()))
        };
        results.take(vec![of(Lane::Warm, "a"), of(Lane::Warm, "b"), of(Lane::Cold, "a")]);
        results.take(vec![of(Lane::Warm, "a")]);
        let document = results.document();
        let shown = document["results"].as_array().expect("a list");
        let lanes: Vec<_> = shown.iter().map(|one| one["lane"].as_str()).collect();
        assert_eq!(lanes, [Some("warm"), Some("cold")]);
    }
}
