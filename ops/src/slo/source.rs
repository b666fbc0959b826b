//! What is measured, and the queries that measure it.
//!
//! Rates are per second, so that a rate times a window is a count. The share of an age is measured in
//! seconds per second: its events are seconds.

use std::collections::BTreeMap;

use super::decimal::Decimal;
use super::spec::{Events, Kind, Source};

/// A source whose keys fit its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Events by the value of a label.
    Outcomes {
        /// The counter.
        metric: String,
        /// The label.
        by: String,
        /// Values that count as good, as bad, and not at all.
        good: Vec<String>,
        /// See `good`.
        bad: Vec<String>,
        /// See `good`.
        excluded: Vec<String>,
    },
    /// Answers within a bound, in seconds.
    Latency {
        /// The histogram, without `_bucket`.
        metric: String,
        /// The bound: a bucket of the histogram.
        within: Decimal,
    },
    /// A counter of what is bad, and counters of all.
    Counted {
        /// What is bad.
        bad: String,
        /// What adds up to all.
        of: Vec<String>,
    },
    /// A gauge that should not exceed a bound, in seconds.
    Age {
        /// The gauge.
        metric: String,
        /// The bound.
        within: Decimal,
    },
}

/// Which key of a source is wrong, and how.
pub(crate) type Misfit = (&'static str, String);

impl Shape {
    /// Reads a source.
    ///
    /// # Errors
    /// The key that is missing, out of place or cannot be read.
    pub(crate) fn of(source: &Source) -> Result<Self, Misfit> {
        let metric = source.metric.clone();
        let aged = source.of.is_empty();
        match source.kind {
            Kind::Availability | Kind::Probe => {
                unused(source, &["of", "within"])?;
                needed(source, &["by", "good", "bad"])?;
                let by = source.by.clone();
                let [good, bad, excluded] =
                    [&source.good, &source.bad, &source.excluded].map(Clone::clone);
                disjoint(&good, &bad, &excluded)?;
                Ok(Shape::Outcomes { metric, by, good, bad, excluded })
            }
            Kind::Latency => {
                unused(source, &["of", "by", "good", "bad", "excluded"])?;
                Ok(Shape::Latency { metric, within: seconds(&source.within)? })
            }
            Kind::Freshness if aged => {
                unused(source, &["by", "good", "bad", "excluded"])?;
                Ok(Shape::Age { metric, within: seconds(&source.within)? })
            }
            Kind::Freshness | Kind::Correctness => {
                unused(source, &["within", "by", "good", "bad", "excluded"])?;
                needed(source, &["of"])?;
                Ok(Shape::Counted { bad: metric, of: source.of.clone() })
            }
        }
    }

    /// The queries of bad events and of all, with Sloth's place for the window.
    pub(crate) fn events(&self, matches: &BTreeMap<String, Vec<String>>) -> Events {
        let rate = |metric: &str, more: &[String]| {
            format!("sum(rate({metric}{}[{{{{.window}}}}]))", selection(matches, more))
        };
        match self {
            Shape::Outcomes { metric, by, bad, excluded, .. } => {
                let counted = (!excluded.is_empty()).then(|| matcher(by, excluded, true));
                Events {
                    error_query: rate(metric, &[matcher(by, bad, false)]),
                    total_query: rate(metric, counted.as_slice()),
                }
            }
            Shape::Latency { metric, within } => {
                let all = rate(&format!("{metric}_count"), &[]);
                let good = rate(&format!("{metric}_bucket"), &[bound(*within)]);
                Events { error_query: format!("{all} - {good}"), total_query: all }
            }
            Shape::Counted { bad, of } => {
                let all: Vec<String> = of.iter().map(|one| rate(one, &[])).collect();
                Events { error_query: rate(bad, &[]), total_query: all.join(" + ") }
            }
            Shape::Age { metric, within } => {
                let of = |test: String| {
                    let series = format!("{metric}{}", selection(matches, &[]));
                    format!("sum(avg_over_time(({series} {test})[{{{{.window}}}}:1m]))")
                };
                Events {
                    error_query: of(format!("> bool {within}")),
                    total_query: of(">= bool 0".to_owned()),
                }
            }
        }
    }

    /// Whether no bad series means no bad events. A histogram always has its buckets: there a missing
    /// series is a bound that does not exist, and must not look like health.
    pub(crate) fn may_lack_errors(&self) -> bool {
        match self {
            Shape::Latency { .. } => false,
            Shape::Outcomes { .. } | Shape::Counted { .. } | Shape::Age { .. } => true,
        }
    }
}

/// The bound as a matcher. Prometheus 3 writes a whole bound with `.0`, earlier ones without.
pub(crate) fn bound(within: Decimal) -> String {
    let text = within.to_string();
    if text.contains('.') { format!("le=\"{text}\"") } else { format!(r#"le=~"{text}(\\.0)?""#) }
}

fn selection(matches: &BTreeMap<String, Vec<String>>, more: &[String]) -> String {
    let mut all: Vec<String> =
        matches.iter().map(|(label, values)| matcher(label, values, false)).collect();
    all.extend(more.iter().cloned());
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

fn matcher(label: &str, values: &[String], not: bool) -> String {
    let operator = match (values.len() > 1, not) {
        (false, false) => "=",
        (false, true) => "!=",
        (true, false) => "=~",
        (true, true) => "!~",
    };
    format!("{label}{operator}\"{}\"", values.join("|"))
}

fn seconds(text: &str) -> Result<Decimal, Misfit> {
    let wrong = || ("within", format!("{text:?} is not a time such as `300ms` or `30s`"));
    let time = humantime::parse_duration(text).map_err(|_| wrong())?;
    let decimal = Decimal::parse(&format!("{}.{:09}", time.as_secs(), time.subsec_nanos()));
    decimal.filter(|_| !time.is_zero()).ok_or_else(wrong)
}

fn filled(source: &Source, key: &str) -> bool {
    match key {
        "of" => !source.of.is_empty(),
        "by" => !source.by.is_empty(),
        "good" => !source.good.is_empty(),
        "bad" => !source.bad.is_empty(),
        "excluded" => !source.excluded.is_empty(),
        _ => !source.within.is_empty(),
    }
}

fn unused(source: &Source, keys: &[&'static str]) -> Result<(), Misfit> {
    let extra = keys.iter().find(|key| filled(source, key));
    extra.map_or(Ok(()), |key| Err((*key, format!("`{key}` means nothing for this kind"))))
}

fn needed(source: &Source, keys: &[&'static str]) -> Result<(), Misfit> {
    let missing = keys.iter().find(|key| !filled(source, key));
    missing.map_or(Ok(()), |key| Err((*key, format!("this kind needs `{key}`"))))
}

fn disjoint(good: &[String], bad: &[String], excluded: &[String]) -> Result<(), Misfit> {
    let mut seen = std::collections::BTreeSet::new();
    for (key, values) in [("good", good), ("bad", bad), ("excluded", excluded)] {
        if let Some(twice) = values.iter().find(|value| !seen.insert(*value)) {
            return Err((key, format!("{twice:?} is in two classes")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        serde_yaml::from_str(text).expect("the source can be read")
    }

    fn queries(text: &str) -> (String, String) {
        let source = source(text);
        let events = Shape::of(&source).expect("it fits").events(&source.matches);
        (events.error_query, events.total_query)
    }

    #[test]
    fn availability_counts_bad_outcomes_of_those_that_are_not_excluded() {
        let (error, total) = queries(
            "{kind: availability, metric: m, match: {traffic: [gateway]}, by: outcome, \
             good: [ok], bad: [timeout, internal], excluded: [unreachable]}",
        );
        assert_eq!(
            error,
            r#"sum(rate(m{traffic="gateway",outcome=~"timeout|internal"}[{{.window}}]))"#
        );
        assert_eq!(total, r#"sum(rate(m{traffic="gateway",outcome!="unreachable"}[{{.window}}]))"#);
    }

    #[test]
    fn latency_counts_what_is_over_a_bound_that_exists() {
        let (error, _) = queries("{kind: latency, metric: m, within: 300ms}");
        let wanted =
            r#"sum(rate(m_count[{{.window}}])) - sum(rate(m_bucket{le="0.3"}[{{.window}}]))"#;
        assert_eq!(error, wanted);
        let (error, _) = queries("{kind: latency, metric: m, within: 30s}");
        assert!(error.contains(r#"{le=~"30(\\.0)?"}"#), "{error}");
    }

    #[test]
    fn an_age_is_measured_in_seconds_per_second() {
        let (error, total) = queries("{kind: freshness, metric: age, within: 5m}");
        assert_eq!(error, "sum(avg_over_time((age > bool 300)[{{.window}}:1m]))");
        assert_eq!(total, "sum(avg_over_time((age >= bool 0)[{{.window}}:1m]))");
    }

    #[test]
    fn a_key_that_does_not_fit_is_named() {
        for (text, key) in [
            ("{kind: latency, metric: m}", "within"),
            ("{kind: latency, metric: m, within: soon}", "within"),
            ("{kind: latency, metric: m, within: 1s, by: x}", "by"),
            ("{kind: availability, metric: m, by: x, good: [a]}", "bad"),
            ("{kind: availability, metric: m, by: x, good: [a], bad: [a]}", "bad"),
            ("{kind: correctness, metric: m}", "of"),
            ("{kind: probe, metric: m, by: x, good: [a], bad: [b], within: 1s}", "within"),
        ] {
            assert_eq!(Shape::of(&source(text)).expect_err("it does not fit").0, key, "{text}");
        }
    }
}
