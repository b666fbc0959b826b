//! The configuration of Alertmanager: each alert's owner and severity lead to one receiver.
//!
//! A receiver is named after the schedule, not after a person: who is on call is looked up when it
//! rings, so that the file stands still while the rota turns.

use serde_json::{Value, json};

use super::file::Rota;

/// How urgent alerts are.
pub(crate) const SEVERITIES: [&str; 2] = ["page", "ticket"];

/// The receiver of alerts that no route knows.
pub(crate) const UNROUTED: &str = "unrouted";

/// The receiver of a schedule's alerts of one severity.
pub(crate) fn receiver(schedule: &str, severity: &str) -> String {
    format!("{schedule}-{severity}")
}

/// The whole file. Everything is sent to `webhook`, if there is one, which reads `receiver`.
pub(crate) fn config(rota: &Rota, webhook: Option<&str>) -> String {
    let pairs = rota
        .schedules
        .iter()
        .flat_map(|schedule| SEVERITIES.map(|severity| (&schedule.name[..], severity)));
    let routes: Vec<Value> =
        pairs.clone().map(|(schedule, severity)| route(schedule, severity)).collect();
    let names = pairs.map(|(schedule, severity)| receiver(schedule, severity));
    let receivers: Vec<Value> = names
        .chain([UNROUTED.to_owned()])
        .map(|name| match webhook {
            Some(url) => {
                json!({"name": name, "webhook_configs": [{"url": url, "send_resolved": true}]})
            }
            None => json!({"name": name}),
        })
        .collect();
    let whole = json!({
        "route": {
            "receiver": UNROUTED,
            "group_by": ["alertname", "env"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
            "routes": routes,
        },
        // Who has been woken need not read a ticket about the same.
        "inhibit_rules": [{
            "source_matchers": ["severity=\"page\""],
            "target_matchers": ["severity=\"ticket\""],
            "equal": ["alertname", "env", "instance", "sloth_id"],
        }],
        "receivers": receivers,
    });
    let yaml = serde_yaml::to_string(&whole).expect("it is made of texts, lists and maps");
    format!(
        "# Made by `bifrost rota alertmanager` from {}; edit that.\n{yaml}",
        rota.path.display()
    )
}

fn route(schedule: &str, severity: &str) -> Value {
    json!({
        "receiver": receiver(schedule, severity),
        "matchers": [format!("owner={schedule:?}"), format!("severity={severity:?}")],
        "repeat_interval": if severity == "page" { "30m" } else { "24h" },
    })
}
