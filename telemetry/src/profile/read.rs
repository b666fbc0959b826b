//! The one reader of stored profiles: compressed `profile.proto` as stacks of named functions.
//!
//! What it reads may be cut, corrupt or made by an enemy. How much a message holds is counted before it
//! is decoded, since empty messages take two bytes on the wire and far more in memory; every index is
//! checked, and a profile is read as a whole or refused.

mod scan;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;
use std::time::Duration;

use flate2::bufread::GzDecoder;
use pprof::protos::{Location, Message, Profile, ValueType};

/// Most compressed bytes of a profile.
pub const PACKED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of a profile.
pub const BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Most samples, and most of each thing that they refer to.
pub const ITEMS_MAX: usize = 1 << 20;
/// Most entries of lists within these: frames, values, labels and inlined functions.
pub const PARTS_MAX: usize = 1 << 22;
/// Most functions of one stack; what is deeper loses its callers.
pub const DEPTH_MAX: usize = 1024;
/// Most kinds of values.
const KINDS_MAX: usize = 16;
/// Longest text of a type or a comment: several may refer to one, and each is held by itself.
const TEXT_BYTES_MAX: usize = 4096;

/// Why a profile is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// More bytes than any profile has.
    #[error("it has more than {0} bytes")]
    TooLong(u64),
    /// It ends early, is no gzip, or its checksum is wrong.
    #[error("it is cut or corrupt: {0}")]
    Packed(String),
    /// Something follows its end.
    #[error("{0} bytes follow its end")]
    Trailing(usize),
    /// It is no message of `profile.proto`.
    #[error("it is no profile: {0}")]
    Malformed(String),
    /// More of something than any profile has.
    #[error("it has more than {max} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The most that is read.
        max: usize,
    },
    /// It refers to something that is not there.
    #[error("a {what} refers to a {to} that is not there")]
    Dangling {
        /// What refers.
        what: &'static str,
        /// To what.
        to: &'static str,
    },
    /// It says not what it counts.
    #[error("it has no types of samples")]
    NoTypes,
    /// A sample has not one value for each type.
    #[error("a sample has {has} values, and there are {types} types")]
    Values {
        /// Its values.
        has: usize,
        /// The types.
        types: usize,
    },
}

/// What a value counts, such as `cpu` in `nanoseconds`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// What is counted.
    pub what: String,
    /// In which unit.
    pub unit: String,
}

/// One stack and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Places in [`Stacks::functions`], the innermost first; at most [`DEPTH_MAX`].
    pub frames: Vec<u32>,
    /// How many of the innermost frames were inlined into the one that follows them.
    pub inlined: usize,
    /// A value for each of [`Stacks::counted`].
    pub values: Vec<i64>,
}

/// A profile that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stacks {
    /// What the values count; at least one.
    pub counted: Vec<Counted>,
    /// The place in `counted` of what is shown unless told otherwise.
    pub shown: usize,
    /// Names of functions, each once. They are as the profile has them: not to be trusted in a page.
    pub functions: Vec<String>,
    /// The stacks.
    pub stacks: Vec<Stack>,
    /// How long was sampled, if it says so.
    pub duration: Option<Duration>,
    /// What it says of itself, such as the build.
    pub comments: Vec<String>,
}

impl Stacks {
    /// Samples that were taken: the sum of what is counted in `count`, or else the stacks.
    #[must_use]
    pub fn samples(&self) -> u64 {
        let Some(place) = self.counted.iter().position(|one| one.unit == "count") else {
            return self.stacks.len() as u64;
        };
        let values = self.stacks.iter().map(|stack| stack.values[place]);
        values.fold(0, |sum, value| sum.saturating_add(u64::try_from(value).unwrap_or(0)))
    }

    /// The sum of the values that are shown.
    #[must_use]
    pub fn total(&self) -> i64 {
        let values = self.stacks.iter().map(|stack| stack.values[self.shown]);
        values.fold(0, i64::saturating_add)
    }
}

/// Reads a compressed profile.
///
/// # Errors
/// As the variants of [`ReadError`] say; nothing is read then.
pub fn read(packed: &[u8]) -> Result<Stacks, ReadError> {
    let bytes = unpack(packed)?;
    scan::scan(&bytes)?;
    let decoded = Profile::decode(bytes.as_slice());
    let profile = decoded.map_err(|error| ReadError::Malformed(error.to_string()))?;
    drop(bytes);
    resolve(&profile)
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, ReadError> {
    if packed.len() > PACKED_BYTES_MAX {
        return Err(ReadError::TooLong(PACKED_BYTES_MAX as u64));
    }
    let (mut bytes, mut rest) = (Vec::new(), packed);
    let mut unpacking = GzDecoder::new(&mut rest).take(BYTES_MAX + 1);
    let read = unpacking.read_to_end(&mut bytes);
    read.map_err(|error| ReadError::Packed(error.to_string()))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(ReadError::TooLong(BYTES_MAX));
    }
    if rest.is_empty() { Ok(bytes) } else { Err(ReadError::Trailing(rest.len())) }
}

