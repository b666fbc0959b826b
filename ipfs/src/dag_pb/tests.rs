//! Claims about dag-pb nodes.

use proptest::prelude::*;

use super::*;
use crate::{Block, Codec};

fn cid() -> Cid {
    *Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small").cid()
}

fn link(name: &str) -> Link {
    Link { cid: cid(), name: Bytes::copy_from_slice(name.as_bytes()), tsize: 7 }
}

/// A protobuf field with a length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_bytes(&mut out, number, bytes);
    out
}

fn read(bytes: &[u8]) -> Result<Node, DagPbError> {
    decode(&Bytes::copy_from_slice(bytes))
}

#[test]
fn what_was_written_is_read() {
    let node = Node { links: vec![link("a"), link("")], data: Some(Bytes::from_static(b"data")) };
    assert_eq!(read(&encode(&node)), Ok(node));
    assert_eq!(read(&[]), Ok(Node::default()));
    let empty = Node { links: Vec::new(), data: Some(Bytes::new()) };
    assert_eq!(read(&encode(&empty)), Ok(empty));
}

#[test]
fn names_and_data_are_slices_of_the_block() {
    let node = Node { links: vec![link("name")], data: Some(Bytes::from_static(b"data")) };
    let block = Bytes::from(encode(&node));
    let read = decode(&block).expect("our own node");
    let within = |part: &Bytes| block.as_ptr_range().contains(&part.as_ptr());
    assert!(within(&read.links[0].name) && within(&read.data.expect("data")));
}

#[test]
fn view_keeps_the_block_and_gives_its_links_in_order() {
    let node = Node { links: vec![link("a"), link("b")], data: Some(Bytes::from_static(b"data")) };
    let data_first = [field(1, b"data"), encode(&Node { data: None, ..node.clone() })].concat();
    for bytes in [encode(&node), data_first] {
        let block = Bytes::from(bytes);
        let view = view(&block).expect("well formed");
        assert_eq!((view.data(), view.link_count()), (node.data.as_ref(), 2));
        let mut links = view.links();
        let first = links.next().expect("two links");
        assert_eq!((first.name, first.cid(), first.tsize), (&b"a"[..], cid(), 7));
        let mut rest = view.links_from(links.place());
        assert_eq!((rest.next(), rest.next()), (links.next(), None));
    }
}

#[test]
fn what_the_codec_forbids_is_refused() {
    let hash = field(1, &cid().to_bytes());
    let name = field(2, b"a");
    let whole = field(2, &[&hash[..], &name].concat());
    let data = field(1, b"d");
    let cases: [(&str, Vec<u8>); 10] = [
        ("an unknown field", field(3, b"")),
        ("data twice", [&data[..], &data].concat()),
        ("links split by data", [&whole[..], &data, &whole].concat()),
        ("a link's name before its hash", field(2, &[&name[..], &hash].concat())),
        ("a link with two hashes", field(2, &[&hash[..], &hash].concat())),
        ("a link without a hash", field(2, &name)),
        ("a link to no CID", field(2, &field(1, b"nonsense"))),
        ("a length beyond the block", vec![0x0a, 0x05, 1]),
        ("a group", vec![0x0b, 0x0c]),
        ("a varint of more than 64 bits", [&[0x0a][..], &[0xff; 10]].concat()),
    ];
    for (what, bytes) in cases {
        assert!(read(&bytes).is_err(), "{what}");
    }
    assert!(read(&[&data[..], &whole].concat()).is_ok(), "data may come first");
}

#[test]
fn node_cut_anywhere_is_refused_or_shorter() {
    let node = Node { links: vec![link("a"), link("b")], data: Some(Bytes::from_static(b"data")) };
    let bytes = encode(&node);
    for end in 0..bytes.len() {
        assert_ne!(read(&bytes[..end]).ok().as_ref(), Some(&node), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes: Vec<u8>) {
        std::hint::black_box(read(&bytes).is_ok());
    }

    #[test]
    fn what_is_read_is_written_the_same(
        names in prop::collection::vec("[a-z]{0,8}", 0..6),
        data: Option<Vec<u8>>,
    ) {
        let node = Node {
            links: names.iter().map(|name| link(name)).collect(),
            data: data.map(Bytes::from),
        };
        prop_assert_eq!(read(&encode(&node)), Ok(node));
    }
}
