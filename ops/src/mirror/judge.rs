//! Judges what pairs add up to against thresholds, criterion by criterion.
//!
//! Every figure comes with the bounds that decided, each of which holds however often one looks; a
//! rejection needs one criterion that fails, a promotion all that are required.

use serde::Serialize;

use super::observed::{Body, Compared};
use super::resources::Measured;
use super::tally::Tally;
use super::thresholds::{Bounds, Stratum, Thresholds};
use super::words::{percent, permille, time};
use crate::statistics::paired::{Paired, Shift, Sureness};
use crate::statistics::{binomial, number, sequential};

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As good as production, as far as thresholds ask.
    Promote,
    /// Worse.
    Reject,
    /// Enough pairs, and something is open.
    Hold,
    /// Too few pairs.
    Insufficient,
}

impl Verdict {
    /// In one word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verdict::Promote => "promote",
            Verdict::Reject => "reject",
            Verdict::Hold => "hold",
            Verdict::Insufficient => "insufficient",
        }
    }
}

/// How a criterion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// Surely better than its margin.
    Pass,
    /// Surely worse than is tolerated.
    Fail,
    /// Neither is sure.
    Open,
    /// There are too few pairs to say.
    TooFew,
    /// Nothing was measured.
    NotMeasured,
    /// It is shown, and decides nothing.
    NotJudged,
}

impl Standing {
    /// In a word or two.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Standing::Pass => "pass",
            Standing::Fail => "fail",
            Standing::Open => "open",
            Standing::TooFew => "too few",
            Standing::NotMeasured => "not measured",
            Standing::NotJudged => "not judged",
        }
    }

    /// How bounds of a figure stand to what is tolerated and to the margin.
    pub(super) fn of(lower: f64, upper: f64, bounds: Bounds) -> Self {
        if lower > bounds.tolerate {
            Standing::Fail
        } else if upper < bounds.margin {
            Standing::Pass
        } else {
            Standing::Open
        }
    }
}

/// One thing that is asked of a release. Figures are shares: 0.05 is 5 % slower, or more often.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Criterion {
    /// What it is about.
    pub(crate) name: String,
    /// How it stands.
    pub(crate) standing: Standing,
    /// Whether nothing is promoted before it passes.
    pub(crate) required: bool,
    /// How many pairs it rests on; profiles, for resources.
    pub(crate) pairs: u64,
    /// What was measured.
    pub(crate) estimate: Option<f64>,
    /// Its bounds.
    pub(crate) lower: Option<f64>,
    /// See `lower`.
    pub(crate) upper: Option<f64>,
    /// Fails when the lower bound is above this.
    pub(crate) tolerate: Option<f64>,
    /// Passes when the upper bound is below this.
    pub(crate) margin: Option<f64>,
    /// The same as a sentence.
    pub(crate) text: String,
}

/// Every criterion, and what they come to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Judgement {
    /// What they come to.
    pub(crate) verdict: Verdict,
    /// Why, in sentences.
    pub(crate) because: Vec<String>,
    /// Pairs in all.
    pub(crate) pairs: u64,
    /// Pairs whose answers came from different caches.
    pub(crate) apart: u64,
    /// Requests that were not copied, since staging was left alone.
    pub(crate) unasked: u64,
    /// Pairs that compare staging's second answer, since it failed first.
    pub(crate) retried: u64,
    /// Milliseconds from the first pair to the last.
    pub(crate) span_ms: u64,
    /// The criteria.
    pub(crate) criteria: Vec<Criterion>,
}

impl Judgement {
    /// What pairs do not show of staging's failures, if anything.
    pub(crate) fn hidden(&self) -> String {
        let mut text = String::new();
        if self.retried > 0 {
            let pairs = self.retried;
            text += &format!("; {pairs} failed first, and compare what came of a second try");
        }
        if self.unasked > 0 {
            let requests = self.unasked;
            text += &format!("; {requests} requests were not copied, since staging was left alone");
        }
        text
    }
}

/// Judges.
pub(crate) fn judge(
    tally: &mut Tally,
    thresholds: &Thresholds,
    measured: Option<&Measured>,
) -> Judgement {
    let mut criteria = vec![mismatches(tally, thresholds), outcomes(tally, thresholds)];
    for (place, stratum) in thresholds.latency.strata.iter().enumerate() {
        let times = &mut tally.strata[place];
        first_byte(&mut criteria, &mut times.first, thresholds, stratum);
        if stratum.body == Body::Large {
            last_byte(&mut criteria, &mut times.total, thresholds, stratum);
        }
    }
    criteria.extend(super::resources::criteria(thresholds, measured));
    let span_ms = tally.span_ms.map_or(0, |(from, to)| to.saturating_sub(from));
    let (verdict, because) = conclude(&criteria, tally.pairs, span_ms, thresholds);
    let Tally { pairs, apart, unasked, retried, .. } = *tally;
    Judgement { verdict, because, pairs, apart, unasked, retried, span_ms, criteria }
}

