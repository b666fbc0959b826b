//! What the usage policy says of privacy: what is noted of a request, for how long, and who else learns
//! of it, as configured.
//!
//! Every field of an access record belongs to a sentence here; a test fails when one does not.

use serde::Serialize;
use std::time::Duration;
use telemetry::access::{Cleartext, Destination};

use super::policy::spoken;
use crate::config::Config;

/// What is noted of a request, and the fields of its record that say so.
const NOTED: [(&str, &[&str]); 9] = [
    ("the time, and how long the answer took", &["ts", "ttfb_ms", "total_ms"]),
    (
        "the method, the form that was asked for, and the kind of host",
        &["method", "form", "format", "ns", "codec", "range", "path_depth", "traffic"],
    ),
    (
        "a hash of the client's network (/24 of IPv4, /48 of IPv6), whose key is another one every day: the \
         address itself is never written",
        &["client_net_h"],
    ),
    (
        "hashes of the content's root and of the path below it, by the same key; the query is never written",
        &["root_cid_h", "path_h"],
    ),
    (
        "the status, how the request ended, and the rule that denies it, if one does",
        &["status", "outcome", "truncated", "verified", "blocked_by"],
    ),
    (
        "the bytes sent, and where the content was found",
        &["bytes", "cache", "blocks", "providers", "peers_used", "retries", "upstream"],
    ),
    (
        "the kind of program that asked, such as browser or library, and no more of it",
        &["ua_class"],
    ),
    ("the site that linked here, cut to the last parts of its name", &["referrer_host"]),
    ("the ids of the request and of its trace", &["req_id", "trace_id"]),
];

/// What is noted more of denied and failed requests, where that is configured.
const NOTED_CLEAR: (&str, &[&str]) = (
    "of requests that are denied or fail, the content's CID and path as text",
    &["root_cid", "path"],
);

/// Fields that say nothing of whoever asks: which process, and how to count.
#[cfg(test)]
const OF_PROCESS: [&str; 7] = ["v", "env", "role", "node", "build", "sample_rate", "tier"];

/// When the time of records begins.
const DAY_END: &str = "the end of the day, UTC";
/// When the time of pairs begins.
const FILE_END: &str = "the last write of its file";

/// How long something is kept.
#[derive(Debug, Serialize)]
struct Kept {
    /// What.
    says: &'static str,
    /// How long, in words.
    text: String,
    /// How long, where a time is configured.
    seconds: Option<u64>,
    /// From when on, where that is not when it is noted.
    from: Option<&'static str>,
}

/// What the policy says of privacy.
#[derive(Debug, Serialize)]
pub(super) struct Privacy {
    /// What is noted of a request; nothing when there is no log.
    logged: Vec<&'static str>,
    kept: Vec<Kept>,
    notes: Vec<String>,
}

impl Privacy {
    /// What a gateway with this configuration does.
    pub(super) fn of(config: &Config) -> Self {
        let access = &config.access;
        let writes = access.to != Destination::Off;
        let mut logged: Vec<&str> = Vec::new();
        if writes || access.collector.is_some() {
            logged.extend(NOTED.iter().map(|(says, _)| says));
        }
        let is_clear = writes && access.cleartext == Cleartext::Errors;
        logged.extend(is_clear.then_some(NOTED_CLEAR.0));
        Self { logged, kept: kept(config, is_clear), notes: notes(config) }
    }
}

fn kept(config: &Config, is_clear: bool) -> Vec<Kept> {
    let access = &config.access;
    // A file has the records of a day at most, and is deleted as a whole, so long after its last one.
    let time = |says, time: Duration| {
        let seconds = Some(time.as_secs()).filter(|seconds| *seconds > 0);
        let Some(seconds) = seconds else {
            let text = "until there are too many files of it".to_owned();
            return Kept { says, text, seconds: None, from: None };
        };
        let text = format!("{} after the day (UTC) of the request has ended", spoken(time));
        Kept { says, text, seconds: Some(seconds), from: Some(DAY_END) }
    };
    let as_output = |says| {
        let text = "as long as the operator keeps the output of this process".to_owned();
        Kept { says, text, seconds: None, from: None }
    };
    let (records, clear) = ("Records of requests are kept", "Their text is kept");
    let mut kept = match access.to {
        Destination::File => {
            let clear = is_clear.then(|| time(clear, access.keep_clear_for));
            [Some(time(records, access.keep_for)), clear].into_iter().flatten().collect()
        }
        Destination::Stdout => {
            let clear = is_clear.then(|| as_output(clear));
            [Some(as_output(records)), clear].into_iter().flatten().collect()
        }
        Destination::Off => Vec::new(),
    };
    if config.mirror.to.is_some() && config.mirror.dir.is_some() {
        let says = "What was repeated on another fleet, with its path as text, is kept";
        let keep = config.mirror.keep;
        let text = format!("{} after its file was written to for the last time", spoken(keep));
        kept.push(Kept { says, text, seconds: Some(keep.as_secs()), from: Some(FILE_END) });
    }
    kept
}

