//! Who may ask: names and the hashes of their tokens.
//!
//! A token is 256 random bits, so that a plain hash of it is as good as the token is long: there is
//! nothing to guess. The file has lines `NAME SHA256`, as `printf %s TOKEN | sha256sum` prints it.

use std::fs;
use std::path::Path;

use hex::FromHex;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use super::super::error::{LogsError, at};

/// The people of a file.
pub(super) struct Tokens(Vec<(String, [u8; 32])>);

impl Tokens {
    /// Reads a file of tokens.
    ///
    /// # Errors
    /// `File`; `Sources` with the line that is wrong, or when there is none.
    pub(super) fn read(path: &Path) -> Result<Self, LogsError> {
        let wrong = |problem| LogsError::Sources { path: path.to_path_buf(), problem };
        let text = fs::read_to_string(path).map_err(at(path))?;
        let mut people = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let name = words.next().filter(|name| is_name(name));
            let hash = words.next().and_then(|hash| FromHex::from_hex(hash).ok());
            match (name, hash, words.next()) {
                (Some(name), Some(hash), None) => people.push((name.to_owned(), hash)),
                _ => {
                    let number = place + 1;
                    return Err(wrong(format!(
                        "line {number} is not `NAME SHA256`: make one with `bifrost logs token NAME`"
                    )));
                }
            }
        }
        if people.is_empty() {
            return Err(wrong("it has no line, so that nobody could ask".to_owned()));
        }
        Ok(Self(people))
    }

    /// Who brings a token, if anybody does.
    pub(super) fn user(&self, headers: &HeaderMap) -> Option<String> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, given) = given.split_once(' ')?;
        let (name, token) = if scheme.eq_ignore_ascii_case("bearer") {
            (None, given.trim().to_owned())
        } else if scheme.eq_ignore_ascii_case("basic") {
            let text = String::from_utf8(base64(given.trim())?).ok()?;
            let (name, token) = text.split_once(':')?;
            (Some(name.to_owned()), token.to_owned())
        } else {
            return None;
        };
        let hash = Sha256::digest(token.as_bytes());
        // Hashes are compared, of which a timing tells nothing that helps to find a token.
        let known = self.0.iter().find(|(_, known)| known[..] == hash[..])?;
        name.is_none_or(|name| name == known.0).then(|| known.0.clone())
    }
}

/// A token for a person, and the line for the file.
///
/// # Errors
/// `Serve` when the name is none.
pub(crate) fn new_token(name: &str) -> Result<String, LogsError> {
    if !is_name(name) {
        return Err(LogsError::Serve(format!(
            "{name:?} is no name: letters, digits, dashes and dots"
        )));
    }
    // Names are random in both halves: 256 bits.
    let random = || telemetry::trace::RequestId::random().as_str().to_owned();
    let token = format!("{}{}", random(), random());
    let hash = hex::encode(Sha256::digest(token.as_bytes()));
    Ok(format!(
        "token of {name}, shown once: {token}\nline for the file of tokens: {name} {hash}\n"
    ))
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    !name.is_empty() && name.len() <= 64 && name.bytes().all(allowed)
}

/// Reads base 64 with its padding or without.
fn base64(text: &str) -> Option<Vec<u8>> {
    multibase::Base::Base64.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn token_is_known_by_its_hash_as_bearer_and_as_password() {
        let made = new_token("ada").expect("a name");
        let token = made.lines().next().and_then(|line| line.rsplit(' ').next()).expect("a token");
        let line = made.lines().nth(1).and_then(|line| line.split_once(": ")).expect("a line").1;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens");
        fs::write(&path, format!("# people\n{line}\n")).expect("written");
        let tokens = Tokens::read(&path).expect("tokens");
        let user = |value: String| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(&value).expect("a value");
            headers.insert(header::AUTHORIZATION, value);
            tokens.user(&headers)
        };
        assert_eq!(user(format!("Bearer {token}")).as_deref(), Some("ada"));
        assert_eq!(user(format!("Bearer {token}x")), None);
        assert_eq!(user("Basic !".to_owned()), None);
        assert!(!line.contains(token));
        assert_eq!(base64("YWRhOnNlY3JldA==").as_deref(), Some(&b"ada:secret"[..]));
    }

    #[test]
    fn line_that_is_none_is_told_with_its_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens");
        for (text, part) in [("# a\nada abc\n", "line 2"), ("", "no line"), ("a b c\n", "line 1")] {
            fs::write(&path, text).expect("written");
            let error = Tokens::read(&path).err().expect("refused").to_string();
            assert!(error.contains(part) && error.contains("tokens"), "{error}");
        }
    }
}