fn resolve(profile: &Profile) -> Result<Stacks, ReadError> {
    let texts = Texts(&profile.string_table);
    let counted = counted(profile, &texts)?;
    let default = texts.get(profile.default_sample_type, "default type")?;
    let named = counted.iter().position(|one| !default.is_empty() && one.what == default);
    let shown = named.unwrap_or(counted.len() - 1);
    let mut names = Names::default();
    let places = places(profile, &texts, &mut names)?;
    let mut stacks = Vec::with_capacity(profile.sample.len());
    let mut parts = 0;
    for sample in &profile.sample {
        if sample.value.len() != counted.len() {
            let (has, types) = (sample.value.len(), counted.len());
            return Err(ReadError::Values { has, types });
        }
        let (mut frames, mut inlined) = (Vec::new(), 0);
        for id in &sample.location_id {
            let dangling = ReadError::Dangling { what: "sample", to: "location" };
            let place = places.get(id).ok_or(dangling)?;
            let room = DEPTH_MAX - frames.len();
            if frames.is_empty() {
                inlined = place.len().min(room).saturating_sub(1);
            }
            frames.extend(place.iter().take(room));
        }
        parts += frames.len();
        if parts > PARTS_MAX {
            return Err(ReadError::TooMany { what: "frames", max: PARTS_MAX });
        }
        stacks.push(Stack { frames, inlined, values: sample.value.clone() });
    }
    let comments = profile.comment.iter().take(KINDS_MAX);
    let comments = comments.map(|index| texts.short(*index, "comment"));
    let nanos = u64::try_from(profile.duration_nanos).ok().filter(|nanos| *nanos > 0);
    Ok(Stacks {
        counted,
        shown,
        functions: names.list,
        stacks,
        duration: nanos.map(Duration::from_nanos),
        comments: comments.collect::<Result<_, _>>()?,
    })
}

fn counted(profile: &Profile, texts: &Texts<'_>) -> Result<Vec<Counted>, ReadError> {
    if profile.sample_type.is_empty() {
        return Err(ReadError::NoTypes);
    }
    if profile.sample_type.len() > KINDS_MAX {
        return Err(ReadError::TooMany { what: "types of samples", max: KINDS_MAX });
    }
    let one = |kind: &ValueType| {
        let what = texts.short(kind.ty, "type of samples")?;
        Ok(Counted { what, unit: texts.short(kind.unit, "type of samples")? })
    };
    profile.sample_type.iter().map(one).collect()
}

/// The functions of every location, the innermost first.
fn places(
    profile: &Profile,
    texts: &Texts<'_>,
    names: &mut Names,
) -> Result<HashMap<u64, Vec<u32>>, ReadError> {
    let mut functions = HashMap::with_capacity(profile.function.len());
    // Many functions may have one name, and it may be long: it is looked up once.
    let mut known = HashMap::new();
    for function in &profile.function {
        let place = match known.entry(function.name) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(place) => {
                *place.insert(names.place(texts.get(function.name, "function")?))
            }
        };
        functions.insert(function.id, place);
    }
    let mut places = HashMap::with_capacity(profile.location.len());
    for location in &profile.location {
        places.insert(location.id, lines(location, &functions, names)?);
    }
    Ok(places)
}

fn lines(
    location: &Location,
    functions: &HashMap<u64, u32>,
    names: &mut Names,
) -> Result<Vec<u32>, ReadError> {
    if location.line.is_empty() {
        // Code without debug information is told apart by where it lies.
        return Ok(vec![names.place(&format!("{:#x}", location.address))]);
    }
    let dangling = ReadError::Dangling { what: "location", to: "function" };
    let found = location.line.iter().map(|line| functions.get(&line.function_id).copied());
    found.collect::<Option<_>>().ok_or(dangling)
}

/// The table of texts.
struct Texts<'a>(&'a [String]);

impl Texts<'_> {
    /// A text; zero is the empty one, also where there is no table.
    fn get(&self, index: i64, what: &'static str) -> Result<&str, ReadError> {
        let found = usize::try_from(index).ok().and_then(|index| self.0.get(index));
        match found {
            Some(text) => Ok(text),
            None if index == 0 => Ok(""),
            None => Err(ReadError::Dangling { what, to: "text" }),
        }
    }

    /// A text of which there may be a copy for each who refers to it.
    fn short(&self, index: i64, what: &'static str) -> Result<String, ReadError> {
        let text = self.get(index, what)?;
        if text.len() > TEXT_BYTES_MAX {
            let what = "bytes in a type or comment";
            return Err(ReadError::TooMany { what, max: TEXT_BYTES_MAX });
        }
        Ok(text.to_owned())
    }
}

/// Names, each held once.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    known: HashMap<String, u32>,
}

impl Names {
    fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.known.get(name) {
            return *place;
        }
        let place = u32::try_from(self.list.len()).expect("functions and locations are counted");
        self.list.push(name.to_owned());
        self.known.insert(name.to_owned(), place);
        place
    }
}

#[cfg(test)]
mod tests;
