//! The file of the rota: people, schedules of layers, overrides and holidays.
//!
//! What cannot be read as a rota is one finding at its line; what can be read but does not hold
//! together is left to [`super::check`], which sees it all at once.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Deserializer};

use crate::findings::Finding;
use crate::locate::{self, Lines};

/// Longest file that is taken; the rota of a large company is a hundredth of it.
const BYTES_MAX: u64 = 1024 * 1024;

/// A rota, and where each part of it stands.
#[derive(Debug)]
pub(crate) struct Rota {
    /// The file, as the caller named it.
    pub(crate) path: PathBuf,
    /// Who can be on call.
    pub(crate) people: Vec<Person>,
    /// What they can be on call for.
    pub(crate) schedules: Vec<Schedule>,
    /// When somebody is away.
    pub(crate) holidays: Vec<Holiday>,
    pub(super) lines: Lines,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    people: Vec<Person>,
    schedules: Vec<Schedule>,
    #[serde(default)]
    holidays: Vec<Holiday>,
}

/// Somebody who can be on call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    /// The short name by which the rest of the file names them.
    pub(crate) handle: String,
    /// The name that people read.
    pub(crate) name: String,
    /// Where they live.
    pub(crate) tz: Zone,
    /// Where they are looked up, such as `pager:ada`: a reference, never a number or a secret.
    pub(crate) contact: String,
}

/// What somebody is always on call for. Alerts name it as `owner`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// Its name.
    pub(crate) name: String,
    /// What it is for, in one line.
    #[serde(default)]
    pub(crate) summary: String,
    /// Most hours that one person may have more than another within the weeks that are checked.
    /// Default 168, a week.
    #[serde(default = "a_week")]
    pub(crate) spread_hours_max: f64,
    /// Who takes which turn. Layers share the time among them and never overlap.
    pub(crate) layers: Vec<Layer>,
    /// Exceptions; they win over layers.
    #[serde(default)]
    pub(crate) overrides: Vec<Override>,
}

fn a_week() -> f64 {
    168.0
}

/// People who take turns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layer {
    /// Its name within the schedule.
    pub(crate) name: String,
    /// The zone of `handover`, `hours` and `days`.
    pub(crate) tz: Zone,
    /// How long a turn is.
    pub(crate) rotation: Rotation,
    /// The time of day at which turns change.
    #[serde(deserialize_with = "read")]
    pub(crate) handover: Time,
    /// The day of the first turn. Weekly turns change on its day of the week.
    #[serde(deserialize_with = "read")]
    pub(crate) start: Date,
    /// Handles, in the order of their turns.
    pub(crate) people: Vec<String>,
    /// The part of the day that this layer covers; all of it when absent.
    #[serde(default)]
    pub(crate) hours: Option<Hours>,
    /// The days of the week on which the covered part begins; all of them when empty.
    #[serde(default)]
    pub(crate) days: Vec<Day>,
}

/// How long a turn is. Days and weeks are those of the calendar: a day of 23 hours is a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rotation {
    /// A day.
    Daily,
    /// Seven days.
    Weekly,
}

impl Rotation {
    /// Its days.
    pub(crate) fn days(self) -> i64 {
        match self {
            Self::Daily => 1,
            Self::Weekly => 7,
        }
    }
}

/// A part of every day; it goes on into the next day when `to` is not after `from`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hours {
    /// When it begins.
    #[serde(deserialize_with = "read")]
    pub(crate) from: Time,
    /// When it ends.
    #[serde(deserialize_with = "read")]
    pub(crate) to: Time,
}

/// An exception: this person, whoever's turn it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Override {
    /// When it begins.
    pub(crate) from: Instant,
    /// When it ends; not part of it.
    pub(crate) to: Instant,
    /// The handle.
    pub(crate) person: String,
    /// Why, for those who read it later.
    #[serde(default, rename = "reason")]
    pub(crate) _reason: String,
}

/// Days on which somebody is away, both included, in the zone of the person.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Holiday {
    /// The handle.
    pub(crate) person: String,
    /// The first day.
    #[serde(deserialize_with = "read")]
    pub(crate) from: Date,
    /// The last day.
    #[serde(deserialize_with = "read")]
    pub(crate) to: Date,
}

/// A time zone of the IANA database, which is inside this program.
#[derive(Debug, Clone)]
pub(crate) struct Zone(pub(crate) TimeZone);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let zone = TimeZone::get(&name).map_err(|_| {
            serde::de::Error::custom(format!(
                "{name:?} is no time zone: write it as Europe/Berlin or UTC"
            ))
        })?;
        Ok(Self(zone))
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// The same day of the calendar.
    pub(crate) fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

/// A point in time: `2026-12-24T08:00:00Z` or `2026-12-24T09:00[Europe/Berlin]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let zoned = || text.parse::<Zoned>().map(|zoned| zoned.timestamp());
        text.parse::<Timestamp>().or_else(|_| zoned()).map(Self).map_err(|_| {
            format!(
                "{text:?} is no point in time: write it as 2026-12-24T08:00:00Z or \
                 2026-12-24T09:00[Europe/Berlin]"
            )
        })
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read(from)
    }
}

fn read<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let text = String::deserialize(from)?;
    text.parse().map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}")))
}

/// Why there is no rota.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotaError {
    /// The file cannot be read.
    #[error("could not read {}: {source}; name the rota with --rota FILE", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no rota.
    #[error("{0}")]
    Broken(Finding),
}

impl Rota {
    /// Reads a rota.
    ///
    /// # Errors
    /// As the variants of [`RotaError`] say.
    pub(crate) fn read(path: &Path) -> Result<Self, RotaError> {
        let failed = |source| RotaError::Read { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > BYTES_MAX {
            return Err(failed(std::io::Error::other(format!("it has {length} bytes"))));
        }
        Self::parse(path, &std::fs::read_to_string(path).map_err(failed)?)
    }

    /// Reads a rota from its text.
    ///
    /// # Errors
    /// [`RotaError::Broken`].
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, RotaError> {
        let written: Written = serde_yaml::from_str(text).map_err(|error| {
            RotaError::Broken(Finding::at(
                path,
                locate::of_error(&error, text),
                "yaml",
                error.to_string(),
            ))
        })?;
        let Written { people, schedules, holidays } = written;
        let lines = Lines::of(text);
        Ok(Self { path: path.to_owned(), people, schedules, holidays, lines })
    }

    /// The schedule of this name.
    pub(crate) fn schedule(&self, name: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.name == name)
    }

    /// The person of this handle.
    pub(crate) fn person(&self, handle: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.handle == handle)
    }
}
