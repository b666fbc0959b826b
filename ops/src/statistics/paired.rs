//! How much larger the quantiles of one column are than those of another whose rows belong together.
//!
//! The difference of two marginal quantiles, on a logarithmic scale, with bounds that stay valid while one
//! looks. A bound is where the second column's distribution is further from the quantile than chance takes
//! it, so that neither a density nor a straight tail is assumed; pairing enters through the variance of
//! the two columns' influences together. That variance is the largest of three: rows on their own, rows
//! of one key together, and stretches of rows together, so that neither a hot key nor a slow spell counts
//! as many witnesses. A spell that is longer than that, and of one column alone, is taken for what it looks
//! like: a slower column.
//!
//! The bounds are asymptotic. By simulation (`bifrost mirror simulate`, and the tests here) they hold from
//! some hundred rows with fifty beyond the quantile; callers ask no sooner.

use std::collections::HashMap;

use super::number;
use super::sequential::radius;

/// Stretches of √rows that make a long one.
const LONG: usize = 4;
/// How far around a quantile the two densities are compared, as a part of what lies beyond it.
const AROUND: f64 = 0.5;
/// The farthest, where there is much beyond.
const AROUND_MAX: f64 = 0.1;
/// Densities that differ more than so many times are taken to differ so much.
const DENSITIES_MAX: f64 = 4.0;

/// Rows of two values, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Paired {
    rows: Vec<(f32, f32)>,
    keys: Vec<u32>,
    known: HashMap<u64, u32>,
    first: Sorted,
    second: Sorted,
    /// Scratch: sums by key, and by stretch.
    sums: Vec<f32>,
    stretches: Vec<f64>,
}

/// The second column's quantile as against the first's: natural logarithm of the one over the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shift {
    /// The first column's quantile.
    pub(crate) base: f64,
    /// The estimate.
    pub(crate) estimate: f64,
    /// Below this with the probability that was given for it at most, at any look.
    pub(crate) lower: f64,
    /// Above this likewise.
    pub(crate) upper: f64,
}

/// How sure bounds are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sureness {
    /// The probability that the lower bound is ever too high.
    pub(crate) lower: f64,
    /// The probability that the upper bound is ever too low.
    pub(crate) upper: f64,
    /// The number of rows at which bounds are narrowest for their kind.
    pub(crate) tuned_for: f64,
}

