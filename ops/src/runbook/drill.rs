//! What a page says about trying it out: a fault, an alert, and the query that has to name the fault.
//!
//! A page that was never tried is a guess. Faults are of a closed list, so that each is made for real
//! and a page that names another is refused where it stands.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub(crate) mod all;
mod trial;

pub(crate) use trial::{Faults, Ground};

use crate::findings::Verdict;
use crate::prometheus::PrometheusError;

/// How long it may take until a fleet is as if nothing had happened: what a fault left is remembered by
/// windows of hours, which a fleet in haste forgets in minutes.
const QUIET_WITHIN: Duration = Duration::from_secs(900);

/// What a page says about trying it out.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// Nothing on a machine of its own makes the alert fire; the page gives a reason.
    None,
    /// So.
    Of(Drill),
}

/// How a page is tried out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drill {
    /// What is broken.
    pub(crate) fault: Fault,
    /// Who asks meanwhile, of the faults that somebody has to feel.
    #[serde(default)]
    pub(crate) traffic: Traffic,
    /// How long it may take from the fault to the alert.
    #[serde(with = "humantime_text")]
    pub(crate) within: Duration,
    /// The query of the page that has to name the cause.
    pub(crate) query: String,
    /// What the value of at least one of its series has to be.
    pub(crate) answer: String,
}

mod humantime_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        humantime::parse_duration(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Plan;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("`none`, or a fault, a query and its answer")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Plan, E> {
                if text == "none" {
                    Ok(Plan::None)
                } else {
                    Err(E::custom("a drill is `none` or a map"))
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Plan, A::Error> {
                Drill::deserialize(MapAccessDeserializer::new(map))
                    .map(Plan::Of)
                    .map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Read)
    }
}

/// What a drill breaks. Those that disturb little come first: what one leaves behind is then nothing
/// that a later one is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// A gateway is told to read a config file that is not valid.
    RejectConfig,
    /// What a gateway's access log lies on takes no more bytes.
    LoseLog,
    /// A list of what may not be served is gone.
    LoseDenylist,
    /// A node's disk has less room than it has to leave.
    FillDisk,
    /// A node gets more requests than it may answer at a time.
    OverloadNode,
    /// A node gets the processor for moments only.
    SlowNode,
    /// All nodes do.
    SlowNodes,
    /// A node sends wrong bytes.
    CorruptNode,
    /// Content comes from a peer that is silent for longer than people wait.
    SlowPeer,
    /// A node is killed and cannot be started again.
    KillNode,
    /// A node is stopped, so that it is silent and not gone.
    StopNode,
    /// All nodes are stopped.
    StopNodes,
    /// A gateway gets more requests than it may answer at a time.
    Overload,
    /// What stands in front of a gateway changes its answers.
    CorruptFront,
    /// The probe is stopped.
    StopProbe,
    /// A gateway is stopped.
    StopGateway,
    /// A gateway is killed and cannot be started again.
    KillGateway,
}

/// Who asks while something is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Traffic {
    /// Somebody who opens content by its path.
    #[default]
    Gateway,
    /// A visitor of a website.
    Website,
    /// Somebody who opens content by a name of IPNS.
    Names,
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::RejectConfig => "reject-config",
            Self::LoseLog => "lose-log",
            Self::LoseDenylist => "lose-denylist",
            Self::FillDisk => "fill-disk",
            Self::OverloadNode => "overload-node",
            Self::SlowNode => "slow-node",
            Self::SlowNodes => "slow-nodes",
            Self::CorruptNode => "corrupt-node",
            Self::SlowPeer => "slow-peer",
            Self::KillNode => "kill-node",
            Self::StopNode => "stop-node",
            Self::StopNodes => "stop-nodes",
            Self::Overload => "overload",
            Self::CorruptFront => "corrupt-front",
            Self::StopProbe => "stop-probe",
            Self::StopGateway => "stop-gateway",
            Self::KillGateway => "kill-gateway",
        })
    }
}

/// Why a drill did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrillError {
    /// The page has none.
    #[error("{0} has no drill: name a fault, a query and its answer in its front matter")]
    NoDrill(String),
    /// The fault cannot be made.
    #[error("the fault {fault} could not be made: {text}")]
    Fault {
        /// Which.
        fault: Fault,
        /// Why.
        text: String,
    },
    /// The fault could not be taken back.
    #[error("the fault {fault} could not be taken back: {text}; stop the fleet and start it again")]
    Left {
        /// Which.
        fault: Fault,
        /// What is left.
        text: String,
    },
    /// Something is wrong before anything was broken.
    #[error(
        "before the fault, and still after {}: {what}",
        humantime::format_duration(QUIET_WITHIN)
    )]
    NotQuiet {
        /// What.
        what: String,
    },
    /// Somebody ended it.
    #[error("it was interrupted")]
    Interrupted,
    /// Prometheus cannot be asked.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// The alert did not fire.
    #[error("{alert} did not fire within {} of {fault}", humantime::format_duration(*.within))]
    Silent {
        /// The alert.
        alert: String,
        /// The fault.
        fault: Fault,
        /// How long was waited.
        within: Duration,
    },
    /// The page leads astray.
    #[error("the query {query:?} does not name the cause: none of its values is {answer}: {rows}")]
    Astray {
        /// Its id.
        query: String,
        /// What was expected.
        answer: String,
        /// What came.
        rows: String,
    },
    /// The day could not be written down.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// The page.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl DrillError {
    /// Whether the page is at fault, or there is no answer.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Silent { .. } | Self::Astray { .. } => Verdict::Findings,
            Self::NoDrill(_)
            | Self::Fault { .. }
            | Self::Left { .. }
            | Self::NotQuiet { .. }
            | Self::Interrupted
            | Self::Prometheus(_)
            | Self::Write { .. } => Verdict::CouldNotCheck,
        }
    }
}

#[cfg(test)]
mod tests;