fn mismatches(tally: &Tally, thresholds: &Thresholds) -> Criterion {
    let count = |compared| {
        let classes = thresholds.mismatches.classes.iter();
        classes.map(|class| tally.count(*class, compared)).sum::<u64>()
    };
    let different = count(Compared::Different).max(tally.recorded);
    let pairs = count(Compared::Same) + different;
    let (alpha, limit) = (thresholds.chances.promote, thresholds.mismatches.rarer_than);
    let fixed = if pairs == 0 { 1.0 } else { binomial::upper(different, pairs, alpha) };
    // While there is none, the bound of a fixed number of pairs holds at every look.
    let always =
        if different == 0 { fixed } else { sequential::share_upper(different, pairs, alpha) };
    let (standing, text) = match (different, pairs) {
        (0, 0) => (Standing::TooFew, "no pair could be compared".to_owned()),
        (0, _) => {
            let needed = binomial::samples_for(limit, alpha);
            let standing = if always <= limit { Standing::Pass } else { Standing::Open };
            let more = match standing {
                Standing::Open => {
                    format!("; {needed} pairs without one exclude {}", permille(limit))
                }
                Standing::Pass
                | Standing::Fail
                | Standing::TooFew
                | Standing::NotMeasured
                | Standing::NotJudged => String::new(),
            };
            let text = format!("none in {pairs} pairs, so fewer than {}{more}", permille(always));
            (standing, text)
        }
        (1.., _) => {
            let text = format!(
                "{different} of {pairs} answers are not what production gave: {} (at most {}; at any \
                 look {})",
                permille(number(different) / number(pairs)),
                permille(fixed),
                permille(always)
            );
            (Standing::Fail, text)
        }
    };
    Criterion {
        name: "mismatches".to_owned(),
        standing,
        required: true,
        pairs,
        estimate: (pairs > 0).then(|| number(different) / number(pairs)),
        lower: Some(0.0),
        upper: Some(always),
        tolerate: Some(0.0),
        margin: Some(limit),
        text,
    }
}

/// What was not copied counts against promotion as if each request had failed, and not for rejection: those of
/// one outage are no witnesses that are independent of each other.
fn outcomes(tally: &Tally, thresholds: &Thresholds) -> Criterion {
    let Tally { pairs: n, unasked, worse: b, better: c, .. } = *tally;
    let chances = thresholds.chances;
    let bounds = thresholds.outcomes;
    let estimate = if n == 0 { 0.0 } else { (number(b) - number(c)) / number(n) };
    let lower = sequential::difference_lower(n, b, c, chances.reject.outcomes);
    let upper = sequential::difference_upper(n + unasked, b + unasked, c, chances.promote);
    let wealth = sequential::ln_more_often(b, c);
    let is_sure = wealth + chances.reject.outcomes.ln() >= 0.0;
    let standing = if is_sure && estimate >= bounds.tolerate {
        Standing::Fail
    } else if upper < bounds.margin {
        Standing::Pass
    } else {
        Standing::Open
    };
    let text = format!(
        "only staging failed {b} times, only production {c} times, of {n}{}: {} more, between {} and {}; \
         bets that staging fails more often have grown {}, where {} and {} more reject; below {} passes",
        match unasked {
            0 => String::new(),
            _ => format!(", and {unasked} more were not copied while staging was left alone"),
        },
        permille(estimate),
        permille(lower),
        permille(upper),
        fold(wealth),
        fold(-chances.reject.outcomes.ln()),
        permille(bounds.tolerate),
        permille(bounds.margin)
    );
    Criterion {
        name: "outcomes".to_owned(),
        standing,
        required: true,
        pairs: n,
        estimate: Some(estimate),
        lower: Some(lower),
        upper: Some(upper),
        tolerate: Some(bounds.tolerate),
        margin: Some(bounds.margin),
        text,
    }
}

/// How many times a logarithm stands for.
fn fold(ln: f64) -> String {
    if ln > 1e6_f64.ln() {
        return "over a millionfold".to_owned();
    }
    let times = ln.exp();
    if times >= 10.0 { format!("{times:.0}-fold") } else { format!("{times:.2}-fold") }
}

/// How much slower staging is at a quantile, by its place; none of too few pairs.
fn shift(
    times: &mut Paired,
    thresholds: &Thresholds,
    stratum: &Stratum,
    place: usize,
) -> Option<Shift> {
    let (pairs, quantile) = (times.len() as u64, thresholds.latency.quantiles[place]);
    let beyond = number(pairs) * quantile.min(1.0 - quantile);
    let is_enough =
        pairs >= thresholds.pairs.stratum && beyond + 1e-6 >= number(thresholds.pairs.beyond);
    let sureness = Sureness {
        lower: thresholds.chance(stratum, place),
        upper: thresholds.chances.promote,
        tuned_for: thresholds.chances.tuned_for,
    };
    is_enough.then(|| times.shift(quantile, sureness)).flatten()
}

