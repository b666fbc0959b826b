//! What one check saw and how it ended.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::check::{Check, Lane, Verdict};

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Bytes came that are not what was asked for. Never passing, and never the network's fault.
    #[error("wrong bytes: {0}")]
    Mismatch(String),
    /// The answer is not the right one.
    #[error("{0}")]
    Wrong(String),
    /// There was no whole answer.
    #[error("{0}")]
    NoAnswer(String),
}

/// A [`Fault::Wrong`].
pub(crate) fn wrong<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Wrong(text.into()))
}

/// What is measured while a check is made; what it holds when the check is given up counts.
#[derive(Debug)]
pub(crate) struct Trace {
    began: Instant,
    /// The last status.
    pub(crate) status: Option<u16>,
    /// From the beginning to the first byte of the first body.
    pub(crate) first_byte: Option<Duration>,
    /// Bytes of bodies.
    pub(crate) bytes: u64,
    /// Bytes that were proven by hash.
    pub(crate) verified: u64,
    /// What the last answer said of caches (RFC 9211).
    pub(crate) cache_status: Option<String>,
    /// What else is worth saying.
    pub(crate) note: Option<String>,
}

impl Trace {
    /// A trace that begins at this moment.
    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
            status: None,
            first_byte: None,
            bytes: 0,
            verified: 0,
            cache_status: None,
            note: None,
        }
    }

    /// How long it has taken.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A byte of a body came.
    pub(crate) fn byte_came(&mut self) {
        let elapsed = self.began.elapsed();
        self.first_byte.get_or_insert(elapsed);
    }
}

/// How one check ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    /// What was asked.
    #[serde(serialize_with = "word")]
    pub(crate) check: Check,
    /// In which lane.
    #[serde(serialize_with = "word")]
    pub(crate) lane: Lane,
    /// The gateway or node.
    pub(crate) target: String,
    /// The path, host or address that was asked.
    pub(crate) subject: String,
    /// How it ended.
    #[serde(serialize_with = "word")]
    pub(crate) verdict: Verdict,
    /// Whether bytes came that are not what was asked for.
    pub(crate) mismatch: bool,
    /// The last status.
    pub(crate) status: Option<u16>,
    /// Milliseconds to the first byte.
    pub(crate) ttfb_ms: Option<u64>,
    /// Milliseconds to the end.
    pub(crate) total_ms: u64,
    /// Bytes of bodies.
    pub(crate) bytes: u64,
    /// Bytes that were proven by hash.
    pub(crate) verified: u64,
    /// What the last answer said of caches.
    pub(crate) cache_status: Option<String>,
    /// Why it failed or was skipped, or what is worth saying.
    pub(crate) said: String,
}

impl Outcome {
    /// A check that was made.
    pub(crate) fn of(
        (check, lane): (Check, Lane),
        target: &str,
        trace: Trace,
        ended: Result<(), Fault>,
    ) -> Self {
        let total = trace.elapsed();
        let (verdict, mismatch, said) = match ended {
            Ok(()) => (Verdict::Pass, false, trace.note.unwrap_or_default()),
            Err(fault) => (Verdict::Fail, matches!(fault, Fault::Mismatch(_)), fault.to_string()),
        };
        Self {
            check,
            lane,
            target: target.to_owned(),
            subject: String::new(),
            verdict,
            mismatch,
            status: trace.status,
            ttfb_ms: trace.first_byte.map(millis),
            total_ms: millis(total),
            bytes: trace.bytes,
            verified: trace.verified,
            cache_status: trace.cache_status,
            said,
        }
    }

    /// A check that was not made.
    pub(crate) fn skipped((check, lane): (Check, Lane), target: &str, why: &str) -> Self {
        let skipped = Self::of((check, lane), target, Trace::begin(), Ok(()));
        Self { verdict: Verdict::Skipped, total_ms: 0, said: why.to_owned(), ..skipped }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn word<L: telemetry::metrics::Label, S: serde::Serializer>(
    label: &L,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(label.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_says_all_that_its_readers_know_it_by() {
        let mut trace = Trace::begin();
        trace.byte_came();
        let failed = Outcome::of(
            (Check::HttpPath, Lane::Warm),
            "g",
            trace,
            Err(Fault::Mismatch("x".into())),
        );
        assert!(failed.mismatch);
        let line = serde_json::to_value(&failed).expect("plain values");
        assert_eq!(
            (line["check"].as_str(), line["verdict"].as_str()),
            (Some("http.path"), Some("fail"))
        );
        for key in ["lane", "target", "status", "ttfb_ms", "total_ms", "bytes", "verified"] {
            assert!(line.get(key).is_some(), "{key}");
        }
        assert_eq!(line["said"], "wrong bytes: x");
        let skipped = Outcome::skipped((Check::HttpPath, Lane::Warm), "g", "no canary");
        assert_eq!((skipped.verdict, skipped.said.as_str()), (Verdict::Skipped, "no canary"));
    }
}
