//! The `_redirects` file of a website: where to go when a path is not there.
//!
//! Faults of syntax spoil the whole file, as the specification has it; a status or a target that
//! cannot be served spoils only the rule that has it, and only when a request meets that rule.
//! Whoever writes the path of a request writes part of the answer, so what a placeholder has taken
//! is encoded for its place in the target and can never choose the host.

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

use crate::path::encode_segment;

mod query;

pub use query::merge_query;

/// Largest `_redirects` file in bytes.
//= https://specs.ipfs.tech/http-gateways/web-redirects-file/#max-file-size
//# The file size MUST NOT exceed 64 KiB.
pub const FILE_BYTES_MAX: usize = 64 * 1024;
/// Longest target in bytes, with its placeholders filled in.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// Most placeholders in one rule.
pub const PLACEHOLDERS_MAX: usize = 32;

/// What must be escaped in a target that its author has written, who may have escaped it already.
const LITERAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What must be escaped in one value of a query.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a `_redirects` file, or the rule of it that a path meets, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectsError {
    /// The file has more than [`FILE_BYTES_MAX`] bytes.
    #[error("could not parse _redirects: redirects file size cannot exceed {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The file is not text.
    #[error("could not parse _redirects: not UTF-8")]
    NotUtf8,
    /// A line is not a rule.
    #[error("could not parse _redirects: line {line}: {why}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A rule applies but has a status that is not supported.
    #[error("could not use _redirects: line {line}: unsupported redirect status {status}")]
    Status {
        /// The line, counted from 1.
        line: usize,
        /// The status of the rule.
        status: u16,
    },
    /// A rule applies but does not lead to anything that may be answered.
    #[error("could not use _redirects: line {line}: {why}")]
    Target {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with its target.
        why: &'static str,
    },
}

/// What a rule has made of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The target, percent-encoded and safe in a `Location` header: a path on the same site, or an
    /// absolute `http` or `https` URL when [`Hit::is_redirect`].
    pub to: String,
    /// 301, 302, 303, 307 or 308 to redirect there; 200, 404, 410 or 451 to answer with its content.
    pub status: u16,
}

impl Hit {
    /// Whether the visitor is sent to the target rather than given its content.
    pub fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// The path part of a target on the same site, still percent-encoded: what
    /// [`crate::path::segments`] reads.
    pub fn path(&self) -> &str {
        self.to.split(['?', '#']).next().unwrap_or_default()
    }
}

/// The rules of one file, in their order.
#[derive(Debug, Clone)]
pub struct Redirects {
    rules: Vec<Rule>,
}

impl Redirects {
    /// Reads a file. Its size bounds the number of rules.
    ///
    /// # Errors
    /// [`RedirectsError::TooLarge`], [`RedirectsError::NotUtf8`] and [`RedirectsError::Syntax`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RedirectsError> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(RedirectsError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RedirectsError::NotUtf8)?;
        let mut rules = Vec::new();
        for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let text = text.trim();
            if !text.is_empty() && !text.starts_with('#') {
                let rule = Rule::parse(line, text);
                rules.push(rule.map_err(|why| RedirectsError::Syntax { line, why })?);
            }
        }
        Ok(Self { rules })
    }

    /// Finds the first rule for a percent-decoded path that starts with `/`, and applies it.
    ///
    /// To be asked only below a root with an origin of its own, when the path is not there, and
    /// once for a request: a target is not looked up again.
    ///
    /// # Errors
    /// [`RedirectsError::Status`] and [`RedirectsError::Target`] when that rule cannot be served.
    pub fn find(&self, path: &str) -> Option<Result<Hit, RedirectsError>> {
        let path = trim_slashes(path);
        let names: Vec<&str> = path.split('/').collect();
        self.rules.iter().find_map(|rule| Some(rule.apply(&rule.captures(path, &names)?)))
    }
}

/// One segment of the path that a rule is for.
#[derive(Debug, Clone)]
enum Segment {
    Literal(String),
    Placeholder(String),
}

/// A placeholder's name and what it has taken of the path.
type Captures<'a> = Vec<(&'a str, &'a str)>;

#[derive(Debug, Clone)]
struct Rule {
    line: usize,
    from: Vec<Segment>,
    /// Set when the rule ends in an asterisk: what the rest of the path must begin with.
    splat: Option<String>,
    to: String,
    status: u16,
}

