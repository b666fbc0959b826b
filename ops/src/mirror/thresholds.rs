//! `slo/mirror-verdict.yaml`: what a release has to show, written down before it is measured.
//!
//! The file's hash is part of every verdict, so that anybody can check that it was not written afterwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use super::MirrorError;
use super::observed::{Body, Cache, Class};

/// The thresholds that come with this program.
const DEFAULT: &str = include_str!("../../../slo/mirror-verdict.yaml");
/// What they are called.
const DEFAULT_NAME: &str = "slo/mirror-verdict.yaml, as built in";

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thresholds {
    version: String,
    /// How many pairs it takes.
    pub(crate) pairs: Pairs,
    /// Probabilities of errors.
    pub(crate) chances: Chances,
    /// Answers that differ.
    pub(crate) mismatches: Mismatches,
    /// Failures of one side.
    pub(crate) outcomes: Bounds,
    /// Times.
    pub(crate) latency: Latency,
    /// Processor and memory by request.
    pub(crate) resources: Resources,
    /// Production against itself.
    pub(crate) again: Again,
    /// Where they were read from.
    #[serde(skip)]
    pub(crate) name: String,
    /// SHA-256 of the file, in hex.
    #[serde(skip)]
    pub(crate) sha256: String,
}

/// How many pairs it takes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pairs {
    /// Before anything is promoted.
    pub(crate) all: u64,
    /// Before the latency of a stratum is judged.
    pub(crate) stratum: u64,
    /// Beyond a quantile, before that is judged.
    pub(crate) beyond: u64,
    /// From the first to the last.
    #[serde(deserialize_with = "duration")]
    pub(crate) span: Duration,
}

/// Probabilities of errors, over all looks.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chances {
    /// Of promoting what is worse than a margin.
    pub(crate) promote: f64,
    /// Of rejecting what is as good.
    pub(crate) reject: Rejecting,
    /// Pairs at which bounds of latency are narrowest.
    pub(crate) tuned_for: f64,
}

/// Probabilities of false rejections.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rejecting {
    /// By outcomes.
    pub(crate) outcomes: f64,
    /// By latency, of all strata.
    pub(crate) latency: f64,
    /// By resources.
    pub(crate) resources: f64,
}

/// Answers that differ.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mismatches {
    /// Classes of which one is a rejection.
    pub(crate) classes: Vec<Class>,
    /// What share of such answers has to be excluded to promote.
    pub(crate) rarer_than: f64,
}

/// What is tolerated, and below what a criterion passes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bounds {
    /// Surely more than this fails.
    pub(crate) tolerate: f64,
    /// Surely less than this passes.
    pub(crate) margin: f64,
}

/// Times.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Latency {
    /// Bodies that are large.
    pub(crate) large: ByteSize,
    /// Which quantiles.
    pub(crate) quantiles: Vec<f64>,
    /// Their shares of the chance of a false rejection.
    pub(crate) weights: Vec<f64>,
    /// How much slower is tolerated, as a share.
    pub(crate) tolerate: f64,
    /// And in microseconds.
    pub(crate) tolerate_us: f64,
    /// Microseconds that margins have beside their shares.
    pub(crate) margin_us: f64,
    /// What is judged on its own.
    pub(crate) strata: Vec<Stratum>,
}

/// Pairs that are judged on their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stratum {
    /// Where both answers came from.
    pub(crate) cache: Cache,
    /// Their size.
    pub(crate) body: Body,
    /// Its share of the chance of a false rejection.
    pub(crate) weight: f64,
    /// Whether nothing is promoted before it passes.
    pub(crate) required: bool,
    /// How much slower is too slow, as a share, for each quantile.
    pub(crate) margins: Vec<f64>,
}

impl Stratum {
    /// As pages call it.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.cache.word(), self.body.word())
    }
}

