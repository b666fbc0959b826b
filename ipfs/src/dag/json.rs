//! JSON, event by event, with the forms in which dag-json writes links and bytes.
//!
//! A reader of its own, because the one that the workspace has takes numbers of more than 64 bits
//! for fractions and rounds fractions in the last digit: neither may happen to data that is hashed.
//! The two reserved forms are told by looking ahead of a brace; no more than three strings are read
//! twice for that.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use multibase::Base;

use super::{DagError, Event, JSON_DEPTH_MAX, name};
use crate::cid::{Cid, Codec};

/// What whole numbers may be: those that CBOR can hold as well.
pub(super) const INTS: RangeInclusive<i128> = -(1 << 64)..=(1 << 64) - 1;

/// What is to be read next.
#[derive(Debug, Clone, Copy)]
enum Next {
    Value,
    /// An item or a key, or the end of the list or map.
    First,
    /// What stands behind a value: a comma or an end.
    Behind,
}

/// The events of one block.
#[derive(Debug)]
pub(super) struct Json<'a> {
    text: &'a str,
    at: usize,
    codec: Codec,
    /// Whether each open list or map is a map, outermost first.
    open: Vec<bool>,
    next: Next,
}

impl<'a> Json<'a> {
    /// The events of a block of dag-json or, if the codec is another one, of plain JSON.
    pub(super) fn new(codec: Codec, bytes: &'a [u8]) -> Result<Self, DagError> {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| malformed(codec, "text that is not UTF-8"))?;
        Ok(Self { text, at: 0, codec, open: Vec::new(), next: Next::Value })
    }

