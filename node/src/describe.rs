//! What the node says of itself for `--describe`: the schema of its configuration, its headers, its outcomes.

use serde_json::{Value, json};
use telemetry::describe::{ADMIN_READ, ADMIN_SENT};

use crate::config::{Config, RELOADED};
use crate::headers::{READ, SENT};
use crate::outcome::Outcome;

/// One of [`telemetry::describe::SUBJECTS`]; null for any other word.
#[must_use]
pub fn describe(subject: &str) -> Value {
    match subject {
        "config" => telemetry::config::schema::<Config>("bifrost-node", &RELOADED),
        "headers" => json!([READ, SENT, ADMIN_READ, ADMIN_SENT]),
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
    fn defaults_are_those_of_the_process() {
        let schema = describe("config");
        let listen = schema.pointer("/properties/admin/properties/listen/default");
        assert_eq!(listen, Some(&json!("127.0.0.1:9180")));
    }
}
