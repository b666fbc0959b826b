//! Whether a client's copy is still good.

/// Whether an `If-None-Match` value names this entity tag, by weak comparison.
pub(crate) fn etag_matches(header: &[u8], etag: &[u8]) -> bool {
    let etag = etag.strip_prefix(b"W/").unwrap_or(etag);
    let mut rest = header.trim_ascii();
    if rest == b"*" {
        return true;
    }
    while !rest.is_empty() {
        rest = rest.strip_prefix(b"W/").unwrap_or(rest);
        let Some(open) = rest.strip_prefix(b"\"") else { return false };
        let Some(end) = open.iter().position(|byte| *byte == b'"') else { return false };
        if rest[..end + 2] == *etag {
            return true;
        }
        rest = open[end + 1..].trim_ascii_start();
        rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        for (header, matches) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("\"b\",W/\"a\"", true),
            (" * ", true),
            ("\"b\"", false),
            ("a", false),
            ("\"a", false),
            ("\"x,\"a\"", false),
            ("", false),
        ] {
            assert_eq!(etag_matches(header.as_bytes(), b"\"a\""), matches, "{header}");
            assert_eq!(etag_matches(header.as_bytes(), b"W/\"a\""), matches, "{header}");
        }
    }
}