/// Processor and memory by request.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resources {
    /// Whether nothing is promoted without them.
    pub(crate) required: bool,
    /// Processor time.
    pub(crate) cpu: Bounds,
    /// Bytes allocated.
    pub(crate) bytes: Bounds,
}

/// Production against itself.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    /// Whether nothing is promoted while it fails.
    pub(crate) blocks: bool,
}

fn duration<'a, D: Deserializer<'a>>(from: D) -> Result<Duration, D::Error> {
    humantime::parse_duration(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

impl Thresholds {
    /// Those of a file, or those that are built in.
    ///
    /// # Errors
    /// `Thresholds` when the file cannot be read, is none, or contradicts itself.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, MirrorError> {
        let Some(path) = file else {
            return Self::parse(DEFAULT, DEFAULT_NAME);
        };
        let wrong = |problem: String| MirrorError::Thresholds { path: path.to_owned(), problem };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads thresholds.
    ///
    /// # Errors
    /// As [`Self::load`] has them.
    pub(crate) fn parse(text: &str, name: &str) -> Result<Self, MirrorError> {
        let wrong = |problem| MirrorError::Thresholds { path: PathBuf::from(name), problem };
        let mut read: Self =
            serde_yaml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        read.check().map_err(wrong)?;
        name.clone_into(&mut read.name);
        read.sha256 = hex::encode(Sha256::digest(text.as_bytes()));
        Ok(read)
    }

    /// What the first contradiction is.
    fn check(&self) -> Result<(), String> {
        if self.version != "bifrost/v1" {
            return Err(format!("version {:?} is not `bifrost/v1`", self.version));
        }
        let reject = self.chances.reject;
        for (name, chance) in [
            ("chances.promote", self.chances.promote),
            ("chances.reject.outcomes", reject.outcomes),
            ("chances.reject.latency", reject.latency),
            ("chances.reject.resources", reject.resources),
            ("mismatches.rarer_than", self.mismatches.rarer_than),
        ] {
            if !(chance > 0.0 && chance < 0.5) {
                return Err(format!("{name} is {chance}, and has to be between 0 and 0.5"));
            }
        }
        if self.mismatches.classes.is_empty() {
            return Err("mismatches.classes is empty: no difference would be found".to_owned());
        }
        if self.pairs.all < self.pairs.stratum {
            let (all, stratum) = (self.pairs.all, self.pairs.stratum);
            return Err(format!("pairs.all is {all}, and a stratum alone needs {stratum}"));
        }
        if self.pairs.stratum < 300 || self.pairs.beyond < 30 {
            return Err(
                "pairs.stratum below 300 or pairs.beyond below 30: bounds of latency do not \
                        hold for so few"
                    .to_owned(),
            );
        }
        if !self.chances.tuned_for.is_finite() || self.chances.tuned_for < 100.0 {
            return Err("chances.tuned_for has to be 100 or more".to_owned());
        }
        bounds("outcomes", self.outcomes)?;
        bounds("resources.cpu", self.resources.cpu)?;
        bounds("resources.bytes", self.resources.bytes)?;
        self.latency.check()
    }

    /// The chance of a false rejection that a quantile of a stratum has.
    pub(crate) fn chance(&self, stratum: &Stratum, quantile: usize) -> f64 {
        let latency = &self.latency;
        let strata: f64 = latency.strata.iter().map(|one| one.weight).sum();
        let quantiles: f64 = latency.weights.iter().sum();
        self.chances.reject.latency * stratum.weight / strata * latency.weights[quantile]
            / quantiles
    }
}

impl Latency {
    fn check(&self) -> Result<(), String> {
        if self.quantiles.is_empty() || self.quantiles.len() != self.weights.len() {
            return Err("latency.quantiles and latency.weights have to be as many, and some".into());
        }
        for quantile in &self.quantiles {
            if !(*quantile >= 0.01 && *quantile <= 0.999) {
                return Err(format!("latency.quantiles has {quantile}: from 0.01 to 0.999"));
            }
        }
        if !self.weights.iter().copied().all(is_weight) {
            return Err("latency.weights: each has to be above 0".to_owned());
        }
        if !(self.tolerate_us >= 0.0 && self.margin_us >= self.tolerate_us) {
            return Err(
                "latency.margin_us is below latency.tolerate_us, or that is negative".into()
            );
        }
        for (place, stratum) in self.strata.iter().enumerate() {
            let name = stratum.name();
            let same = |one: &Stratum| (one.cache, one.body) == (stratum.cache, stratum.body);
            if self.strata[..place].iter().any(same) {
                return Err(format!("latency.strata has `{name}` twice"));
            }
            if stratum.margins.len() != self.quantiles.len() {
                return Err(format!("stratum `{name}` has not one margin for each quantile"));
            }
            if !is_weight(stratum.weight) {
                return Err(format!("stratum `{name}` needs a weight above 0"));
            }
            for margin in &stratum.margins {
                let both = Bounds { tolerate: self.tolerate, margin: *margin };
                bounds(&format!("stratum `{name}`"), both)?;
            }
        }
        if !self.strata.iter().any(|stratum| stratum.required) {
            return Err("no stratum of latency is required: a slow release would pass".to_owned());
        }
        Ok(())
    }
}

fn is_weight(weight: f64) -> bool {
    weight.is_finite() && weight > 0.0
}

fn bounds(name: &str, bounds: Bounds) -> Result<(), String> {
    let Bounds { tolerate, margin } = bounds;
    if !(tolerate >= 0.0 && tolerate.is_finite() && margin.is_finite() && margin > 0.0) {
        return Err(format!("{name}: tolerate has to be 0 or more, and the margin above 0"));
    }
    if margin < tolerate {
        return Err(format!(
            "{name}: margin {margin} is below tolerate {tolerate}, and between them a release would \
             neither pass nor fail, ever"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_that_are_built_in_agree_with_themselves() {
        let built_in = Thresholds::load(None).expect("they are checked here");
        assert_eq!(built_in.sha256.len(), 64);
        let reject = built_in.chances.reject;
        assert!(reject.outcomes + reject.latency + reject.resources <= 0.01);
        let mut shared = 0.0;
        for stratum in &built_in.latency.strata {
            for quantile in 0..3 {
                shared += built_in.chance(stratum, quantile);
            }
        }
        assert!((shared - reject.latency).abs() < 1e-12, "{shared}");
    }

    #[test]
    fn contradictions_are_refused_with_a_sentence() {
        for (from, to, said) in [
            ("bifrost/v1", "bifrost/v2", "is not `bifrost/v1`"),
            ("promote: 0.005", "promote: 0", "chances.promote is 0"),
            ("margin: 0.0005", "margin: 0.0001", "neither pass nor fail"),
            ("classes: [verifiable]", "classes: []", "no difference would be found"),
            ("classes: [verifiable]", "classes: [all]", "unknown variant"),
            ("all: 5000 ", "all: 500 ", "a stratum alone needs 3000"),
            ("stratum: 3000", "stratum: 10", "do not hold for so few"),
            ("weights: [6, 3, 1]", "weights: [6, 3]", "as many"),
            ("margins: [0.04, 0.10, 0.30]", "margins: [0.04]", "one margin for each quantile"),
            ("margins: [0.04, 0.10", "margins: [0.001, 0.10", "neither pass nor fail"),
            ("required: true", "required: false", "no stratum of latency is required"),
            ("cache: pool, body: small", "cache: hit, body: small", "twice"),
            ("again:", "agian:", "unknown field"),
            ("tolerate_us: 2", "tolerate_us: .nan", "margin_us"),
        ] {
            let text = DEFAULT.replace(from, to);
            assert_ne!(text, DEFAULT, "{from}");
            let error = Thresholds::parse(&text, "file.yaml").expect_err(to).to_string();
            assert!(error.contains(said) && error.contains("file.yaml"), "{to}: {error}");
        }
    }
}
