//! What is copied to staging, and within which bounds.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most answers of staging that may be waited for at once: each has a connection of its own.
const CONCURRENCY_MAX: usize = 1024;
/// Longest queue: an entry has about two kilobytes.
const QUEUE_MAX: usize = 64 * 1024;

/// The copy of requests that staging gets. All but `queue` and `dir` can be reloaded, and set by
/// `PUT /mirror` of the admin listener until the next reload.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The gateway that gets copies, as `http://host:port`. Default none: nothing is copied. TLS is
    /// spoken to `https://`; the certificate has to be one that the public trusts.
    pub to: Option<String>,
    /// The share of keys that is copied, from 0 to 1; a key is a content path, form and range.
    /// Default 1.
    pub fraction: f64,
    /// What the choice of keys depends on: gateways with the same seed choose the same keys. Default
    /// `bifrost`.
    pub seed: String,
    /// Most requests a second. Default 2500. A twentieth of it is kept for each of the places that
    /// bytes come from, so that what is rare is not crowded out.
    pub requests_per_second: f64,
    /// Most bytes a second of staging's answers. Default 64 MiB.
    #[schemars(with = "telemetry::config::SizeText")]
    pub bytes_per_second: ByteSize,
    /// Most requests a second for content that production did not have either, which staging looks for
    /// in the network. Default 20.
    pub fetches_per_second: f64,
    /// Copies that may wait; a further one is dropped and counted. Default 2048. Takes a restart.
    pub queue: usize,
    /// Answers of staging that are waited for at once. Default 64.
    pub concurrency: usize,
    /// How much of a body is hashed and compared. Default 16 MiB.
    #[schemars(with = "telemetry::config::SizeText")]
    pub compare_bytes: ByteSize,
    /// Longest wait for the head of staging's answer. Default 35 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub head_timeout: Duration,
    /// Longest silence within its body. Default 5 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub stall_timeout: Duration,
    /// Longest time of its whole answer. Default 60 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub timeout: Duration,
    /// Failures in a row after which staging is left alone for `pause`; then one request tries it
    /// again. Default 16.
    pub unhealthy_after: u32,
    /// Answers in a row whose bytes are wrong after which it is left alone as well: enough to reject it, and each
    /// costs a record and, of who lies, mostly a connection. Default 256.
    pub wrong_after: u32,
    /// How long it is left alone. Default 10 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub pause: Duration,
    /// How long after a failure, which counts, staging is asked once more, so that its answer can be
    /// compared. Default 5 s. Zero asks once.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub retry_after: Duration,
    /// The share of names' requests for which this gateway itself is asked a second time: how often
    /// two answers differ without any change of build. Default 0.01.
    pub again: f64,
    /// The folder for pairs of answers, for records of those that differ and for keys. Default none:
    /// only metrics are kept. Takes a restart.
    pub dir: Option<PathBuf>,
    /// Whether the requests that were copied are kept for `bifrost mirror replay`, in clear text.
    /// Default true.
    pub keys: bool,
    /// How long pairs, records and keys are kept. Default 24 h.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub keep: Duration,
    /// Most bytes of each of the three. Default 2 GiB, which holds some four million pairs: a verdict
    /// takes half a million whose bytes can be checked, and an hour of them.
    #[schemars(with = "telemetry::config::SizeText")]
    pub keep_bytes: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            to: None,
            fraction: 1.0,
            seed: "bifrost".to_owned(),
            requests_per_second: 2500.0,
            bytes_per_second: ByteSize::mib(64),
            fetches_per_second: 20.0,
            queue: 2048,
            concurrency: 64,
            compare_bytes: ByteSize::mib(16),
            head_timeout: Duration::from_secs(35),
            stall_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            unhealthy_after: 16,
            wrong_after: 256,
            pause: Duration::from_secs(10),
            retry_after: Duration::from_secs(5),
            again: 0.01,
            dir: None,
            keys: true,
            keep: Duration::from_secs(24 * 3600),
            keep_bytes: ByteSize::gib(2),
        }
    }
}

impl Config {
    /// Says what is wrong, if anything.
    ///
    /// # Errors
    /// A text that names the key and what to mend.
    pub fn check(&self) -> Result<(), String> {
        self.staging()?;
        for (key, share) in [("fraction", self.fraction), ("again", self.again)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("mirror.{key} is {share}: a share is from 0 to 1"));
            }
        }
        for (key, rate) in [
            ("requests_per_second", self.requests_per_second),
            ("fetches_per_second", self.fetches_per_second),
        ] {
            if !(0.0..=1e9).contains(&rate) {
                return Err(format!("mirror.{key} is {rate}: give a rate of 0 or more"));
            }
        }
        for (key, number, max) in
            [("queue", self.queue, QUEUE_MAX), ("concurrency", self.concurrency, CONCURRENCY_MAX)]
        {
            if number == 0 || number > max {
                return Err(format!("mirror.{key} is {number}: give 1 to {max}"));
            }
        }
        for (key, time) in [
            ("head_timeout", self.head_timeout),
            ("stall_timeout", self.stall_timeout),
            ("timeout", self.timeout),
            ("pause", self.pause),
            ("keep", self.keep),
        ] {
            if time.is_zero() {
                return Err(format!("mirror.{key} must not be zero"));
            }
        }
        Ok(())
    }

    /// Where copies go, if they go anywhere.
    pub(super) fn staging(&self) -> Result<Option<Uri>, String> {
        let Some(url) = &self.to else { return Ok(None) };
        let wrong = |what| format!("mirror.to {url:?}: {what}; write it as http://host:port");
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        match uri.scheme_str() {
            Some("http" | "https") if uri.host().is_some() => {}
            Some(_) | None => return Err(wrong("the scheme must be http or https")),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("it must have no path"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("it must have no password"));
        }
        Ok(Some(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_key() {
        type Change = fn(&mut Config);
        let wrong: [(&str, Change); 8] = [
            ("mirror.to", |config| config.to = Some("staging:8080".into())),
            ("mirror.to", |config| config.to = Some("http://a/path".into())),
            ("mirror.to", |config| config.to = Some("http://u:p@a".into())),
            ("mirror.fraction", |config| config.fraction = 1.5),
            ("mirror.again", |config| config.again = f64::NAN),
            ("mirror.requests_per_second", |config| config.requests_per_second = -1.0),
            ("mirror.queue", |config| config.queue = 0),
            ("mirror.pause", |config| config.pause = Duration::ZERO),
        ];
        assert!(Config::default().check().is_ok());
        for (key, change) in wrong {
            let mut config = Config::default();
            change(&mut config);
            let said = config.check().expect_err(key);
            assert!(said.starts_with(key), "{said}");
        }
    }
}
