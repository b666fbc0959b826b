//! What a mirrored request says of itself, in `Bifrost-Mirror: v1; id=…; env=…`.
//!
//! Whoever says it, the request is never mirrored again. Whether it counts as mirrored traffic is for
//! `hosts.mirrors` to say.

use http::{HeaderMap, HeaderValue};

use super::copied::MARK;

/// Who sent a mirrored request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark<'a> {
    /// The gateway's life that sent it.
    pub(super) id: &'a str,
    /// Its environment.
    pub(super) env: &'a str,
    /// Whether it asks itself, to learn how often answers differ by themselves.
    pub(super) again: bool,
}

impl<'a> Mark<'a> {
    /// The mark of a request, if it has one. One that is not understood is one for all that.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let value = headers.get(MARK)?.to_str().unwrap_or_default();
        let mut mark = Self::default();
        for part in value.split(';').map(str::trim) {
            match part.split_once('=') {
                Some(("id", id)) => mark.id = id,
                Some(("env", env)) => mark.env = env,
                None if part == "again" => mark.again = true,
                Some(_) | None => {}
            }
        }
        Some(mark)
    }

    /// As a header says it.
    pub(super) fn value(&self) -> HeaderValue {
        let env = env_word(self.env);
        let again = if self.again { "; again" } else { "" };
        let text = format!("v1; id={}; env={env}{again}", self.id);
        HeaderValue::try_from(text).expect("letters, digits and signs")
    }
}

/// The letters and digits of an environment's name, which is all that a mark says of it.
pub(super) fn env_word(env: &str) -> String {
    env.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        for again in [false, true] {
            let mark = Mark { id: "00ff", env: "prod", again };
            let headers = HeaderMap::from_iter([(MARK, mark.value())]);
            assert_eq!(Mark::of(&headers), Some(mark));
        }
    }

    #[test]
    fn what_is_not_understood_is_a_mark_for_all_that() {
        let headers = HeaderMap::from_iter([(MARK, HeaderValue::from_static("v9; x; =;;id"))]);
        assert_eq!(Mark::of(&headers), Some(Mark::default()));
        assert_eq!(Mark::of(&HeaderMap::new()), None);
    }
}
