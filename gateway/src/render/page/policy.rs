//! The numbers of the usage policy, read from the configuration that is in use.
//!
//! One table makes the page and its twin for machines, so that neither can say something else than
//! what is enforced.

use std::time::Duration;

use bytesize::ByteSize;
use serde::Serialize;
use serde_json::{Map, Value};

use super::privacy::Privacy;
use crate::classify::{HEADER_BYTES_MAX, HEADER_FIELDS_MAX, URI_BYTES_MAX};
use crate::config::{Config, RenderConfig};

/// What the gateway may be used for.
const ACCEPTABLE: [&str; 3] = [
    "Reading and sharing what is on IPFS.",
    "Trying things out, and software that has another way when this one is closed.",
    "Clients that check what they get.",
];

/// What it may not be used for.
const UNACCEPTABLE: [&str; 4] = [
    "What is against the law where this gateway runs or where you are.",
    "Phishing, malware, and whatever else is meant to harm those who open it.",
    "The only delivery of a busy website or application: run a gateway of your own.",
    "Copying whole collections as fast as possible: use a node for that.",
];

/// How much of something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Count(u64),
    Bytes(u64),
    BytesPerSecond(u64),
    Time(Duration),
    /// As much as one likes.
    Any,
}

impl Amount {
    /// A count whose zero sets no bound.
    fn unless_zero(self) -> Self {
        match self {
            Amount::Count(0) | Amount::Bytes(0) | Amount::BytesPerSecond(0) => Amount::Any,
            Amount::Count(_)
            | Amount::Bytes(_)
            | Amount::BytesPerSecond(_)
            | Amount::Time(_)
            | Amount::Any => self,
        }
    }

    /// For people.
    fn text(self) -> String {
        match self {
            Amount::Count(count) => count.to_string(),
            Amount::Bytes(bytes) => ByteSize(bytes).to_string(),
            Amount::BytesPerSecond(bytes) => format!("{} per second", ByteSize(bytes)),
            Amount::Time(time) => spoken(time),
            Amount::Any => "no bound".to_owned(),
        }
    }

    /// For machines: counts, bytes and seconds; `null` is no bound.
    fn json(self) -> Value {
        match self {
            Amount::Count(number) | Amount::Bytes(number) | Amount::BytesPerSecond(number) => {
                number.into()
            }
            Amount::Time(time) if time.subsec_nanos() == 0 => time.as_secs().into(),
            Amount::Time(time) => time.as_secs_f64().into(),
            Amount::Any => Value::Null,
        }
    }
}

/// A row of the table.
#[derive(Debug, Serialize)]
pub(super) struct Limit {
    /// What is bounded.
    says: &'static str,
    /// How far, in words.
    text: String,
    #[serde(skip)]
    name: &'static str,
    #[serde(skip)]
    amount: Amount,
}

