//! What holds of series and labels.

use std::time::Duration;

use super::*;
use crate::Process;

crate::label! {
    /// A label of three values.
    enum Colour: "colour" {
        /// Red.
        Red = "red",
        /// Green.
        Green = "green",
        /// Blue.
        Blue = "blue",
    }
}

crate::label! {
    /// A label of two values.
    enum Size: "size" {
        /// Small.
        Small = "small",
        /// Large.
        Large = "large",
    }
}

#[test]
fn every_combination_is_present_at_zero() {
    let registry = Registry::new();
    let _family = registry.counter_family::<(Colour, Size)>("bifrost_test_things_total", "Things.");
    let text = registry.text();
    for colour in Colour::ALL {
        for size in Size::ALL {
            let line = format!(
                "bifrost_test_things_total{{colour=\"{}\",size=\"{}\"}} 0",
                colour.text(),
                size.text()
            );
            assert!(text.contains(&line), "{line} in\n{text}");
        }
    }
}

#[test]
fn labels_find_their_own_series() {
    let registry = Registry::new();
    let family = registry.counter_family::<(Colour, Size)>("bifrost_test_things_total", "Things.");
    family.at((Colour::Green, Size::Large)).inc_by(7);
    let text = registry.text();
    assert!(text.contains("{colour=\"green\",size=\"large\"} 7"), "{text}");
    assert_eq!(text.matches("} 0").count(), 5, "{text}");
}

#[test]
fn index_is_the_place_of_each_combination() {
    type Four = (Colour, Size, Colour, Size);
    let all = <Four as Labels>::all();
    assert_eq!(all.len(), Four::COUNT);
    for (place, (labels, texts)) in all.into_iter().enumerate() {
        assert_eq!(labels.index(), place);
        assert_eq!(texts.len(), 4);
    }
}

#[test]
fn one_label_needs_no_tuple() {
    let registry = Registry::new();
    let family = registry.gauge_family::<Size>("bifrost_test_level", "Level.");
    family.at(Size::Small).set(-2);
    assert!(registry.text().contains("bifrost_test_level{size=\"small\"} -2"));
}

#[test]
fn histograms_count_durations_in_seconds() {
    let registry = Registry::new();
    let family = registry.histogram_family::<Size>("bifrost_test_seconds", "Time.", SECONDS);
    family.at(Size::Large).observe_duration(Duration::from_millis(300));
    let text = registry.text();
    let le = |bound, count| format!("{{size=\"large\",le=\"{bound}\"}} {count}");
    assert!(text.contains(&le("0.2", 0)) && text.contains(&le("0.3", 1)), "{text}");
    assert!(text.contains("bifrost_test_seconds_count{size=\"small\"} 0"), "{text}");
}

#[test]
fn listed_values_are_found_by_place() {
    let registry = Registry::new();
    let nodes = ["0".to_owned(), "1".to_owned()];
    let list = registry.counter_list("bifrost_test_bytes_total", "Bytes.", "node", &nodes);
    list.at(1).expect("two nodes").inc();
    assert!(list.at(2).is_none());
    assert!(registry.text().contains("bifrost_test_bytes_total{node=\"1\"} 1"));
}

#[test]
#[should_panic(expected = "each series is declared once")]
fn name_that_is_declared_twice_ends_the_process() {
    let registry = Registry::new();
    let _first = registry.counter("bifrost_test_total", "Once.");
    let _second = registry.counter("bifrost_test_total", "Twice.");
}

#[test]
fn build_and_process_are_shown() {
    let registry = Registry::new();
    registry.describe_process(Process::Gateway);
    let text = registry.text();
    assert!(text.contains("bifrost_build_info{commit="), "{text}");
    assert!(text.contains("process=\"gateway\""), "{text}");
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
}

#[test]
fn described_series_tell_kind_help_and_labels() {
    let registry = Registry::new();
    let _family = registry.counter_family::<(Size, Colour)>("bifrost_test_things_total", "Things.");
    let expected = Described {
        name: "bifrost_test_things_total".to_owned(),
        help: "Things.".to_owned(),
        kind: "counter",
        labels: vec!["colour".to_owned(), "size".to_owned()],
    };
    assert_eq!(registry.described(), [expected]);
}
