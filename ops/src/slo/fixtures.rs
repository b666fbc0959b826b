//! Unit tests for promtool, made with the rules: the cases that a rule of this kind gets wrong.
//!
//! A: a pause in traffic. B: no bad series yet. C: everything vanishes. D and E: few bad events among
//! many, and many among few. F: one failure among little traffic. G: all is bad. H: a process starts
//! again, and its counters at zero. I: nothing is scraped for a while. J: the clock of Prometheus jumps
//! ahead.

use serde::Serialize;

use super::causes::{Cause, Causes, When};
use super::model::Slo;
use super::rules::{INTERVAL, Severity, TIERS, chosen};
use super::source::Shape;

/// Events a minute of ordinary traffic.
const USUAL: u64 = 600;

/// A file of tests.
#[derive(Debug, Serialize)]
pub(crate) struct Tests {
    pub(crate) rule_files: Vec<String>,
    pub(crate) evaluation_interval: String,
    pub(crate) tests: Vec<Test>,
}

/// One test: series, and what is true of them.
#[derive(Debug, Serialize)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) interval: String,
    pub(crate) input_series: Vec<Input>,
    pub(crate) promql_expr_test: Vec<Claim>,
}

/// A series.
#[derive(Debug, Serialize)]
pub(crate) struct Input {
    pub(crate) series: String,
    pub(crate) values: String,
}

/// An expression that has one value without labels.
#[derive(Debug, Serialize)]
pub(crate) struct Claim {
    pub(crate) expr: String,
    pub(crate) eval_time: String,
    pub(crate) exp_samples: [Sample; 1],
}

/// The value.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) labels: &'static str,
    pub(crate) value: u64,
}

/// Some steps with the same events in each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    /// How many.
    pub(crate) steps: u64,
    /// Good events in each.
    pub(crate) good: u64,
    /// Bad events in each.
    pub(crate) bad: u64,
}

pub(crate) const fn phase(steps: u64, good: u64, bad: u64) -> Phase {
    Phase { steps, good, bad }
}

/// The cases of an objective whose source is known.
pub(crate) fn cases(slo: &Slo) -> Vec<Test> {
    let Some(shape) = &slo.shape else {
        return Vec::new();
    };
    let mut cases = vec![pause(slo), no_bad_series(slo), vanished(slo)];
    // An age has no traffic that could change.
    if !matches!(shape, Shape::Age { .. }) {
        let (few, many) = (10, 60_000);
        cases.push(mixed(slo, "D: bad events of few, then many good ones", few, many));
        cases.push(mixed(slo, "E: bad events of many, then few good ones", many, few));
        cases.push(restart(slo));
    }
    cases.push(hole(slo, "I: what was not scraped is no spike", 12, 12));
    // One minute of events lies between two scrapes that seem an hour apart.
    cases.push(hole(slo, "J: a clock that jumps ahead is no spike", 1, 60));
    cases.push(one_failure(slo));
    cases.push(outage(slo));
    cases
}

fn pause(slo: &Slo) -> Test {
    let phases = [phase(20, USUAL, 0), phase(10, 0, 0), phase(15, USUAL, 0)];
    let claims = vec![claim(share(slo), 45, 0), claim(ever(slo, None, 45), 45, 0)];
    test(slo, "A: a pause in traffic is no error", "1m", inputs(slo, &phases, true), claims)
}

fn no_bad_series(slo: &Slo) -> Test {
    let phases = [phase(20, USUAL, 0)];
    let claims = vec![claim(share(slo), 20, 0), claim(ever(slo, None, 20), 20, 0)];
    test(slo, "B: no bad series is no bad event", "1m", inputs(slo, &phases, false), claims)
}

