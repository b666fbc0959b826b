//! What the rules would do under given traffic and a given fault, computed as they compute it.
//!
//! Events are spread evenly, so fractions of events are counted: the answer is the one to expect, not
//! one of many that chance could give.

use serde::Serialize;

use super::decimal::Decimal;
use super::rules::{INTERVAL, Severity, TIERS, Tier, Window};

/// Evaluations of the rules between two of those over days.
const SLOW_EVERY: usize = 4;
/// Steps of the five minutes that are recorded.
const RECORDED: usize = 10;

/// What happens.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// The promise in percent.
    pub(crate) objective: Decimal,
    /// Bad events that a long window must hold.
    pub(crate) min_events: u64,
    /// Events a second.
    pub(crate) traffic: f64,
    /// The share that is bad all the time.
    pub(crate) background: f64,
    /// When the fault begins, in seconds.
    pub(crate) after: u64,
    /// How long it lasts, in seconds.
    pub(crate) lasting: u64,
    /// The share that is bad meanwhile.
    pub(crate) fault: f64,
    /// Bad events that all happen when the fault begins.
    pub(crate) failures: f64,
    /// How long all of it takes, in seconds.
    pub(crate) whole: u64,
}

/// What an alert does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Raised {
    /// `page` or `ticket`.
    pub(crate) severity: &'static str,
    /// How often it is raised.
    pub(crate) times: usize,
    /// Seconds from the beginning of the fault to the first time, when there is one after it.
    pub(crate) first_after_s: Option<u64>,
    /// Seconds for which it is raised in all.
    pub(crate) lasting_s: u64,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// The alerts, the most urgent first.
    pub(crate) alerts: Vec<Raised>,
    /// The share of events that were bad.
    pub(crate) bad_share: f64,
    /// The share of the budget of 30 days that is spent, of traffic that goes on as it was.
    pub(crate) budget_spent: f64,
}

/// Sums of events by step, so that every window is one subtraction.
struct Sums {
    raw: Vec<f64>,
    recorded: Vec<f64>,
}

impl Sums {
    fn of(each: impl Iterator<Item = f64>) -> Self {
        let (mut raw, mut recorded) = (vec![0.0], vec![0.0]);
        for events in each {
            raw.push(raw.last().expect("it begins with zero") + events);
            let now = raw.len() - 1;
            let rate = (raw[now] - raw[now.saturating_sub(RECORDED)]) / seconds(300);
            recorded.push(recorded.last().expect("it begins with zero") + rate);
        }
        Self { raw, recorded }
    }

    /// The events in a window that ends with a step: five minutes and the hour from the raw series,
    /// the others from what is recorded.
    fn within(&self, window: Window, step: usize) -> f64 {
        let steps = usize::try_from(window.seconds / INTERVAL).expect("windows are short");
        let from = step.saturating_sub(steps);
        if matches!(window.name, "5m" | "1h") {
            return self.raw[step] - self.raw[from];
        }
        (self.recorded[step] - self.recorded[from]) * seconds(INTERVAL)
    }
}

/// Runs a scenario.
pub(crate) fn run(scenario: &Scenario) -> Outcome {
    let steps = usize::try_from(scenario.whole / INTERVAL).expect("it takes days, not ages");
    let first = usize::try_from(scenario.after / INTERVAL).expect("it is within the whole");
    let last =
        first + usize::try_from(scenario.lasting / INTERVAL).expect("it is within the whole");
    let each = scenario.traffic * seconds(INTERVAL);
    let bad = |step: usize| {
        let share =
            if (first..last).contains(&step) { scenario.fault } else { scenario.background };
        let burst = if step == first { scenario.failures } else { 0.0 };
        (each * share + burst).min(each.max(burst))
    };
    let total = Sums::of((0..steps).map(|step| each.max(bad(step))));
    let error = Sums::of((0..steps).map(bad));
    let alerts = [Severity::Page, Severity::Ticket]
        .map(|severity| raised(scenario, severity, (&error, &total), first));
    let (all_bad, all) = (error.raw[steps], total.raw[steps]);
    let share = if all > 0.0 { all_bad / all } else { 0.0 };
    let budget = scenario.objective.ratio().to_one().number();
    let allowed = budget * scenario.traffic * seconds(30 * 86_400);
    let spent = if allowed > 0.0 { all_bad / allowed } else { f64::from(u8::from(all_bad > 0.0)) };
    Outcome { alerts: alerts.into(), bad_share: share, budget_spent: spent }
}

