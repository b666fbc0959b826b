//! One entry of a folder, as a row of a page or as an object of JSON.

use std::fmt::Write;

use ipfs::Cid;
use ipfs::path::encode_segment;
use ipfs::unixfs::listing::Listed;

use super::frame::Ends;
use crate::classify::Mount;
use crate::render::html::{Text, link_to_cid};

/// How a listing looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Html,
    Json,
}

/// What the rows of one listing have in common.
pub(super) struct Row {
    look: Look,
    /// The folder as the host shows it, percent-encoded, with its slash.
    folder: String,
    mount: Mount,
    ends: Ends,
    is_first: bool,
}

const INFALLIBLE: &str = "a string takes all that is written";

/// What stands before the entries in JSON.
pub(super) fn json_head(path: &str, cid: &Cid, page: u64) -> String {
    let path = serde_json::Value::from(path);
    format!("{{\"path\":{path},\"cid\":\"{cid}\",\"page\":{page},\"entries\":[")
}

impl Row {
    pub(super) fn new(look: Look, folder: String, mount: Mount, ends: Ends) -> Self {
        Self { look, folder, mount, ends, is_first: true }
    }

    /// Writes one entry.
    pub(super) fn write(&mut self, rows: &mut String, entry: &Listed) {
        match self.look {
            Look::Html => self.html(rows, entry),
            Look::Json => {
                let Listed { name, cid, tsize } = entry;
                let name = serde_json::Value::from(name.as_str());
                let comma = if self.is_first { "" } else { "," };
                write!(rows, "{comma}\n{{\"name\":{name},\"cid\":\"{cid}\",\"size\":{tsize}}}")
                    .expect(INFALLIBLE);
            }
        }
        self.is_first = false;
    }

    fn html(&self, rows: &mut String, entry: &Listed) {
        let encoded: String = encode_segment(&entry.name).collect();
        let link = link_to_cid(&self.mount, &entry.cid, Some(&entry.name));
        let cid = entry.cid.to_string();
        let (start, end) = cid.split_at(cid.len() - cid.len().min(6));
        let start = &start[..start.len().min(4)];
        writeln!(
            rows,
            "<tr><td><a href=\"{}{}\">{}</a></td><td class=\"hash\">\
             <a class=\"ipfs-hash\" translate=\"no\" {link}>{start}…{end}</a></td>\
             <td class=\"size\">{}</td></tr>",
            Text(&self.folder),
            Text(&encoded),
            Text(&entry.name),
            size(entry.tsize),
        )
        .expect(INFALLIBLE);
    }

    /// Writes the end, with the way to the next page if there is one.
    pub(super) fn end(&self, rows: &mut String, next: Option<u64>) {
        match (self.look, next) {
            (Look::Html, next) => {
                rows.push_str(&self.ends.rows);
                if let Some(next) = next {
                    write!(
                        rows,
                        "<p>There are more entries: \
                         <a href=\"?page={next}\" rel=\"next\">page {next}</a></p>"
                    )
                    .expect(INFALLIBLE);
                }
                rows.push_str(&self.ends.page);
            }
            (Look::Json, None) => rows.push_str("\n]}\n"),
            (Look::Json, Some(next)) => {
                write!(rows, "\n],\"next\":\"?format=json&page={next}\"}}\n").expect(INFALLIBLE);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ipfs::{Block, Codec};

    use super::*;

    fn written(look: Look, name: &str) -> String {
        let cid = *Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small").cid();
        let mut rows = String::new();
        let mut row = Row::new(look, "/ipfs/x/".to_owned(), Mount::Path, Ends::default());
        row.write(&mut rows, &Listed { name: name.to_owned(), cid, tsize: 1536 });
        rows
    }

    #[test]
    fn hostile_names_stay_text() {
        for name in ["\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "a' onclick='b", "<"]
        {
            let row = written(Look::Html, name);
            assert!(!row.contains("<img"), "{row}");
            assert!(!row.contains("href=\"javascript:"), "{row}");
            assert_eq!(row.matches('<').count(), 12, "{row}");
            assert_eq!(row.matches('"').count(), 12, "{row}");
            let json = written(Look::Json, name);
            let json: serde_json::Value = serde_json::from_str(&json).expect("an object");
            assert_eq!(json["name"], name);
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
