//! A pair as statistics need it: numbers, and words from short lists.
//!
//! Some fifty bytes each, so that millions fit into memory: what is claimed to hold however often one
//! looks has to be computed from all pairs, not from a sample of them.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use serde::{Deserialize, Serialize};
use telemetry::pairs::{Pair, Side};

/// A word that is one of a closed list, with all of them in order.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
        pub(crate) enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As pairs and pages have it.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// Which second answer it is.
    Lane {
        /// Staging's.
        Staging = "staging",
        /// Production's, asked a second time.
        Again = "again",
    }
}

words! {
    /// How far answers can be compared.
    Class {
        /// By the hash that the request names.
        Verifiable = "verifiable",
        /// By what a template makes of content.
        Rendered = "rendered",
        /// While a name leads to one place.
        Mutable = "mutable",
        /// By rates alone.
        Network = "network",
    }
}

words! {
    /// What the comparison came to.
    Compared {
        /// They agree.
        Same = "same",
        /// They do not.
        Different = "different",
        /// A name led elsewhere.
        Moved = "moved",
        /// Only rates of outcomes can be compared.
        Rates = "rates",
    }
}

words! {
    /// Where bytes came from.
    Cache {
        /// The gateway's own.
        Hit = "hit",
        /// A node of the pool.
        Pool = "pool",
        /// Peers.
        Network = "network",
    }
}

words! {
    /// How much a body holds.
    Body {
        /// Less than the threshold.
        Small = "small",
        /// As much or more.
        Large = "large",
    }
}

/// The build of pairs that do not say which it was.
pub(crate) const NO_BUILD: u16 = u16::MAX;

/// One pair.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// When it was, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// What was asked for.
    pub(crate) key: u64,
    /// Which second answer it is.
    pub(crate) lane: Lane,
    /// How far answers can be compared.
    pub(crate) class: Class,
    /// What the comparison came to.
    pub(crate) compared: Compared,
    /// Differences, as bits by their place in [`Words`].
    pub(crate) differences: u32,
    /// The form that was asked for, by its place in [`Words`].
    pub(crate) form: u8,
    /// Why staging gave no whole answer, by its place in [`Words`], where it did not.
    pub(crate) failure: Option<u8>,
    /// Whether production's answer and staging's, as they are compared, are no failures.
    pub(crate) good: (bool, bool),
    /// Whether staging failed first, and what is compared is its second answer.
    pub(crate) retried: bool,
    /// Where both answers came from, when that is one and known.
    pub(crate) cache: Option<Cache>,
    /// Bytes of production's body.
    pub(crate) bytes: u64,
    /// Microseconds to the heads.
    pub(crate) first_us: (u32, u32),
    /// Microseconds to the last bytes.
    pub(crate) total_us: (u32, u32),
    /// Requests before it that were not copied, since staging was left alone.
    pub(crate) unasked: u32,
    /// Staging's build, by its place in a list.
    pub(crate) build: u16,
    /// The gateway that wrote it, likewise.
    pub(crate) gateway: u16,
}

/// Which of a closed list a word is.
fn one_of<T: Copy>(all: &[T], word: fn(T) -> &'static str, said: &str) -> Option<T> {
    all.iter().copied().find(|one| word(*one) == said)
}

/// Hashes that are the same in every run.
type Fixed = BuildHasherDefault<DefaultHasher>;

/// A number for something, the same in every run.
pub(crate) fn hashed(what: impl std::hash::Hash) -> u64 {
    Fixed::default().hash_one(what)
}

impl Observed {
    /// Reduces a pair.
    ///
    /// # Errors
    /// A sentence, when a word of it is none of those that there are.
    pub(crate) fn of(pair: &Pair, words: &mut Dictionary) -> Result<Self, String> {
        let unknown =
            |what: &str, word: &str| format!("{what} `{}` is not known", word.escape_debug());
        let staging = pair.staging.as_ref();
        let both = |us: fn(&Side) -> u64| {
            let narrow = |us: u64| u32::try_from(us).unwrap_or(u32::MAX);
            (narrow(us(&pair.production)), staging.map_or(0, |side| narrow(us(side))))
        };
        let cache = staging
            .filter(|side| side.cache == pair.production.cache)
            .and_then(|side| one_of(Cache::ALL, Cache::word, &side.cache));
        let mut differences = 0;
        for word in &pair.differences {
            differences |= 1 << words.differences.place(word);
        }
        Ok(Self {
            at_ms: pair.at_ms,
            key: hashed(&pair.key),
            lane: one_of(Lane::ALL, Lane::word, &pair.lane)
                .ok_or_else(|| unknown("lane", &pair.lane))?,
            class: one_of(Class::ALL, Class::word, &pair.class)
                .ok_or_else(|| unknown("class", &pair.class))?,
            compared: one_of(Compared::ALL, Compared::word, &pair.result)
                .ok_or_else(|| unknown("result", &pair.result))?,
            differences,
            form: words.forms.place(&pair.format),
            failure: pair.failure.as_ref().map(|word| words.failures.place(word)),
            good: (pair.production.is_good(), staging.is_some_and(Side::is_good)),
            retried: pair.retried,
            unasked: u32::try_from(pair.unasked).unwrap_or(u32::MAX),
            cache,
            bytes: pair.production.bytes,
            first_us: both(|side| side.first_byte_us),
            total_us: both(|side| side.total_us),
            build: NO_BUILD,
            gateway: 0,
        })
    }
}

/// The words of open lists.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// In what answers differ.
    pub(crate) differences: Words,
    /// Forms of content.
    pub(crate) forms: Words,
    /// Why there is no whole answer.
    pub(crate) failures: Words,
}

/// Words by the order in which they were first seen; the last place is for all that are too many.
#[derive(Debug, Default)]
pub(crate) struct Words {
    list: Vec<String>,
    places: HashMap<String, u8>,
}

/// As many as a set of bits holds.
const WORDS_MAX: u8 = 32;
/// Most characters of a word that are shown.
const WORD_MAX: usize = 80;

impl Words {
    /// The place of a word.
    pub(crate) fn place(&mut self, word: &str) -> u8 {
        if let Some(place) = self.places.get(word) {
            return *place;
        }
        let place = u8::try_from(self.list.len()).unwrap_or(WORDS_MAX).min(WORDS_MAX - 1);
        if place < WORDS_MAX - 1 {
            self.places.insert(word.to_owned(), place);
            // A word names a header that staging chose.
            self.list.push(word.escape_debug().take(WORD_MAX).collect());
        }
        place
    }

    /// The word of a place.
    pub(crate) fn at(&self, place: u8) -> &str {
        self.list.get(usize::from(place)).map_or("other", String::as_str)
    }

    /// The words of a set of bits.
    pub(crate) fn of(&self, bits: u32) -> impl Iterator<Item = &str> {
        (0..WORDS_MAX).filter(move |place| bits & (1 << place) != 0).map(|place| self.at(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beyond_the_last_place_share_it() {
        let mut words = Words::default();
        let places: Vec<u8> = (0..100).map(|n| words.place(&format!("header:{n}"))).collect();
        assert_eq!(places[30..34], [30, 31, 31, 31]);
        assert_eq!(words.place("header:3"), 3);
        let both: Vec<&str> = words.of(1 << 3 | 1 << 31).collect();
        assert_eq!(both, ["header:3", "other"]);
    }

    #[test]
    fn words_of_closed_lists_are_read_as_they_are_written() {
        for class in Class::ALL {
            assert_eq!(one_of(Class::ALL, Class::word, class.word()), Some(*class));
        }
        assert_eq!(one_of(Lane::ALL, Lane::word, "other"), None);
    }
}
