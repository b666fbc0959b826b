//! What a process did while its profile was taken, from its `/metrics` before and after.
//!
//! A change of time per request says more than one of time alone; a process that was begun anew between
//! both, or that counts no requests, has no load rather than a wrong one.

use std::time::Instant;

use super::entry::Load;
use crate::exposition;
use crate::inventory::Kind;

/// What a process had counted at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    at: Instant,
    requests: f64,
    hits: f64,
    of_content: f64,
    in_flight: f64,
}

impl Counts {
    /// Reads the metrics of a process; none when it counts no requests.
    pub(crate) fn read(kind: Kind, text: &str, at: Instant) -> Option<Self> {
        let word = match kind {
            Kind::Gateway => "gateway",
            Kind::Node => "node",
            Kind::Ops => return None,
        };
        let (ended, running) =
            (format!("bifrost_{word}_requests_total"), format!("bifrost_{word}_in_flight"));
        let mut counts = Self { at, requests: 0.0, hits: 0.0, of_content: 0.0, in_flight: 0.0 };
        let mut known = false;
        for line in
            text.lines().filter(|line| line.starts_with(&*ended) || line.starts_with(&*running))
        {
            let Some((name, labels, value)) = exposition::valued(line) else { continue };
            if name == running {
                counts.in_flight += value;
            } else if name == ended {
                known = true;
                counts.requests += value;
                let cache = labels.iter().find(|(name, _)| name == "cache");
                match cache.map(|(_, value)| value.as_str()) {
                    Some("none") | None => {}
                    Some(from) => {
                        counts.of_content += value;
                        counts.hits += if from == "hit" { value } else { 0.0 };
                    }
                }
            }
        }
        known.then_some(counts)
    }

    /// What was done from an earlier moment to this one; none when counters went back.
    pub(crate) fn since(self, earlier: Self) -> Option<Load> {
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let requests = self.requests - earlier.requests;
        let (hits, content) = (self.hits - earlier.hits, self.of_content - earlier.of_content);
        let sane =
            [requests, hits, content, self.in_flight].iter().all(|n| n.is_finite() && *n >= 0.0);
        if !sane || seconds <= 0.0 {
            return None;
        }
        Some(Load {
            requests,
            per_second: (requests / seconds * 1000.0).round() / 1000.0,
            hit_ratio: (content > 0.0).then(|| (hits / content * 10_000.0).round() / 10_000.0),
            in_flight: self.in_flight,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn counts(kind: Kind, text: &str, after: u64) -> Option<Counts> {
        let start = *START;
        Counts::read(kind, text, start + Duration::from_secs(after))
    }

    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

    const BEFORE: &str = "# TYPE bifrost_gateway_requests_total counter
bifrost_gateway_requests_total{cache=\"hit\",outcome=\"ok\"} 10
bifrost_gateway_requests_total{cache=\"none\",outcome=\"ok\"} 5
bifrost_gateway_pool_requests_total{node=\"0\"} 99
bifrost_gateway_in_flight{traffic=\"gateway\"} 2
bifrost_gateway_in_flight{traffic=\"website\"} 1
";
    const AFTER: &str = "bifrost_gateway_requests_total{cache=\"hit\",outcome=\"ok\"} 40
bifrost_gateway_requests_total{cache=\"pool\",outcome=\"ok\"} 10
bifrost_gateway_requests_total{cache=\"none\",outcome=\"ok\"} 25
bifrost_gateway_in_flight{traffic=\"gateway\"} 4
";

    #[test]
    fn load_is_what_was_counted_between_two_moments() {
        let before = counts(Kind::Gateway, BEFORE, 0).expect("it counts");
        let after = counts(Kind::Gateway, AFTER, 10).expect("it counts");
        let load = after.since(before).expect("it is known");
        assert_eq!((load.requests, load.per_second, load.in_flight), (60.0, 6.0, 4.0));
        assert_eq!(load.hit_ratio, Some(0.75));
    }

    #[test]
    fn who_was_begun_anew_or_counts_nothing_has_no_load() {
        let before = counts(Kind::Gateway, BEFORE, 0).expect("it counts");
        let after = counts(Kind::Gateway, AFTER, 10).expect("it counts");
        assert_eq!(before.since(after), None);
        assert_eq!(counts(Kind::Ops, AFTER, 0), None);
        assert_eq!(counts(Kind::Node, AFTER, 0), None);
        let broken = "bifrost_gateway_requests_total{cache=\"hit\"} NaN\n";
        let broken = counts(Kind::Gateway, broken, 20).expect("it counts");
        assert_eq!(broken.since(before), None);
    }
}
