//! What processes expose, read from their `/metrics`: names, types, labels and values of labels.

use std::collections::{BTreeMap, BTreeSet};

use crate::exposition::sample;

/// What one metric is.
#[derive(Debug, Default, Clone)]
pub(super) struct Exposed {
    /// `counter`, `gauge`, `histogram`, `summary` or nothing.
    pub(super) kind: String,
    /// Names and values of its labels.
    pub(super) labels: BTreeMap<String, BTreeSet<String>>,
}

/// All metrics of some processes, by the names that are stored.
#[derive(Debug, Default, Clone)]
pub(super) struct Schema {
    metrics: BTreeMap<String, Exposed>,
}

/// Names that Prometheus itself makes for every target and every alert.
const OF_PROMETHEUS: [&str; 6] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "ALERTS",
];

impl Schema {
    /// Adds a scraped text; a line that is none of the format is passed over.
    pub(super) fn read(&mut self, text: &str) {
        let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
        for line in text.lines() {
            if let Some(typed) = line.strip_prefix("# TYPE ") {
                kinds.extend(typed.split_once(' '));
            } else if !line.starts_with('#') && !line.trim().is_empty() {
                self.sample(line, &kinds);
            }
        }
    }

    fn sample(&mut self, line: &str, kinds: &BTreeMap<&str, &str>) {
        let Some((name, labels)) = sample(line.trim()) else { return };
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|tail| name.strip_suffix(tail));
        let kind = kinds.get(name).copied();
        let kind = kind.or_else(|| base.and_then(|base| kinds.get(base)).map(|_| "counter"));
        let exposed = self.metrics.entry(name.to_owned()).or_default();
        kind.unwrap_or_default().clone_into(&mut exposed.kind);
        for (label, value) in labels {
            exposed.labels.entry(label).or_default().insert(value);
        }
    }

    /// Whether nothing was read.
    pub(super) fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// Whether some process exposes it, Prometheus makes it, or a rule records it.
    pub(super) fn knows(&self, metric: &str) -> bool {
        self.metrics.contains_key(metric) || OF_PROMETHEUS.contains(&metric) || is_recorded(metric)
    }

    /// A metric of a process.
    pub(super) fn get(&self, metric: &str) -> Option<&Exposed> {
        self.metrics.get(metric)
    }

    /// The known name that is most like this one, when one is much like it.
    pub(super) fn nearest(&self, metric: &str) -> Option<&str> {
        let alike = |name: &str| {
            let same = name.chars().zip(metric.chars()).take_while(|(one, other)| one == other);
            let tail = name.chars().rev().zip(metric.chars().rev());
            let shared = same.count() + tail.take_while(|(one, other)| one == other).count();
            shared.min(metric.len()).saturating_sub(name.len().abs_diff(metric.len()))
        };
        let best = self.metrics.keys().max_by_key(|name| alike(name))?;
        (alike(best) * 10 >= metric.len() * 7).then_some(best)
    }
}

/// Whether a name is one of a recorded series.
pub(super) fn is_recorded(metric: &str) -> bool {
    metric.contains(':')
}

/// Whether a metric only rises, by its type where that is known and else by its name.
pub(super) fn is_counter(metric: &str, schema: &Schema) -> bool {
    match schema.get(metric) {
        Some(exposed) if !exposed.kind.is_empty() => exposed.kind == "counter",
        _ => ["_total", "_count", "_sum", "_bucket"].iter().any(|tail| metric.ends_with(tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_and_labels_are_read() {
        let mut schema = Schema::default();
        schema.read(
            "# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"1\",y=\"q\\\"}\"} 3\n\
             a_total{x=\"2\",y=\"\"} 3\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"0.3\"} 1\n\
             h_seconds_count 1\n# TYPE g gauge\ng 1\n",
        );
        let read = schema.get("a_total").expect("it is exposed");
        assert_eq!(read.kind, "counter");
        assert_eq!(read.labels["x"], ["1", "2"].map(str::to_owned).into());
        assert!(read.labels["y"].contains("q\"}"));
        assert!(is_counter("h_seconds_count", &schema) && !is_counter("g", &schema));
        assert!(
            schema.get("h_seconds_bucket").expect("it is exposed").labels["le"].contains("0.3")
        );
        assert!(schema.knows("up") && schema.knows("slo:objective:ratio"));
        assert!(!schema.knows("h_seconds") && !schema.knows("b"));
    }

    #[test]
    fn a_misspelt_name_is_near_the_right_one() {
        let mut schema = Schema::default();
        schema.read("bifrost_gateway_requests_total 1\nbifrost_node_requests_total 1\n");
        let near = schema.nearest("bifrost_gateway_request_total");
        assert_eq!(near, Some("bifrost_gateway_requests_total"));
        assert_eq!(schema.nearest("nothing_like_it"), None);
    }
}
