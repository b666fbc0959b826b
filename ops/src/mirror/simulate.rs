//! `bifrost mirror simulate`: how often the verdict is wrong, counted on made-up releases.
//!
//! Every run is judged as an operator would who looks at all pairs so far, again and again, and stops at
//! the first promotion or rejection. Runs are seeded by their number, so that results do not depend on
//! threads.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use clap::Args;
use serde::Serialize;

use super::judge::{self, Verdict};
use super::tally::Tally;
use super::thresholds::Thresholds;
use super::words::permille;
use crate::output::{Style, Table};
use crate::statistics::{binomial, number};

mod scenario;
mod world;

use scenario::Scenario;
use world::World;

/// Looks are no closer than such a part of all pairs: looking costs a pass over them.
const LOOK_PART: usize = 20;
/// Each end of an interval is wrong with this probability.
const INTERVAL: f64 = 0.025;

/// What is simulated.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Releases of each scenario.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Pairs of each.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pairs: u32,
    /// Pairs from one look to the next; a twentieth of all pairs where that is more.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A fault of your own instead of those that are built in: slower=, errors=, flips= and headers=, as
    /// shares, and spells=, the share of time in which either fleet is slow by itself; a comma joins
    /// faults, and the flag can be repeated.
    #[arg(long = "scenario", value_name = "FAULTS")]
    scenarios: Vec<Scenario>,
}

impl SimulateArgs {
    /// Runs of each scenario.
    pub(crate) fn runs(&self) -> u32 {
        self.runs
    }
}

/// What a scenario came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) scenario: String,
    /// Whether nothing was wrong with the release.
    pub(crate) sound: bool,
    /// Runs.
    pub(crate) runs: usize,
    /// Pairs of each.
    pub(crate) pairs: usize,
    /// The rates of each verdict.
    pub(crate) rates: Vec<Rate>,
    /// Pairs until half of those that were decided were.
    pub(crate) decided_after: Option<usize>,
    /// Of faults that are rare: how likely one is within the pairs at all, and how many pairs hold one
    /// with 95 %.
    pub(crate) rare: Option<Rare>,
}

/// How often there was a verdict.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Rate {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// How often.
    pub(crate) count: usize,
    /// As a share.
    pub(crate) share: f64,
    /// Between these with 95 % (Clopper and Pearson).
    pub(crate) lower: f64,
    /// See `lower`.
    pub(crate) upper: f64,
}

/// What arithmetic says of a fault that is rare.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Rare {
    /// The probability that there is one within the pairs.
    pub(crate) within: f64,
    /// Pairs that hold one with 95 %.
    pub(crate) pairs_for_95: u64,
}

impl Outcome {
    /// How often there was this verdict.
    pub(crate) fn rate(&self, verdict: Verdict) -> &Rate {
        self.rates.iter().find(|one| one.verdict == verdict).expect("all four are there")
    }
}

/// Runs every scenario; `progress` is told of each run that ends.
pub(crate) fn run(
    args: &SimulateArgs,
    thresholds: &Thresholds,
    progress: &(dyn Fn(&str, usize) + Sync),
) -> Vec<Outcome> {
    let scenarios =
        if args.scenarios.is_empty() { Scenario::built_in() } else { args.scenarios.clone() };
    scenarios.iter().map(|scenario| of_scenario(scenario, args, thresholds, progress)).collect()
}

fn of_scenario(
    scenario: &Scenario,
    args: &SimulateArgs,
    thresholds: &Thresholds,
    progress: &(dyn Fn(&str, usize) + Sync),
) -> Outcome {
    let (runs, pairs) = (args.runs as usize, args.pairs as usize);
    let (next, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut own = Vec::new();
        loop {
            let run = next.fetch_add(1, Relaxed);
            if run >= runs {
                return own;
            }
            let seed = world::seed(args.seed, &scenario.name, run);
            let world = World::new(seed, scenario.clone());
            own.push(decide(world, thresholds, pairs, args.every as usize));
            progress(&scenario.name, ended.fetch_add(1, Relaxed) + 1);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let decisions = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            all.extend(other.join().expect("a simulation does not panic"));
        }
        all
    });
    outcome(scenario, pairs, &decisions)
}

