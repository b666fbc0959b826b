//! The language of questions: `outcome=timeout status>=500 since=1h`.
//!
//! Terms are joined by AND, which may be written. A value may be a list, `outcome=timeout,overload`,
//! and quoted. What the language cannot say it refuses, with the word that it stumbled over.

use std::time::{Duration, SystemTime};

use telemetry::access::FIELDS;

use super::record::{self, Field};

/// Most bytes of a question, and most terms.
const TEXT_BYTES_MAX: usize = 4096;
const TERMS_MAX: usize = 32;

/// Why a question was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    /// It is longer than any question.
    #[error("the question is longer than {TEXT_BYTES_MAX} bytes or {TERMS_MAX} terms")]
    TooLong,
    /// No field and sign.
    #[error("{0:?} is not a term: write field=value, with =, !=, ~, >, >=, < or <=")]
    Term(String),
    /// No such field.
    #[error("there is no field {0:?}: `bifrost logs fields` lists them")]
    Field(String),
    /// A comparison with what is no number.
    #[error("{0:?} compares with {1:?}, which is not a number")]
    Number(String, String),
    /// No time.
    #[error("{0:?} is no time: write 90s, 15m, 1h, 7d or 2026-11-21T10:00:00Z")]
    Time(String),
    /// A quote without its end.
    #[error("a quote is not closed")]
    Quote,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    terms: Vec<Term>,
    since: Option<String>,
    until: Option<String>,
}

#[derive(Debug, Clone)]
struct Term {
    field: Field,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    /// The value is one of these.
    Is(Vec<Vec<u8>>),
    /// The value is none of these.
    IsNot(Vec<Vec<u8>>),
    /// The value has this within it.
    Has(Vec<u8>),
    /// The value is a number on this side of another.
    Compare(Sign, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Filter {
    /// Reads a question; times such as `1h` count back from `now`.
    ///
    /// # Errors
    /// As the variants of [`FilterError`] say.
    pub(crate) fn parse(text: &str, now: SystemTime) -> Result<Self, FilterError> {
        let words = words(text)?;
        if text.len() > TEXT_BYTES_MAX || words.len() > TERMS_MAX {
            return Err(FilterError::TooLong);
        }
        let mut filter = Self::default();
        for word in words.iter().filter(|word| !word.eq_ignore_ascii_case("and")) {
            filter.add(word, now)?;
        }
        Ok(filter)
    }

    /// The record of one request.
    pub(crate) fn of_request(id: &str) -> Self {
        let field = Field::named("req_id").expect("it is a field");
        let term = Term { field, test: Test::Is(vec![id.as_bytes().to_vec()]) };
        Self { terms: vec![term], ..Self::default() }
    }

    fn add(&mut self, word: &str, now: SystemTime) -> Result<(), FilterError> {
        let bad = || FilterError::Term(word.to_owned());
        let place = word.find(['=', '!', '~', '>', '<']).ok_or_else(bad)?;
        let (name, rest) = word.split_at(place);
        let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign)).ok_or_else(bad)?;
        let value = &rest[sign.len()..];
        if name == "since" || name == "until" {
            let stamp = stamp(value, now).filter(|_| *sign == "=");
            let stamp = stamp.ok_or_else(|| FilterError::Time(value.to_owned()))?;
            let bound = if name == "since" { &mut self.since } else { &mut self.until };
            *bound = Some(stamp);
            return Ok(());
        }
        let field = Field::named(name).ok_or_else(|| FilterError::Field(name.to_owned()))?;
        let list = || value.split(',').map(|one| one.as_bytes().to_vec()).collect();
        let compare = |sign| {
            let number = record::number(value.as_bytes());
            let number =
                number.ok_or_else(|| FilterError::Number(word.to_owned(), value.to_owned()))?;
            Ok(Test::Compare(sign, number))
        };
        let test = match *sign {
            "!=" => Test::IsNot(list()),
            "~" => Test::Has(value.as_bytes().to_vec()),
            ">=" => compare(Sign::AtLeast)?,
            "<=" => compare(Sign::AtMost)?,
            ">" => compare(Sign::Above)?,
            "<" => compare(Sign::Below)?,
            _ => Test::Is(list()),
        };
        self.terms.push(Term { field, test });
        Ok(())
    }

    /// Whether a record is asked for.
    pub(crate) fn takes(&self, line: &[u8]) -> bool {
        self.takes_time(record::stamp(line)) && self.terms.iter().all(|term| term.takes(line))
    }

