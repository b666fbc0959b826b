//! Bounds and tests that hold at every sample at once, however often one looks and whenever one stops.
//!
//! Each but the last is a bet against a hypothesis whose wealth cannot be expected to grow while that
//! is true (Ville, 1939): wealth of 1/alpha is seen with probability alpha at most, ever. They are exact
//! at any number of samples. [`radius`] is asymptotic (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
//! "Time-uniform central limit theory and asymptotic confidence sequences", 2024): see
//! [`super::paired`] for where it is used and from when on.

use statrs::function::beta::ln_beta;

use super::{crossing, number};

/// Stakes of the bets, from careful to bold: each is the best one for another size of effect.
const STAKES: [f64; 7] = [0.04, 0.12, 0.3, 0.5, 0.7, 0.86, 0.97];

/// Logarithm of a mean of exponentials.
fn ln_mean_exp(terms: [f64; STAKES.len()]) -> f64 {
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = terms.iter().map(|term| (term - most).exp()).sum();
    most + (sum / number(STAKES.len() as u64)).ln()
}

/// The logarithm of the wealth of bets that of two kinds of event the first is the more frequent.
///
/// Under the hypothesis that each event is of the first kind with probability 1/2 at most, whatever came
/// before, the wealth exceeds 1/alpha with probability alpha at most.
pub(crate) fn ln_more_often(first: u64, second: u64) -> f64 {
    let (b, c) = (number(first), number(second));
    ln_mean_exp(STAKES.map(|stake| b * stake.ln_1p() + c * (-stake).ln_1p()))
}

/// The upper bound of a mean difference: `plus` of `samples` count +1, `minus` of them −1, the rest 0.
pub(crate) fn difference_upper(samples: u64, plus: u64, minus: u64, alpha: f64) -> f64 {
    let (n, b, c) = (number(samples), number(plus), number(minus));
    let none = n - b - c;
    // The wealth of bets that the mean is below m: a stake of 1 would lose all of it at one +1.
    let ln_wealth = |m: f64| {
        ln_mean_exp(STAKES.map(|stake| {
            let stake = stake / (1.0 + m.abs());
            none * (stake * m).ln_1p()
                + b * (-stake * (1.0 - m)).ln_1p()
                + c * (stake * (1.0 + m)).ln_1p()
        }))
    };
    if samples == 0 {
        return 1.0;
    }
    crossing((b - c) / n, 1.0, |m| ln_wealth(m) + alpha.ln())
}

/// The lower bound of the same.
pub(crate) fn difference_lower(samples: u64, plus: u64, minus: u64, alpha: f64) -> f64 {
    -difference_upper(samples, minus, plus, alpha)
}

/// The upper bound of a share of which `seen` of `samples` were seen.
pub(crate) fn share_upper(seen: u64, samples: u64, alpha: f64) -> f64 {
    if samples == 0 {
        return 1.0;
    }
    let (k, n) = (number(seen), number(samples));
    let ln_mixture = ln_beta(k + 0.5, n - k + 0.5) - ln_beta(0.5, 0.5);
    let ln_wealth = |p: f64| ln_mixture - k * p.ln() - (n - k) * (-p).ln_1p();
    crossing((k / n).max(f64::MIN_POSITIVE), 1.0 - f64::EPSILON, |p| ln_wealth(p) + alpha.ln())
}

/// How far a mean of `samples` values of variance 1 goes from the truth to one side, ever, but with
/// probability `alpha`; narrowest, for its kind, at `tuned_for` samples.
pub(crate) fn radius(samples: f64, alpha: f64, tuned_for: f64) -> f64 {
    let doubled = -2.0 * alpha.ln();
    let rho2 = (doubled + doubled.ln() + 1.0) / tuned_for;
    let grown = samples * rho2 + 1.0;
    (2.0 * grown / (samples * samples * rho2) * (grown.sqrt() / (2.0 * alpha)).ln_1p()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wealth_cannot_be_expected_to_grow_while_the_hypothesis_is_true() {
        // All 2^n paths of a fair coin: their mean wealth is 1 exactly.
        let (n, mut mean) = (12, 0.0);
        for path in 0..1_u32 << n {
            let heads = u64::from(path.count_ones());
            mean += ln_more_often(heads, n - heads).exp() / f64::from(1_u32 << n);
        }
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn bounds_lie_around_what_was_seen_and_close_in() {
        for (n, b, c) in [(1000, 3, 1), (100_000, 40, 20), (20_000, 0, 0)] {
            let upper = difference_upper(n, b, c, 0.01);
            let lower = difference_lower(n, b, c, 0.01);
            let mean = (number(b) - number(c)) / number(n);
            assert!(lower < mean && mean < upper, "{n} {b} {c}: {lower} {mean} {upper}");
            assert!(difference_upper(n * 10, b * 10, c * 10, 0.01) < upper);
            assert!(share_upper(b, n, 0.01) > number(b) / number(n));
        }
        assert!(
            difference_upper(20_000, 0, 0, 0.01) < 0.0005,
            "none seen is enough for the margin"
        );
    }

    #[test]
    fn events_of_one_kind_alone_are_soon_beyond_doubt() {
        assert!(ln_more_often(20, 0) > 1e4_f64.ln());
        assert!(ln_more_often(30, 10) > 20_f64.ln());
        assert!(ln_more_often(20, 20) < 0.0);
    }

    #[test]
    fn the_radius_is_that_of_a_fixed_test_and_a_bit() {
        // At the size that it is tuned for, 4.0 standard errors where a single look needs 3.1.
        let errors = radius(10_000.0, 0.001, 10_000.0) * 100.0;
        assert!((3.9..4.2).contains(&errors), "{errors}");
    }
}