fn raised(scenario: &Scenario, severity: Severity, sums: (&Sums, &Sums), fault: usize) -> Raised {
    let every = if severity == Severity::Page { 1 } else { SLOW_EVERY };
    let tiers: Vec<Tier> = TIERS.into_iter().filter(|tier| tier.severity == severity).collect();
    let (mut times, mut on, mut steps, mut first) = (0, false, 0, None);
    for step in (1..sums.0.raw.len()).filter(|step| step % every == 0) {
        let now = tiers.iter().any(|tier| fires(scenario, tier, sums, step));
        times += usize::from(now && !on);
        steps += u64::from(now);
        if now && first.is_none() && step > fault {
            first = Some(u64::try_from(step - fault).expect("steps are few") * INTERVAL);
        }
        on = now;
    }
    let every = u64::try_from(every).expect("it is small");
    Raised {
        severity: severity.text(),
        times,
        first_after_s: first,
        lasting_s: steps * every * INTERVAL,
    }
}

fn fires(scenario: &Scenario, tier: &Tier, (error, total): (&Sums, &Sums), step: usize) -> bool {
    let budget = scenario.objective.ratio().to_one().number();
    let factor: f64 = tier.factor.parse().expect("factors are numbers");
    let over = |window: Window| {
        let (bad, all) = (error.within(window, step), total.within(window, step));
        all > 0.0 && bad > factor * budget * all
    };
    let least = f64::from(u32::try_from(scenario.min_events).unwrap_or(u32::MAX));
    over(tier.short) && over(tier.long) && error.within(tier.long, step) >= least
}

fn seconds(seconds: u64) -> f64 {
    f64::from(u32::try_from(seconds).expect("windows are short"))
}

/// Reads a share: `10%` or `0.1`.
///
/// # Errors
/// When it is no number from nothing to all.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().map(|number| number / unit);
    let share = share.ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is not a share such as `10%` or `0.1`"))
}

/// Reads a rate: `10/s`, `600/m` or `36000/h`.
///
/// # Errors
/// When it is no such rate.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is not a rate such as `10/s`, `600/m` or `36000/h`");
    let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(wrong()),
    };
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.map(|number| number / unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        Scenario {
            objective: Decimal::parse("99.9").expect("a decimal"),
            min_events: 10,
            traffic: 10.0,
            background: 0.0,
            after: 3_600 * 24,
            lasting: 3_600,
            fault: 1.0,
            failures: 0.0,
            whole: 3_600 * 48,
        }
    }

    #[test]
    fn a_full_outage_pages_within_two_minutes() {
        let outcome = run(&scenario());
        assert_eq!(outcome.alerts[0].severity, "page");
        assert!(outcome.alerts[0].first_after_s.is_some_and(|after| after <= 120), "{outcome:?}");
        assert_eq!(outcome.alerts[0].times, 1);
        // An hour of thirty days is 1/720 of all, of which a thousandth may be bad.
        assert!((outcome.budget_spent - 1_000.0 / 720.0).abs() < 0.01, "{outcome:?}");
    }

    #[test]
    fn a_tenth_of_errors_pages_within_its_window() {
        let outcome = run(&Scenario { fault: 0.1, ..scenario() });
        let after = outcome.alerts[0].first_after_s.expect("it pages");
        assert!((480..=600).contains(&after), "{after}");
    }

    #[test]
    fn thirty_quiet_days_raise_nothing() {
        let quiet =
            Scenario { fault: 0.0002, background: 0.0002, whole: 30 * 86_400, ..scenario() };
        for traffic in [1.0 / 60.0, 1.0, 10.0, 1_000.0] {
            let outcome = run(&Scenario { traffic, ..quiet.clone() });
            assert_eq!(
                outcome.alerts[0].times + outcome.alerts[1].times,
                0,
                "{traffic} {outcome:?}"
            );
        }
    }

    #[test]
    fn one_failure_among_one_request_a_minute_raises_nothing() {
        let one = Scenario { traffic: 1.0 / 60.0, fault: 0.0, failures: 1.0, ..scenario() };
        let outcome = run(&one);
        assert_eq!(outcome.alerts[0].times + outcome.alerts[1].times, 0, "{outcome:?}");
        let unguarded = run(&Scenario { min_events: 0, ..one });
        assert!(unguarded.alerts[0].times > 0, "it is the guard that keeps it quiet");
    }

    #[test]
    fn shares_and_rates_are_read_or_refused() {
        assert_eq!((share("10%"), share("0.1")), (Ok(0.1), Ok(0.1)));
        assert_eq!((rate("600/m"), rate("1/s")), (Ok(10.0), Ok(1.0)));
        for bad in ["", "110%", "-1", "x", "NaN"] {
            assert!(share(bad).is_err(), "{bad}");
        }
        for bad in ["", "10", "10/d", "-1/s", "inf/s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
