//! The page of metrics: what each process exposes, and the numbers that the dictionary makes of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::Value;

use super::facts::Facts;
use super::markdown::{cell, code, explained, head, table};
use crate::exposition::sample;

/// The dictionary of numbers.
const DICTIONARY: &str = include_str!("../../../dashboards/metrics.yaml");

/// Labels whose values come from a configuration or a build, and differ between fleets.
const OF_A_FLEET: [&str; 9] =
    ["node", "list", "url", "target", "commit", "version", "build", "env", "instance"];

const INTRO: &str = "\
Every process shows its metrics at `/metrics` of its admin listener. Every series exists from the start, at zero, and
labels have no other values than those below; *of the fleet* are those that come from a configuration or a build.
*Owner* answers for a metric: whoever owns a number of the dictionary that is made of it, else the process it is of.
";

/// A metric, as it is exposed.
#[derive(Default)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// A number of the dictionary.
struct Number {
    id: String,
    fields: BTreeMap<String, String>,
}

impl Number {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Whether its expression reads a metric.
    fn reads(&self, metric: &str) -> bool {
        let ends = ["", "_bucket", "_count", "_sum"];
        let mut words =
            self.field("expr").split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        words.any(|word| ends.iter().any(|end| word.strip_suffix(end) == Some(metric)))
    }
}

/// The page.
pub(super) fn page(facts: &Facts, unexplained: &mut Vec<String>) -> String {
    let numbers = numbers();
    let mut text = head("Metrics", INTRO);
    for (program, exposed) in &facts.metrics {
        text.push_str(&format!("\n## {program}\n\n"));
        let rows: Vec<_> = metrics(exposed)
            .iter()
            .map(|(name, metric)| {
                explained(name, &metric.help, unexplained);
                row(program, name, metric, &numbers)
            })
            .collect();
        text.push_str(&table(&["Metric", "Type", "Labels", "Meaning", "Owner"], &rows));
    }
    text.push_str(
        "\n## Numbers of the dictionary\n\nWhat dashboards, runbooks and reports show, by id; \
         `dashboards/metrics.yaml` has the expressions.\n\n",
    );
    let rows: Vec<_> = numbers
        .iter()
        .map(|number| {
            explained(&number.id, number.field("meaning"), unexplained);
            vec![
                code(&number.id),
                cell(number.field("name")),
                number.field("unit").to_owned(),
                cell(number.field("meaning")),
                number.field("owner").to_owned(),
            ]
        })
        .collect();
    text.push_str(&table(&["Id", "Name", "Unit", "Meaning", "Owner"], &rows));
    text
}

fn row(program: &str, name: &str, metric: &Metric, numbers: &[Number]) -> Vec<String> {
    let label = |(label, values): (&String, &BTreeSet<String>)| {
        if OF_A_FLEET.contains(&&label[..]) {
            return format!("`{label}`: of the fleet");
        }
        let values: Vec<_> = values.iter().map(|value| code(value)).collect();
        format!("`{label}`: {}", values.join(" "))
    };
    let mut owners: BTreeSet<&str> = numbers
        .iter()
        .filter(|number| number.reads(name))
        .map(|number| number.field("owner"))
        .collect();
    if owners.is_empty() {
        owners.insert(match program {
            "bifrost-gateway" => "gateway",
            "bifrost-node" => "node",
            _ => "sre",
        });
    }
    vec![
        code(name),
        metric.kind.clone(),
        metric.labels.iter().map(label).collect::<Vec<_>>().join("; "),
        cell(&metric.help),
        owners.into_iter().collect::<Vec<_>>().join(", "),
    ]
}

/// The metrics of a page, by name; series of a histogram are one metric.
fn metrics(exposed: &str) -> BTreeMap<String, Metric> {
    let mut all: BTreeMap<String, Metric> = BTreeMap::new();
    for line in exposed.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|it| it.split_once(' ')) {
            help.clone_into(&mut all.entry(name.to_owned()).or_default().help);
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|it| it.split_once(' '))
        {
            kind.clone_into(&mut all.entry(name.to_owned()).or_default().kind);
        } else if let Some((series, labels)) = sample(line) {
            let base =
                ["_bucket", "_count", "_sum"].iter().find_map(|end| series.strip_suffix(end));
            let base = base.filter(|base| all.contains_key(*base)).unwrap_or(series);
            let Some(metric) = all.get_mut(base) else { continue };
            for (label, value) in labels.into_iter().filter(|(label, _)| label != "le") {
                metric.labels.entry(label).or_default().insert(value);
            }
        }
    }
    all
}

fn numbers() -> Vec<Number> {
    let whole: Value = serde_yaml::from_str(DICTIONARY).expect("it is linted");
    let one = |(id, fields): (&Value, &Value)| {
        let fields = fields.as_mapping()?.iter();
        let fields = fields.filter_map(|(key, value)| {
            Some((key.as_str()?.to_owned(), value.as_str()?.trim().to_owned()))
        });
        Some(Number { id: id.as_str()?.to_owned(), fields: fields.collect() })
    };
    whole["metrics"].as_mapping().into_iter().flatten().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPOSED: &str = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n\
        a_seconds_bucket{traffic=\"x\",le=\"1\"} 0\na_seconds_count{traffic=\"x\"} 0\n\
        # HELP b_total Things.\n# TYPE b_total counter\nb_total{node=\"http://a\"} 0\n";

    #[test]
    fn a_histogram_is_one_metric_and_its_bounds_are_no_label() {
        let metrics = metrics(EXPOSED);
        assert_eq!(metrics.len(), 2);
        let one = row("bifrost-node", "a_seconds", &metrics["a_seconds"], &[]);
        assert_eq!(one, ["`a_seconds`", "histogram", "`traffic`: `x`", "How long.", "node"]);
        let other = row("bifrost-node", "b_total", &metrics["b_total"], &[]);
        assert_eq!(other[2], "`node`: of the fleet");
    }

    #[test]
    fn who_owns_a_number_owns_what_it_is_made_of() {
        let fields = [("expr", "rate(a_seconds_bucket[5m])"), ("owner", "sre")];
        let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let number = Number { id: "slow".to_owned(), fields };
        assert!(number.reads("a_seconds") && !number.reads("a"));
        assert_eq!(row("bifrost-node", "a_seconds", &Metric::default(), &[number])[4], "sre");
    }

    #[test]
    fn the_dictionary_is_read() {
        let numbers = numbers();
        assert!(numbers.iter().any(|number| number.id == "objective"));
        assert!(numbers.iter().all(|number| !number.field("owner").is_empty()));
    }
}