    /// The next event; `None` at the end of the block.
    pub(super) fn next_event(&mut self) -> Result<Option<Event<'a>>, DagError> {
        let Some(is_map) = self.open.last().copied() else {
            return match (self.next, self.peek()) {
                (Next::Behind, None) => Ok(None),
                (Next::Behind, Some(_)) => Err(self.malformed("bytes behind the value")),
                (Next::Value | Next::First, _) => self.value().map(Some),
            };
        };
        if matches!(self.next, Next::Value) {
            return self.value().map(Some);
        }
        if self.take(if is_map { b'}' } else { b']' }) {
            self.open.pop();
            self.next = Next::Behind;
            return Ok(Some(Event::End));
        }
        if matches!(self.next, Next::Behind) {
            self.expect(b',')?;
        }
        if is_map { self.key().map(Some) } else { self.value().map(Some) }
    }

    fn key(&mut self) -> Result<Event<'a>, DagError> {
        let key = self.string()?;
        self.expect(b':')?;
        self.next = Next::Value;
        Ok(Event::Key(key))
    }

    fn value(&mut self) -> Result<Event<'a>, DagError> {
        self.next = Next::Behind;
        match self.peek() {
            Some(b'{') => {
                if self.codec == Codec::DagJson
                    && let Some(form) = self.form()?
                {
                    return Ok(form);
                }
                self.enter(true)
            }
            Some(b'[') => self.enter(false),
            Some(b'"') => self.string().map(Event::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.literal(),
        }
    }

    fn enter(&mut self, is_map: bool) -> Result<Event<'a>, DagError> {
        if self.open.len() >= JSON_DEPTH_MAX {
            return Err(self.malformed("nested too deep"));
        }
        self.at += 1;
        self.open.push(is_map);
        self.next = Next::First;
        Ok(if is_map { Event::MapStart } else { Event::ListStart })
    }

    fn literal(&mut self) -> Result<Event<'a>, DagError> {
        let literals =
            [("null", Event::Null), ("true", Event::Bool(true)), ("false", Event::Bool(false))];
        let rest = &self.text.as_bytes()[self.at..];
        let found = literals.into_iter().find(|(text, _)| rest.starts_with(text.as_bytes()));
        let (text, event) = found.ok_or_else(|| self.malformed("a value is missing"))?;
        self.at += text.len();
        Ok(event)
    }

    /// Reads a link or bytes, if a map is one of them; else nothing was read.
    fn form(&mut self) -> Result<Option<Event<'a>>, DagError> {
        let start = self.at;
        let form = self.try_form();
        if matches!(form, Ok(None)) {
            self.at = start;
        }
        form
    }

    fn try_form(&mut self) -> Result<Option<Event<'a>>, DagError> {
        self.at += 1;
        if self.peek() != Some(b'"') || self.string()? != "/" || !self.take(b':') {
            return Ok(None);
        }
        if self.peek() == Some(b'"') {
            let cid = self.string()?;
            self.expect(b'}')?;
            return Ok(Some(Event::Link(Cid::parse(&cid)?)));
        }
        if !self.take(b'{') || self.peek() != Some(b'"') || self.string()? != "bytes" {
            return Ok(None);
        }
        if !self.take(b':') || self.peek() != Some(b'"') {
            return Ok(None);
        }
        let text = self.string()?;
        let bytes = Base::Base64.decode(&*text);
        let bytes = bytes.map_err(|_| self.malformed("bytes that are not base64"))?;
        self.expect(b'}')?;
        self.expect(b'}')?;
        Ok(Some(Event::Bytes(Cow::Owned(bytes))))
    }

    fn number(&mut self) -> Result<Event<'a>, DagError> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        let whole = self.digits()?;
        if whole > 1 && self.text.as_bytes()[self.at - whole] == b'0' {
            return Err(self.malformed("a number that begins with zero"));
        }
        let end_of_whole = self.at;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if self.at == end_of_whole {
            let number = text.parse().ok().filter(|number| INTS.contains(number));
            return number.map(Event::Int).ok_or_else(|| self.malformed("a number beyond 64 bits"));
        }
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.map(Event::Float).ok_or_else(|| self.malformed("a number beyond 64 bits"))
    }

    /// Reads digits, at least one; returns how many.
    fn digits(&mut self) -> Result<usize, DagError> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.malformed("a digit is missing")) } else { Ok(count) }
    }

    /// Reads text in quotes.
    fn string(&mut self) -> Result<Cow<'a, str>, DagError> {
        self.expect(b'"')?;
        let mut unescaped = String::new();
        loop {
            let rest = &self.text[self.at..];
            let end = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            let end = end.ok_or_else(|| self.malformed("text without an end"))?;
            let (piece, found) = (&rest[..end], rest.as_bytes()[end]);
            self.at += end + 1;
            match found {
                b'"' if unescaped.is_empty() => return Ok(Cow::Borrowed(piece)),
                b'"' => return Ok(Cow::Owned(unescaped + piece)),
                b'\\' => {
                    unescaped.push_str(piece);
                    unescaped.push(self.escape()?);
                }
                _ => return Err(self.malformed("a control character in text")),
            }
        }
    }

    /// Reads what stands behind a backslash.
    fn escape(&mut self) -> Result<char, DagError> {
        let letter = self.byte();
        self.at += usize::from(letter.is_some_and(|byte| byte.is_ascii()));
        Ok(match letter {
            Some(mark @ (b'"' | b'\\' | b'/')) => char::from(mark),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex()?;
                let has_second = (0xd800..0xdc00).contains(&first)
                    && self.text.as_bytes()[self.at..].starts_with(b"\\u");
                self.at += if has_second { 2 } else { 0 };
                let second = if has_second { Some(self.hex()?) } else { None };
                let mut units = char::decode_utf16([first].into_iter().chain(second));
                let letter = units.next().and_then(Result::ok);
                letter.ok_or_else(|| self.malformed("half of a surrogate pair"))?
            }
            _ => return Err(self.malformed("an unknown escape")),
        })
    }

    fn hex(&mut self) -> Result<u16, DagError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let unit = digits.and_then(|digits| {
            digits.iter().try_fold(0, |unit, digit| {
                char::from(*digit).to_digit(16).map(|digit| unit << 4 | digit as u16)
            })
        });
        let unit = unit.ok_or_else(|| self.malformed("an unknown escape"))?;
        self.at += 4;
        Ok(unit)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), DagError> {
        if self.take(byte) {
            return Ok(());
        }
        Err(self.malformed(match byte {
            b',' => "a comma is missing",
            b':' => "a colon is missing",
            b'"' => "a quote is missing",
            _ => "more in a reserved form than belongs there",
        }))
    }

    fn malformed(&self, what: &'static str) -> DagError {
        malformed(self.codec, what)
    }
}

/// The text of a string in quotes that we have written.
pub(super) fn unquoted(quoted: &str) -> Cow<'_, str> {
    let mut json =
        Json { text: quoted, at: 0, codec: Codec::Json, open: Vec::new(), next: Next::Value };
    json.string().expect("a string that was written by ourselves")
}

fn malformed(codec: Codec, what: &'static str) -> DagError {
    DagError::Malformed { codec: name(codec), what }
}
