//! Two groups of a few values each, and many tests at once.
//!
//! Welch's test allows the groups variances of their own; Benjamini and Hochberg's procedure bounds the
//! share of false ones among all findings, also where tests depend on each other as parts of a whole do.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::number;

/// The difference of the means of two groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    /// The second mean less the first.
    pub(crate) estimate: f64,
    /// Its standard error.
    error: f64,
    /// Degrees of freedom (Welch and Satterthwaite).
    freedom: f64,
}

/// The mean of a group and the variance of that mean, with what it is known by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    mean: f64,
    variance: f64,
    freedom: f64,
}

impl Group {
    /// A group of independent values, whose variance is `floor` at least; none of fewer than two.
    pub(crate) fn of(values: &[f64], floor: f64) -> Option<Self> {
        if values.len() < 2 {
            return None;
        }
        let n = number(values.len() as u64);
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Some(Self { mean, variance: (squares / (n - 1.0)).max(floor) / n, freedom: n - 1.0 })
    }
}

impl Difference {
    /// The difference of two groups.
    pub(crate) fn between(first: Group, second: Group) -> Self {
        let variance = first.variance + second.variance;
        let part = |group: Group| group.variance * group.variance / group.freedom;
        let freedom = variance * variance / (part(first) + part(second));
        Self {
            estimate: second.mean - first.mean,
            error: variance.sqrt(),
            // Of two groups that do not vary at all, the smaller says how much is known.
            freedom: if freedom.is_finite() { freedom } else { first.freedom.min(second.freedom) },
        }
    }

    /// Its standard error.
    pub(crate) fn error(&self) -> f64 {
        self.error
    }

    /// The probability of a difference as large in either direction if there were none.
    pub(crate) fn p(&self) -> f64 {
        if self.error <= 0.0 {
            return if self.estimate == 0.0 { 1.0 } else { 0.0 };
        }
        2.0 * self.student().cdf(-(self.estimate / self.error).abs())
    }

    /// Bounds that are each wrong with these probabilities.
    pub(crate) fn bounds(&self, lower: f64, upper: f64) -> (f64, f64) {
        let student = self.student();
        let reach = |alpha: f64| student.inverse_cdf(1.0 - alpha) * self.error;
        (self.estimate - reach(lower), self.estimate + reach(upper))
    }

    fn student(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.freedom.max(1.0)).expect("freedom is positive")
    }
}

/// For each probability, the smallest share of false findings at which it would be among the findings.
pub(crate) fn false_discovery(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
    let (mut q, mut least) = (vec![1.0; p.len()], 1.0_f64);
    for (place, at) in order.into_iter().enumerate() {
        let rank = number((p.len() - place) as u64);
        least = least.min(p[at] * number(p.len() as u64) / rank);
        q[at] = least;
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn welch_is_that_of_a_textbook() {
        // R: t.test(c(30.02,29.99,30.11,29.97,30.01,29.99), c(29.89,29.93,29.72,29.98,30.02,29.98))
        let first = Group::of(&[30.02, 29.99, 30.11, 29.97, 30.01, 29.99], 0.0).expect("six");
        let second = Group::of(&[29.89, 29.93, 29.72, 29.98, 30.02, 29.98], 0.0).expect("six");
        let difference = Difference::between(first, second);
        assert!((difference.estimate + 0.095).abs() < 1e-9);
        assert!((difference.freedom - 7.0306).abs() < 1e-3);
        assert!((difference.p() - 0.090_77).abs() < 1e-4);
        let (low, high) = difference.bounds(0.025, 0.025);
        assert!(low < -0.095 && high > 0.0);
    }

    #[test]
    fn q_values_are_those_of_r() {
        let q = false_discovery(&[0.01, 0.04, 0.03, 0.5]);
        let expected = [0.04, 0.053_333, 0.053_333, 0.5];
        assert!(q.iter().zip(expected).all(|(q, expected)| (q - expected).abs() < 1e-5), "{q:?}");
    }

    #[test]
    fn groups_without_variance_do_not_divide_by_zero() {
        let same = Group::of(&[1.0, 1.0], 0.0).expect("two");
        assert_eq!(Difference::between(same, same).p(), 1.0);
        assert!(Group::of(&[1.0], 0.0).is_none());
    }
}
