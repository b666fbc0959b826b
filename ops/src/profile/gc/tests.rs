//! What is kept, and what goes.

use std::sync::Arc;

use object_store::memory::InMemory;

use super::*;
use crate::profile::entry::Kind;
use crate::profile::fixture;

const AGES: Ages = Ages { days: 14, weeks: 12 };

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a moment")
}

/// A set of a night so many days ago.
fn night(days: i64, build: &str) -> Set {
    let at = Timestamp::from_second(now().as_second() - days * DAY_SECONDS).expect("a moment");
    fixture::set(&format!("n{days}"), &at.to_string(), build)
}

fn listed(sets: &[Set], written: i64) -> Vec<Listed> {
    let entries = sets.iter().flat_map(|set| &set.entries);
    entries.map(|one| Listed { key: one.key.clone(), bytes: one.bytes, written }).collect()
}

#[test]
fn nights_are_kept_then_weeks_then_nothing() {
    let sets: Vec<Set> = (0..100).rev().map(|days| night(days, "b")).collect();
    let plan = plan(&sets, &[], &listed(&sets, 0), AGES, now());
    let kept: Vec<&Set> = sets.iter().filter(|set| !plan.sets.contains(&set.key())).collect();
    let age = |set: &Set| (now().as_second() - set.head.started.as_second()) / DAY_SECONDS;
    let ages: Vec<i64> = kept.iter().map(|set| age(set)).collect();
    let days: Vec<i64> = (0..14).rev().collect();
    assert!(ages.ends_with(&days), "{ages:?}");
    let weeks: Vec<i64> = ages.iter().copied().filter(|age| *age >= 14).collect();
    // 2026-11-21 is a Saturday: Mondays are 19, 26, … days ago.
    assert_eq!(weeks, [82, 75, 68, 61, 54, 47, 40, 33, 26, 19]);
    assert_eq!(plan.profiles.len(), plan.sets.len() * 3);
}

#[test]
fn a_week_keeps_a_set_that_lacks_nothing() {
    // Monday and Tuesday of a week; the first lacks a process.
    let (mut monday, tuesday) = (night(33, "b"), night(32, "b"));
    monday.head.profiled = 1;
    let plan = plan(&[monday.clone(), tuesday], &[], &[], AGES, now());
    assert_eq!(plan.sets, [monday.key()]);
}

#[test]
fn a_week_keeps_what_a_night_took_of_every_kind() {
    // Monday to Wednesday of a week: a whole set of less, one that somebody asked for, and a night.
    let (mut less, mut asked, night) = (night(33, "b"), night(32, "b"), night(31, "b"));
    less.head.kinds = vec![Kind::Cpu];
    asked.head.trigger = Trigger::Demand;
    let plan = plan(&[less.clone(), asked.clone(), night], &[], &[], AGES, now());
    assert_eq!(plan.sets, [less.key(), asked.key()]);
}

#[test]
fn releases_are_kept_for_ever() {
    let sets = [night(500, "release"), night(499, "other")];
    let tags = [Tag { release: "v1.0.0".into(), build: "release".into() }];
    let plan = plan(&sets, &tags, &listed(&sets, 0), AGES, now());
    assert_eq!(plan.sets, [sets[1].key()]);
    assert!(plan.profiles.iter().all(|key| key.contains("/other/")), "{plan:?}");
}

#[test]
fn strays_go_when_no_collection_can_still_want_them() {
    let strays = listed(&[night(0, "b")], now().as_second() - DAY_SECONDS);
    assert_eq!(plan(&[], &[], &strays, AGES, now()).profiles.len(), 3);
    let fresh = listed(&[night(0, "b")], now().as_second() - DAY_SECONDS + 1);
    assert_eq!(plan(&[], &[], &fresh, AGES, now()), Plan::default());
}

#[tokio::test]
async fn what_is_removed_is_gone_and_the_rest_is_whole() {
    let store = Store::of(Arc::new(InMemory::new()), "memory");
    let bytes = fixture::profile(&[("main", 1)]);
    let (old, young) = (night(200, "b"), night(1, "b"));
    let old = fixture::keep(&store, old, &bytes).await;
    let young = fixture::keep(&store, young, &bytes).await;
    let sets = catalog::sets(&store, &Selector::default()).await.expect("it is readable");
    let profiles = store.list(PROFILES).await.expect("it is readable");
    let plan = plan(&sets, &[], &profiles, AGES, now());
    assert_eq!((&plan.sets[..], plan.bytes), (&[old.key()][..], 3 * bytes.len() as u64));
    remove(&store, &plan).await.expect("it is removed");
    let left = catalog::sets(&store, &Selector::default()).await.expect("it is readable");
    assert_eq!(left, std::slice::from_ref(&young));
    assert_eq!(store.list(PROFILES).await.expect("it is readable").len(), 3);
    catalog::bytes(&store, &young.entries[0]).await.expect("it is there");
}

#[tokio::test]
async fn a_tag_needs_profiles_and_does_not_move() {
    let store = Store::of(Arc::new(InMemory::new()), "memory");
    fixture::keep(&store, night(1, "b"), &fixture::profile(&[("main", 1)])).await;
    let args = |build: &str| TagArgs {
        release: Some("v1.0.0".into()),
        build: Some(build.into()),
        list: false,
    };
    let error = tag(&args("b*"), &store).await.expect_err("it is no build").to_string();
    assert!(error.contains("named in full"), "{error}");
    let error = tag(&args("none"), &store).await.expect_err("it has none").to_string();
    assert!(error.starts_with("no profile is build=none"), "{error}");
    tag(&args("b"), &store).await.expect("it has some");
    tag(&args("b"), &store).await.expect("twice is once");
    fixture::keep(&store, night(2, "c"), &fixture::profile(&[("main", 1)])).await;
    let error = tag(&args("c"), &store).await.expect_err("it is taken").to_string();
    assert!(error.contains("do not change their build"), "{error}");
}