/// Looks at the pairs of a world until there is a verdict, or no more pairs.
fn decide(
    mut world: World,
    thresholds: &Thresholds,
    pairs: usize,
    every: usize,
) -> (Verdict, usize) {
    let mut tally = Tally::new(thresholds);
    let mut seen = 0;
    loop {
        let look = (seen + every.max(seen / LOOK_PART)).min(pairs);
        while seen < look {
            tally.push(&world.pair());
            seen += 1;
        }
        let verdict = judge::judge(&mut tally, thresholds, None).verdict;
        let is_final = matches!(verdict, Verdict::Promote | Verdict::Reject);
        if is_final || seen >= pairs {
            return (verdict, seen);
        }
    }
}

fn outcome(scenario: &Scenario, pairs: usize, decisions: &[(Verdict, usize)]) -> Outcome {
    let runs = decisions.len();
    let rates = [Verdict::Promote, Verdict::Hold, Verdict::Reject, Verdict::Insufficient];
    let rates = rates.map(|verdict| {
        let count = decisions.iter().filter(|(decided, _)| *decided == verdict).count();
        let (of, all) = (count as u64, runs as u64);
        Rate {
            verdict,
            count,
            share: number(of) / number(all),
            lower: binomial::lower(of, all, INTERVAL),
            upper: binomial::upper(of, all, INTERVAL),
        }
    });
    let is_final = |verdict: &Verdict| matches!(verdict, Verdict::Promote | Verdict::Reject);
    let mut after: Vec<usize> = decisions
        .iter()
        .filter(|(verdict, _)| is_final(verdict))
        .map(|(_, after)| *after)
        .collect();
    after.sort_unstable();
    let fault = scenario.flips.max(scenario.headers) * world::VERIFIABLE;
    let rare = (fault > 0.0).then(|| Rare {
        within: -(number(pairs as u64) * (-fault).ln_1p()).exp_m1(),
        pairs_for_95: binomial::samples_for(fault, 0.05),
    });
    Outcome {
        scenario: scenario.name.clone(),
        sound: scenario.is_sound(),
        runs,
        pairs,
        rates: rates.into(),
        decided_after: after.get(after.len() / 2).copied(),
        rare,
    }
}

/// The table of outcomes, and in words which rates are errors.
pub(crate) fn text(outcomes: &[Outcome], style: Style) -> String {
    let mut table = Table::default();
    table.row(["release", "promote", "hold", "reject", "insufficient", "decided after"]);
    for one in outcomes {
        let rates: Vec<String> = one.rates.iter().map(share).collect();
        let after = one.decided_after.map_or_else(String::new, |pairs| format!("{pairs} pairs"));
        table.row([&one.scenario, &rates[0], &rates[1], &rates[2], &rates[3], &after]);
    }
    let mut text = table.render("", style);
    for one in outcomes {
        let of = format!("{} runs of {} pairs", one.runs, one.pairs);
        let (error, verdict) = match one.sound {
            true => ("false rejections", Verdict::Reject),
            false => ("false promotions", Verdict::Promote),
        };
        let line = format!("{}: {error} {} in {of}", one.scenario, share(one.rate(verdict)));
        text.push_str(&line);
        if let Some(Rare { within, pairs_for_95 }) = one.rare {
            text.push_str(&format!(
                "; {} of such runs hold one such answer at all, and {pairs_for_95} pairs do with 95 %",
                permille(within)
            ));
        }
        text.push('\n');
    }
    text
}

fn share(rate: &Rate) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    format!("{} % ({}–{})", percent(rate.share), percent(rate.lower), percent(rate.upper))
}

#[cfg(test)]
mod tests;
