//! On which line of a YAML document something stands.
//!
//! The parser says where it fails, so it is made to fail at the place that is looked for. That is as
//! precise as its own errors, in every style that YAML has.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One step down a document.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// To the value of a key.
    Key(&'a str),
    /// To an element, counted from 0.
    At(usize),
}

/// The line of the last step that the document has, counted from 1.
pub(crate) fn line_of(text: &str, path: &[Step<'_>]) -> usize {
    let walk = |path| serde_yaml::Deserializer::from_str(text).deserialize_any(Walk(path)).err();
    let line = |error: serde_yaml::Error| error.location().map(|place| place.line());
    (0..=path.len())
        .rev()
        .find_map(|length| walk(&path[..length]).and_then(line).filter(|_| length > 0))
        .unwrap_or(1)
}

/// Fails where its path ends, and nowhere else.
struct Walk<'a>(&'a [Step<'a>]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.0.split_first() else {
            return Err(serde::de::Error::custom("here"));
        };
        while let Some(found) = map.next_key_seed(Name { wanted, last: rest.is_empty() })? {
            if found {
                map.next_value_seed(Walk(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::At(wanted), rest)) = self.0.split_first() else {
            return Err(serde::de::Error::custom("here"));
        };
        for _ in 0..*wanted {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        seq.next_element_seed(Walk(rest))?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A key: whether it is the wanted one. The last of a path fails where it stands.
struct Name<'a> {
    wanted: &'a str,
    last: bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        let found = key == self.wanted;
        if found && self.last { Err(E::custom("here")) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::Step::{At, Key};
    use super::*;

    const TEXT: &str = "# a comment\nversion: 1\nslos:\n  - name: a\n    sli: {events: x}\n  - \
                        name: b\n    objective: 99\n    text: |\n      objective: no\n    last: z\n";

    #[test]
    fn keys_and_elements_are_found_on_their_lines() {
        for (path, line) in [
            (&[Key("version")][..], 2),
            (&[Key("slos")], 3),
            (&[Key("slos"), At(0), Key("sli"), Key("events")], 5),
            (&[Key("slos"), At(1)], 6),
            (&[Key("slos"), At(1), Key("objective")], 7),
            (&[Key("slos"), At(1), Key("last")], 10),
        ] {
            assert_eq!(line_of(TEXT, path), line, "{path:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_said_of_what_would_hold_it() {
        assert_eq!(line_of(TEXT, &[Key("slos"), At(1), Key("owner")]), 6);
        assert_eq!(line_of(TEXT, &[Key("none")]), 1);
        assert_eq!(line_of("", &[Key("none")]), 1);
    }
}