fn vanished(slo: &Slo) -> Test {
    let phases = [phase(20, USUAL, 0)];
    let alert = format!(
        "count(ALERTS{{alertname=\"SignalMissing\",alertstate=\"firing\",sloth_id=\"{}\"}}) or \
         vector(0)",
        slo.id()
    );
    let claims = vec![claim(alert.clone(), 20, 0), claim(alert, 40, 1)];
    test(slo, "C: a signal that vanishes is missed", "1m", inputs(slo, &phases, true), claims)
}

/// A share that extrapolation may make of nothing: a two-hundredth of a thousandth.
const EXTRAPOLATED: f64 = 0.000_005;

/// Twenty minutes in which a tenth is bad, then an hour without.
fn mixed(slo: &Slo, name: &str, first: u64, then: u64) -> Test {
    let bad = first / 10;
    let phases = [phase(20, first - bad, bad), phase(60, then, 0)];
    let of = |size: u64| f64::from(u32::try_from(size).expect("an hour has fewer events"));
    let truth = of(20 * bad) / of(20 * first + 60 * then);
    // Prometheus extrapolates a series to zero by its first value, which makes a handful of events of
    // two series, one within the other, inexact where traffic jumps.
    let within = truth / 10.0 + EXTRAPOLATED;
    let near = format!("abs({} - {truth:.9}) < bool {within:.9}", share(slo));
    test(slo, name, "1m", inputs(slo, &phases, true), vec![claim(near, 80, 1)])
}

/// Half an hour of good events, a start at zero, and some more.
fn restart(slo: &Slo) -> Test {
    let phases = [phase(30, USUAL, 0)];
    let mut inputs = inputs(slo, &phases, true);
    for input in &mut inputs {
        input.values = format!("{0} {0}", input.values);
    }
    test(slo, "H: a start at zero is no spike", "1m", inputs, unmoved(slo, 60))
}

/// Good events, of which so many minutes are not seen; Prometheus takes them for `seems`.
fn hole(slo: &Slo, name: &str, minutes: u64, seems: u64) -> Test {
    let phases = [phase(30, USUAL, 0), phase(minutes, USUAL, 0), phase(30, USUAL, 0)];
    let mut inputs = inputs(slo, &phases, true);
    for input in &mut inputs {
        let mut parts: Vec<&str> = input.values.split(' ').collect();
        let unseen = format!("_x{seems}");
        let place = parts.len() - 2;
        parts[place] = &unseen;
        input.values = parts.join(" ");
    }
    test(slo, name, "1m", inputs, unmoved(slo, 60 + seems))
}

/// That so many minutes of ordinary traffic raised nothing, and never looked like more.
fn unmoved(slo: &Slo, minutes: u64) -> Vec<Claim> {
    let mut claims =
        vec![claim(share(slo), minutes, 0), claim(ever(slo, None, minutes), minutes, 0)];
    if !matches!(slo.shape, Some(Shape::Age { .. })) {
        // A twentieth is what extrapolation to the ends of a window may add.
        let most = USUAL * 21 / 20;
        let peak = format!("max_over_time(slo:events_total:rate5m{}[{minutes}m])", chosen(slo));
        claims.push(claim(format!("60 * max({peak}) > bool {most}"), minutes, 0));
    }
    claims
}

fn one_failure(slo: &Slo) -> Test {
    let phases = [phase(30, 1, 0), phase(1, 0, 1), phase(39, 1, 0)];
    let (name, wanted) = if slo.is_absolute() {
        ("F: one bad event raises the alert", 1)
    } else {
        ("F: one failure among one request a minute raises nothing", 0)
    };
    let ever = format!("({}) > bool 0", ever(slo, None, 70));
    test(slo, name, "1m", inputs(slo, &phases, true), vec![claim(ever, 70, wanted)])
}

