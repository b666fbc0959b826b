//! Folders without an index: a list of their entries, streamed as their blocks come.
//!
//! Nothing below an entry is fetched, and rows are written in batches, so neither the time to the
//! first row nor the memory depends on how many there are.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use askama::Template;
use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, StatusCode, header};
use ipfs::path::encode_segment;
use ipfs::unixfs::listing::{Listed, Listing};
use ipfs::{Block, Cid, Codec};

use super::{Config, LISTING, RenderError, Rendered, not_modified, plain, rendered};
use crate::blocks::{Pace, PullError, Reader};
use crate::classify::Content as Ask;
use crate::render::page::CONTENT_SECURITY_POLICY;
use crate::resolve::Plan;
use crate::stream::{Content, Pieces, StreamError};
use crate::upstream::FetchError;

/// Bytes of rows that are sent at once.
const BATCH_BYTES: usize = 16 * 1024;

/// A word for how listings are drawn, so that a tag changes with them.
static DRAWN: LazyLock<String> = LazyLock::new(|| {
    let drawn = [
        include_str!("../../templates/base.html"),
        include_str!("../../templates/listing.html"),
        include_str!("../../templates/listing_row.html"),
    ];
    let block = Block::of(Codec::Raw, drawn.concat().into()).expect("templates are small");
    let text = block.cid().to_string();
    text[text.len() - 12..].to_owned()
});

#[derive(Template)]
#[template(path = "listing.html")]
struct Head<'a> {
    path: &'a str,
    cid: &'a Cid,
    crumbs: Vec<Crumb>,
    has_parent: bool,
}

struct Crumb {
    name: String,
    href: String,
}

#[derive(Template)]
#[template(path = "listing_row.html")]
struct Row<'a> {
    href: String,
    name: &'a str,
    cid_href: String,
    short: String,
    size: String,
}

/// Answers with the entries of a folder.
pub(super) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    config: &Config,
) -> Result<Rendered, RenderError> {
    let etag = plain(&format!("\"DirIndex-{}_CID-{}\"", *DRAWN, plan.terminal));
    if let Some(response) = not_modified(ask, &etag) {
        return Ok(response);
    }
    let content = if ask.head {
        Content::Empty
    } else {
        let listing = Listing::new(&reader.get(plan.terminal).await?)?;
        let head = Bytes::from(head(plan, ask).render()?);
        Content::Pieces(Box::new(ListingPieces {
            listing,
            reader,
            next: Some(head),
            pending: None,
            left: config.listing_entries_max,
            on_site: ask.site.is_some(),
            ended: false,
            pace: Pace::default(),
        }))
    };
    let mut response = rendered(ask, StatusCode::OK, etag, content);
    let headers = response.headers_mut();
    if ask.site.is_none() {
        headers.insert(header::CACHE_CONTROL, LISTING);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    );
    Ok(response)
}

fn head<'a>(plan: &'a Plan, ask: &'a Ask) -> Head<'a> {
    let skip = ask.site.as_ref().map_or(0, |site| site.path.len());
    let shown = &ask.path[skip..];
    let mut href = String::new();
    let mut crumbs = Vec::new();
    for segment in shown.split('/').filter(|segment| !segment.is_empty()) {
        href.push('/');
        href.push_str(segment);
        let name = percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned();
        crumbs.push(Crumb { name, href: format!("{href}/") });
    }
    let has_parent = !plan.way.is_empty();
    if ask.site.is_none() {
        // "/ipfs/" itself is no page.
        crumbs.remove(0);
    }
    Head { path: shown, cid: &plan.terminal, crumbs, has_parent }
}

/// One entry as a row.
fn row(entry: &Listed, on_site: bool) -> Result<String, askama::Error> {
    let cid = entry.cid.to_string();
    // "./" keeps a name with a colon from being read as a scheme.
    let mut href = String::from("./");
    href.extend(encode_segment(&entry.name));
    let short = if cid.len() > 12 {
        format!("{}…{}", &cid[..4], &cid[cid.len() - 6..])
    } else {
        cid.clone()
    };
    // A site's host has no other content than its own.
    let mut cid_href = if on_site { format!("ipfs://{cid}") } else { format!("/ipfs/{cid}") };
    if !on_site {
        cid_href.push_str("?filename=");
        cid_href.extend(percent_encoding::utf8_percent_encode(
            &entry.name,
            percent_encoding::NON_ALPHANUMERIC,
        ));
    }
    Row { href, name: &entry.name, cid_href, short, size: size(entry.tsize) }.render()
}

/// A size for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

type Pending = Pin<Box<dyn Future<Output = Result<Block, FetchError>> + Send>>;

struct ListingPieces {
    listing: Listing,
    reader: Reader,
    next: Option<Bytes>,
    pending: Option<Pending>,
    /// How many entries may still be listed.
    left: usize,
    on_site: bool,
    /// Whether the end of the page was written.
    ended: bool,
    pace: Pace,
}

impl ListingPieces {
    /// The rows that are known, up to a batch; the end of the page behind the last one.
    fn batch(&mut self) -> Result<Option<Bytes>, StreamError> {
        let mut rows = String::new();
        while rows.len() < BATCH_BYTES {
            let Some(entry) = self.listing.next_entry() else { break };
            if self.left == 0 {
                rows.push_str(
                    "<tr><td colspan=\"3\">There are more entries than this page lists. ",
                );
                rows.push_str("Their own paths work, and <code>?format=car</code> has all.");
                rows.push_str("</td></tr>\n</tbody>\n</table>\n</body>\n</html>\n");
                self.ended = true;
                return Ok(Some(rows.into()));
            }
            self.left -= 1;
            rows.push_str(&row(&entry, self.on_site)?);
            rows.push('\n');
        }
        if self.listing.is_done() {
            self.ended = true;
            rows.push_str("</tbody>\n</table>\n</body>\n</html>\n");
        }
        Ok((!rows.is_empty()).then(|| rows.into()))
    }
}

impl Pieces for ListingPieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        if let Some(head) = self.next.take() {
            return Poll::Ready(Some(Ok(head)));
        }
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(pending) = &mut self.pending {
                let got = ready!(pending.as_mut().poll(cx));
                self.pending = None;
                let fed = got
                    .map_err(|error| StreamError::Pull(PullError::Fetch(error)))
                    .and_then(|block| Ok(self.listing.feed(&block)?));
                if let Err(error) = fed {
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match self.batch() {
                Ok(Some(rows)) => return Poll::Ready(Some(Ok(rows))),
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(None) => {}
            }
            let Some(first) = self.listing.need() else { continue };
            ready!(self.pace.poll_step(cx));
            let reader = self.reader.clone();
            self.pending = Some(Box::pin(async move { reader.get_next(first).await }));
        }
    }

    fn left(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str) -> Listed {
        let cid = *Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small").cid();
        Listed { name: name.to_owned(), cid, tsize: 1536 }
    }

    #[test]
    fn hostile_names_stay_text() {
        for name in ["\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "a' onclick='b", "<"]
        {
            let row = row(&listed(name), false).expect("a row");
            assert!(!row.contains("<img"), "{row}");
            assert!(!row.contains("href=\"javascript:"), "{row}");
            assert_eq!(row.matches('<').count(), 12, "{row}");
            assert_eq!(row.matches('"').count(), 10, "{row}");
        }
    }

    #[test]
    fn sizes_are_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (1536, "1.5 KiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
