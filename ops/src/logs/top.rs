//! `logs top`: the values of a field by how many requests have them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::estimate::Count;
use super::filter::Filter;
use super::query::Summary;
use super::record::{Field, Weight};
use super::scan::{Visit, scan};
use super::sources::Segment;
use crate::output::{Style, Table};

/// Most values that are counted apart; what comes later counts as `(others)`.
const VALUES_MAX: usize = 1_000_000;
/// The value of records without the field.
const NONE: &str = "(none)";
/// The values beyond those that are counted apart.
const OTHERS: &str = "(others)";

/// How many requests have a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The value, as records write it.
    pub(crate) value: String,
    /// How many.
    pub(crate) count: Count,
}

/// The values of a field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ranking {
    /// The most frequent first.
    pub(crate) rows: Vec<Row>,
    /// What all came to.
    pub(crate) summary: Summary,
}

struct Counting<'a> {
    field: &'a Field,
    weight: Weight,
    counts: HashMap<Vec<u8>, Count>,
}

impl Visit for Counting<'_> {
    fn record(&mut self, _: usize, line: &[u8]) {
        let value = self.field.value(line).unwrap_or(NONE.as_bytes());
        let share = self.weight.share(line);
        if let Some(count) = self.counts.get_mut(value) {
            return count.add(share);
        }
        self.slot(value.to_vec()).add(share);
    }

    fn merge(&mut self, other: Self) {
        for (value, count) in other.counts {
            self.slot(value).merge(&count);
        }
    }
}

impl Counting<'_> {
    fn slot(&mut self, value: Vec<u8>) -> &mut Count {
        let full = self.counts.len() >= VALUES_MAX && !self.counts.contains_key(&value);
        self.counts.entry(if full { OTHERS.into() } else { value }).or_default()
    }
}

/// Counts the values of a field over all segments.
pub(crate) fn top(segments: &[Segment], filter: &Filter, field: &Field) -> Ranking {
    let counting = || Counting { field, weight: Weight::new(), counts: HashMap::new() };
    let scanned = scan(segments, filter, counting);
    let mut summary = Summary {
        lines: scanned.lines,
        bytes: scanned.bytes,
        problems: scanned.problems.iter().map(ToString::to_string).collect(),
        ..Summary::default()
    };
    let mut rows = Vec::new();
    for (value, count) in scanned.found.counts {
        summary.matched.merge(&count);
        rows.push(Row { value: String::from_utf8_lossy(&value).into_owned(), count });
    }
    let mut ranking = Ranking { rows, summary };
    ranking.sort();
    ranking
}

impl Ranking {
    fn sort(&mut self) {
        let by_count = |row: &Row| row.count.requests;
        self.rows.sort_by(|a, b| {
            by_count(b).total_cmp(&by_count(a)).then_with(|| a.value.cmp(&b.value))
        });
    }

    /// Takes over what another environment came to.
    pub(crate) fn merge(&mut self, other: Self) {
        for row in other.rows {
            match self.rows.iter_mut().find(|own| own.value == row.value) {
                Some(own) => own.count.merge(&row.count),
                None => self.rows.push(row),
            }
        }
        self.summary.merge(other.summary);
        self.sort();
    }

    /// The first rows as a table.
    pub(crate) fn text(&self, limit: usize, style: Style) -> String {
        let mut table = Table::default();
        let all = self.summary.matched.requests;
        for row in self.rows.iter().take(limit) {
            let share = if all > 0.0 { 100.0 * row.count.requests / all } else { 0.0 };
            let share = format!("{share:.2} %");
            let value = row.value.escape_debug().to_string();
            table.row([&value, &row.count.text(), &share]);
        }
        table.render("", style)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::logs::fixture::{Folder, Made};

    #[test]
    fn values_are_ranked_by_requests_and_not_by_records() {
        let folder = Folder::new();
        let sampled = (0..10).map(|number| Made { share: "0.01", ..Made::ok(number) });
        let whole =
            (0..50).map(|number| Made { outcome: "timeout", status: 504, ..Made::ok(number) });
        let segments = folder.segments("gateway-0.access.log", sampled.chain(whole));
        let filter = Filter::parse("", SystemTime::now()).expect("a filter");
        let field = Field::named("outcome").expect("a field");
        let ranking = top(&segments, &filter, &field);
        assert_eq!(ranking.rows[0].value, "ok");
        assert_eq!(ranking.rows[0].count.requests.round(), 1000.0);
        assert_eq!(ranking.rows[1].count.text(), "50");
        let text = ranking.text(2, Style::plain());
        assert!(text.contains("timeout") && text.contains("4.76 %"), "{text}");
        let mut twice = ranking.clone();
        twice.merge(ranking);
        assert_eq!(twice.rows[1].count.text(), "100");
    }

    #[test]
    fn records_without_the_field_are_counted_too() {
        let folder = Folder::new();
        let segments = folder.segments("node-0.access.log", (0..3).map(Made::ok));
        let filter = Filter::parse("", SystemTime::now()).expect("a filter");
        let field = Field::named("blocked_by").expect("a field");
        let ranking = top(&segments, &filter, &field);
        assert_eq!((ranking.rows.len(), ranking.rows[0].value.as_str()), (1, NONE));
    }
}