impl Rule {
    fn parse(line: usize, text: &str) -> Result<Self, &'static str> {
        let mut fields = text.split_whitespace();
        let from = fields.next().ok_or("a rule without a path")?;
        let to = fields.next().ok_or("a rule without a target")?;
        let status = match fields.next() {
            Some(status) => status.parse().map_err(|_| "the status is not a number")?,
            None => 301,
        };
        if fields.next().is_some() {
            return Err("a rule has the form: from to [status]");
        }
        let (from, splat) = parse_from(from)?;
        Ok(Self { line, from, splat, to: to.to_owned(), status })
    }

    /// What the placeholders take of a path, or `None` when the rule is not for it.
    fn captures<'a>(&'a self, path: &'a str, names: &[&'a str]) -> Option<Captures<'a>> {
        let fits = match self.splat {
            Some(_) => names.len() > self.from.len(),
            None => names.len() == self.from.len(),
        };
        if !fits {
            return None;
        }
        let mut captures = Vec::new();
        for (segment, name) in self.from.iter().zip(names) {
            match segment {
                Segment::Literal(literal) if literal == name => {}
                Segment::Literal(_) => return None,
                Segment::Placeholder(_) if name.is_empty() => return None,
                Segment::Placeholder(placeholder) => captures.push((placeholder.as_str(), *name)),
            }
        }
        if let Some(begin) = &self.splat {
            let taken: usize = names[..self.from.len()].iter().map(|name| name.len() + 1).sum();
            captures.push(("splat", path[taken..].strip_prefix(begin.as_str())?));
        }
        Some(captures)
    }

    fn apply(&self, captures: &Captures<'_>) -> Result<Hit, RedirectsError> {
        let (line, status) = (self.line, self.status);
        let within = match status {
            301 | 302 | 303 | 307 | 308 => false,
            200 | 404 | 410 | 451 => true,
            _ => return Err(RedirectsError::Status { line, status }),
        };
        match self.fill(captures, within) {
            Ok(to) => Ok(Hit { to, status }),
            Err(why) => Err(RedirectsError::Target { line, why }),
        }
    }

    /// The target with its placeholders filled in.
    fn fill(&self, captures: &Captures<'_>, within: bool) -> Result<String, &'static str> {
        let (mut to, mut rest) = (String::new(), self.to.as_str());
        if rest.starts_with('/') {
            // `//host` would lead off the site.
            rest = rest.trim_start_matches('/');
            to.push('/');
        } else {
            let (origin, behind) = origin(rest).ok_or("neither a path nor a URL of http")?;
            if within {
                return Err("only a redirect may lead to another site");
            }
            if origin.match_indices(':').any(|(at, _)| capture(captures, &origin[at..]).is_some()) {
                return Err("a placeholder in the name of a host");
            }
            to.extend(utf8_percent_encode(origin, LITERAL));
            rest = behind;
        }
        let (site, mut behind_path) = (to.len(), false);
        while let Some(next) = rest.chars().next() {
            if let Some((name, value)) = capture(captures, rest) {
                if behind_path {
                    to.extend(utf8_percent_encode(value, VALUE));
                } else {
                    push_value(&mut to, value, site);
                }
                rest = &rest[1 + name.len()..];
            } else if next == '/' && to == "/" {
                // A placeholder that took nothing stands between the two, and `//` leads off the site.
                rest = &rest[1..];
            } else {
                behind_path |= matches!(next, '?' | '#');
                let (literal, behind) = rest.split_at(next.len_utf8());
                to.extend(utf8_percent_encode(literal, LITERAL));
                rest = behind;
            }
            if to.len() > TARGET_BYTES_MAX {
                return Err("the target is too long");
            }
        }
        Ok(to)
    }
}

/// Splits a URL of `http` or `https` behind its host and port.
fn origin(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let host = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // Browsers end a host at a backslash, others do not.
    (!host.is_empty() && !host.contains('\\')).then(|| url.split_at(scheme.len() + 3 + host.len()))
}

/// The longest placeholder that stands at the front of a target.
fn capture<'a>(captures: &Captures<'a>, target: &str) -> Option<(&'a str, &'a str)> {
    let target = target.strip_prefix(':')?;
    let fitting = captures.iter().filter(|(name, _)| target.starts_with(name));
    fitting.max_by_key(|(name, _)| name.len()).copied()
}

/// Appends what a placeholder has taken to a path that begins at `site`.
fn push_value(to: &mut String, mut value: &str, site: usize) {
    if to.len() == site {
        value = value.trim_start_matches('/');
        if !to.ends_with('/') && !value.is_empty() {
            to.push('/');
        }
    }
    for (nth, name) in value.split('/').enumerate() {
        if nth > 0 {
            to.push('/');
        }
        to.extend(encode_segment(name));
    }
}

/// Reads the path that a rule is for.
fn parse_from(from: &str) -> Result<(Vec<Segment>, Option<String>), &'static str> {
    if !from.starts_with('/') {
        return Err("the path does not start with a slash");
    }
    let (from, splat) = match from.strip_suffix('*') {
        Some(rest) => {
            let (path, begin) = rest.rsplit_once('/').ok_or("an asterisk without a path")?;
            if begin.starts_with(':') {
                return Err("an asterisk behind a placeholder");
            }
            (path.strip_prefix('/'), Some(decode(begin)?))
        }
        None => (Some(trim_slashes(from)), None),
    };
    if splat.as_ref().is_some_and(|begin| begin.contains('*')) {
        return Err("an asterisk that is not at the end");
    }
    let mut segments: Vec<Segment> = Vec::new();
    let mut names = Vec::from_iter(splat.as_ref().map(|_| "splat"));
    for segment in from.into_iter().flat_map(|from| from.split('/')) {
        if segment.contains('*') {
            return Err("an asterisk that is not at the end");
        }
        let Some(name) = segment.strip_prefix(':') else {
            segments.push(Segment::Literal(decode(segment)?));
            continue;
        };
        if name.is_empty() {
            return Err("a placeholder without a name");
        }
        if names.contains(&name) {
            return Err("a placeholder twice in a path");
        }
        if names.len() == PLACEHOLDERS_MAX {
            return Err("too many placeholders");
        }
        names.push(name);
        segments.push(Segment::Placeholder(name.to_owned()));
    }
    Ok((segments, splat))
}

fn decode(text: &str) -> Result<String, &'static str> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "the path is not UTF-8")?;
    Ok(decoded.into_owned())
}

/// Without the slash that a path starts with, and without one at its end.
fn trim_slashes(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests;
