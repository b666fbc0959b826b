//! Coverage of the bounds under heavy tails, ties, hot keys and slow spells.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

const SURE: Sureness = Sureness { lower: 0.05, upper: 0.05, tuned_for: 2_000.0 };

fn normal(random: &mut SmallRng) -> f64 {
    let (u, v): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A time with a heavy tail, in ticks of a clock.
fn time(random: &mut SmallRng, common: f64, tick: f64) -> u32 {
    let tail = if random.random::<f64>() < 0.03 { 1.0 / random.random::<f64>() } else { 1.0 };
    let time = 2_000.0 * (common + 0.4 * normal(random)).exp() * tail;
    ((time / tick).ceil() * tick).min(4e9) as u32
}

/// Of so many runs, those in which a bound excluded the truth at one of the looks.
fn wrong(runs: u64, quantile: f64, tick: f64, slower: f64) -> (u64, u64) {
    let mut wrong = (0, 0);
    for seed in 0..runs {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut paired = Paired::default();
        let (mut low, mut high, mut spell) = (false, false, 0.0);
        for row in 0..3_000_u64 {
            // A tenth of all rows is of one key, and load comes and goes for both.
            let key = if random.random::<f64>() < 0.1 { 0 } else { random.random_range(1..2_000) };
            spell = 0.99 * spell + 0.03 * normal(&mut random);
            let mut of_key = SmallRng::seed_from_u64(key);
            let common = spell + 0.5 * normal(&mut of_key);
            let first = time(&mut random, common, tick);
            let second = time(&mut random, common + slower.ln(), tick);
            paired.push(first, second, key);
            if row >= 499 && (row + 1) % 250 == 0 {
                let shift = paired.shift(quantile, SURE).expect("there are rows");
                low |= shift.lower > slower.ln();
                high |= shift.upper < slower.ln();
            }
        }
        wrong.0 += u64::from(low);
        wrong.1 += u64::from(high);
    }
    wrong
}

#[test]
fn bounds_hold_with_heavy_tails_hot_keys_and_slow_spells() {
    for (quantile, slower) in [(0.5, 1.0), (0.9, 1.1)] {
        let (low, high) = wrong(60, quantile, 1.0, slower);
        // Of 60 runs at 5 % each, 8 are seen with probability 1 in 100.
        assert!(low < 8 && high < 8, "{quantile}: {low} and {high} of 60");
    }
}

#[test]
fn bounds_hold_with_a_coarse_clock() {
    let (low, high) = wrong(60, 0.5, 1_000.0, 1.0);
    assert!(low < 8 && high < 8, "{low} and {high} of 60");
}

#[test]
fn columns_that_are_alike_differ_by_nothing() {
    let mut paired = Paired::default();
    (1..2_000).for_each(|row| paired.push(row, row, u64::from(row)));
    let shift = paired.shift(0.5, SURE).expect("there are rows");
    assert_eq!(shift.estimate, 0.0);
    assert!(shift.lower > -0.01 && shift.upper < 0.01, "{shift:?}");
    let mut still = Paired::default();
    (0..2_000).for_each(|row| still.push(7, 7, row));
    let shift = still.shift(0.99, SURE).expect("there are rows");
    assert_eq!((shift.lower, shift.estimate, shift.upper), (0.0, 0.0, 0.0));
}

#[test]
fn few_rows_bound_nothing() {
    let mut paired = Paired::default();
    assert!(paired.shift(0.5, SURE).is_none());
    paired.push(1, 2, 3);
    let shift = paired.shift(0.5, SURE).expect("there is a row");
    assert_eq!((shift.lower, shift.upper), (f64::NEG_INFINITY, f64::INFINITY));
}
