//! Content paths: what a URL path asks for.
//!
//! A path is percent-decoded exactly once and then split, so `%2F` separates and `%252F` does not.
//! Nothing is normalised beyond empty segments: a `.` or `..` is refused rather than guessed at,
//! because two readers that guess differently are how a path leaves its root.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::cid::{Cid, CidError};

/// Most segments below the root.
pub const SEGMENTS_MAX: usize = 128;

/// What must be escaped in one segment of a URL path.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Why a path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not below `/ipfs/`.
    #[error("path does not start with /ipfs/ and a CID")]
    NotContent,
    /// The root is not an acceptable CID.
    #[error("invalid CID: {0}")]
    Root(#[from] CidError),
    /// The decoded bytes are not UTF-8.
    #[error("path is not UTF-8 after percent-decoding")]
    NotUtf8,
    /// A NUL byte, which no name can hold.
    #[error("path holds a NUL byte")]
    Nul,
    /// A `.` or `..` segment.
    #[error("path holds a relative segment")]
    Relative,
    /// More than [`SEGMENTS_MAX`] segments.
    #[error("path has more than {SEGMENTS_MAX} segments")]
    TooDeep,
}

/// `/ipfs/{cid}/a/b/`: an immutable root and the names that lead down from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentPath {
    /// The CID as it was asked for.
    pub root: Cid,
    /// The names below it, percent-decoded, without empty ones.
    pub segments: Vec<String>,
    /// Whether the path ended in a slash.
    pub trailing_slash: bool,
}

impl ContentPath {
    /// Reads the path part of a URL, still percent-encoded.
    ///
    /// # Errors
    /// [`PathError`], by what is wrong with the path.
    pub fn parse(encoded: &str) -> Result<Self, PathError> {
        let below = encoded.strip_prefix("/ipfs/").ok_or(PathError::NotContent)?;
        let (root, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
        if root.is_empty() {
            return Err(PathError::NotContent);
        }
        let root = percent_decode_str(root).decode_utf8().map_err(|_| PathError::NotUtf8)?;
        Ok(Self {
            root: Cid::parse(&root)?,
            segments: segments(rest)?,
            trailing_slash: rest.ends_with('/'),
        })
    }

    /// The path in URL form, percent-encoded, with the trailing slash if it had one.
    pub fn encoded(&self) -> String {
        let mut text = format!("/ipfs/{}", self.root);
        for segment in &self.segments {
            text.push('/');
            text.extend(encode_segment(segment));
        }
        if self.trailing_slash {
            text.push('/');
        }
        text
    }

    /// The last name, if there is one below the root.
    pub fn file_name(&self) -> Option<&str> {
        self.segments.last().map(String::as_str)
    }
}

/// `/ipns/{name}/a/b/`: a mutable name and, below it, a path that is read once the name is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name, percent-decoded: a key or a domain, which is not checked here.
    pub name: String,
    /// What follows the name, percent-encoded as it came: empty, or from its slash on.
    pub rest: String,
}

impl Named {
    /// Reads the path part of a URL, still percent-encoded.
    ///
    /// # Errors
    /// [`PathError`]; the root is not read as a CID, so never [`PathError::Root`].
    pub fn parse(encoded: &str) -> Result<Self, PathError> {
        let below = encoded.strip_prefix("/ipns/").ok_or(PathError::NotContent)?;
        let (name, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
        if name.is_empty() {
            return Err(PathError::NotContent);
        }
        let name = percent_decode_str(name).decode_utf8().map_err(|_| PathError::NotUtf8)?;
        segments(rest)?;
        Ok(Self { name: name.into_owned(), rest: rest.to_owned() })
    }
}

/// Decodes and splits what follows the root of a URL path.
///
/// # Errors
/// [`PathError`], by what is wrong with the path.
pub fn segments(encoded: &str) -> Result<Vec<String>, PathError> {
    let decoded = percent_decode_str(encoded).decode_utf8().map_err(|_| PathError::NotUtf8)?;
    if decoded.contains('\0') {
        return Err(PathError::Nul);
    }
    let names: Vec<String> =
        decoded.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.iter().any(|name| name == "." || name == "..") {
        return Err(PathError::Relative);
    }
    if names.len() > SEGMENTS_MAX {
        return Err(PathError::TooDeep);
    }
    Ok(names)
}

/// One name as a segment of a URL path.
pub fn encode_segment(name: &str) -> impl Iterator<Item = &str> {
    utf8_percent_encode(name, SEGMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    fn parse(rest: &str) -> Result<ContentPath, PathError> {
        ContentPath::parse(&format!("/ipfs/{ROOT}{rest}"))
    }

    #[test]
    fn path_is_decoded_exactly_once() {
        let path = parse("/a%20b/%252e/c%2Fd/").expect("a valid path");
        assert_eq!(path.segments, ["a b", "%2e", "c", "d"]);
        assert!(path.trailing_slash);
        assert_eq!(path.encoded(), format!("/ipfs/{ROOT}/a%20b/%252e/c/d/"));
    }

    #[test]
    fn relative_segments_are_refused_in_every_spelling() {
        for rest in ["/..", "/a/../b", "/%2e%2e/x", "/.%2E", "/./a", "/..%2f..%2fetc"] {
            assert_eq!(parse(rest), Err(PathError::Relative), "{rest}");
        }
    }

    #[test]
    fn names_that_only_look_relative_are_names() {
        let path = parse("/...//a\\b;x").expect("a valid path");
        assert_eq!(path.segments, ["...", "a\\b;x"]);
    }

    #[test]
    fn named_path_keeps_what_follows_the_name() {
        let named = Named::parse("/ipns/docs.example%2Eorg/a%20b/").expect("a valid path");
        assert_eq!((named.name.as_str(), named.rest.as_str()), ("docs.example.org", "/a%20b/"));
        assert_eq!(Named::parse("/ipns/k51"), Ok(Named { name: "k51".into(), rest: "".into() }));
        assert_eq!(Named::parse("/ipns/"), Err(PathError::NotContent));
        assert_eq!(Named::parse("/ipns/k51/../x"), Err(PathError::Relative));
        assert_eq!(Named::parse("/ipfs/k51"), Err(PathError::NotContent));
    }

    #[test]
    fn bad_bytes_are_refused() {
        assert_eq!(parse("/%ff"), Err(PathError::NotUtf8));
        assert_eq!(parse("/%c0%ae"), Err(PathError::NotUtf8));
        assert_eq!(parse("/a%00b"), Err(PathError::Nul));
        assert_eq!(parse(&"/x".repeat(129)), Err(PathError::TooDeep));
        assert!(parse(&"/x".repeat(128)).is_ok());
    }

    #[test]
    fn what_is_not_content_says_so() {
        for path in ["/", "/ipfs", "/ipfs/", "/ipfs//x", "/ipns/example.org", "ipfs/x"] {
            assert_eq!(ContentPath::parse(path), Err(PathError::NotContent), "{path}");
        }
        assert!(matches!(ContentPath::parse("/ipfs/QmInvalidCID"), Err(PathError::Root(_))));
    }
}
