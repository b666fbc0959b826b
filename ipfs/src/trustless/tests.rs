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
    let query = Wanted::from_query("format=car&dag-scope=block");
    let accept = Wanted::from_accept("application/vnd.ipld.car; order=dfs; dups=y");
    let wanted = query.or(accept);
    assert_eq!(wanted.format, Some(Format::Car));
    let options = wanted.car().expect("defined values");
    assert_eq!((options.scope, options.dups), (DagScope::Block, true));
}

#[test]
fn accept_is_weighed_by_quality() {
    let format = |accept| Wanted::from_accept(accept).format;
    assert_eq!(format("text/html, application/vnd.ipld.raw;q=0.5"), None);
    assert_eq!(format("text/html;q=0.4, application/vnd.ipld.raw;q=0.5"), Some(Format::Raw));
    assert_eq!(format("application/vnd.ipld.car"), Some(Format::Car));
    assert_eq!(format("application/vnd.ipld.car;q=0"), None);
    assert_eq!(format("*/*"), None);
    assert_eq!(format("image/webp,image/*"), None);
    assert_eq!(format("*/*, application/json"), Some(Format::Json));
    assert_eq!(format("text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"), None);
    assert_eq!(format("application/vnd.ipfs.ipns-record"), Some(Format::IpnsRecord));
}

#[test]
fn accept_tells_whether_a_page_would_do_as_well() {
    assert!(Wanted::from_accept("application/json, text/plain, */*").page_is_fine);
    assert!(!Wanted::from_accept("application/json, text/html;q=0").page_is_fine);
    let query = Wanted::from_query("format=cbor").or(Wanted::from_accept("*/*"));
    assert_eq!((query.format, query.page_is_fine), (Some(Format::Cbor), false));
}

#[test]
fn every_form_has_a_word_and_a_media_type_of_its_own() {
    for format in Format::ALL {
        let query = format!("format={}", format.word());
        assert_eq!(Wanted::from_query(&query).format, Some(format));
        assert_eq!(Wanted::from_accept(format.media_type()).format, Some(format));
    }
}

#[test]
fn undefined_values_are_refused_and_unknown_names_ignored() {
    let car = |query| Wanted::from_query(query).car();
    for query in ["dag-scope=some", "format=car&car-version=2", "car-order=random", "car-dups=1"] {
        assert!(matches!(car(query), Err(TrustlessError::Parameter { .. })), "{query}");
    }
    assert!(Wanted::from_accept("application/vnd.ipld.car; dups=maybe").car().is_err());
    assert_eq!(Wanted::from_query("format=zip&x=y&&="), Wanted::default());
}

#[test]
fn words_that_belong_to_a_website_are_left_to_it() {
    for query in ["version=3", "order=desc&dups=none", "car-color=red"] {
        assert_eq!(Wanted::from_query(query), Wanted::default(), "{query}");
    }
    assert!(Wanted::from_accept("application/vnd.ipld.raw; version=3").car().is_ok());
}

#[test]
fn range_of_bytes_asks_for_an_entity() {
    let scope = |query| Wanted::from_query(query).car().expect("defined values").scope;
    assert_eq!(scope("entity-bytes=0:10"), DagScope::Entity);
    assert_eq!(scope("dag-scope=all&entity-bytes=0:10"), DagScope::Entity);
    assert_eq!(scope("dag-scope=block&entity-bytes=0:10"), DagScope::Block);
    assert_eq!(scope(""), DagScope::All);
}

#[test]
fn car_query_asks_for_what_was_meant() {
    let options = CarOptions {
        scope: DagScope::Entity,
        bytes: Some(EntityBytes { from: -5, to: None }),
        order: Order::Dfs,
        dups: true,
    };
    let read = Wanted::from_query(&options.query()).car().expect("our own query");
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