impl Paired {
    /// Adds a row of two positive values.
    pub(crate) fn push(&mut self, first: u32, second: u32, key: u64) {
        self.rows.push((ln(first), ln(second)));
        let fresh = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.keys.push(*self.known.entry(key).or_insert(fresh));
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The shift of a quantile; none without rows.
    pub(crate) fn shift(&mut self, quantile: f64, sureness: Sureness) -> Option<Shift> {
        self.first.grow(self.rows.iter().map(|row| row.0));
        self.second.grow(self.rows.iter().map(|row| row.1));
        let (first, second) = (self.first.cell(quantile)?, self.second.cell(quantile)?);
        let deviation = self.variance(quantile, &first, &second).sqrt();
        let rows = number(self.rows.len() as u64);
        let bound = |alpha, side: f64| {
            let reach = deviation * radius(rows, alpha, sureness.tuned_for);
            let at = scored(quantile, side * reach);
            let inside = at * rows >= 1.0 && (1.0 - at) * rows >= 1.0;
            inside.then(|| self.second.cell(at)).flatten().map(|cell| cell.value - first.value)
        };
        Some(Shift {
            base: first.value.exp(),
            estimate: second.value - first.value,
            lower: bound(sureness.lower, -1.0).unwrap_or(f64::NEG_INFINITY),
            upper: bound(sureness.upper, 1.0).unwrap_or(f64::INFINITY),
        })
    }

    /// Variance, for each row, of what it adds to the difference of the two distributions at their
    /// quantiles.
    fn variance(&mut self, quantile: f64, first: &Cell, second: &Cell) -> f64 {
        let ratio = self.densities(quantile);
        let stretch = self.rows.len().isqrt().max(1);
        self.sums.clear();
        self.sums.resize(self.known.len(), 0.0);
        self.stretches.clear();
        let mut alone = 0.0;
        for (rows, keys) in self.rows.chunks(stretch).zip(self.keys.chunks(stretch)) {
            let mut sum = 0.0;
            for ((x, y), key) in rows.iter().zip(keys) {
                let below = second.below(*y) - quantile - ratio * (first.below(*x) - quantile);
                alone += below * below;
                sum += below;
                let part = below as f32;
                self.sums[*key as usize] += part;
            }
            self.stretches.push(sum);
        }
        let keys = squares(self.sums.iter().map(|sum| f64::from(*sum)));
        let short = squares(self.stretches.iter().copied());
        let long = squares(self.stretches.chunks(LONG).map(|sums| sums.iter().sum()));
        alone.max(keys).max(short).max(long) / number(self.rows.len() as u64)
    }

    /// The second density at its quantile over the first's at its own.
    fn densities(&self, quantile: f64) -> f64 {
        let around = (quantile.min(1.0 - quantile) * AROUND).min(AROUND_MAX);
        let spread = |sorted: &Sorted| {
            let ends = (sorted.cell(quantile + around), sorted.cell(quantile - around));
            ends.0.zip(ends.1).map_or(0.0, |(high, low)| high.value - low.value)
        };
        let (first, second) = (spread(&self.first), spread(&self.second));
        if first <= 0.0 || second <= 0.0 {
            return 1.0;
        }
        (first / second).clamp(1.0 / DENSITIES_MAX, DENSITIES_MAX)
    }
}

/// The place on the other side of a quantile that a score test reaches: its variance is that of the place,
/// as far as the second column goes, which matters where little lies beyond.
fn scored(quantile: f64, reach: f64) -> f64 {
    let spread = |at: f64| at * (1.0 - at);
    let mut at = quantile + reach;
    for _ in 0..4 {
        let scale = f64::midpoint(1.0, spread(at.clamp(0.0, 1.0)) / spread(quantile));
        at = quantile + reach * scale.sqrt();
    }
    at
}

/// The sum of squares of independent sums around zero, made good for the mean that was taken off.
fn squares(sums: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = number(sums.len() as u64);
    sums.map(|sum| sum * sum).sum::<f64>() * count / (count - 1.0).max(1.0)
}

fn ln(value: u32) -> f32 {
    f64::from(value.max(1)).ln() as f32
}

/// A column in order, which grows by what came since.
#[derive(Debug, Default)]
struct Sorted {
    values: Vec<f32>,
}

/// Where a quantile lies: between the middles to its neighbours, equal values of a coarse clock are taken
/// to be spread evenly.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// The value that was recorded.
    recorded: f32,
    /// Which part of its equals lies below the quantile.
    part: f64,
    /// The quantile.
    value: f64,
}

impl Cell {
    /// Whether a value lies below the quantile; a part for one on its tick.
    fn below(&self, value: f32) -> f64 {
        if value < self.recorded {
            return 1.0;
        }
        if value > self.recorded { 0.0 } else { self.part }
    }
}

impl Sorted {
    /// Takes what a column has beyond what is here already.
    fn grow(&mut self, column: impl ExactSizeIterator<Item = f32>) {
        let had = self.values.len();
        if column.len() > had {
            self.values.extend(column.skip(had));
            self.values[had..].sort_unstable_by(f32::total_cmp);
            // Two runs in order: a merge, which this sort recognises.
            self.values.sort_by(f32::total_cmp);
        }
    }

    fn cell(&self, quantile: f64) -> Option<Cell> {
        let rows = number(self.values.len() as u64);
        let place = (quantile * rows).clamp(0.0, rows);
        let at = (place as usize).min(self.values.len().checked_sub(1)?);
        let recorded = self.values[at];
        let (from, to) = self.equals(at);
        let middle = |left: usize, right: usize| {
            let values = [left, right].map(|at| f64::from(self.values[at]));
            f64::midpoint(values[0], values[1])
        };
        let low = middle(from.saturating_sub(1), from);
        let high = middle(to - 1, to.min(self.values.len() - 1));
        let part = (place - number(from as u64)) / number((to - from) as u64);
        Some(Cell { recorded, part, value: low + part * (high - low) })
    }

    /// The run of values that equal one.
    fn equals(&self, at: usize) -> (usize, usize) {
        let value = self.values[at];
        let alone = |other: usize| self.values.get(other).is_none_or(|other| *other != value);
        if alone(at.wrapping_sub(1)) && alone(at + 1) {
            return (at, at + 1);
        }
        let from = self.values[..at].partition_point(|other| *other < value);
        let to = at + self.values[at..].partition_point(|other| *other <= value);
        (from, to)
    }
}

#[cfg(test)]
mod tests;
