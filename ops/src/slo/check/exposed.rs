//! What processes expose, read from the text of their `/metrics`.

use std::collections::{BTreeMap, BTreeSet};

use crate::exposition::sample;

/// Names of series, and the values of their labels.
#[derive(Debug, Default)]
pub(crate) struct Exposed {
    series: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Exposed {
    /// Takes the text of a page of metrics.
    ///
    /// # Errors
    /// The line that is none, counted from 1.
    pub(crate) fn take(&mut self, text: &str) -> Result<(), usize> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, labels) = sample(line).ok_or(index + 1)?;
            let known = self.series.entry(name.to_owned()).or_default();
            for (label, value) in labels {
                known.entry(label).or_default().insert(value);
            }
        }
        Ok(())
    }

    /// Takes a series with its labels.
    pub(crate) fn add(&mut self, metric: &str, labels: BTreeMap<String, String>) {
        let known = self.series.entry(metric.to_owned()).or_default();
        for (label, value) in labels {
            known.entry(label).or_default().insert(value);
        }
    }

    /// Whether there is a series of this name.
    pub(crate) fn has(&self, metric: &str) -> bool {
        self.series.contains_key(metric)
    }

    /// The values of a label, sorted.
    pub(crate) fn values<'a>(
        &'a self,
        metric: &str,
        label: &str,
    ) -> impl Iterator<Item = &'a String> + use<'a> {
        let labels = self.series.get(metric).and_then(|labels| labels.get(label));
        labels.into_iter().flatten()
    }

    /// The name that shares the most leading and trailing letters with a wrong one.
    pub(crate) fn nearest(&self, wrong: &str) -> Option<&str> {
        let shared = |name: &str| {
            let front = name.bytes().zip(wrong.bytes()).take_while(|(a, b)| a == b).count();
            let back = name.bytes().rev().zip(wrong.bytes().rev());
            front + back.take_while(|(a, b)| a == b).count()
        };
        let best = self.series.keys().max_by_key(|name| shared(name))?;
        (shared(best) * 2 > wrong.len()).then_some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_metrics_is_read() {
        let mut exposed = Exposed::default();
        let text =
            "# HELP a A.\n# TYPE a counter\na{x=\"1\",y=\"q\\\"}\"} 3\na{x=\"2\",} 4 1700\nb 1e3\n";
        exposed.take(text).expect("it is a page");
        assert!(exposed.has("a") && exposed.has("b") && !exposed.has("c"));
        let values: Vec<_> = exposed.values("a", "x").collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(exposed.values("a", "y").next().map(String::as_str), Some("q\"}"));
    }

    #[test]
    fn a_line_that_is_no_sample_is_named() {
        for (text, line) in
            [("a 1\nb{x=\"1 2\n", 2), ("a\n", 1), ("\na x\n", 2), ("<html> 1\na", 2)]
        {
            assert_eq!(Exposed::default().take(text), Err(line), "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let mut exposed = Exposed::default();
        exposed.take("bifrost_gateway_requests_total 1\nother 1\n").expect("it is a page");
        let near = exposed.nearest("bifrost_gateway_request_total");
        assert_eq!(near, Some("bifrost_gateway_requests_total"));
        assert_eq!(exposed.nearest("nothing_like_it"), None);
    }
}
