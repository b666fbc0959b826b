//! Statistics that decide: exact shares, intervals that stay valid while one looks, paired quantiles.
//!
//! What a decision rests on holds at any number of samples where that can be had; where it is only
//! asymptotic its module says so, and from how many samples on it was tried.

pub(crate) mod binomial;
pub(crate) mod paired;
pub(crate) mod sequential;
pub(crate) mod several;

/// The point between two others where a rising function crosses zero, as close as numbers are.
fn crossing(mut low: f64, mut high: f64, rising: impl Fn(f64) -> f64) -> f64 {
    // Sixty halvings leave less than the precision of what is asked.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if rising(middle) < 0.0 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// A count as a number to calculate with: exact up to 2⁵³, and nothing here is counted further.
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}