fn outage(slo: &Slo) -> Test {
    let severity = if slo.alerting.page_alert.disable { Severity::Ticket } else { Severity::Page };
    let seconds = raised_after(slo, severity);
    let phases = [phase(240, USUAL / 4, 0), phase(seconds.div_ceil(15) + 4, 0, USUAL / 4)];
    let at = |seconds: u64, wanted| Claim {
        expr: now(slo, severity),
        eval_time: format!("{seconds}s"),
        exp_samples: [Sample { labels: "{}", value: wanted }],
    };
    let claims = vec![at(3_600, 0), at(3_600 + seconds, 1)];
    let name = format!("G: when all is bad, a {} follows within {seconds} s", severity.text());
    test(slo, &name, "15s", inputs(slo, &phases, true), claims)
}

/// The seconds within which an alert is raised when everything is bad, after an hour of good ones.
pub(crate) fn raised_after(slo: &Slo, severity: Severity) -> u64 {
    if slo.is_absolute() {
        return 60;
    }
    let of = |tier: &&super::rules::Tier| tier.severity == severity;
    let share = |tier: &super::rules::Tier| {
        let factor: f64 = tier.factor.parse().expect("factors are numbers");
        factor * slo.budget().number()
    };
    let tier = TIERS.iter().filter(of).find(|tier| share(tier) < 1.0);
    let Some(tier) = tier else { return 0 };
    // Scrapes and evaluations take a minute; recorded five minutes and rare evaluations some more.
    let slack = if tier.long.seconds == 3_600 { 60 } else { 600 };
    let full = f64::from(u32::try_from(tier.long.seconds).expect("windows are short"));
    // An hour of good events is all that the longer windows remember.
    let (share, hour) = (share(tier), 3_600.0);
    let needed = (share * full).min(share * hour / (1.0 - share)).ceil();
    let mut seconds = format!("{needed:.0}").parse().unwrap_or(u64::MAX);
    if matches!(slo.shape, Some(Shape::Age { .. })) {
        seconds = seconds.max(slo.min_events()) + 120;
    }
    (seconds + slack).div_ceil(INTERVAL) * INTERVAL
}

/// The tests of alerts by cause.
pub(crate) fn causes(causes: &Causes) -> Vec<Test> {
    let each = causes.alerts.iter().flat_map(|cause| {
        let tested = cause.rules.iter().filter(|when| !when.is_every_signal());
        tested.flat_map(move |when| [raised(cause, when), unraised(cause, when)])
    });
    each.collect()
}

fn raised(cause: &Cause, when: &When) -> Test {
    let (alert, severity) = (&cause.alert, when.severity.text());
    let firing = format!(
        "(count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",severity=\"{severity}\"}}) or \
         vector(0)) > bool 0"
    );
    Test {
        name: format!("{alert} ({severity}) is raised by its fault"),
        interval: "1m".into(),
        input_series: given(&when.fault),
        promql_expr_test: vec![claim(firing, when.minutes, 1)],
    }
}

fn unraised(cause: &Cause, when: &When) -> Test {
    let (alert, severity) = (&cause.alert, when.severity.text());
    let ever = format!(
        "sum(count_over_time(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",\
         severity=\"{severity}\"}}[{}m])) or vector(0)",
        when.minutes
    );
    Test {
        name: format!("{alert} ({severity}) is quiet when all is well"),
        interval: "1m".into(),
        input_series: given(&when.quiet),
        promql_expr_test: vec![claim(ever, when.minutes, 0)],
    }
}

fn given(series: &std::collections::BTreeMap<String, String>) -> Vec<Input> {
    let each = series.iter();
    each.map(|(series, values)| Input { series: series.clone(), values: values.clone() }).collect()
}

fn test(slo: &Slo, name: &str, interval: &str, inputs: Vec<Input>, claims: Vec<Claim>) -> Test {
    Test {
        name: format!("{} {name}", slo.id()),
        interval: interval.into(),
        input_series: inputs,
        promql_expr_test: claims,
    }
}

fn claim(expr: String, minutes: u64, value: u64) -> Claim {
    let exp_samples = [Sample { labels: "{}", value }];
    Claim { expr, eval_time: format!("{minutes}m"), exp_samples }
}

