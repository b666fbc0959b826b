//! Made-up profiles, with a function that grew and without.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// Functions and what they cost, of which the first is half.
const FUNCTIONS: usize = 40;

fn normal(random: &mut SmallRng) -> f64 {
    let (u, v): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// So many profiles, each of a process on a day: 3000 samples, functions that vary by 3 % and load by 10 %.
fn side(random: &mut SmallRng, profiles: usize, grown: f64) -> Vec<Observed> {
    (0..profiles)
        .map(|profile| {
            let load = 0.1 * normal(random);
            let mut functions = HashMap::new();
            for function in 0..FUNCTIONS {
                let share = if function == 0 { 0.5 * grown } else { 0.5 / (FUNCTIONS - 1) as f64 };
                let mean = 3000.0 * share * (load + 0.03 * normal(random)).exp();
                let counted = (mean + mean.sqrt() * normal(random)).round().max(0.0);
                functions.insert(format!("f{function}"), counted);
            }
            Observed {
                process: format!("gateway-{}", profile % 4),
                day: format!("day {}", profile / 4),
                requests: Some(100_000.0),
                total: functions.values().sum(),
                functions,
            }
        })
        .collect()
}

fn compared(seed: u64, profiles: usize, grown: f64) -> Comparison {
    let mut random = SmallRng::seed_from_u64(seed);
    let (before, after) = (side(&mut random, profiles, 1.0), side(&mut random, profiles, grown));
    compare(&before, &after, Limits::default())
}

#[test]
fn sides_that_are_alike_are_silent() {
    let alarms = (0..300).filter(|seed| !compared(*seed, 12, 1.0).changes.is_empty()).count();
    // Stated is 1 in 100; of 300 more than 8 are seen with probability 1 in 200.
    assert!(alarms <= 8, "{alarms} of 300");
}

#[test]
fn alike_sides_are_silent_however_small_an_effect_counts() {
    let limits = Limits { effect_min: 0.005, ..Limits::default() };
    let alarms = (0..300).filter(|seed| {
        let mut random = SmallRng::seed_from_u64(*seed);
        let (before, after) = (side(&mut random, 12, 1.0), side(&mut random, 12, 1.0));
        !compare(&before, &after, limits).changes.is_empty()
    });
    let alarms = alarms.count();
    assert!(alarms <= 8, "{alarms} of 300");
}

#[test]
fn a_function_that_grew_by_a_twentieth_is_named_first() {
    let (mut found, mut first, runs) = (0, 0, 60);
    for seed in 0..runs {
        let changes = compared(seed, 80, 1.05).changes;
        found += u64::from(changes.iter().any(|one| one.function == "f0"));
        first += u64::from(changes.first().is_some_and(|one| one.function == "f0"));
    }
    assert!(found >= runs * 4 / 5, "{found} of {runs}");
    assert_eq!(found, first);
}

#[test]
fn what_is_new_and_what_is_gone_are_told() {
    let mut random = SmallRng::seed_from_u64(7);
    let before = side(&mut random, 8, 1.0);
    let mut after = side(&mut random, 8, 1.0);
    for profile in &mut after {
        let moved = profile.functions.remove("f0").expect("it is there");
        profile.functions.insert("\u{1b}moved".to_owned(), moved);
    }
    let found = compare(&before, &after, Limits::default());
    let mut named: Vec<_> =
        found.changes.iter().map(|one| (one.direction, &one.function[..])).collect();
    named.sort_by_key(|(direction, _)| direction.word());
    assert_eq!(named, [(Direction::Gone, "f0"), (Direction::New, "\u{1b}moved")]);
    let text = found.text(Style::plain());
    assert!(text.find("control:") < text.find("moved"), "the control is printed first");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn profiles_of_one_process_and_day_are_one_witness() {
    let mut random = SmallRng::seed_from_u64(7);
    let mut before = side(&mut random, 8, 1.0);
    before.iter_mut().for_each(|one| "same".clone_into(&mut one.day));
    let found = compare(&before, &before[..1], Limits::default());
    assert_eq!(found.witnesses, (4, 1));
    assert!(found.changes.is_empty() && found.text(Style::plain()).contains("too few"));
}

#[test]
fn shares_stand_in_for_requests_that_are_unknown() {
    let mut random = SmallRng::seed_from_u64(7);
    let before = side(&mut random, 40, 1.0);
    let mut after = side(&mut random, 40, 1.3);
    after[0].requests = None;
    let found = compare(&before, &after, Limits::default());
    assert!(!found.by_request && found.whole.is_none());
    assert_eq!(found.changes.first().map(|one| &one.function[..]), Some("f0"));
}