    /// Whether records between two times may be asked for; an empty time is not known.
    pub(crate) fn may_take(&self, from: &str, to: &str) -> bool {
        let early = self.since.as_deref().is_some_and(|since| !to.is_empty() && to < since);
        let late = self.until.as_deref().is_some_and(|until| !from.is_empty() && from > until);
        !early && !late
    }

    fn takes_time(&self, stamp: &[u8]) -> bool {
        self.since.as_ref().is_none_or(|since| stamp >= since.as_bytes())
            && self.until.as_ref().is_none_or(|until| stamp <= until.as_bytes())
    }
}

/// The longer ones first, since one begins as another.
const SIGNS: [&str; 7] = ["!=", ">=", "<=", "=", "~", ">", "<"];

impl Term {
    fn takes(&self, line: &[u8]) -> bool {
        let value = self.field.value(line);
        match &self.test {
            Test::Is(list) => {
                value.is_some_and(|value| list.iter().any(|one| one.as_slice() == value))
            }
            Test::IsNot(list) => {
                value.is_none_or(|value| list.iter().all(|one| one.as_slice() != value))
            }
            Test::Has(part) => {
                value.is_some_and(|value| memchr::memmem::find(value, part).is_some())
            }
            Test::Compare(sign, bound) => {
                let number = value.and_then(record::number);
                number.is_some_and(|number| match sign {
                    Sign::Above => number > *bound,
                    Sign::AtLeast => number >= *bound,
                    Sign::Below => number < *bound,
                    Sign::AtMost => number <= *bound,
                })
            }
        }
    }
}

/// The words of a text; quotes hold one together.
fn words(text: &str) -> Result<Vec<String>, FilterError> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            letter if letter.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            letter => word.push(letter),
        }
    }
    if quoted {
        return Err(FilterError::Quote);
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

/// A time as records write it: one that is given, or so long ago.
fn stamp(text: &str, now: SystemTime) -> Option<String> {
    let ago = humantime::parse_duration(text).ok().and_then(|ago: Duration| now.checked_sub(ago));
    let time = ago.or_else(|| humantime::parse_rfc3339_weak(text.trim_end_matches('Z')).ok())?;
    Some(humantime::format_rfc3339_millis(time).to_string())
}

/// The fields, and what they say, for people.
pub(crate) fn field_list() -> String {
    let width = FIELDS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    FIELDS.iter().map(|(name, says)| format!("{name:width$}  {says}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = br#"{"ts":"2026-11-21T10:00:00.123Z","v":1,"status":504,"outcome":"timeout","build":"0.1 a","total_ms":30000.500}"#;

    fn now() -> SystemTime {
        humantime::parse_rfc3339("2026-11-21T10:30:00Z").expect("a time")
    }

    fn takes(text: &str) -> bool {
        Filter::parse(text, now()).expect(text).takes(LINE)
    }

    #[test]
    fn terms_are_joined_by_and() {
        for text in [
            "",
            "outcome=timeout",
            "outcome=timeout status>=500 since=1h",
            "outcome=ok,timeout AND status!=500",
            "total_ms>30000 total_ms<=30000.5",
            "build=\"0.1 a\"",
            "outcome~time",
            "cache!=hit",
            "since=2026-11-21T10:00:00Z until=2026-11-21T10:00:01Z",
        ] {
            assert!(takes(text), "{text}");
        }
        for text in [
            "outcome=ok",
            "outcome=timeout status<500",
            "since=10m",
            "until=2026-11-21T09:00:00Z",
            "cache=hit",
            "outcome!=timeout",
            "outcome>1",
        ] {
            assert!(!takes(text), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused_with_its_word() {
        for (text, part) in [
            ("outcome", "not a term"),
            ("colour=red", "no field \"colour\""),
            ("status>=many", "not a number"),
            ("since=yesterday", "no time"),
            ("since>1h", "no time"),
            ("build=\"a", "not closed"),
        ] {
            let error = Filter::parse(text, now()).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let long = "status=1 ".repeat(600);
        assert_eq!(Filter::parse(&long, now()).expect_err("long"), FilterError::TooLong);
    }

    #[test]
    fn segments_out_of_time_are_told_by_their_seal() {
        let filter = Filter::parse("since=1h", now()).expect("understood");
        assert!(!filter.may_take("2026-11-20T00:00:00.000Z", "2026-11-21T00:00:00.000Z"));
        assert!(filter.may_take("2026-11-20T00:00:00.000Z", "2026-11-21T10:00:00.000Z"));
        assert!(filter.may_take("", ""), "what is not known is read");
    }
}
