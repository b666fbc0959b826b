//! The range of bytes that a request wants.
//!
//! Of several ranges the first is answered: a multipart answer would let one request ask for a
//! file many times over, and no browser needs it.

use std::ops::Range;

/// The `Range` header is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Range header is malformed")]
pub struct RangeError;

/// A range as it was asked for, before the size of the file is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From one byte to another, inclusive, or to the end.
    From(u64, Option<u64>),
    /// The last so many bytes.
    Last(u64),
}

impl ByteRange {
    /// Reads a `Range` header; `None` for a unit other than bytes, which is to be ignored.
    ///
    /// # Errors
    /// [`RangeError`] for a range that RFC 9110 does not know; one that ends before it begins too.
    pub fn parse(text: &str) -> Result<Option<Self>, RangeError> {
        let (unit, ranges) = text.split_once('=').ok_or(RangeError)?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return Ok(None);
        }
        let first = ranges.split(',').next().unwrap_or("").trim();
        let (from, to) = first.split_once('-').ok_or(RangeError)?;
        let range = match (from.trim(), to.trim()) {
            ("", last) => ByteRange::Last(number(last)?),
            (from, "") => ByteRange::From(number(from)?, None),
            (from, to) => {
                let (from, to) = (number(from)?, number(to)?);
                if to < from {
                    return Err(RangeError);
                }
                ByteRange::From(from, Some(to))
            }
        };
        Ok(Some(range))
    }

    /// The range in a file of `size` bytes, or `None` when it holds none of them.
    pub fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            ByteRange::From(from, to) => from..to.map_or(size, |to| to.saturating_add(1).min(size)),
            ByteRange::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// A number of digits alone; one too large to hold means the end of any file.
fn number(text: &str) -> Result<u64, RangeError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RangeError);
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<ByteRange>, RangeError> {
        ByteRange::parse(text)
    }

    #[test]
    fn ranges_are_read_as_the_table_says() {
        use ByteRange::{From, Last};
        for (text, expected) in [
            ("bytes=0-0", Ok(Some(From(0, Some(0))))),
            ("bytes=6-16", Ok(Some(From(6, Some(16))))),
            ("bytes=6-", Ok(Some(From(6, None)))),
            ("bytes=-5", Ok(Some(Last(5)))),
            ("Bytes = 1 - 2 ", Ok(Some(From(1, Some(2))))),
            ("bytes=0-0,5-6", Ok(Some(From(0, Some(0))))),
            ("bytes=99999999999999999999-", Ok(Some(From(u64::MAX, None)))),
            ("lines=1-2", Ok(None)),
            ("bytes=", Err(RangeError)),
            ("bytes=-", Err(RangeError)),
            ("bytes=a-b", Err(RangeError)),
            ("bytes=5-1", Err(RangeError)),
            ("bytes=+1-2", Err(RangeError)),
            ("bytes", Err(RangeError)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        for (range, expected) in [
            (ByteRange::From(0, Some(0)), Some(0..1)),
            (ByteRange::From(5, Some(100)), Some(5..10)),
            (ByteRange::From(9, None), Some(9..10)),
            (ByteRange::From(10, None), None),
            (ByteRange::From(0, Some(u64::MAX)), Some(0..10)),
            (ByteRange::Last(3), Some(7..10)),
            (ByteRange::Last(30), Some(0..10)),
            (ByteRange::Last(0), None),
        ] {
            assert_eq!(range.within(10), expected, "{range:?}");
        }
        assert_eq!(ByteRange::From(0, None).within(0), None);
    }
}