/// The recorded share of bad events over 30 days.
fn share(slo: &Slo) -> String {
    format!("sum(slo:sli_error:ratio_rate30d{})", chosen(slo))
}

/// How many alerts of an objective are raised.
fn now(slo: &Slo, severity: Severity) -> String {
    format!("count(ALERTS{}) or vector(0)", firing(slo, Some(severity)))
}

/// How often alerts of an objective were seen raised.
pub(crate) fn ever(slo: &Slo, severity: Option<Severity>, minutes: u64) -> String {
    format!("sum(count_over_time(ALERTS{}[{minutes}m])) or vector(0)", firing(slo, severity))
}

fn firing(slo: &Slo, severity: Option<Severity>) -> String {
    let severity = severity
        .map_or(String::new(), |severity| format!(",sloth_severity=\"{}\"", severity.text()));
    format!(
        "{{alertname=\"{}\",alertstate=\"firing\",sloth_id=\"{}\"{severity}}}",
        slo.alerting.name,
        slo.id()
    )
}

/// The raw series of an objective under some traffic.
pub(crate) fn inputs(slo: &Slo, phases: &[Phase], with_bad: bool) -> Vec<Input> {
    let (Some(shape), Some(source)) =
        (&slo.shape, slo.own.as_ref().and_then(|own| own.source.as_ref()))
    else {
        return Vec::new();
    };
    let series = |metric: &str, more: &[(&str, &str)], values: String| {
        let first = source.matches.iter().map(|(name, values)| (name.as_str(), values[0].as_str()));
        let labels: Vec<String> = first
            .chain(more.iter().copied())
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        Input { series: format!("{metric}{{{}}}", labels.join(",")), values }
    };
    let good = counter(phases, |phase| phase.good);
    let bad = counter(phases, |phase| phase.bad);
    let all = counter(phases, |phase| phase.good + phase.bad);
    match shape {
        Shape::Outcomes { metric, by, good: well, bad: ill, excluded } => {
            let mut inputs = vec![series(metric, &[(by, &well[0])], good)];
            inputs.extend(with_bad.then(|| series(metric, &[(by, &ill[0])], bad)));
            let ignored = excluded.first();
            inputs.extend(
                ignored.map(|value| series(metric, &[(by, value)], counter(phases, |_| USUAL))),
            );
            inputs
        }
        Shape::Latency { metric, within } => {
            let le = within.to_string();
            let bucket = series(&format!("{metric}_bucket"), &[("le", &le)], good);
            vec![bucket, series(&format!("{metric}_count"), &[], all)]
        }
        Shape::Counted { bad: ill, of } => {
            // Where what is bad is a part of the sum, the rest are the good ones.
            let part = of.contains(ill);
            let mut inputs = Vec::new();
            for (index, metric) in of.iter().filter(|metric| *metric != ill).enumerate() {
                let zero = counter(phases, |_| 0);
                let whole = if part { good.clone() } else { all.clone() };
                inputs.push(series(metric, &[], if index == 0 { whole } else { zero }));
            }
            inputs.extend((with_bad || part).then(|| series(ill, &[], bad)));
            inputs
        }
        Shape::Age { metric, within } => {
            let value = within.number();
            let level = |phase: &Phase| if phase.bad > 0 { value * 2.0 } else { value / 2.0 };
            let values: Vec<String> = phases
                .iter()
                .map(|phase| format!("{}+0x{}", level(phase), phase.steps.saturating_sub(1)))
                .collect();
            vec![series(metric, &[], values.join(" "))]
        }
    }
}

/// A counter in promtool's notation, from zero.
fn counter(phases: &[Phase], each: impl Fn(&Phase) -> u64) -> String {
    let (mut text, mut value) = ("0".to_owned(), 0);
    for phase in phases {
        let step = each(phase);
        text.push_str(&format!(" {}+{step}x{}", value + step, phase.steps.saturating_sub(1)));
        value += step * phase.steps;
    }
    text
}
