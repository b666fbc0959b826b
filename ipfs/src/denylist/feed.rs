//! Reads a denylist as it arrives: its header, then its lines.
//!
//! Only a part of a line is ever kept, since lists are appended to while they are served. The header
//! is not held back until its end either: what stands in it takes effect when the end is found, and
//! counts as lines without rules when there is none. A line that begins with `/` or `!` cannot be
//! part of a header, so that a list without one is read at once.

use super::line::LineError;
use super::{HEADER_BYTES_MAX, Header, LINE_BYTES_MAX, List};

/// Longest value of a header that is kept, in bytes.
const VALUE_BYTES_MAX: usize = 1024;

/// Why a denylist was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The header declares a version of the format other than 1.
    #[error("denylist of unknown version {0:?}")]
    Version(String),
}

/// A list that is being read.
#[derive(Debug, Clone)]
pub struct Feed {
    list: List,
    /// The header so far, until it is known whether there is one.
    header: Option<Draft>,
    /// The line that has not ended.
    partial: Vec<u8>,
    /// Whether the line that has not ended is too long, so that its rest is dropped.
    overlong: bool,
}

#[derive(Debug, Clone, Default)]
struct Draft {
    found: Header,
    bytes: usize,
    /// The numbers of the lines that are not rules.
    lines: Vec<u64>,
    in_hints: bool,
}

/// How long a rule for a CID is at least, with its line's end.
const RULE_BYTES: u64 = 64;
/// Most rules that room is made for before they come.
const RULES_EXPECTED_MAX: usize = 1 << 22;

impl Feed {
    /// A list of this name without rules; a name in its header takes the place of this one.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            list: List::new(name),
            header: Some(Draft::default()),
            partial: Vec::new(),
            overlong: false,
        }
    }

    /// Makes room for a list of so many bytes, if it is one of CIDs; any size may be said. A table that
    /// grows holds its rules twice for a moment.
    pub fn expect_bytes(&mut self, bytes: u64) {
        let rules = usize::try_from(bytes / RULE_BYTES).unwrap_or(usize::MAX);
        self.list.table.reserve(rules.min(RULES_EXPECTED_MAX));
    }

    /// Reads the next bytes of the list, wherever they were cut. Lines that are not rules are
    /// skipped and counted.
    ///
    /// # Errors
    /// [`FeedError::Version`]; the list is of no use then.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), FeedError> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if self.partial.is_empty() && !self.overlong {
                self.line(line)?;
            } else {
                self.keep(line);
                self.end_partial()?;
            }
        }
        self.keep(bytes);
        Ok(())
    }

    /// The rules so far, without a line that has not ended.
    pub fn list(&self) -> &List {
        &self.list
    }

    /// The whole list; its last line may be without an end.
    ///
    /// # Errors
    /// As [`Feed::push`].
    pub fn finish(mut self) -> Result<List, FeedError> {
        if !self.partial.is_empty() || self.overlong {
            self.end_partial()?;
        }
        self.drop_header();
        Ok(self.list)
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.overlong || self.partial.len() + bytes.len() >= LINE_BYTES_MAX {
            self.overlong = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn end_partial(&mut self) -> Result<(), FeedError> {
        let line = std::mem::take(&mut self.partial);
        if std::mem::take(&mut self.overlong) {
            self.drop_header();
            self.list.skip_line(LineError::TooLong);
            return Ok(());
        }
        self.line(&line)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), FeedError> {
        let first = self.list.lines() == 0;
        let line = line.strip_prefix("\u{feff}".as_bytes()).filter(|_| first).unwrap_or(line);
        let text = std::str::from_utf8(line);
        if let Some(header) = &mut self.header {
            header.bytes += line.len() + 1;
            let rule = text.is_ok_and(|text| text.starts_with(['/', '!']));
            if !rule && header.bytes <= HEADER_BYTES_MAX {
                return self.header_line(text.unwrap_or("not text"));
            }
            self.drop_header();
        }
        match text {
            Ok(text) if line.len() < LINE_BYTES_MAX => self.list.push_line(text),
            Ok(_) => self.list.skip_line(LineError::TooLong),
            Err(_) => self.list.skip_line(LineError::NotUtf8),
        }
        Ok(())
    }

    fn header_line(&mut self, text: &str) -> Result<(), FeedError> {
        let number = self.list.next_line();
        let Some(header) = &mut self.header else { return Ok(()) };
        if text.trim_end() == "---" {
            self.list.set_header(std::mem::take(&mut header.found));
            self.header = None;
            return match self.list.header().version.as_deref() {
                None | Some("1") => Ok(()),
                Some(version) => Err(FeedError::Version(version.to_owned())),
            };
        }
        let content = text.trim();
        if !content.is_empty() && !content.starts_with('#') {
            header.lines.push(number);
            header.read(content, text.starts_with([' ', '\t']));
        }
        Ok(())
    }

    /// There is no header: what was read of one are lines without rules.
    fn drop_header(&mut self) {
        for number in self.header.take().unwrap_or_default().lines {
            self.list.skip(number, LineError::Unknown);
        }
    }
}

impl Draft {
    /// Reads `key: value`; what is written in any other way is passed over.
    fn read(&mut self, content: &str, indented: bool) {
        let Some((key, value)) = content.split_once(':') else { return };
        let value = unquote(value.trim());
        if indented {
            if self.in_hints {
                self.found.hints.set(unquote(key.trim()), value);
            }
            return;
        }
        self.in_hints = key == "hints";
        let field = match key {
            "version" => &mut self.found.version,
            "name" => &mut self.found.name,
            "description" => &mut self.found.description,
            "author" => &mut self.found.author,
            _ => return,
        };
        *field = Some(value[..value.floor_char_boundary(VALUE_BYTES_MAX)].to_owned());
    }
}

/// A value without a comment behind it or the quotes around it.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote))
        {
            return inner;
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}
