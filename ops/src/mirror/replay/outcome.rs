//! What a replay adds up to.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;
use telemetry::pairs::{Side, micros};

use super::ask::Both;

/// Times that are kept for quantiles: of more, every second one is, then every fourth.
const TIMES_MAX: usize = 1 << 20;

/// Counts, and times of the gateway that is tried.
#[derive(Debug, Default, Serialize)]
pub(super) struct Outcome {
    /// Requests that were sent.
    pub(super) asked: u64,
    /// Requests that were not, since too many were under way.
    pub(super) unsent: u64,
    /// How far behind its time a request left, at most, in microseconds.
    pub(super) late_us_max: u64,
    /// Pairs, by what they came to.
    pub(super) results: BTreeMap<String, u64>,
    /// In what they differ.
    pub(super) differences: BTreeMap<String, u64>,
    /// Answers of the gateway that is tried, by status or by why there is none.
    pub(super) statuses: BTreeMap<String, u64>,
    /// Answers that are proven not to be what they are named.
    pub(super) wrong: u64,
    /// Failures of the gateway that is tried, where the other did not fail or there is none.
    pub(super) failed: u64,
    #[serde(skip)]
    times: Vec<u32>,
    #[serde(skip)]
    every: u64,
}

impl Outcome {
    /// Adds what came of one key.
    pub(super) fn add(&mut self, both: &Both) {
        self.asked += 1;
        self.wrong += u64::from(both.is_wrong);
        let side = both.tried.side();
        let is_good = both.tried.failure.is_none() && side.as_ref().is_some_and(Side::is_good);
        let is_needed = both.pair.as_ref().is_none_or(|pair| pair.production.is_good());
        self.failed += u64::from(is_needed && !is_good);
        if let Some(pair) = &both.pair {
            *self.results.entry(pair.result.clone()).or_default() += 1;
            for difference in &pair.differences {
                *self.differences.entry(difference.clone()).or_default() += 1;
            }
        }
        let status = match (&both.tried.answer, both.tried.failure) {
            (Some(answer), None) => answer.status.to_string(),
            (Some(_) | None, failure) => failure.unwrap_or("none").to_owned(),
        };
        *self.statuses.entry(status).or_default() += 1;
        if both.tried.answer.is_some() && self.asked.is_multiple_of(self.every.max(1)) {
            self.times.push(u32::try_from(micros(both.tried.first_byte)).unwrap_or(u32::MAX));
            if self.times.len() >= TIMES_MAX {
                let mut place = 0_u64;
                self.times.retain(|_| {
                    place += 1;
                    place.is_multiple_of(2)
                });
                self.every = self.every.max(1) * 2;
            }
        }
    }

    /// Whether anything is not as it has to be, and whether anything was compared at all.
    pub(super) fn exit(&self, has_other: bool) -> ExitCode {
        let is_any = match has_other {
            true => self.results.keys().any(|result| result != "rates"),
            false => self.asked > 0,
        };
        if self.wrong > 0 || self.failed > 0 || !self.differences.is_empty() {
            ExitCode::from(1)
        } else if is_any {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(4)
        }
    }

    /// Times to the first byte, in microseconds.
    pub(super) fn quantiles(&self) -> Vec<(&'static str, f64)> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let of = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times.get(place.min(times.len().saturating_sub(1))).map(|time| f64::from(*time))
        };
        let named = [("median", 0.5), ("p90", 0.9), ("p99", 0.99)];
        named.into_iter().filter_map(|(name, share)| Some((name, of(share)?))).collect()
    }
}
