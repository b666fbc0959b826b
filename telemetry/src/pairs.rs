//! What one mirrored request came to: production's answer beside staging's, one line of JSON each.
//!
//! A pair names its request by a hash alone, so that lines can be kept and shared as access records
//! can. Words are those of `ipfs::answer`, which decides what two answers have to agree on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

mod segments;

pub use segments::{Bounds, FILES_PER_LIFE, Segments};

/// Version of the format; readers refuse others.
pub const VERSION: u8 = 1;

/// One request and its two answers.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Pair {
    /// [`VERSION`].
    pub v: u8,
    /// When production's answer ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// Production's environment.
    pub env: String,
    /// The gateway that wrote it.
    pub gateway: String,
    /// Hash of content path, form and range, keyed by a secret of the process: it joins lines of one
    /// life of a gateway, and nothing else.
    pub key: String,
    /// Which second answer it is: `staging`, or `again` for production asked a second time.
    pub lane: String,
    /// How far the answers can be compared: `verifiable`, `rendered`, `mutable` or `network`.
    pub class: String,
    /// The form that was asked for, as in access records: `page`, `raw`, `car`, `tar` and so on.
    pub format: String,
    /// What production answered.
    pub production: Side,
    /// What staging answered; none when it gave no head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging: Option<Side>,
    /// Why staging's answer is missing or not whole, if so: `connect`, `timeout`, `stall`, `reset`,
    /// `long` or `loop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Whether staging had failed before and was asked once more: the failure counts, and what is
    /// compared is the second answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retried: bool,
    /// Good answers of production since the pair before that staging was not asked for, since it was
    /// left alone: it had failed, or sent wrong bytes, again and again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unasked: u64,
    /// `same`, `different`, `moved` (a name led elsewhere), or `rates` where only the rates of
    /// outcomes can be compared: one of the answers is a failure that depends on peers and time, or
    /// staging gave none.
    pub result: String,
    /// In what they differ: `status`, `length`, `body`, `unverified`, `production-unverified`,
    /// `blocks`, `order`, `links`, or a header as `header:etag`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
}

/// One of the two answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Side {
    /// The status.
    pub status: u16,
    /// Where the bytes came from: `hit`, `pool`, `network`, `none`, or `unknown` for a gateway that
    /// does not say.
    pub cache: String,
    /// Time from the request to the head of the answer, in microseconds.
    pub first_byte_us: u64,
    /// Time to its last byte.
    pub total_us: u64,
    /// Bytes of the body that were read.
    pub bytes: u64,
    /// Whether the body ended as it was announced.
    pub whole: bool,
    /// Which build answered, as `0.1.0+commit`, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A time as pairs have it, in microseconds.
#[must_use]
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A moment as pairs have it, in milliseconds since 1970.
#[must_use]
pub fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Side {
    /// Whether the answer is no failure of the one who gave it, as objectives count it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.status < 500 && self.whole
    }
}

impl Pair {
    /// Reads one line.
    ///
    /// # Errors
    /// A text that says what is wrong: no pair, or of another version.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let pair: Self = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        match pair.v {
            VERSION => Ok(pair),
            other => Err(format!("version {other} of the format, and {VERSION} is known")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_another_version_is_refused() {
        let side = Side {
            status: 200,
            cache: "hit".into(),
            first_byte_us: 120,
            total_us: 340,
            bytes: 1024,
            whole: true,
            build: None,
        };
        let pair = Pair {
            v: VERSION,
            at_ms: 1,
            env: "prod".into(),
            gateway: "gateway-0".into(),
            key: "00ff".into(),
            lane: "staging".into(),
            class: "verifiable".into(),
            format: "raw".into(),
            production: side.clone(),
            staging: Some(side),
            failure: None,
            retried: false,
            unasked: 0,
            result: "same".into(),
            differences: Vec::new(),
        };
        let line = serde_json::to_string(&pair).expect("a pair is a tree of plain values");
        assert_eq!(Pair::parse(line.as_bytes()).expect("it is one"), pair);
        assert!(!line.contains("unasked"), "{line}");
        let left_alone = Pair { unasked: 7, ..pair };
        let read = Pair::parse(&serde_json::to_vec(&left_alone).expect("so is this one"));
        assert_eq!(read.expect("it is one"), left_alone);
        let other = line.replace("\"v\":1", "\"v\":2");
        assert!(Pair::parse(other.as_bytes()).is_err());
    }
}
