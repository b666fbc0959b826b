//! Reads single fields out of a line of an access log, without reading the rest.
//!
//! A field's key is looked for as bytes. That is exact: within a value every quote has a backslash in
//! front, so that the bytes of a key occur only where a key is.

use memchr::memmem::Finder;
use telemetry::access::FIELDS;

/// How every record begins, up to its time.
const START: &[u8] = b"{\"ts\":\"";
/// The bytes of the time of a record.
const STAMP: std::ops::Range<usize> = 7..31;
/// How a record of which all of its like are recorded ends.
const ALL_ARE_RECORDED: &[u8] = b",\"sample_rate\":1}";

/// Whether a line is a record: whole, and begun as one.
pub(crate) fn is_record(line: &[u8]) -> bool {
    line.len() > STAMP.end && line.starts_with(START) && line.ends_with(b"}")
}

/// The time of a record, as text that sorts by time.
pub(crate) fn stamp(line: &[u8]) -> &[u8] {
    line.get(STAMP).unwrap_or_default()
}

/// One field of records.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    name: &'static str,
    key: Finder<'static>,
}

impl Field {
    /// The field of this name, if records have one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (name, _) = FIELDS.iter().find(|(known, _)| *known == name)?;
        let key = format!(",\"{name}\":").into_bytes();
        Some(Self { name, key: Finder::new(&key).into_owned() })
    }

    /// Its value in a line as it is written, a text without its quotes; none when the line has none.
    pub(crate) fn value<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        if self.name == "ts" {
            return line.get(STAMP);
        }
        let place = self.key.find(line)? + self.key.needle().len();
        let rest = &line[place..];
        let (end, start) = match rest.first()? {
            b'"' => (quote_end(&rest[1..])? + 1, 1),
            _ => (memchr::memchr2(b',', b'}', rest)?, 0),
        };
        Some(&rest[start..end])
    }

    /// Where the field is in a line, from its comma to behind its value.
    pub(crate) fn span(&self, line: &[u8]) -> Option<(usize, usize)> {
        let begin = self.key.find(line)?;
        let place = begin + self.key.needle().len();
        let rest = &line[place..];
        let length = match rest.first()? {
            b'"' => quote_end(&rest[1..])? + 2,
            _ => memchr::memchr2(b',', b'}', rest)?,
        };
        Some((begin, place + length))
    }

    /// As [`Field::value`], as a number.
    pub(crate) fn number(&self, line: &[u8]) -> Option<f64> {
        number(self.value(line)?)
    }
}

/// Where a text ends whose opening quote is in front.
fn quote_end(text: &[u8]) -> Option<usize> {
    let mut escapes = 0;
    for place in memchr::memchr_iter(b'"', text) {
        let before = text[escapes..place].iter().rev().take_while(|byte| **byte == b'\\').count();
        if before % 2 == 0 {
            return Some(place);
        }
        escapes = place + 1;
    }
    None
}

/// A number as records have it.
pub(crate) fn number(text: &[u8]) -> Option<f64> {
    if text.len() < 16 && text.iter().all(u8::is_ascii_digit) && !text.is_empty() {
        let whole = text.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        return Some(whole as f64);
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// How many requests a record stands for.
#[derive(Debug, Clone)]
pub(crate) struct Weight {
    rate: Field,
}

impl Weight {
    pub(crate) fn new() -> Self {
        Self { rate: Field::named("sample_rate").expect("it is a field") }
    }

    /// The share of its like that is recorded; all of them when it does not say, or says nonsense.
    pub(crate) fn share(&self, line: &[u8]) -> f64 {
        if line.ends_with(ALL_ARE_RECORDED) {
            return 1.0;
        }
        let share = self.rate.number(line).unwrap_or(1.0);
        if share > 0.0 && share <= 1.0 { share } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = br#"{"ts":"2026-11-21T10:00:00.123Z","v":1,"role":"gateway","path":"a,\"status\":9 \\","status":504,"total_ms":12.034,"truncated":true,"sample_rate":0.25}"#;

    fn value(name: &str) -> Option<&'static [u8]> {
        Field::named(name).expect("a field").value(LINE)
    }

    #[test]
    fn fields_are_found_and_values_are_not_taken_for_them() {
        assert!(is_record(LINE));
        assert_eq!(value("ts"), Some(&b"2026-11-21T10:00:00.123Z"[..]));
        assert_eq!(value("role"), Some(&b"gateway"[..]));
        assert_eq!(value("status"), Some(&b"504"[..]));
        assert_eq!(value("total_ms"), Some(&b"12.034"[..]));
        assert_eq!(value("truncated"), Some(&b"true"[..]));
        assert_eq!(value("path"), Some(&br#"a,\"status\":9 \\"#[..]));
        assert_eq!(value("cache"), None);
        assert!(Field::named("secret").is_none());
        assert!((Weight::new().share(LINE) - 0.25).abs() < 1e-9);
    }

    #[test]
    fn cut_lines_are_no_records_and_do_no_harm() {
        for end in 0..LINE.len() {
            let cut = &LINE[..end];
            assert!(!is_record(cut) || cut.ends_with(b"}"), "{end}");
            for (name, _) in FIELDS {
                Field::named(name).expect("a field").value(cut);
            }
        }
    }

    #[test]
    fn numbers_are_those_of_records() {
        assert_eq!(number(b"504"), Some(504.0));
        assert_eq!(number(b"12.034"), Some(12.034));
        for text in ["", "x", "inf", "NaN", "1e999", "true"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
