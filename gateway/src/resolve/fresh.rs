//! How long what a path leads to stays true.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::names::Resolved;

/// How long a listing may serve while it is drawn again.
const STALE_WHILE_REVALIDATE: &str = "stale-while-revalidate=2678400";

/// How long what a path leads to stays true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// For ever: the root is a CID.
    Immutable,
    /// As long as configuration says.
    Configured(HeaderValue),
    /// As long as the name leads to the same root.
    Named(Resolved),
}

impl Fresh {
    /// Puts it into the headers of an answer that says of itself how long it may be kept.
    ///
    /// A name without a time to live has no `Cache-Control`; `Last-Modified` is when it was looked
    /// up, as the path gateway specification has it.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        let Some(before) = headers.get(header::CACHE_CONTROL).cloned() else { return };
        let resolved = match self {
            Fresh::Immutable => return,
            Fresh::Configured(cache_control) => {
                headers.insert(header::CACHE_CONTROL, cache_control.clone());
                return;
            }
            Fresh::Named(resolved) => resolved,
        };
        match resolved.ttl {
            Some(ttl) => {
                let is_drawn = before.to_str().is_ok_and(|text| text.contains("stale-while"));
                let seconds = ttl.as_secs();
                let text = if is_drawn {
                    format!("public, max-age={seconds}, {STALE_WHILE_REVALIDATE}")
                } else {
                    format!("public, max-age={seconds}")
                };
                let value = HeaderValue::from_str(&text).expect("words and digits");
                headers.insert(header::CACHE_CONTROL, value);
            }
            None => {
                headers.remove(header::CACHE_CONTROL);
                let now = httpdate::fmt_http_date(std::time::SystemTime::now() - resolved.age);
                let value = HeaderValue::from_str(&now).expect("a date is plain text");
                headers.insert(header::LAST_MODIFIED, value);
            }
        }
        if resolved.stale {
            let age = HeaderValue::from(resolved.age.as_secs());
            headers.insert(HeaderName::from_static("bifrost-name-age"), age);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn marked(before: &'static str, ttl: Option<u64>, stale: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(before));
        let ttl = ttl.map(Duration::from_secs);
        let age = Duration::from_secs(90);
        Fresh::Named(Resolved { path: String::new(), ttl, age, stale, through: Vec::new() })
            .mark(&mut headers);
        headers
    }

    #[test]
    fn names_are_kept_no_longer_than_they_live() {
        let headers = marked("public, max-age=29030400, immutable", Some(30), false);
        assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=30");
        let headers =
            marked("public, max-age=604800, stale-while-revalidate=2678400", Some(0), true);
        let drawn = "public, max-age=0, stale-while-revalidate=2678400";
        assert_eq!(headers[header::CACHE_CONTROL], drawn);
        assert_eq!(headers["bifrost-name-age"], "90");
    }

    #[test]
    fn name_without_a_time_to_live_says_when_it_was_looked_up() {
        let headers = marked("public, max-age=29030400, immutable", None, false);
        assert!(!headers.contains_key(header::CACHE_CONTROL));
        assert!(headers.contains_key(header::LAST_MODIFIED));
    }

    #[test]
    fn what_may_not_be_kept_stays_so() {
        let mut headers = HeaderMap::new();
        Fresh::Configured(HeaderValue::from_static("public")).mark(&mut headers);
        assert!(headers.is_empty());
    }
}
