//! On which line of a YAML document something stands.
//!
//! The parser says where it fails, so it is made to fail at the place that is looked for. That is as
//! precise as its own errors, in every style that YAML has.

use std::cell::Cell;
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

/// The line of a place, counted from 1, if the document has it.
pub(crate) fn find(text: &str, path: &[Step<'_>]) -> Option<usize> {
    let reached = Cell::new(false);
    let walk = Walk { path, reached: &reached };
    let stopped = serde_yaml::Deserializer::from_str(text).deserialize_any(walk).err()?;
    // A document that ends or breaks on the way fails too, but not at the place.
    stopped.location().filter(|_| reached.get()).map(|place| place.line())
}

/// The line of a place, or of the nearest that would hold it.
pub(crate) fn nearest(text: &str, path: &[Step<'_>]) -> Option<usize> {
    (1..=path.len()).rev().find_map(|length| find(text, &path[..length]))
}

/// The line of a place, or of the nearest that would hold it, which is the document at last.
pub(crate) fn line_of(text: &str, path: &[Step<'_>]) -> usize {
    nearest(text, path).unwrap_or(1)
}

/// The line of an error of YAML. A value that is refused is told at what holds it, so the line is
/// that of the first text that the error quotes, from there on.
pub(crate) fn of_error(error: &serde_yaml::Error, text: &str) -> usize {
    let holder = error.location().map_or(1, |place| place.line());
    let told = error.to_string();
    let quoted = ['"', '`'].iter().find_map(|quote| {
        let (_, rest) = told.split_once(*quote)?;
        rest.split_once(*quote).map(|(quoted, _)| quoted)
    });
    let Some(quoted) = quoted.filter(|quoted| !quoted.is_empty()) else { return holder };
    let mut lines = text.lines().enumerate().skip(holder.saturating_sub(1));
    lines.find(|(_, line)| line.contains(quoted)).map_or(holder, |(at, _)| at + 1)
}

/// A document, for those who look for lines when its text is gone.
#[derive(Debug)]
pub(crate) struct Lines {
    text: String,
}

impl Lines {
    /// Keeps a text.
    pub(crate) fn of(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// The line of a path such as `schedules.0.layers`, or of the nearest that would hold it; 0 when
    /// there is none.
    pub(crate) fn at(&self, path: &str) -> usize {
        let step = |part| str::parse(part).map_or(Step::Key(part), Step::At);
        let path: Vec<Step<'_>> = path.split('.').map(step).collect();
        nearest(&self.text, &path).unwrap_or(0)
    }
}

/// Fails where its path ends.
#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a [Step<'a>],
    reached: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.reached.set(self.path.is_empty());
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.path.split_first() else {
            return Err(serde::de::Error::custom("here"));
        };
        let last = rest.is_empty().then_some(self.reached);
        while let Some(found) = map.next_key_seed(Name { wanted, last })? {
            if found {
                map.next_value_seed(Walk { path: rest, ..self })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::At(wanted), rest)) = self.path.split_first() else {
            return Err(serde::de::Error::custom("here"));
        };
        for _ in 0..*wanted {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        seq.next_element_seed(Walk { path: rest, ..self })?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A key: whether it is the wanted one. The last of a path fails where it stands.
struct Name<'a> {
    wanted: &'a str,
    last: Option<&'a Cell<bool>>,
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
        match self.last.filter(|_| key == self.wanted) {
            Some(reached) => {
                reached.set(true);
                Err(E::custom("here"))
            }
            None => Ok(key == self.wanted),
        }
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

    const ROTA: &str = "# a rota\npeople:\n  - handle: a\n    tz: UTC\n  - handle: b\nschedules:\n- name: s\n  \
                        layers:\n  - name: l\n    people: [a, b]\n    hours:\n      from: 1\n  - name: m\n  \
                        overrides:\n    - {from: x}\nlast: 1\n";

    #[test]
    fn values_stand_where_they_are_written() {
        let lines = Lines::of(ROTA);
        for (path, line) in [
            ("people", 2),
            ("people.0.handle", 3),
            ("people.0.tz", 4),
            ("people.1", 5),
            ("schedules.0.name", 7),
            ("schedules.0.layers.0.people", 10),
            ("schedules.0.layers.0.hours.from", 12),
            ("schedules.0.layers.1", 13),
            ("schedules.0.overrides.0", 15),
            ("last", 16),
        ] {
            assert_eq!(lines.at(path), line, "{path}");
        }
    }

    #[test]
    fn what_is_within_brackets_has_the_line_of_its_holder() {
        let lines = Lines::of(ROTA);
        assert_eq!(lines.at("schedules.0.overrides.0.from"), 15);
        assert_eq!(lines.at("schedules.0.layers.0.people.1"), 10);
        assert_eq!(lines.at("nothing.at.all"), 0);
    }

    #[test]
    fn values_of_yaml_are_found_by_keys_and_items() {
        let text = "# head\nrows:\n  - title: a\n    panels:\n    - title: x\n\n    - show: [q]\n      title: y\n  - title: b\nlast: 1\n";
        let line = |path: &[Step<'_>]| line_of(text, path);
        let (rows, panels) = (Key("rows"), Key("panels"));
        assert_eq!(line(&[rows]), 2);
        assert_eq!(line(&[rows, At(0), panels, At(1)]), 7);
        assert_eq!(line(&[rows, At(0), panels, At(1), Key("title")]), 8);
        assert_eq!(line(&[rows, At(1), Key("title")]), 9);
        assert_eq!(line(&[Key("last")]), 10);
        assert_eq!(line(&[rows, At(0), Key("none")]), 3, "the nearest around it");
        assert_eq!(line_of("", &[rows]), 1);
    }

    #[test]
    fn only_what_is_there_is_found() {
        assert_eq!(find(TEXT, &[Key("slos"), At(0), Key("name")]), Some(4));
        for path in
            [&[Key("version"), Key("x")][..], &[Key("slos"), At(2)], &[Key("slos"), Key("x")]]
        {
            assert_eq!(find(TEXT, path), None, "{path:?}");
        }
        assert_eq!(find("a: [", &[Key("b")]), None);
    }
}
