//! Counts of what was sampled: how many there were, and how sure that is.
//!
//! A record that is one of a share p of its like stands for 1/p requests (Horvitz and Thompson). Each
//! was drawn for itself, so the variances (1-p)/p² add up, and 95 % of the time the truth lies within
//! 1.96 standard deviations. What was never sampled is counted, and said to be exact.

use serde::{Deserialize, Serialize};

/// Standard deviations within which 95 % lie.
const Z: f64 = 1.96;

/// A count of records, and of the requests that they stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Count {
    /// Records.
    pub(crate) records: u64,
    /// Requests, by weight.
    pub(crate) requests: f64,
    /// The variance of that.
    pub(crate) variance: f64,
}

impl Count {
    /// Counts a record that is one of this share of its like.
    pub(crate) fn add(&mut self, share: f64) {
        self.records += 1;
        self.requests += 1.0 / share;
        self.variance += (1.0 - share) / (share * share);
    }

    /// Counts what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.requests += other.requests;
        self.variance += other.variance;
    }

    /// The bounds between which the truth lies 19 times out of 20; never fewer than were seen.
    pub(crate) fn bounds(&self) -> (f64, f64) {
        let around = Z * self.variance.sqrt();
        ((self.requests - around).max(self.records as f64), self.requests + around)
    }

    /// In words: `1204`, or `about 4816 (4549 to 5083)`.
    pub(crate) fn text(&self) -> String {
        if self.variance == 0.0 {
            return format!("{:.0}", self.requests);
        }
        let (low, high) = self.bounds();
        format!("about {:.0} ({low:.0} to {high:.0})", self.requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_sampled_is_exact() {
        let mut count = Count::default();
        (0..7).for_each(|_| count.add(1.0));
        assert_eq!(count.text(), "7");
        assert_eq!(count.bounds(), (7.0, 7.0));
    }

    #[test]
    fn truth_is_within_the_bounds_nineteen_times_out_of_twenty() {
        // A generator of its own, so that the test says the same every time.
        let mut state = 7_u64;
        let mut draw = || {
            state =
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let (truth, share, mut within, mut sum) = (2000, 0.1, 0, 0.0);
        for _ in 0..1000 {
            let mut count = Count::default();
            (0..truth).filter(|_| draw() < share).for_each(|_| count.add(share));
            let (low, high) = count.bounds();
            within += u32::from(low <= f64::from(truth) && f64::from(truth) <= high);
            sum += count.requests;
        }
        assert!((920..=980).contains(&within), "{within} of 1000");
        let mean = sum / 1000.0;
        assert!((mean - f64::from(truth)).abs() < 20.0, "no bias: {mean}");
    }
}
