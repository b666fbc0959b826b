//! What fails, what passes, and what is open.

use super::*;
use crate::mirror::observed::{Cache, Class, Lane, Observed};

/// Thresholds that a few thousand pairs can meet.
fn thresholds() -> Thresholds {
    let text = include_str!("../../../../slo/mirror-verdict.yaml");
    let text = text.replace("rarer_than: 1.0e-5", "rarer_than: 1.0e-3");
    let text = text.replace("margins: [0.04, 0.10, 0.30]", "margins: [0.4, 0.4, 0.4]");
    let text = text.replace("margin: 0.0005", "margin: 0.01").replace("span: 1h", "span: 1s");
    Thresholds::parse(&text, "test").expect("they agree with themselves")
}

/// The pair of a place: half hits, half of the pool, times that vary alike.
fn pair(place: u64) -> Observed {
    let time = |salt: u64| {
        let spread = (place * 2_654_435_761 + salt * 97).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        1_000 + u32::try_from(spread).expect("ten bits")
    };
    Observed {
        at_ms: place * 100,
        key: place,
        lane: Lane::Staging,
        class: Class::Verifiable,
        compared: Compared::Same,
        differences: 0,
        form: 0,
        failure: None,
        good: (true, true),
        retried: false,
        unasked: 0,
        cache: Some(if place.is_multiple_of(2) { Cache::Hit } else { Cache::Pool }),
        bytes: 100,
        first_us: (time(1), time(2)),
        total_us: (0, 0),
        build: 0,
        gateway: 0,
    }
}

fn judged(pairs: u64, change: impl Fn(&mut Observed)) -> Judgement {
    let thresholds = thresholds();
    let mut tally = Tally::new(&thresholds);
    for place in 0..pairs {
        let mut one = pair(place);
        change(&mut one);
        tally.push(&one);
    }
    judge(&mut tally, &thresholds, None)
}

fn named<'a>(judgement: &'a Judgement, name: &str) -> &'a Criterion {
    let found = judgement.criteria.iter().find(|one| one.name.starts_with(name));
    found.unwrap_or_else(|| panic!("no criterion {name}"))
}

#[test]
fn a_release_that_is_as_good_is_promoted() {
    let judgement = judged(12_000, |_| {});
    assert_eq!(judgement.verdict, Verdict::Promote, "{:?}", judgement.because);
    assert_eq!(judgement.because.len(), 1);
}

#[test]
fn one_mismatch_rejects_and_is_told() {
    let judgement = judged(10, |one| {
        if one.key == 7 {
            one.compared = Compared::Different;
        }
    });
    assert_eq!(judgement.verdict, Verdict::Reject);
    assert!(judgement.because[0].contains("1 of 10 answers"), "{:?}", judgement.because);
}

#[test]
fn what_is_rendered_or_moved_does_not_reject() {
    let judgement = judged(12_000, |one| {
        if one.key.is_multiple_of(5) {
            one.class = Class::Rendered;
            one.compared = Compared::Different;
        } else if one.key.is_multiple_of(7) {
            one.compared = Compared::Moved;
        }
    });
    assert_eq!(judgement.verdict, Verdict::Promote, "{:?}", judgement.because);
}

#[test]
fn failures_of_staging_alone_reject_and_those_of_production_do_not() {
    let failing = |staging: bool| {
        judged(12_000, move |one| {
            if one.key.is_multiple_of(500) {
                one.good = (staging, !staging);
                one.compared = Compared::Rates;
            }
        })
    };
    assert_eq!(failing(true).verdict, Verdict::Reject);
    assert_eq!(named(&failing(true), "outcomes").standing, Standing::Fail);
    assert_eq!(failing(false).verdict, Verdict::Promote);
}

#[test]
fn requests_that_could_not_be_copied_stand_against_promotion_and_reject_nobody() {
    let thresholds = thresholds();
    let judged = |unasked: u64| {
        let mut tally = Tally::new(&thresholds);
        (0..12_000).for_each(|place| tally.push(&pair(place)));
        tally.unasked = unasked;
        judge(&mut tally, &thresholds, None)
    };
    assert_eq!(judged(0).verdict, Verdict::Promote);
    // One minute in ten.
    let left_alone = judged(1_333);
    assert_eq!((left_alone.pairs, left_alone.verdict), (12_000, Verdict::Hold));
    let outcomes = named(&left_alone, "outcomes");
    assert!(outcomes.upper.is_some_and(|upper| upper > 0.1), "{outcomes:?}");
}

#[test]
fn a_slower_stratum_rejects_and_is_named() {
    let judgement = judged(12_000, |one| {
        if one.cache == Some(Cache::Pool) {
            one.first_us.1 += one.first_us.1 / 10;
        }
    });
    assert_eq!(judgement.verdict, Verdict::Reject);
    assert!(judgement.because.iter().all(|why| why.contains("pool, small")), "{judgement:?}");
    assert_eq!(named(&judgement, "p50 of first byte: hit, small").standing, Standing::Pass);
}

#[test]
fn the_time_to_the_last_byte_is_shown_and_decides_nothing() {
    let judgement = judged(24_000, |one| {
        if one.key % 4 < 2 {
            (one.bytes, one.total_us) = (2 << 20, (one.first_us.0, 5 * one.first_us.1));
        }
    });
    assert_eq!(judgement.verdict, Verdict::Promote, "{:?}", judgement.because);
    let last = named(&judgement, "p50 of last byte: hit, large");
    assert_eq!(last.standing, Standing::NotJudged);
    assert!(last.estimate.is_some_and(|more| (3.5..4.5).contains(&more)), "{last:?}");
}

#[test]
fn pairs_of_different_caches_are_counted_and_left_out() {
    let judgement = judged(12_000, |one| {
        if one.key.is_multiple_of(3) {
            one.cache = None;
            one.first_us.1 *= 10;
        }
    });
    assert_eq!(judgement.apart, 4_000);
    assert_eq!(judgement.verdict, Verdict::Insufficient, "p99 of 4000 pairs is not judged");
}

#[test]
fn few_pairs_and_short_spans_are_insufficient_and_open_ones_hold() {
    assert_eq!(judged(100, |_| {}).verdict, Verdict::Insufficient);
    assert_eq!(judged(0, |_| {}).verdict, Verdict::Insufficient);
    let short = judged(12_000, |one| one.at_ms = 5);
    assert_eq!(short.verdict, Verdict::Insufficient);
    assert!(short.because[0].contains("it takes 1s"), "{:?}", short.because);
    // As many failures on either side, and many, leave open which fails more often.
    let open = judged(16_000, |one| {
        if one.key % 7 < 2 {
            one.good = (one.key.is_multiple_of(7), !one.key.is_multiple_of(7));
            one.compared = Compared::Rates;
        }
    });
    assert_eq!(open.verdict, Verdict::Hold, "{:?}", open.because);
}
