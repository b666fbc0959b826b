//! Claims about the words of the trustless protocol.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn entity_bytes_are_cut_to_the_file() {
    let cases = [
        ("0:*", 10, Ok(0..10)),
        ("5:7", 10, Ok(5..8)),
        ("5:100", 10, Ok(5..10)),
        ("-3:*", 10, Ok(7..10)),
        ("-3:-2", 10, Ok(7..9)),
        ("-100:*", 10, Ok(0..10)),
        ("0:*", 0, Ok(0..0)),
        ("10:*", 10, Err(TrustlessError::OutOfRange)),
        ("5:1", 10, Err(TrustlessError::OutOfRange)),
        ("-9223372036854775808:*", 10, Ok(0..10)),
        ("0:9223372036854775807", 10, Ok(0..10)),
    ];
    for (text, size, expected) in cases {
        let range = EntityBytes::parse(text).expect("a valid range").within(size);
        assert_eq!(range, expected, "{text} of {size}");
    }
}

#[test]
fn malformed_entity_bytes_are_refused() {
    for text in ["", ":", "1", "*:1", "1:x", "1:2:3", "99999999999999999999:*"] {
        assert!(EntityBytes::parse(text).is_err(), "{text}");
    }
}

#[test]
fn query_wins_over_accept() {
    let query = Wanted::from_query("format=car&dag-scope=block").expect("a valid query");
    let accept =
        Wanted::from_accept("application/vnd.ipld.car; order=dfs; dups=y").expect("a valid header");
    let wanted = query.or(accept);
    assert_eq!(wanted.format, Some(Format::Car));
    assert_eq!(wanted.car().scope, DagScope::Block);
    assert!(wanted.car().dups);
}

#[test]
fn accept_is_weighed_by_quality() {
    let format = |accept| Wanted::from_accept(accept).expect("a valid header").format;
    assert_eq!(format("text/html, application/vnd.ipld.raw;q=0.5"), None);
    assert_eq!(format("text/html;q=0.4, application/vnd.ipld.raw;q=0.5"), Some(Format::Raw));
    assert_eq!(format("application/vnd.ipld.car"), Some(Format::Car));
    assert_eq!(format("application/vnd.ipld.car;q=0"), None);
    assert_eq!(format("*/*"), None);
    assert_eq!(format("image/webp,image/*"), None);
}

#[test]
fn undefined_values_are_refused_and_unknown_names_ignored() {
    assert!(Wanted::from_query("dag-scope=some").is_err());
    assert!(Wanted::from_query("format=car&car-version=2").is_err());
    assert!(Wanted::from_query("car-order=random").is_err());
    let wanted = Wanted::from_query("format=tar&x=y&&=").expect("a valid query");
    assert_eq!(wanted, Wanted::default());
}

#[test]
fn car_query_asks_for_what_was_meant() {
    let options = CarOptions {
        scope: DagScope::Entity,
        bytes: Some(EntityBytes { from: -5, to: None }),
        order: Order::Dfs,
        dups: true,
    };
    let read = Wanted::from_query(&options.query()).expect("our own query").car();
    assert_eq!(read, options);
}

#[test]
fn retrieval_state_survives_the_wire() {
    let state = Retrieval {
        phase: Phase::Data,
        providers: 3,
        connected: 2,
        elapsed: Duration::from_millis(1234),
        outcome: Some(RetrievalOutcome::Unreachable),
    };
    let text = state.to_string();
    assert_eq!(text, "phase=data, providers=3, connected=2, elapsed=1234, outcome=unreachable");
    assert_eq!(Retrieval::parse(&text), Some(state));
    assert_eq!(Retrieval::parse("phase=done, later=1"), Retrieval::parse("phase=done"));
    assert_eq!(Retrieval::parse("providers=1"), None);
}

proptest! {
    #[test]
    fn no_input_breaks_the_parsers(text in ".{0,200}") {
        drop(std::hint::black_box(Wanted::from_query(&text)));
        drop(std::hint::black_box(Wanted::from_accept(&text)));
        std::hint::black_box(Retrieval::parse(&text));
    }

    #[test]
    fn a_range_never_leaves_its_file(from: i64, to: Option<i64>, size: u64) {
        if let Ok(range) = (EntityBytes { from, to }).within(size) {
            prop_assert!(range.start <= range.end && range.end <= size);
        }
    }
}
