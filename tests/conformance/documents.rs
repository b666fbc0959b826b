//! Structured data in both of its codecs, with links to files and to each other.

use ipfs::{Cid, Codec};

use crate::shelf::Shelf;

/// A value of a document; keys of one length, in order, are canonical in both codecs.
enum Value<'a> {
    Text(&'a str),
    Link(Cid),
    Map(Vec<(&'a str, Value<'a>)>),
}

/// What `{cbor}` and `{json}` hold: a codec that has no links.
pub(crate) const PLAIN_JSON: &str = "{\"links\": \"none\"}";

/// Makes `{dagcbor}` and `{dagjson}`, the leaves that they link to, and plain documents.
pub(crate) fn make(shelf: &mut Shelf, tree: Cid) {
    let leaf = Value::Map(vec![("note", Value::Text("the last one"))]);
    let cbor = shelf.bytes("cborleaf", Codec::DagCbor, cbor(&leaf)).cid;
    let json = shelf.bytes("jsonleaf", Codec::DagJson, json(&leaf).into_bytes()).cid;
    let document = |own: Cid, other: Cid| {
        let nest = vec![("next", Value::Link(own)), ("note", Value::Text("deep"))];
        Value::Map(vec![
            ("file", Value::Link(tree)),
            ("nest", Value::Map(nest)),
            ("next", Value::Link(other)),
            ("note", Value::Text("the first one")),
        ])
    };
    shelf.bytes("dagcbor", Codec::DagCbor, self::cbor(&document(cbor, json)));
    shelf.bytes("dagjson", Codec::DagJson, self::json(&document(json, cbor)).into_bytes());
    shelf.bytes("json", Codec::Json, PLAIN_JSON.into());
    let plain = Value::Map(vec![("note", Value::Text("no links"))]);
    shelf.bytes("cbor", Codec::Cbor, self::cbor(&plain));
}

fn cbor(value: &Value<'_>) -> Vec<u8> {
    let head = |major: u8, length: usize| {
        let length = u8::try_from(length).expect("short");
        if length < 24 { vec![major << 5 | length] } else { vec![major << 5 | 24, length] }
    };
    let text = |text: &str| [head(3, text.len()), text.into()].concat();
    match value {
        Value::Text(words) => text(words),
        Value::Link(cid) => {
            let cid = [vec![0], cid.to_bytes()].concat();
            [vec![0xd8, 42], head(2, cid.len()), cid].concat()
        }
        Value::Map(fields) => fields.iter().fold(head(5, fields.len()), |mut out, (key, value)| {
            out.extend(text(key));
            out.extend(cbor(value));
            out
        }),
    }
}

fn json(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => format!("\"{text}\""),
        Value::Link(cid) => format!("{{\"/\":\"{cid}\"}}"),
        Value::Map(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("\"{key}\":{}", json(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    }
}
