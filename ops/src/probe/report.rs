//! Results for people, for programs, and as one exit code.

use serde_json::json;
use telemetry::metrics::Label as _;

use super::check::Verdict;
use super::outcome::Outcome;
use crate::findings;
use crate::output::{Format, Style, Table};

/// Begins the reason of a check that could not be made although it was asked for.
const SEEDING_FAILED: &str = "seeding failed";

/// All results.
pub(crate) fn results(outcomes: &[Outcome], format: Format) -> String {
    if format == Format::Json {
        return outcomes.iter().map(|outcome| format!("{}\n", json!(outcome))).collect();
    }
    let mut table = Table::default();
    table.row([
        "CHECK",
        "LANE",
        "TARGET",
        "VERDICT",
        "STATUS",
        "FIRST BYTE",
        "TOTAL",
        "PROVEN",
        "SAID",
    ]);
    for outcome in outcomes {
        let verdict = match outcome.verdict {
            Verdict::Fail => "FAIL",
            Verdict::Pass | Verdict::Skipped => outcome.verdict.text(),
        };
        let number = |value: Option<u64>, unit: &str| {
            value.map_or("-".to_owned(), |value| format!("{value}{unit}"))
        };
        let made = outcome.verdict != Verdict::Skipped;
        table.row([
            outcome.check.text(),
            outcome.lane.text(),
            &outcome.target,
            verdict,
            &number(outcome.status.map(u64::from), ""),
            &number(outcome.ttfb_ms, " ms"),
            &number(made.then_some(outcome.total_ms), " ms"),
            &number(Some(outcome.verified).filter(|bytes| *bytes > 0), " B"),
            &said(outcome),
        ]);
    }
    table.render("", Style::stdout())
}

fn said(outcome: &Outcome) -> String {
    let clean = |text: &str| text.replace(char::is_control, " ");
    match (outcome.subject.is_empty(), outcome.said.is_empty()) {
        (true, _) => clean(&outcome.said),
        (false, true) => clean(&outcome.subject),
        (false, false) => clean(&format!("{}: {}", outcome.subject, outcome.said)),
    }
}

/// One line for the person who waited.
pub(crate) fn summary(outcomes: &[Outcome]) -> String {
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
    let (pass, fail) = (count(Verdict::Pass), count(Verdict::Fail));
    let wrong = outcomes.iter().filter(|outcome| outcome.mismatch).count();
    let verified: u64 = outcomes.iter().map(|outcome| outcome.verified).sum();
    let line = format!(
        "{pass} passed, {fail} failed ({wrong} with wrong bytes), {} skipped; {verified} bytes proven",
        count(Verdict::Skipped)
    );
    let style = Style::stderr();
    if fail > 0 { style.failure(&line) } else { style.strong(&line) }
}

/// How a round ended: a check that failed outweighs one that could not be made.
pub(crate) fn verdict(outcomes: &[Outcome]) -> findings::Verdict {
    let any = |verdict| outcomes.iter().any(|outcome| outcome.verdict == verdict);
    let unseeded = |outcome: &Outcome| {
        outcome.verdict == Verdict::Skipped && outcome.said.starts_with(SEEDING_FAILED)
    };
    if any(Verdict::Fail) {
        findings::Verdict::Findings
    } else if !any(Verdict::Pass) || outcomes.iter().any(unseeded) {
        findings::Verdict::CouldNotCheck
    } else {
        findings::Verdict::Clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::check::{Check, Lane};
    use crate::probe::outcome::{Fault, Trace};

    const AT: (Check, Lane) = (Check::HttpPath, Lane::Warm);

    #[test]
    fn one_failure_is_a_finding_and_no_answer_is_no_health() {
        let pass = Outcome::of(AT, "g", Trace::begin(), Ok(()));
        let fail = Outcome::of(AT, "g", Trace::begin(), Err(Fault::Wrong("x".into())));
        let skipped = Outcome::skipped(AT, "g", "not configured");
        let unseeded = Outcome::skipped(AT, "g", "seeding failed: no");
        let of = |outcomes: &[&Outcome]| {
            verdict(&outcomes.iter().map(|one| (*one).clone()).collect::<Vec<_>>())
        };
        assert_eq!(of(&[&pass, &skipped]), findings::Verdict::Clean);
        assert_eq!(of(&[&pass, &fail, &unseeded]), findings::Verdict::Findings);
        assert_eq!(of(&[&pass, &unseeded]), findings::Verdict::CouldNotCheck);
        assert_eq!(of(&[&skipped]), findings::Verdict::CouldNotCheck);
        assert_eq!(of(&[]), findings::Verdict::CouldNotCheck);
    }

    #[test]
    fn a_table_cannot_be_told_what_to_do_by_a_server() {
        let fault = Fault::Wrong("\u{1b}[2J\nhttp.path".into());
        let fail = Outcome::of(AT, "g", Trace::begin(), Err(fault));
        let text = results(&[fail], Format::Text);
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
