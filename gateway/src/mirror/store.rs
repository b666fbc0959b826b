//! Where pairs, records of those that differ, and keys are kept; and the latest differences, for
//! whoever asks the process.

use std::collections::VecDeque;
use std::io;
use std::time::SystemTime;

use serde_json::Value;
use telemetry::pairs::{Bounds, Pair, Segments};

use super::config::Config;

/// Files that each kind of lines is divided into.
const FILES: usize = 8;
/// Differences that are held in memory.
const LATEST_MAX: usize = 64;

/// The latest differences, the newest first.
#[derive(Debug, Default)]
pub(super) struct Latest(VecDeque<Value>);

impl Latest {
    pub(super) fn push(&mut self, difference: Value) {
        self.0.truncate(LATEST_MAX - 1);
        self.0.push_front(difference);
    }

    pub(super) fn all(&self) -> Vec<Value> {
        self.0.iter().cloned().collect()
    }
}

/// Three kinds of lines in one folder; none where no folder is set.
#[derive(Debug, Default)]
pub(super) struct Store {
    files: Option<Files>,
}

#[derive(Debug)]
struct Files {
    pairs: Segments,
    differences: Segments,
    keys: Segments,
}

impl Store {
    /// Opens the folder of a configuration.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(config: &Config) -> io::Result<Self> {
        let Some(folder) = &config.dir else { return Ok(Self::default()) };
        let now = SystemTime::now();
        let open = |stem| Segments::open(folder, stem, bounds(config), now);
        let (pairs, differences, keys) = (open("pairs")?, open("differences")?, open("keys")?);
        Ok(Self { files: Some(Files { pairs, differences, keys }) })
    }

    /// Writes a pair, and what belongs to it.
    ///
    /// # Errors
    /// What the system says; the line may be lost.
    pub(super) fn write(
        &mut self,
        pair: &Pair,
        difference: Option<&Value>,
        key: Option<&Value>,
        now: SystemTime,
    ) -> io::Result<()> {
        let Some(files) = &mut self.files else { return Ok(()) };
        files.pairs.append(&serde_json::to_vec(pair)?, now)?;
        if let Some(difference) = difference {
            files.differences.append(&serde_json::to_vec(difference)?, now)?;
        }
        if let Some(key) = key {
            files.keys.append(&serde_json::to_vec(key)?, now)?;
        }
        Ok(())
    }

    /// Hands what was written to the system, and lets go what was kept for long enough.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn tidy(&mut self, config: &Config, now: SystemTime) -> io::Result<()> {
        let Some(files) = &mut self.files else { return Ok(()) };
        for lines in [&mut files.pairs, &mut files.differences, &mut files.keys] {
            lines.set_bounds(bounds(config));
            lines.tidy(now)?;
        }
        Ok(())
    }
}

fn bounds(config: &Config) -> Bounds {
    let file_bytes = config.keep_bytes.as_u64() / (FILES as u64 + 1);
    Bounds { file_bytes, files: FILES, keep: config.keep }
}

#[cfg(test)]
mod tests {
    use telemetry::pairs::{Side, VERSION};

    use super::*;

    /// Pairs that promote a release, of one class (`slo/mirror-verdict.yaml`).
    const PROMOTION: u64 = 529_830;

    #[test]
    fn by_default_more_pairs_are_kept_than_a_promotion_takes() {
        let side = Side {
            status: 200,
            cache: "network".into(),
            first_byte_us: 1_234_567,
            total_us: 2_345_678,
            bytes: 1_234_567,
            whole: true,
            build: Some(format!("0.1.0+{}", "a".repeat(40))),
        };
        let pair = Pair {
            v: VERSION,
            at_ms: 1_795_255_200_250,
            env: "production".into(),
            gateway: "bifrost-gateway-6d5f8c7b9-x2x4z".into(),
            key: "0123456789abcdef".into(),
            lane: "staging".into(),
            class: "verifiable".into(),
            format: "page".into(),
            production: side.clone(),
            staging: Some(side),
            failure: None,
            retried: false,
            unasked: 0,
            result: "same".into(),
            differences: Vec::new(),
        };
        let line = serde_json::to_vec(&pair).expect("a tree of plain values").len() as u64 + 1;
        let bounds = bounds(&Config::default());
        // Just after the oldest file went.
        let kept = bounds.file_bytes * bounds.files as u64 / line;
        assert!(kept > 5 * PROMOTION, "{kept} of {line} bytes");
    }
}