fn notes(config: &Config) -> Vec<String> {
    let (access, mirror) = (&config.access, &config.mirror);
    let mut notes = Vec::new();
    if access.collector.is_some() {
        notes.push("Records without text also go to a collector of the operator's.".to_owned());
    }
    if access.to != Destination::Off && access.sample < 1.0 {
        let percent = access.sample * 100.0;
        notes.push(format!("Of requests that succeed, {percent} % are noted, chosen by chance."));
    }
    if mirror.to.is_some() {
        let percent = mirror.fraction * 100.0;
        notes.push(format!(
            "Up to {percent} % of requests are repeated on another fleet of the operator's, which tries a \
             release, without address, cookies and credentials."
        ));
    }
    notes.push("Cookies are neither set nor read. Counts of requests name nobody.".to_owned());
    notes.push(
        "Nodes and peers learn what is asked for, not by whom. CIDs are public names: whoever knows one \
         can ask for its content anywhere."
            .to_owned(),
    );
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(config: &Config) -> Vec<(String, Option<u64>)> {
        let privacy = Privacy::of(config);
        privacy
            .kept
            .iter()
            .map(|kept| (format!("{}: {}", kept.says, kept.text), kept.seconds))
            .collect()
    }

    #[test]
    fn every_field_of_a_record_is_told() {
        let told: Vec<&str> = NOTED
            .iter()
            .chain([&NOTED_CLEAR])
            .flat_map(|(_, fields)| fields.iter().copied())
            .collect();
        for (field, _) in telemetry::access::FIELDS {
            assert!(told.contains(&field) || OF_PROCESS.contains(&field), "{field} is not told");
        }
    }

    #[test]
    fn times_are_those_of_the_configuration() {
        let mut config = Config::default();
        config.access.to = Destination::File;
        config.access.keep_for = Duration::from_secs(3 * 86_400);
        config.access.keep_clear_for = Duration::from_secs(7200);
        let expected = [
            (
                "Records of requests are kept: 3 days after the day (UTC) of the request has ended"
                    .to_owned(),
                Some(259_200),
            ),
            (
                "Their text is kept: 2 hours after the day (UTC) of the request has ended"
                    .to_owned(),
                Some(7200),
            ),
        ];
        assert_eq!(kept(&config), expected);
        config.access.cleartext = Cleartext::Never;
        config.access.keep_for = Duration::ZERO;
        let until = "Records of requests are kept: until there are too many files of it".to_owned();
        assert_eq!(kept(&config), [(until, None)]);
        assert!(!Privacy::of(&config).logged.contains(&NOTED_CLEAR.0));
    }

    #[test]
    fn log_that_is_off_is_told() {
        let mut config = Config::default();
        assert!(!Privacy::of(&config).logged.is_empty());
        config.access.to = Destination::Off;
        assert!(Privacy::of(&config).logged.is_empty() && kept(&config).is_empty());
        config.access.collector = Some("http://127.0.0.1:4318/v1/logs".to_owned());
        assert!(!Privacy::of(&config).logged.is_empty());
    }

    #[test]
    fn copies_are_told() {
        let mut config = Config::default();
        let is_told =
            |config: &Config| Privacy::of(config).notes.iter().any(|note| note.contains("20 %"));
        config.mirror.fraction = 0.2;
        assert!(!is_told(&config));
        config.mirror.to = Some("http://127.0.0.1:8081".to_owned());
        config.mirror.dir = Some("mirror".into());
        assert!(is_told(&config));
        assert_eq!(kept(&config).last().and_then(|(_, seconds)| *seconds), Some(86_400));
    }
}
