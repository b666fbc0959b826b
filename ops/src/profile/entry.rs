//! What is known of a stored profile, and of the set that was collected at one time.
//!
//! A set has one index object, whose lines are its profiles and whose last line is the set itself. It is
//! written when all else is there, so that a set without that line, or without an index, is none.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use telemetry::label;

use super::store::part;

/// Folders of the store.
pub(crate) const PROFILES: &str = "profiles";
pub(crate) const INDEX: &str = "index";
/// Most lines of an index.
const LINES_MAX: usize = 100_000;

label! {
    /// What a profile shows.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
    #[serde(rename_all = "lowercase")]
    pub(crate) enum Kind: "profile" {
        /// Where processor time goes.
        Cpu = "cpu",
        /// Where memory is held.
        Heap = "heap",
        /// Which tasks run.
        Tasks = "tasks",
    }
}

impl Kind {
    /// Its word in keys and lines.
    pub(crate) fn word(self) -> &'static str {
        telemetry::metrics::Label::text(self)
    }
}

/// Why profiles were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Trigger {
    /// The schedule.
    Nightly,
    /// Somebody asked.
    #[default]
    Demand,
    /// An objective was burning.
    Slo,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trigger::Nightly => "nightly",
            Trigger::Demand => "demand",
            Trigger::Slo => "slo",
        })
    }
}

/// What a process did while its profile was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// Requests that ended meanwhile.
    pub(crate) requests: f64,
    /// The same for each second.
    pub(crate) per_second: f64,
    /// The share of those for content that was there; none when there were none.
    pub(crate) hit_ratio: Option<f64>,
    /// Requests that were being answered at the end.
    pub(crate) in_flight: f64,
}

/// One stored profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The hash of the object.
    pub(crate) sha256: String,
    /// The process, by its name in the inventory.
    pub(crate) node: String,
    /// What it is for: gateway, pool, probe and so on.
    pub(crate) role: String,
    /// Its environment.
    pub(crate) env: String,
    /// Its build: version, commit, and whether it is for debugging.
    pub(crate) build: String,
    /// What it shows.
    pub(crate) kind: Kind,
    /// How long was sampled; 0 for what is of one moment.
    pub(crate) seconds: f64,
    /// Samples in it.
    pub(crate) samples: u64,
    /// Bytes of the object.
    pub(crate) bytes: u64,
    /// What the process did meanwhile, if it says so.
    pub(crate) load: Option<Load>,
    /// Why it was taken.
    pub(crate) trigger: Trigger,
    /// When it was begun.
    #[serde(with = "stamp")]
    pub(crate) started: Timestamp,
    /// The object.
    pub(crate) key: String,
    /// The folder of the set, when it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cid: Option<String>,
}

impl Entry {
    /// The day on which it was begun, in UTC.
    pub(crate) fn date(&self) -> String {
        date(self.started)
    }
}

/// A process without all of its profiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missing {
    /// Its name.
    pub(crate) node: String,
    /// What it is for.
    pub(crate) role: String,
    /// Its environment.
    pub(crate) env: String,
    /// Which profile; none when nothing could be asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
    /// Why.
    pub(crate) why: String,
}

/// Why a process lacks a profile, in words that everybody may read: what was kept of it names addresses, and may be
/// what the process itself said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The list has no way to it.
    NoListener,
    /// There was no connection.
    Unreachable,
    /// It did not answer in time.
    Timeout,
    /// It answered that it would not.
    Refused,
    /// It answered with something else.
    Unreadable,
    /// It was begun anew meanwhile.
    Restarted,
    /// Whatever it was.
    Other,
}

/// How the reasons begin, or what is in them, that are kept with a set.
const REASONS: [(&str, Reason); 9] = [
    ("it has no admin listener", Reason::NoListener),
    ("it was begun anew", Reason::Restarted),
    ("it refuses the token", Reason::Refused),
    ("it answers ", Reason::Refused),
    ("its profile is refused", Reason::Unreadable),
    ("its /version is no JSON", Reason::Unreadable),
    ("the deadline of ", Reason::Timeout),
    ("could not reach ", Reason::Unreachable),
    (" gave no whole answer within ", Reason::Timeout),
];

impl Reason {
    /// Its words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Reason::NoListener => "it has no admin listener",
            Reason::Unreachable => "it could not be reached",
            Reason::Timeout => "it did not answer in time",
            Reason::Refused => "it refused",
            Reason::Unreadable => "what it answered is no profile",
            Reason::Restarted => "it was begun anew as another build",
            Reason::Other => "for another reason",
        }
    }
}