fn first_byte(
    criteria: &mut Vec<Criterion>,
    times: &mut Paired,
    thresholds: &Thresholds,
    stratum: &Stratum,
) {
    let latency = &thresholds.latency;
    let pairs = times.len() as u64;
    for (place, quantile) in latency.quantiles.iter().enumerate() {
        let shift = shift(times, thresholds, stratum, place);
        let bounds = shift.map(|shift| Bounds {
            tolerate: latency.tolerate + latency.tolerate_us / shift.base,
            margin: stratum.margins[place] + latency.margin_us / shift.base,
        });
        let ends = shift.map(|shift| (shift.lower.exp_m1(), shift.upper.exp_m1()));
        let standing =
            ends.zip(bounds).map(|((low, high), bounds)| Standing::of(low, high, bounds));
        criteria.push(Criterion {
            name: format!("p{} of first byte: {}", quantile * 100.0, stratum.name()),
            standing: standing.unwrap_or(Standing::TooFew),
            required: stratum.required,
            pairs,
            estimate: shift.map(|shift| shift.estimate.exp_m1()),
            lower: ends.map(|ends| ends.0),
            upper: ends.map(|ends| ends.1),
            tolerate: bounds.map(|bounds| bounds.tolerate),
            margin: bounds.map(|bounds| bounds.margin),
            text: match shift.zip(bounds) {
                Some((shift, bounds)) => within(shift, bounds),
                None => too_few(pairs, thresholds, *quantile),
            },
        });
    }
}

/// Production's ends when a client has taken the answer, staging's when the mirror has read it: what the
/// one has over the other is not staging's doing.
fn last_byte(
    criteria: &mut Vec<Criterion>,
    times: &mut Paired,
    thresholds: &Thresholds,
    stratum: &Stratum,
) {
    let pairs = times.len() as u64;
    for (place, quantile) in thresholds.latency.quantiles.iter().enumerate() {
        let shift = shift(times, thresholds, stratum, place);
        criteria.push(Criterion {
            name: format!("p{} of last byte: {}", quantile * 100.0, stratum.name()),
            standing: shift.map_or(Standing::TooFew, |_| Standing::NotJudged),
            required: false,
            pairs,
            estimate: shift.map(|shift| shift.estimate.exp_m1()),
            lower: None,
            upper: None,
            tolerate: None,
            margin: None,
            text: shift.map_or_else(|| too_few(pairs, thresholds, *quantile), slower),
        });
    }
}

fn too_few(pairs: u64, thresholds: &Thresholds, quantile: f64) -> String {
    let beyond = number(thresholds.pairs.beyond) / quantile.min(1.0 - quantile);
    let needed = number(thresholds.pairs.stratum).max(beyond.round());
    format!("{pairs} pairs, and it takes {needed}")
}

/// How much slower staging is.
fn slower(shift: Shift) -> String {
    format!(
        "{} in production, {} in staging: {}",
        time(shift.base),
        time(shift.base * shift.estimate.exp()),
        percent(shift.estimate.exp_m1())
    )
}

/// The same, with what decided.
fn within(shift: Shift, bounds: Bounds) -> String {
    format!(
        "{}, between {} and {}; tolerated {}, below {} passes",
        slower(shift),
        percent(shift.lower.exp_m1()),
        percent(shift.upper.exp_m1()),
        percent(bounds.tolerate),
        percent(bounds.margin)
    )
}

/// What criteria come to, and why.
fn conclude(
    criteria: &[Criterion],
    pairs: u64,
    span_ms: u64,
    thresholds: &Thresholds,
) -> (Verdict, Vec<String>) {
    let with = |standings: &[Standing], required: bool| -> Vec<String> {
        let chosen = criteria.iter().filter(|one| standings.contains(&one.standing));
        let chosen = chosen.filter(|one| one.required || !required);
        chosen.map(|one| format!("{}: {}", one.name, one.text)).collect()
    };
    let failed = with(&[Standing::Fail], false);
    if !failed.is_empty() {
        return (Verdict::Reject, failed);
    }
    let mut few = Vec::new();
    if pairs < thresholds.pairs.all {
        few.push(format!("{pairs} pairs, and it takes {}", thresholds.pairs.all));
    }
    let span = std::time::Duration::from_millis(span_ms);
    if span < thresholds.pairs.span {
        let span = std::time::Duration::from_secs(span.as_secs());
        let (span, needed) = (humantime::format_duration(span), thresholds.pairs.span);
        let needed = humantime::format_duration(needed);
        few.push(format!("pairs are of {span}, and it takes {needed}"));
    }
    few.extend(with(&[Standing::TooFew], true));
    if !few.is_empty() {
        return (Verdict::Insufficient, few);
    }
    let open = with(&[Standing::Open, Standing::NotMeasured], true);
    if !open.is_empty() {
        return (Verdict::Hold, open);
    }
    (Verdict::Promote, vec!["every criterion that is required passes, and none fails".to_owned()])
}

#[cfg(test)]
mod tests;
