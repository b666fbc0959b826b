//! The media type of a file: by the extension of its name, else by its first bytes.

use http::HeaderValue;

/// How many bytes are looked at.
pub(super) const SNIFF_BYTES: usize = 512;

/// Bytes that a file begins with, and the type that they tell.
const MAGIC: [(&[u8], &str); 26] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\x01\0", "image/x-icon"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"Rar!\x1a\x07", "application/x-rar-compressed"),
    (b"\0asm", "application/wasm"),
    (b"OggS\0", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\xef\xbb\xbf", "text/plain; charset=utf-8"),
    (b"<?xml", "text/xml; charset=utf-8"),
];

/// How HTML begins, in lower case.
const HTML: [&[u8]; 9] = [
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<title",
    b"<h1",
    b"<div",
    b"<!--",
];

/// The type by the extension of a name, if it has a known one.
pub(super) fn by_name(name: &str) -> Option<HeaderValue> {
    let (_, extension) = name.rsplit_once('.')?;
    let media = mime_guess::from_ext(extension).first_raw()?;
    // A page says itself how it is encoded, and may say other than UTF-8.
    if media == "text/html" || !media.starts_with("text/") {
        return Some(HeaderValue::from_static(media));
    }
    HeaderValue::from_str(&format!("{media}; charset=utf-8")).ok()
}

/// The type by the first bytes.
pub(super) fn by_content(bytes: &[u8]) -> HeaderValue {
    let head = &bytes[..bytes.len().min(SNIFF_BYTES)];
    if let Some((_, media)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return HeaderValue::from_static(media);
    }
    let container = match (head.get(..4), head.get(4..8), head.get(8..12)) {
        (Some(b"RIFF"), _, Some(b"WEBP")) => Some("image/webp"),
        (Some(b"RIFF"), _, Some(b"WAVE")) => Some("audio/wave"),
        (Some(b"RIFF"), _, Some(b"AVI ")) => Some("video/avi"),
        (_, Some(b"ftyp"), Some(b"avif")) => Some("image/avif"),
        (_, Some(b"ftyp"), _) => Some("video/mp4"),
        _ => None,
    };
    if let Some(media) = container {
        return HeaderValue::from_static(media);
    }
    let text = head.trim_ascii_start();
    let is_html = HTML
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)));
    HeaderValue::from_static(match () {
        () if is_html => "text/html",
        () if is_json(text, bytes.len()) => "application/json",
        () if is_text(head) => "text/plain; charset=utf-8",
        () => "application/octet-stream",
    })
}

/// Whether this is an object or a list of JSON, or the beginning of one when there may be more.
fn is_json(text: &[u8], length: usize) -> bool {
    if !text.starts_with(b"{") && !text.starts_with(b"[") {
        return false;
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
        Ok(_) => true,
        Err(error) => error.is_eof() && length >= SNIFF_BYTES,
    }
}

/// Whether these are the first bytes of UTF-8 text.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        // The last character may be cut.
        Err(error) => error.error_len().is_none(),
    };
    valid && !head.iter().any(|byte| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_types() {
        for (name, media) in [
            ("a.html", "text/html"),
            ("a.TXT", "text/plain; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.svg", "image/svg+xml"),
            ("a.tar.png", "image/png"),
        ] {
            assert_eq!(by_name(name).expect("known"), media, "{name}");
        }
        assert_eq!(by_name("README"), None);
        assert_eq!(by_name("a.unheard-of"), None);
    }

    #[test]
    fn json_may_go_on_behind_the_first_bytes() {
        let long = format!("[\"{}", "x".repeat(SNIFF_BYTES));
        assert_eq!(by_content(&long.as_bytes()[..SNIFF_BYTES]), "application/json");
    }

    #[test]
    fn first_bytes_tell_types() {
        for (bytes, media) in [
            (&b"hello"[..], "text/plain; charset=utf-8"),
            (b"", "text/plain; charset=utf-8"),
            (b"  <!DOCTYPE HTML><p>", "text/html"),
            (b"\x89PNG\r\n\x1a\n....", "image/png"),
            (b"RIFF....WEBPVP8 ", "image/webp"),
            (b"....ftypisom", "video/mp4"),
            (b"\x00\x01\x02", "application/octet-stream"),
            ("grün".as_bytes(), "text/plain; charset=utf-8"),
            (b" {\"a\": [1, 2]}\n", "application/json"),
            (b"[\"a\"", "text/plain; charset=utf-8"),
            (b"[section]\nkey = value", "text/plain; charset=utf-8"),
            (&"ü".as_bytes()[..1], "text/plain; charset=utf-8"),
            (b"\xff\xfe\xfd", "application/octet-stream"),
        ] {
            assert_eq!(by_content(bytes), media, "{bytes:?}");
        }
    }
}
