//! Processor time and bytes by request, of profiles of both sides.
//!
//! One value a profile, on a logarithmic scale, by Welch's test: profiles of a night are few and do not
//! grow while one looks, so this criterion alone is not sequential.

use std::path::Path;

use serde::Deserialize;

use super::MirrorError;
use super::judge::{Criterion, Standing};
use super::thresholds::{Bounds, Thresholds};
use super::words::percent;
use crate::statistics::several::{Difference, Group};

/// Profiles that a side needs.
const PROFILES_MIN: usize = 3;

/// Functions that changed of which the verdict tells.
const SHOWN_MAX: usize = 5;

/// What profiles measured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measured {
    production: Vec<Profile>,
    staging: Vec<Profile>,
    /// Functions that changed, as `bifrost profile diff` found them.
    #[serde(default)]
    changes: Vec<Changed>,
}

/// A function that changed; all else that is said of it is left alone.
#[derive(Debug, Clone, Deserialize)]
struct Changed {
    function: String,
    direction: String,
    change: Option<f64>,
    q: f64,
}

impl Changed {
    fn text(&self) -> String {
        let by = self.change.map(|change| format!(" {}", percent(change))).unwrap_or_default();
        format!("{} {}{by} (q {:.4})", self.function, self.direction, self.q)
    }
}

/// One profile.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Profile {
    /// Nanoseconds of processor for each request.
    cpu_ns: f64,
    /// Bytes allocated for each request, where that was measured.
    bytes: Option<f64>,
}

/// One of its figures.
type Of = fn(&Profile) -> Option<f64>;

/// Reads `{"production": [{"cpu_ns": …, "bytes": …}, …], "staging": […]}`, as `bifrost profile diff
/// --resources` writes it.
///
/// # Errors
/// `Resources` when it cannot be read or is not that.
pub(crate) fn read(path: &Path) -> Result<Measured, MirrorError> {
    let wrong = |problem: String| MirrorError::Resources { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let measured: Measured =
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let mut all = measured.production.iter().chain(&measured.staging);
    let is_positive = |value: f64| value.is_finite() && value > 0.0;
    if !all.all(|one| is_positive(one.cpu_ns) && one.bytes.is_none_or(is_positive)) {
        return Err(wrong("every cpu_ns and every bytes has to be above 0".to_owned()));
    }
    Ok(measured)
}

/// Judges processor time and bytes.
pub(crate) fn criteria(thresholds: &Thresholds, measured: Option<&Measured>) -> [Criterion; 2] {
    let cpu: Of = |one| Some(one.cpu_ns);
    let bytes: Of = |one| one.bytes;
    let resources = thresholds.resources;
    [
        ("processor time by request", resources.cpu, cpu),
        ("bytes allocated by request", resources.bytes, bytes),
    ]
    .map(|(name, bounds, of)| criterion(name, bounds, thresholds, measured.map(|all| (all, of))))
}

fn criterion(
    name: &str,
    bounds: Bounds,
    thresholds: &Thresholds,
    measured: Option<(&Measured, Of)>,
) -> Criterion {
    let logs = |profiles: &[Profile], of: Of| -> Option<Group> {
        let values: Vec<f64> = profiles.iter().filter_map(of).map(f64::ln).collect();
        (values.len() >= PROFILES_MIN).then(|| Group::of(&values, 0.0)).flatten()
    };
    let difference = measured.and_then(|(all, of)| {
        Some(Difference::between(logs(&all.production, of)?, logs(&all.staging, of)?))
    });
    // Two measures share the chance.
    let chance = thresholds.chances.reject.resources / 2.0;
    let ends = difference.map(|one| {
        let (low, high) = one.bounds(chance, thresholds.chances.promote);
        (low.exp_m1(), high.exp_m1())
    });
    let estimate = difference.map(|one| one.estimate.exp_m1());
    let (standing, text) = match (measured, estimate.zip(ends)) {
        (None, _) => (Standing::NotMeasured, "no profiles were given with --resources".to_owned()),
        (Some(_), None) => {
            (Standing::TooFew, format!("it takes {PROFILES_MIN} profiles of each side"))
        }
        (Some(_), Some((estimate, (low, high)))) => {
            let changes = measured.map(|(all, _)| &all.changes[..]).unwrap_or_default();
            let changes: Vec<_> = changes.iter().take(SHOWN_MAX).map(Changed::text).collect();
            let changed = match changes.is_empty() {
                true => String::new(),
                false => format!("; functions that changed: {}", changes.join(", ")),
            };
            let text = format!(
                "{}, between {} and {}; tolerated {}, below {} passes{changed}",
                percent(estimate),
                percent(low),
                percent(high),
                percent(bounds.tolerate),
                percent(bounds.margin)
            );
            (Standing::of(low, high, bounds), text)
        }
    };
    Criterion {
        name: name.to_owned(),
        standing,
        required: thresholds.resources.required,
        pairs: measured.map_or(0, |(all, _)| (all.production.len() + all.staging.len()) as u64),
        estimate,
        lower: ends.map(|ends| ends.0),
        upper: ends.map(|ends| ends.1),
        tolerate: Some(bounds.tolerate),
        margin: Some(bounds.margin),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(staging: f64) -> Standing {
        let side = |scale: f64| {
            let profiles = [0.98, 1.0, 1.01, 1.02, 0.99].map(
                |noise| serde_json::json!({"cpu_ns": 90_000.0 * scale * noise, "bytes": 4096}),
            );
            serde_json::json!(profiles)
        };
        let text = serde_json::json!({"production": side(1.0), "staging": side(staging)});
        let measured: Measured = serde_json::from_value(text).expect("as it is read");
        let thresholds = Thresholds::load(None).expect("built in");
        criteria(&thresholds, Some(&measured))[0].standing
    }

    #[test]
    fn more_processor_time_by_request_fails_and_as_much_passes() {
        assert_eq!(judged(1.0), Standing::Pass);
        assert_eq!(judged(1.2), Standing::Fail);
        assert_eq!(judged(1.04), Standing::Open);
    }

    #[test]
    fn nothing_measured_is_said() {
        let thresholds = Thresholds::load(None).expect("built in");
        let found = criteria(&thresholds, None);
        assert!(found.iter().all(|one| one.standing == Standing::NotMeasured && !one.required));
    }
}