impl Missing {
    /// Why, for everybody.
    pub(crate) fn reason(&self) -> Reason {
        let is_it = |words: &str| match words.starts_with(' ') {
            true => self.why.contains(words),
            false => self.why.starts_with(words),
        };
        let known = REASONS.iter().find(|(words, _)| is_it(words));
        known.map_or(Reason::Other, |(_, reason)| *reason)
    }
}

/// What is said of a set as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Its name.
    pub(crate) id: String,
    /// When it was begun.
    #[serde(with = "stamp")]
    pub(crate) started: Timestamp,
    /// When its last profile was there.
    #[serde(with = "stamp")]
    pub(crate) ended: Timestamp,
    /// Why.
    pub(crate) trigger: Trigger,
    /// The alert or the caller, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Which profiles were to be taken of each process.
    pub(crate) kinds: Vec<Kind>,
    /// Processes that were to be profiled.
    pub(crate) processes: usize,
    /// Processes with all of their profiles.
    pub(crate) profiled: usize,
    /// What is missing.
    pub(crate) missing: Vec<Missing>,
    /// The folder of the set, when it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cid: Option<String>,
    /// Why it was not published, when it was to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unpublished: Option<String>,
}

/// A set of profiles that were collected at one time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Set {
    /// What is said of it as a whole.
    pub(crate) head: Head,
    /// Its profiles.
    pub(crate) entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Last {
    set: Head,
}

impl Set {
    /// The key of its index.
    pub(crate) fn key(&self) -> String {
        let started = self.head.started;
        format!("{INDEX}/{}/{}-{}.ndjson", date(started), time(started), part(&self.head.id))
    }

    /// Its index.
    pub(crate) fn lines(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            text.push_str(&serde_json::to_string(entry).expect("a line is plain values"));
            text.push('\n');
        }
        let last = Last { set: self.head.clone() };
        text.push_str(&serde_json::to_string(&last).expect("a line is plain values"));
        text.push('\n');
        text
    }

    /// Reads an index.
    ///
    /// # Errors
    /// What is wrong with it: a line that is none, or no line of the set at its end.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is no text".to_owned())?;
        let whole = text.strip_suffix('\n').ok_or("it is cut: its last line has no end")?;
        let lines: Vec<&str> = whole.lines().take(LINES_MAX + 1).collect();
        if lines.len() > LINES_MAX {
            return Err(format!("it has more than {LINES_MAX} lines"));
        }
        let (last, lines) = lines.split_last().ok_or("it is empty")?;
        let last: Last = serde_json::from_str(last)
            .map_err(|_| "it is cut: its last line is not that of the set".to_owned())?;
        let mut entries = Vec::with_capacity(lines.len());
        for (at, line) in lines.iter().enumerate() {
            let entry: Entry =
                serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))?;
            if !entry.key.starts_with("profiles/") || entry.key.split('/').any(|part| part == "..")
            {
                return Err(format!("line {}: {:?} is no key of a profile", at + 1, entry.key));
            }
            entries.push(entry);
        }
        Ok(Self { head: last.set, entries })
    }

    /// The same for everybody: nothing in it was said by a process or by who asked for the set.
    pub(crate) fn for_everybody(mut self) -> Self {
        self.head.reason = None;
        self.head.unpublished = None;
        for one in &mut self.head.missing {
            one.why = one.reason().words().to_owned();
        }
        self
    }

    /// Whether nothing is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.head.missing.is_empty() && self.head.profiled == self.head.processes
    }
}

/// The key of a profile.
pub(crate) fn key(process: [&str; 3], build: &str, started: Timestamp, kind: Kind) -> String {
    let [env, role, node] = process.map(part);
    let (date, time, build) = (date(started), time(started), part(build));
    format!("{PROFILES}/{date}/{env}/{role}/{node}/{build}/{time}.{}.pb.gz", kind.word())
}

/// This moment, in whole seconds, as indexes and keys have it.
pub(crate) fn now() -> Timestamp {
    let seconds = Timestamp::now().as_second();
    Timestamp::from_second(seconds).expect("it was a moment before")
}

/// The day of a moment, in UTC.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// The time of a moment, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H%M%SZ").to_string()
}

mod stamp {
    //! Moments as RFC 3339.

    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