/// What the policy says.
#[derive(Debug, Serialize)]
pub(super) struct Policy {
    acceptable: [&'static str; 3],
    unacceptable: [&'static str; 4],
    limits: Vec<Limit>,
    privacy: Privacy,
}

impl Policy {
    /// The policy of a gateway that runs with this configuration.
    pub(super) fn of(config: &Config) -> Self {
        let (limits, privacy) = (limits(config), Privacy::of(config));
        Self { acceptable: ACCEPTABLE, unacceptable: UNACCEPTABLE, limits, privacy }
    }

    /// The twin as it is sent.
    pub(super) fn json_text(&self, pages: &super::Config) -> String {
        format!("{:#}\n", self.json(pages))
    }

    /// The twin for machines; `said` has the limits as people read them, in the order of the page.
    pub(super) fn json(&self, pages: &super::Config) -> Value {
        let limits: Map<String, Value> =
            self.limits.iter().map(|limit| (limit.name.to_owned(), limit.amount.json())).collect();
        serde_json::json!({
            "operator": pages.operator,
            "abuse": pages.abuse,
            "security": pages.security_contact,
            "acceptable": self.acceptable,
            "unacceptable": self.unacceptable,
            "limits": limits,
            "said": self.limits,
            "privacy": self.privacy,
            "best_effort": true,
        })
    }
}

fn limits(config: &Config) -> Vec<Limit> {
    let Config { limit, accept, server, .. } = config;
    let count = |count: usize| Amount::Count(count as u64);
    let bytes = |bytes: usize| Amount::Bytes(bytes as u64);
    let rate = Amount::BytesPerSecond(accept.write_rate_min.as_u64()).unless_zero();
    let rows = [
        ("requests_max", "Requests at a time, from everybody", count(limit.requests_max)),
        (
            "requests_per_client_max",
            "Requests at a time, from one IPv4 address or one /64 of IPv6",
            count(limit.per_client_max).unless_zero(),
        ),
        ("cars_max", "CARs and TARs at a time, from everybody", count(limit.cars_max)),
        (
            "retry_after_seconds",
            "What Retry-After says when one of these is reached",
            Amount::Time(limit.retry_after),
        ),
        ("uri_bytes_max", "Path and query of a request", bytes(URI_BYTES_MAX)),
        ("header_bytes_max", "Header of a request", bytes(HEADER_BYTES_MAX)),
        ("header_fields_max", "Fields in the header of a request", count(HEADER_FIELDS_MAX)),
        (
            "header_timeout_seconds",
            "Time to send the header of a request",
            Amount::Time(accept.header_timeout),
        ),
        (
            "first_byte_timeout_seconds",
            "Time until an answer begins",
            Amount::Time(server.first_byte_timeout),
        ),
        (
            "response_timeout_seconds",
            "Time until an answer ends",
            Amount::Time(server.response_timeout),
        ),
        (
            "write_timeout_seconds",
            "Time that a client may take no bytes of its answer",
            Amount::Time(accept.write_timeout),
        ),
        ("write_rate_min_bytes_per_second", "Least speed of a client that takes bytes", rate),
        (
            "idle_timeout_seconds",
            "Time that a connection may stay open without a request",
            Amount::Time(accept.idle_timeout),
        ),
        (
            "h2_streams_max",
            "Requests at a time on one HTTP/2 connection",
            Amount::Count(accept.h2_streams_max.into()),
        ),
    ];
    let rows = rows.into_iter().chain(of_content(&config.render));
    rows.map(|(name, says, amount)| Limit { says, text: amount.text(), name, amount }).collect()
}

/// The bounds of what content is served.
fn of_content(render: &RenderConfig) -> [(&'static str, &'static str, Amount); 4] {
    [
        (
            "listing_entries_max",
            "Entries of a folder on one page",
            Amount::Count(render.listing_entries_max as u64),
        ),
        (
            "range_file_bytes_max",
            "Largest file of which ranges are served",
            Amount::Bytes(render.range_file_bytes_max.as_u64()).unless_zero(),
        ),
        (
            "file_bytes_max",
            "Largest file that is served as a file; blocks and CARs of it are served",
            Amount::Bytes(render.file_bytes_max.as_u64()).unless_zero(),
        ),
        (
            "stream_bytes_max",
            "Most bytes of one CAR or TAR",
            Amount::Bytes(render.stream_bytes_max.as_u64()).unless_zero(),
        ),
    ]
}

/// A time as people say it, in the largest unit that gives a whole number.
pub(super) fn spoken(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    let (number, unit) = match seconds {
        _ if millis > 0 => return format!("{} seconds", time.as_secs_f64()),
        0 => (0, "second"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(policy: &'a Policy, name: &str) -> &'a Limit {
        policy.limits.iter().find(|limit| limit.name == name).expect("a known limit")
    }

    #[test]
    fn numbers_are_those_of_the_configuration() {
        let mut config = Config::default();
        config.limit.requests_max = 77;
        config.limit.retry_after = Duration::from_millis(1500);
        config.server.response_timeout = Duration::from_secs(7200);
        let policy = Policy::of(&config);
        assert_eq!(found(&policy, "requests_max").text, "77");
        assert_eq!(found(&policy, "response_timeout_seconds").text, "2 hours");
        let json = policy.json(&config.pages);
        assert_eq!(json["limits"]["requests_max"], 77);
        assert_eq!(json["limits"]["response_timeout_seconds"], 7200);
        assert_eq!(json["limits"]["retry_after_seconds"], 1.5);
        assert_eq!(json["limits"]["uri_bytes_max"], URI_BYTES_MAX);
    }

    #[test]
    fn zero_that_sets_no_bound_is_told_as_none() {
        let mut config = Config::default();
        config.limit.per_client_max = 0;
        config.limit.cars_max = 0;
        let policy = Policy::of(&config);
        assert_eq!(found(&policy, "requests_per_client_max").text, "no bound");
        assert_eq!(found(&policy, "cars_max").text, "0", "zero refuses all of them");
        let json = policy.json(&config.pages);
        assert_eq!(json["limits"]["requests_per_client_max"], Value::Null);
    }

    #[test]
    fn times_are_for_people() {
        for (seconds, text) in
            [(1, "1 second"), (30, "30 seconds"), (90, "90 seconds"), (60, "1 minute")]
        {
            assert_eq!(spoken(Duration::from_secs(seconds)), text);
        }
        assert_eq!(spoken(Duration::from_secs(3600)), "1 hour");
        assert_eq!(spoken(Duration::from_secs(172_800)), "2 days");
        assert_eq!(spoken(Duration::from_millis(250)), "0.25 seconds");
    }
}
