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

/// So many profiles, each of one of four processes on a day: 3000 samples, functions that vary by 3 % and load
/// by 10 %.
fn side(random: &mut SmallRng, profiles: usize, grown: f64) -> Vec<Observed> {
    side_of_days(random, profiles, grown, 0.0)
}

/// The same where functions vary by `day` more from day to day, for all processes alike.
fn side_of_days(random: &mut SmallRng, profiles: usize, grown: f64, day: f64) -> Vec<Observed> {
    let mut mix = [0.0; FUNCTIONS];
    (0..profiles)
        .map(|profile| {
            if profile % 4 == 0 {
                mix = mix.map(|_| day * normal(random));
            }
            let load = 0.1 * normal(random);
            let mut functions = HashMap::new();
            for (function, mix) in mix.iter().enumerate() {
                let share = if function == 0 { 0.5 * grown } else { 0.5 / (FUNCTIONS - 1) as f64 };
                let mean = 3000.0 * share * (load + mix + 0.03 * normal(random)).exp();
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

/// How often, of 300 times, two sides of six days that are alike are said not to be.
fn alarms(day: f64, limits: Limits) -> usize {
    let alarms = (0..300).filter(|seed| {
        let mut random = SmallRng::seed_from_u64(*seed);
        let mut alike = || side_of_days(&mut random, 24, 1.0, day);
        !compare(&alike(), &alike(), limits).changes.is_empty()
    });
    alarms.count()
}

#[test]
fn sides_that_are_alike_are_silent_however_days_differ() {
    for day in [0.0, 0.05, 0.2] {
        let alarms = alarms(day, Limits::default());
        // Stated is 1 in 100; of 300 more than 8 are seen with probability 1 in 200.
        assert!(alarms <= 8, "{alarms} of 300 where days differ by {day}");
    }
}

#[test]
fn alike_sides_are_silent_however_small_an_effect_counts() {
    for day in [0.0, 0.05] {
        let alarms = alarms(day, Limits { effect_min: 0.005, ..Limits::default() });
        assert!(alarms <= 8, "{alarms} of 300 where days differ by {day}");
    }
}

#[test]
fn a_side_of_one_day_may_differ_by_its_day() {
    let mut random = SmallRng::seed_from_u64(7);
    let (before, mut after) = (side(&mut random, 4, 1.0), side(&mut random, 4, 1.0));
    let found = compare(&before, &after, Limits::default());
    assert_eq!((found.witnesses, found.confounded), ((4, 4), false), "both are of the same day");
    after.iter_mut().for_each(|one| "another".clone_into(&mut one.day));
    let found = compare(&before, &after, Limits::default());
    assert_eq!((found.witnesses, found.confounded), ((4, 4), true));
    assert!(found.text(Style::plain()).contains("what differs may be the day"));
    let found = compare(&side(&mut random, 8, 1.0), &side(&mut random, 12, 1.0), Limits::default());
    assert_eq!((found.witnesses, found.confounded), ((2, 3), false));
}

#[test]
fn halves_of_the_control_have_the_same_processes() {
    let mut random = SmallRng::seed_from_u64(7);
    let mut before = side(&mut random, 40, 1.0);
    for (place, one) in before.iter_mut().enumerate() {
        // Each profile is taken for a day of its own, and one process does a third more.
        (one.day, one.process) = (format!("{place:06}"), format!("node-{}", place % 2));
        if place % 2 == 1 {
            one.functions.entry("f0".to_owned()).and_modify(|samples| *samples *= 1.3);
        }
    }
    let found = compare(&before, &before, Limits::default());
    assert_eq!(found.witnesses, (40, 40));
    assert!(found.control.is_empty(), "{:?}", found.control);
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
    let before = side(&mut random, 32, 1.0);
    let mut after = side(&mut random, 32, 1.0);
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
