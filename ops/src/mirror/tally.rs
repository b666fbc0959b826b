//! What pairs of one lane add up to: counts, and columns of times.
//!
//! Pairs are added in the order of time, and can be judged after each; looking costs a pass over the times
//! and no sort, so that a simulation can look often.

use super::observed::{Body, Class, Compared, Observed};
use super::thresholds::Thresholds;
use crate::statistics::paired::Paired;

/// The sums.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Pairs in all.
    pub(crate) pairs: u64,
    /// When the first and the last was.
    pub(crate) span_ms: Option<(u64, u64)>,
    /// Pairs of which only staging failed. Its first try counts, as production has no second.
    pub(crate) worse: u64,
    /// Pairs of which only production failed.
    pub(crate) better: u64,
    /// Mismatches of which there is a record: their pairs may be deleted.
    pub(crate) recorded: u64,
    /// Requests that were not copied, since staging was left alone: it failed them.
    pub(crate) unasked: u64,
    /// Pairs that compare staging's second answer, since it failed first.
    pub(crate) retried: u64,
    /// Pairs that took both answers from different caches, or from none that is known: their times are
    /// left out.
    pub(crate) apart: u64,
    /// Times, in the order of strata of the thresholds.
    pub(crate) strata: Vec<Times>,
    /// Pairs by class, and by what their comparison came to.
    compared: Vec<(Class, Compared, u64)>,
    /// Which stratum a pair belongs to, by cache and size.
    places: Vec<Option<usize>>,
    large: u64,
}

/// Times of a stratum.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// To the head.
    pub(crate) first: Paired,
    /// To the last byte, of large bodies.
    pub(crate) total: Paired,
}

impl Tally {
    /// Nothing so far.
    pub(crate) fn new(thresholds: &Thresholds) -> Self {
        let strata = &thresholds.latency.strata;
        let place =
            |cache, body| strata.iter().position(|one| (one.cache, one.body) == (cache, body));
        let bodies = super::observed::Cache::ALL
            .iter()
            .flat_map(|cache| Body::ALL.iter().map(move |body| place(*cache, *body)));
        let both = |class| Compared::ALL.iter().map(move |compared| (class, *compared, 0));
        Self {
            pairs: 0,
            span_ms: None,
            worse: 0,
            better: 0,
            recorded: 0,
            unasked: 0,
            retried: 0,
            apart: 0,
            strata: strata.iter().map(|_| Times::default()).collect(),
            compared: Class::ALL.iter().flat_map(|class| both(*class)).collect(),
            places: bodies.collect(),
            large: thresholds.latency.large.as_u64(),
        }
    }

    /// Adds a pair that is not older than those before.
    pub(crate) fn push(&mut self, pair: &Observed) {
        self.pairs += 1;
        let from = self.span_ms.map_or(pair.at_ms, |(from, _)| from.min(pair.at_ms));
        self.span_ms = Some((from, pair.at_ms));
        self.compared[pair.class as usize * Compared::ALL.len() + pair.compared as usize].2 += 1;
        self.retried += u64::from(pair.retried);
        match (pair.good.0, pair.good.1 && !pair.retried) {
            (true, true) => self.push_times(pair),
            (true, false) => self.worse += 1,
            (false, true) => self.better += 1,
            (false, false) => {}
        }
    }

    fn push_times(&mut self, pair: &Observed) {
        let Some(cache) = pair.cache else {
            self.apart += 1;
            return;
        };
        let body = if pair.bytes >= self.large { Body::Large } else { Body::Small };
        let place = self.places[cache as usize * Body::ALL.len() + body as usize];
        if let Some(times) = place.map(|place| &mut self.strata[place]) {
            times.first.push(pair.first_us.0, pair.first_us.1, pair.key);
            if body == Body::Large {
                times.total.push(pair.total_us.0, pair.total_us.1, pair.key);
            }
        }
    }

    /// Pairs of a class that came to this.
    pub(crate) fn count(&self, class: Class, compared: Compared) -> u64 {
        self.compared[class as usize * Compared::ALL.len() + compared as usize].2
    }
}
