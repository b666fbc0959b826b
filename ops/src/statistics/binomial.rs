//! Exact bounds of a share of which some were seen (Clopper and Pearson, 1934).
//!
//! Each bound holds for a number of samples that was chosen before; for looking again and again there
//! is [`super::sequential`].

use statrs::function::beta::beta_reg;

use super::{crossing, number};

/// The upper bound of the share of which `seen` of `samples` were seen, wrong with probability `alpha`.
///
/// None seen gives about 3 / samples at 5 %, the rule of three. That bound holds at every number of
/// samples at once for as long as none is seen: it is wrong only if a run that long had none.
pub(crate) fn upper(seen: u64, samples: u64, alpha: f64) -> f64 {
    if seen >= samples {
        return 1.0;
    }
    let (k, n) = (number(seen), number(samples));
    if seen == 0 {
        return -(alpha.ln() / n).exp_m1();
    }
    crossing(k / n, 1.0, |p| beta_reg(k + 1.0, n - k, p) - (1.0 - alpha))
}

/// The lower bound, wrong with probability `alpha`.
pub(crate) fn lower(seen: u64, samples: u64, alpha: f64) -> f64 {
    if seen == 0 {
        return 0.0;
    }
    let (k, n) = (number(seen), number(samples));
    crossing(0.0, k / n, |p| beta_reg(k, n - k + 1.0, p) - alpha)
}

/// Samples without a single one seen that a share of `rate` survives with probability `alpha`.
pub(crate) fn samples_for(rate: f64, alpha: f64) -> u64 {
    (alpha.ln() / (-rate).ln_1p()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_tables() {
        // qbeta(0.975, 4, 17) and qbeta(0.025, 3, 18), of 3 in 20.
        assert!((upper(3, 20, 0.025) - 0.378_926).abs() < 1e-5);
        assert!((lower(3, 20, 0.025) - 0.032_071).abs() < 1e-5);
        assert_eq!(lower(0, 20, 0.025), 0.0);
        assert_eq!(upper(20, 20, 0.025), 1.0);
    }

    #[test]
    fn none_of_many_is_the_rule_of_three() {
        assert!((upper(0, 20_000, 0.05) * 20_000.0 - 3.0).abs() < 0.01);
        assert_eq!(samples_for(1e-5, 0.01), 460_515);
        assert!(upper(0, 460_515, 0.01) <= 1e-5);
    }
}
