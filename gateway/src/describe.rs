//! What the gateway says of itself for `--describe`: the schema of its configuration, its headers, its outcomes.

use serde_json::{Value, json};

use crate::config::{Config, RELOADED};
use crate::headers::{ASKED, BELIEVED, READ, SENT};
use crate::outcome::Outcome;

/// One of [`telemetry::describe::SUBJECTS`]; null for any other word.
#[must_use]
pub fn describe(subject: &str) -> Value {
    match subject {
        "config" => telemetry::config::schema::<Config>("bifrost-gateway", &RELOADED),
        "headers" => json!([READ, SENT, ASKED, BELIEVED]),
        "outcomes" => telemetry::describe::outcomes(Outcome::statuses),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_described() {
        for subject in telemetry::describe::SUBJECTS {
            assert!(!describe(subject).is_null(), "{subject}");
        }
    }

    #[test]
    fn defaults_are_those_of_the_process_and_reloads_are_marked() {
        let schema = describe("config");
        let key = |path: &str| schema.pointer(path).cloned().unwrap_or_default();
        assert_eq!(key("/properties/server/properties/listen/default"), "127.0.0.1:8080");
        assert_eq!(key("/properties/server/properties/drain_window/x-unit"), "time");
        assert_eq!(key("/properties/log/properties/level/x-reload"), true);
        assert_eq!(key("/properties/hosts/properties/tunnel/x-reload"), false);
        assert_eq!(key("/properties/admin/properties/token/writeOnly"), true);
    }
}
