//! `Content-Disposition`: whether to show or to save, and under which name.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 5987 leaves as it is.
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The header for a name, once as ASCII for old clients and once as it is.
pub(super) fn of(name: &str, save: bool) -> HeaderValue {
    let verb = if save { "attachment" } else { "inline" };
    let plain: String = name
        .chars()
        .map(|c| if (c.is_ascii_graphic() || c == ' ') && c != '"' && c != '\\' { c } else { '_' })
        .collect();
    let exact = utf8_percent_encode(name, NAME);
    HeaderValue::from_str(&format!("{verb}; filename=\"{plain}\"; filename*=UTF-8''{exact}"))
        .expect("other than visible ASCII is replaced or escaped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_header() {
        let header = of("a\"b\r\nSet-Cookie: x\u{202e}.txt", false);
        assert_eq!(
            header,
            "inline; filename=\"a_b__Set-Cookie: x_.txt\"; \
             filename*=UTF-8''a%22b%0D%0ASet-Cookie%3A%20x%E2%80%AE.txt"
        );
        assert!(of("test.png", true).to_str().expect("ASCII").starts_with("attachment"));
    }
}
