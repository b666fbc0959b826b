//! A block of data drawn for people: its maps and lists as lists, its links as links.
//!
//! A block of 2 MiB can have a million values, so drawing ends after some thousands, and says so.

use std::fmt::Write;

use ipfs::dag::{Event, Reader};
use ipfs::{Block, Codec};
use minijinja::value::Value;
use serde::Serialize;

use super::RenderError;
use super::html::{Text, crumbs, link_to_cid};
use super::page::Look;
use crate::classify::{Content as Ask, Mount};

/// Most events that are drawn.
const EVENTS_MAX: usize = 5_000;
/// Longest text that is drawn of one value.
const CHARS_MAX: usize = 1_000;
/// Most bytes that are drawn of one value.
const BYTES_MAX: usize = 64;

/// What the template is told; `crumbs` and `value` are HTML.
#[derive(Serialize)]
struct Page<'a> {
    crumbs: Value,
    cid: String,
    kind: &'a str,
    bytes: usize,
    value: Value,
    is_cut: bool,
}

/// Draws a block that has nothing in it.
pub(super) fn try_draw(look: &Look) -> Result<(), minijinja::Error> {
    for is_cut in [true, false] {
        let (crumbs, value) = (Value::from("-"), Value::from("-"));
        let page = Page { crumbs, cid: "-".to_owned(), kind: "-", bytes: 0, value, is_cut };
        look.draw("preview.html", is_cut, page)?;
    }
    Ok(())
}

/// Draws a block.
pub(super) fn draw(block: &Block, ask: &Ask, look: &Look) -> Result<String, RenderError> {
    let cid = *block.cid();
    let wrong = |source| RenderError::Dag { cid, source };
    let mut reader = Reader::new(cid.codec(), block.data()).map_err(wrong)?;
    let mut page = Drawing { html: String::new(), open: Vec::new(), mount: &ask.mount };
    let mut events = 0;
    let mut is_cut = false;
    while let Some(event) = reader.next_event().map_err(wrong)? {
        events += 1;
        // What is left is read all the same: a malformed block is not shown as if it were not.
        is_cut |= events > EVENTS_MAX;
        if !is_cut {
            page.draw(&event);
        }
    }
    page.close();
    let shown = Page {
        crumbs: Value::from_safe_string(crumbs(ask)),
        cid: cid.to_string(),
        kind: kind(cid.codec()),
        bytes: block.data().len(),
        value: Value::from_safe_string(page.html),
        is_cut,
    };
    Ok(look.draw("preview.html", matches!(ask.mount, Mount::Path), shown)?)
}

fn kind(codec: Codec) -> &'static str {
    match codec {
        Codec::DagJson => "dag-json",
        Codec::Json => "json",
        Codec::DagCbor => "dag-cbor",
        Codec::Cbor | Codec::Raw | Codec::DagPb | Codec::Libp2pKey | Codec::Other(_) => "cbor",
    }
}

/// Whether the open part is a list, and then which item comes next.
enum Open {
    List(u64),
    /// A map, and whether its key was drawn.
    Map,
}

struct Drawing<'a> {
    html: String,
    open: Vec<Open>,
    mount: &'a Mount,
}

impl Drawing<'_> {
    fn draw(&mut self, event: &Event<'_>) {
        match event {
            Event::Key(key) => self.put(format_args!("<li><b>{}</b>: ", Text(&cut(key)))),
            Event::End => {
                self.open.pop();
                self.html.push_str("</ul>");
                self.after();
            }
            Event::ListStart | Event::MapStart => {
                self.before();
                let is_list = matches!(event, Event::ListStart);
                self.open.push(if is_list { Open::List(0) } else { Open::Map });
                self.html.push_str("<ul>");
            }
            Event::Null
            | Event::Bool(_)
            | Event::Int(_)
            | Event::Float(_)
            | Event::Text(_)
            | Event::Bytes(_)
            | Event::Link(_) => {
                self.before();
                self.value(event);
                self.after();
            }
        }
    }

    fn value(&mut self, event: &Event<'_>) {
        match event {
            Event::Null => self.put(format_args!("<i>null</i>")),
            Event::Bool(value) => self.put(format_args!("<i>{value}</i>")),
            Event::Int(value) => self.put(format_args!("{value}")),
            Event::Float(value) => self.put(format_args!("{value:?}")),
            Event::Text(text) => self.put(format_args!("“{}”", Text(&cut(text)))),
            Event::Bytes(bytes) => {
                let shown: String =
                    bytes.iter().take(BYTES_MAX).map(|byte| format!("{byte:02x}")).collect();
                let more = if bytes.len() > BYTES_MAX { "…" } else { "" };
                self.put(format_args!("<code>{shown}{more}</code> ({} bytes)", bytes.len()));
            }
            Event::Link(cid) => {
                let link = link_to_cid(self.mount, cid, None);
                self.put(format_args!("<a class=\"cid\" {link}>{cid}</a>"));
            }
            Event::Key(_) | Event::End | Event::ListStart | Event::MapStart => {}
        }
    }

    /// What stands before a value: the number of an item, as the key of an entry stands already.
    fn before(&mut self) {
        if let Some(Open::List(next)) = self.open.last_mut() {
            let item = *next;
            *next += 1;
            self.put(format_args!("<li><span class=\"dim\">{item}</span>: "));
        }
    }

    fn after(&mut self) {
        if !self.open.is_empty() {
            self.html.push_str("</li>");
        }
    }

    /// Ends what is open when drawing was cut.
    fn close(&mut self) {
        while self.open.pop().is_some() {
            // The end of an item is implied by the end of its list.
            self.html.push_str("</ul>");
        }
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.html.write_fmt(text).expect("a string takes all that is written");
    }
}

/// Text no longer than is drawn.
fn cut(text: &str) -> String {
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(CHARS_MAX).collect();
    if chars.next().is_some() { shown + "…" } else { shown }
}
