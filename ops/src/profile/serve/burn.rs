//! Which alerts are a reason to look: those that page, each once, and not too often together.
//!
//! An alert that fires while it is too early is not forgotten: if it still fires later, it is looked at
//! then.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Alerts that were looked at.
#[derive(Debug)]
pub(super) struct Burn {
    cool_down: Duration,
    looked_at: BTreeSet<String>,
    last: Option<Instant>,
}

impl Burn {
    /// Nothing was looked at.
    pub(super) fn new(cool_down: Duration) -> Self {
        Self { cool_down, looked_at: BTreeSet::new(), last: None }
    }

    /// The alert that is a reason to collect now, of those that fire.
    pub(super) fn wants(&mut self, firing: &[String], now: Instant) -> Option<String> {
        // One that has ended may come again.
        self.looked_at.retain(|alert| firing.contains(alert));
        let early = self.last.is_some_and(|last| now.duration_since(last) < self.cool_down);
        let unseen = firing.iter().find(|alert| !self.looked_at.contains(*alert));
        unseen.filter(|_| !early).cloned()
    }

    /// A collection has begun.
    pub(super) fn begun(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// A set came of the collection for an alert.
    pub(super) fn collected(&mut self, alert: &str) {
        self.looked_at.insert(alert.to_owned());
    }
}

/// The alerts that page and fire, of what Prometheus says of all.
pub(super) fn firing(data: &Value) -> Vec<String> {
    let alerts = data["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let pages =
        |alert: &&Value| alert["state"] == "firing" && alert["labels"]["severity"] == "page";
    let named = |alert: &Value| {
        let labels = alert["labels"].as_object()?;
        let rest = labels.iter().filter(|(name, _)| *name != "alertname" && *name != "severity");
        let rest: Vec<String> =
            rest.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or(""))).collect();
        let name = labels.get("alertname")?.as_str()?;
        let since = alert["activeAt"].as_str().unwrap_or("");
        Some(format!("{name}{{{}}} since {since}", rest.join(",")))
    };
    alerts.iter().filter(pages).filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_alerts_that_fire_and_page_are_read() {
        let one = |name: &str, severity: &str, state: &str| {
            json!({ "labels": { "alertname": name, "severity": severity, "env": "local" },
                    "state": state, "activeAt": "2026-11-21T03:00:00Z" })
        };
        let data = json!({ "alerts": [
            one("GatewayAvailability", "page", "firing"),
            one("GatewayFirstByte", "ticket", "firing"),
            one("NodeAvailability", "page", "pending"),
            json!("odd"),
        ] });
        assert_eq!(firing(&data), ["GatewayAvailability{env=local} since 2026-11-21T03:00:00Z"]);
        assert_eq!(firing(&json!(null)), Vec::<String>::new());
    }

    #[test]
    fn each_alert_is_looked_at_once_and_not_too_early() {
        let (start, hour) = (Instant::now(), Duration::from_secs(3600));
        let mut burn = Burn::new(hour);
        let alerts =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(burn.wants(&[], start), None);
        assert_eq!(burn.wants(&alerts(&["a"]), start), Some("a".to_owned()));
        burn.begun(start);
        assert_eq!(burn.wants(&alerts(&["a"]), start + hour / 2), None, "too early");
        assert_eq!(burn.wants(&alerts(&["a"]), start + hour), Some("a".to_owned()), "no set came");
        burn.begun(start);
        burn.collected("a");
        assert_eq!(burn.wants(&alerts(&["a"]), start + 2 * hour), None, "once");
        assert_eq!(burn.wants(&alerts(&["a", "b"]), start + hour / 2), None, "too early");
        assert_eq!(burn.wants(&alerts(&["a", "b"]), start + hour), Some("b".to_owned()));
        burn.begun(start + hour);
        burn.collected("b");
        assert_eq!(burn.wants(&alerts(&["b"]), start + 3 * hour), None);
        assert_eq!(
            burn.wants(&alerts(&["a", "b"]), start + 3 * hour),
            Some("a".to_owned()),
            "again"
        );
    }
}
