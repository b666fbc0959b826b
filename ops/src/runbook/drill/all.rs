//! Tries every page out that has a drill, one after the other, and says how each went.
//!
//! One that fails does not keep the others from being tried; only an interruption does, and a fleet
//! that could not be mended.

use serde_json::json;

use super::trial::{Faults, Ground, Shown, run};
use super::{Drill, DrillError, Plan};
use crate::findings::Verdict;
use crate::output::{self, Format, Style, Table};
use crate::runbook::page::Page;

/// How a page did.
#[derive(Debug)]
pub(crate) struct Row {
    page: String,
    drill: Drill,
    outcome: Result<Shown, DrillError>,
}

/// Pages in the order in which they are tried. Probes feel every fault and their objective remembers
/// it, so theirs is first; of the others those are first whose faults disturb little.
pub(crate) fn in_order(pages: &[Page]) -> Vec<(&Page, &Drill)> {
    let mut drills: Vec<(&Page, &Drill)> = pages
        .iter()
        .filter_map(|page| match &page.front.drill {
            Some(Plan::Of(drill)) => Some((page, drill)),
            Some(Plan::None) | None => None,
        })
        .collect();
    let is_probe =
        |page: &Page| page.front.slo.as_ref().is_some_and(|slo| slo.starts_with("probe/"));
    drills.sort_by_key(|(page, drill)| (!is_probe(page), drill.fault));
    drills
}

/// Tries them all.
pub(crate) async fn all(
    pages: &[Page],
    ground: &Ground,
    faults: &mut impl Faults,
    mut interrupted: impl Future<Output = ()> + Unpin,
) -> Vec<Row> {
    let drills = in_order(pages);
    let count = drills.len();
    let mut rows = Vec::with_capacity(count);
    for (at, (page, drill)) in drills.into_iter().enumerate() {
        output::note(&format!("{} of {count}: {}", at + 1, page.name));
        let outcome = run(page, ground, faults, &mut interrupted).await;
        if let Err(error) = &outcome {
            output::note(&format!("{}: {}", page.name, telemetry::why(error)));
        }
        let ends = matches!(outcome, Err(DrillError::Interrupted | DrillError::Left { .. }));
        rows.push(Row { page: page.name.clone(), drill: drill.clone(), outcome });
        if ends {
            break;
        }
    }
    rows
}

/// The worst of them.
pub(crate) fn verdict(rows: &[Row]) -> Verdict {
    let failed = || rows.iter().filter_map(|row| row.outcome.as_ref().err());
    if failed().any(|error| error.verdict() == Verdict::CouldNotCheck) {
        Verdict::CouldNotCheck
    } else if failed().next().is_some() {
        Verdict::Findings
    } else {
        Verdict::Clean
    }
}

/// How all went, as a table or a line of JSON each.
pub(crate) fn shown(rows: &[Row], format: Format, style: Style) -> String {
    match format {
        Format::Json => rows.iter().map(line).collect(),
        Format::Text => {
            let mut table = Table::default();
            table.row(["page", "fault", "fired after", "cause named by"]);
            for Row { page, drill, outcome } in rows {
                let fault = drill.fault.to_string();
                match outcome {
                    Ok(Shown { after, named_by }) => {
                        let after = format!("{} s", after.as_secs());
                        table.row([page, &fault, &after, &format!("{} {named_by}", drill.query)]);
                    }
                    Err(error) => table.row([page, &fault, "FAILED", &telemetry::why(error)]),
                }
            }
            table.render("", style)
        }
    }
}

fn line(row: &Row) -> String {
    let Row { page, drill, outcome } = row;
    let mut line = json!({"page": page, "fault": drill.fault.to_string(), "query": drill.query});
    match outcome {
        Ok(Shown { after, named_by }) => {
            line["fired_after_seconds"] = json!(after.as_secs());
            line["named_by"] = json!(named_by);
        }
        Err(error) => line["error"] = json!(telemetry::why(error)),
    }
    format!("{line}\n")
}
