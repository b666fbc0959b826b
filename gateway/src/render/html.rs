//! Text and addresses in pages: escaped, and leading to where the host has its content.

use std::fmt::{self, Write};

use ipfs::Cid;

use crate::classify::{Content as Ask, Mount};

/// Text that stays text between tags and in quoted attributes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// A link to any content by its CID, as the attributes of its element. A website's host has no
/// content but its own, so the link leads to a page about the CID.
pub(super) fn link_to_cid(mount: &Mount, cid: &Cid, name: Option<&str>) -> String {
    let gateway = match mount {
        Mount::Path => String::new(),
        Mount::Origin { gateway } => format!("//{gateway}"),
        Mount::Site { .. } => {
            return format!(
                "href=\"https://cid.ipfs.tech/#{cid}\" target=\"_blank\" rel=\"noreferrer noopener\""
            );
        }
    };
    let mut href = format!("href=\"{gateway}/ipfs/{cid}");
    if let Some(name) = name {
        href.push_str("?filename=");
        // Readers of other gateways' listings expect the name of the path, encoded once more.
        let segment: String = ipfs::path::encode_segment(name).collect();
        href.extend(percent_encoding::utf8_percent_encode(&segment, QUERY));
    }
    href.push('"');
    href
}

/// What must be escaped in a value of a query.
const QUERY: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parts of the path that is shown, each with a link to it.
pub(super) fn crumbs(ask: &Ask) -> String {
    let mut html = String::new();
    let (namespace, below) = match ask.path.strip_prefix("/ipns/") {
        Some(below) => ("ipns", below),
        None => ("ipfs", ask.path.strip_prefix("/ipfs/").unwrap_or_default()),
    };
    let (root, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
    let (root, mut href, rest) = match &ask.mount {
        Mount::Path => (root, format!("/{namespace}/{root}"), rest),
        Mount::Origin { gateway } => (root, format!("//{gateway}/{namespace}/{root}"), rest),
        Mount::Site { host, .. } => (host.as_str(), format!("//{host}"), ask.shown_path()),
    };
    let slash = if matches!(ask.mount, Mount::Site { .. }) { "/" } else { "" };
    let namespace = if slash.is_empty() { namespace } else { "ipns" };
    let written =
        write!(html, "/{namespace}/<a href=\"{}{slash}\">{}</a>", Text(&href), shown(root))
            .and_then(|()| {
                rest.split('/').filter(|segment| !segment.is_empty()).try_for_each(|segment| {
                    href.push('/');
                    href.push_str(segment);
                    write!(html, "/<a href=\"{}\">{}</a>", Text(&href), shown(segment))
                })
            });
    written.expect("a string takes all that is written");
    html
}

/// A part of a path as it reads.
fn shown(segment: &str) -> String {
    let name = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
    Text(&name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let text = Text("\"><img src=x onerror='a()'>&amp;").to_string();
        assert_eq!(text, "&quot;&gt;&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;amp;");
        assert_eq!(Text("grün").to_string(), "grün");
    }
}
