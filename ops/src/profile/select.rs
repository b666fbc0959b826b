//! Which profiles are meant: terms such as `role=gateway date=2026-11-21`, joined by AND.
//!
//! A term without a sign is a key, or the beginning of a hash.

use super::entry::{Entry, Set};
use super::error::ProfileError;

/// The names of terms, in the order in which they are explained.
const NAMES: [&str; 10] =
    ["date", "env", "role", "node", "build", "kind", "trigger", "set", "key", "sha256"];
/// Fewest letters of a hash.
const HASH_CHARS_MIN: usize = 8;

/// How terms are written, for `--help`.
pub(crate) const TERMS: &str = "Profiles are chosen by terms, joined by AND: date=2026-11-21, env=, role=, node=, build=, kind=cpu,
trigger=, set=, key=, sha256=. A value that ends in * is the beginning of one; a term without a sign is
a key or the beginning of a hash. Terms stand apart, or with commas between.";

/// What is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    terms: Vec<(&'static str, String)>,
}

impl Selector {
    /// Reads terms.
    ///
    /// # Errors
    /// [`ProfileError::Flag`].
    pub(crate) fn parse<S: AsRef<str>>(terms: &[S]) -> Result<Self, ProfileError> {
        let mut read = Vec::new();
        let words = terms.iter().flat_map(|term| term.as_ref().split(','));
        for word in words.map(str::trim).filter(|word| !word.is_empty()) {
            read.push(term(word)?);
        }
        Ok(Self { terms: read })
    }

    /// The same with one more term, unless it has one of that name or names one profile.
    pub(crate) fn or(mut self, name: &'static str, value: &str) -> Self {
        let exact = |known: &str| matches!(known, "key" | "sha256");
        if !self.terms.iter().any(|(known, _)| *known == name || exact(known)) {
            self.terms.push((name, value.to_owned()));
        }
        self
    }

    /// The value of a term.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.terms.iter().find(|(known, _)| *known == name).map(|(_, value)| &value[..])
    }

    /// Whether nothing is left out.
    pub(crate) fn is_all(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a profile of a set is meant.
    pub(crate) fn means(&self, set: &Set, entry: &Entry) -> bool {
        self.terms.iter().all(|(name, wanted)| match *name {
            "date" => matches(wanted, &entry.date()),
            "env" => matches(wanted, &entry.env),
            "role" => matches(wanted, &entry.role),
            "node" => matches(wanted, &entry.node),
            "build" => matches(wanted, &entry.build),
            "kind" => matches(wanted, entry.kind.word()),
            "trigger" => matches(wanted, &entry.trigger.to_string()),
            "set" => matches(wanted, &set.head.id),
            "key" => matches(wanted, &entry.key),
            _ => entry.sha256.starts_with(&wanted[..]),
        })
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("there");
        }
        let said: Vec<String> =
            self.terms.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&said.join(" "))
    }
}

fn term(word: &str) -> Result<(&'static str, String), ProfileError> {
    if let Some((name, value)) = word.split_once('=') {
        let known =
            NAMES.iter().find(|known| **known == name || (**known == "node" && name == "name"));
        let known = known.ok_or_else(|| {
            ProfileError::Flag(format!("there is no term {name:?}: one of {}", NAMES.join(", ")))
        })?;
        return Ok((known, value.to_owned()));
    }
    if word.starts_with("profiles/") {
        return Ok(("key", word.to_owned()));
    }
    if word.len() >= HASH_CHARS_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(("sha256", word.to_ascii_lowercase()));
    }
    Err(ProfileError::Flag(format!(
        "{word:?} is no term such as role=gateway, no key and no beginning of a hash"
    )))
}

fn matches(wanted: &str, value: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(begin) => value.starts_with(begin),
        None => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::fixture;

    #[test]
    fn terms_are_joined_by_and() {
        let set = fixture::set("one", "2026-11-20T03:17:00Z", "0.1.0-abc");
        let means = |terms: &str| {
            let selector = Selector::parse(&[terms]).expect("it is readable");
            set.entries.iter().filter(|entry| selector.means(&set, entry)).count()
        };
        assert_eq!((means(""), means("role=gateway"), means("role=gateway,kind=heap")), (3, 2, 1));
        assert_eq!(
            (means("build=0.1.0-*"), means("build=0.1"), means("date=2026-11-20")),
            (3, 0, 3)
        );
        assert_eq!((means("set=one"), means("name=node-0"), means("env=other")), (3, 1, 0));
        let key = set.entries[0].key.clone();
        assert_eq!((means(&key), means(&set.entries[0].sha256[..12])), (1, 3));
    }

    #[test]
    fn what_is_no_term_is_refused() {
        for (terms, said) in [("colour=red", "there is no term \"colour\""), ("red", "is no term")]
        {
            let error = Selector::parse(&[terms]).expect_err("it is none").to_string();
            assert!(error.contains(said), "{error}");
        }
        let one = Selector::parse(&["profiles/x"]).expect("a key").or("kind", "cpu");
        assert_eq!(one.value("kind"), None, "a key says all");
        let some = Selector::parse(&["role=pool"]).expect("a term").or("kind", "cpu");
        assert_eq!(some.to_string(), "role=pool kind=cpu");
    }
}
