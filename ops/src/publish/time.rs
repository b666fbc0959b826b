//! How old what is shown is.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::site::escape;

/// Seconds since the epoch.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// When figures were asked for, how old the newest measurement was then, where that is known, and why they are
/// no younger where they could be.
pub(super) fn age(asked_at: Option<u64>, newest_at: Option<f64>, why_old: Option<&str>) -> String {
    let why = why_old.map(|why| format!(" Younger ones are not to be had: {}.", escape(why)));
    let why = why.unwrap_or_default();
    let at = asked_at.and_then(|at| Timestamp::from_second(i64::try_from(at).ok()?).ok());
    let said = match at {
        Some(at) => {
            let old = newest_at.map(|newest| (at.as_second() as f64 - newest).max(0.0));
            let old = old.map(|old| format!("; the newest measurement was {old:.0} s old then"));
            format!(
                "Measured on <time datetime=\"{at}\">{at}</time>{}. This page does not renew itself.{why}",
                old.unwrap_or_default()
            )
        }
        None if why.is_empty() => {
            "This copy holds no figures: it was made without asking a Prometheus.".to_owned()
        }
        None => format!("This copy holds no figures.{why}"),
    };
    format!("<p class=\"note\">{said}</p>\n")
}
