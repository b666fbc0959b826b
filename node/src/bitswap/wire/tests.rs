//! Messages there and back, and what strangers may write.

use bytes::{Bytes, BytesMut};
use ipfs::cid::Multihash;
use ipfs::{Block, Cid, Codec};
use proptest::prelude::*;

use super::fields::{put_bytes, put_number, put_varint};
use super::*;

fn block(text: &[u8]) -> Block {
    Block::of(Codec::Raw, Bytes::copy_from_slice(text)).expect("a short block")
}

fn want(cid: Cid, want_type: WantType) -> WantEntry {
    WantEntry { cid, priority: -7, cancel: false, want_type, send_dont_have: true }
}

/// A message with one of everything.
fn message() -> Message {
    let raw = block(b"raw");
    let node = Block::of(Codec::DagPb, Bytes::from_static(b"\x0a\x00")).expect("a short block");
    let v0 = Cid::v0(*node.cid().multihash()).expect("sha2-256");
    Message {
        wants: vec![
            want(*raw.cid(), WantType::Block),
            want(v0, WantType::Have),
            WantEntry { cancel: true, ..want(v0, WantType::Block) },
        ],
        full: true,
        blocks: vec![raw.clone(), node.under(v0).expect("the same multihash"), node],
        presences: vec![(*raw.cid(), Presence::Have), (v0, Presence::DontHave)],
        pending_bytes: 1 << 30,
    }
}

fn flat(chunks: Vec<Bytes>) -> Bytes {
    let mut out = BytesMut::new();
    for chunk in chunks {
        out.extend_from_slice(&chunk);
    }
    out.freeze()
}

fn body(frame: Bytes) -> Bytes {
    let (head, body) = frame_len(&frame).expect("a length").expect("all of it");
    assert_eq!(frame.len(), head + body);
    frame.slice(head..)
}

fn back(message: &Message, version: ProtocolVersion) -> Received {
    decode(body(flat(encode(message, version)))).expect("a message of ours")
}

#[test]
fn a_message_comes_back_as_it_was() {
    let sent = message();
    let got = back(&sent, ProtocolVersion::V1_2);
    assert_eq!(got.wants, sent.wants);
    assert_eq!(got.blocks, sent.blocks);
    assert_eq!(got.presences, sent.presences);
    assert!(got.full);
    assert_eq!(got.dropped, Dropped::default());
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    // message Message { Wantlist wantlist = 1; … }, Entry { block = 1; priority = 2; cancel = 3;
    // wantType = 4; sendDontHave = 5 }, written by hand.
    let cid = *block(b"x").cid();
    let message = Message {
        wants: vec![WantEntry { priority: 1, ..want(cid, WantType::Have) }],
        ..Message::default()
    };
    let mut expected = vec![46, 0x0a, 44, 0x0a, 42, 0x0a, 36];
    expected.extend(cid.to_bytes());
    assert_eq!(flat(encode(&message, ProtocolVersion::V1_2)).len(), 47 + 2);
    expected.splice(0..7, [48, 0x0a, 46, 0x0a, 44, 0x0a, 36]);
    expected.extend([0x10, 1, 0x20, 1, 0x28, 1]);
    assert_eq!(flat(encode(&message, ProtocolVersion::V1_2)), expected);
}

#[test]
fn older_versions_say_less_and_never_turn_a_have_into_a_block() {
    for version in [ProtocolVersion::V1_0, ProtocolVersion::V1_1] {
        let got = back(&message(), version);
        assert!(got.presences.is_empty());
        assert_eq!(got.wants.len(), 2, "{version:?}: the WANT-HAVE is left out");
        assert!(got.wants.iter().all(|want| want.want_type == WantType::Block));
        assert_eq!(got.blocks.len(), 3);
    }
    let plain = back(&message(), ProtocolVersion::V1_0);
    assert!(plain.blocks.iter().all(|block| block.cid().is_v0()), "1.0 blocks have no prefix");
}

#[test]
fn blocks_are_sent_without_a_copy() {
    let data = Bytes::from(vec![7; 100_000]);
    let block = Block::of(Codec::Raw, data.clone()).expect("a block");
    let message = Message { blocks: vec![block], ..Message::default() };
    let chunks = encode(&message, ProtocolVersion::V1_2);
    assert!(chunks.iter().any(|chunk| chunk.as_ptr() == data.as_ptr()));
}

#[test]
fn large_blocks_are_received_without_a_copy() {
    let sent = Message { blocks: vec![block(&[7; 100_000])], ..Message::default() };
    let bytes = body(flat(encode(&sent, ProtocolVersion::V1_2)));
    let within = bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len();
    let got = decode(bytes.clone()).expect("a message");
    assert!(within.contains(&(got.blocks[0].data().as_ptr() as usize)));
}

#[test]
fn a_frame_is_judged_by_its_announced_length() {
    let announced = |size: u64| {
        let mut out = BytesMut::new();
        put_varint(&mut out, size);
        out
    };
    assert_eq!(frame_len(&[]), Ok(None));
    assert_eq!(frame_len(&announced(300)[..1]), Ok(None));
    assert_eq!(frame_len(&announced(300)), Ok(Some((2, 300))));
    let most = MESSAGE_BYTES_MAX as u64;
    assert_eq!(frame_len(&announced(most)), Ok(Some((4, MESSAGE_BYTES_MAX))));
    assert_eq!(frame_len(&announced(most + 1)), Err(WireError::TooLong));
    assert_eq!(frame_len(&announced(u64::MAX)), Err(WireError::TooLong));
    assert_eq!(frame_len(&[0xff; 4]), Err(WireError::TooLong), "without waiting for its end");
}

#[test]
fn a_message_over_the_limit_is_refused_unread() {
    let bytes = Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1]);
    assert_eq!(decode(bytes), Err(WireError::TooLong));
}

#[test]
fn lists_are_cut_while_they_are_read() {
    let cid = block(b"x").cid().to_bytes();
    let (mut entry, mut cancel) = (BytesMut::new(), BytesMut::new());
    put_bytes(&mut entry, 1, &cid);
    put_bytes(&mut cancel, 1, &cid);
    put_number(&mut cancel, 3, 1);
    let (mut list, mut message) = (BytesMut::new(), BytesMut::new());
    for _ in 0..20_000 {
        put_bytes(&mut list, 1, &entry);
        put_bytes(&mut list, 1, &cancel);
        put_bytes(&mut message, 4, &entry);
        put_bytes(&mut message, 3, b"\x0a\x04\x01\x55\x12\x20");
    }
    put_bytes(&mut message, 1, &list);
    let got = decode(message.freeze()).expect("protobuf");
    let cancels = got.wants.iter().filter(|want| want.cancel).count();
    assert_eq!((cancels, got.wants.len() - cancels), (CANCELS_MAX, WANTS_MAX));
    assert_eq!((got.presences.len(), got.blocks.len()), (PRESENCES_MAX, BLOCKS_MAX));
    let kept = CANCELS_MAX + WANTS_MAX + PRESENCES_MAX + BLOCKS_MAX;
    assert_eq!(got.dropped.over_bounds, 80_000 - kept as u64);
}

#[test]
fn odd_entries_do_not_lose_their_neighbours() {
    let good = block(b"good");
    let mut list = BytesMut::new();
    let unknown_hash = [&[1, 0x55, 0x99, 0x01, 32][..], &[0; 32]].concat();
    for cid in [good.cid().to_bytes(), vec![1; 200], vec![], unknown_hash] {
        let mut entry = BytesMut::new();
        put_bytes(&mut entry, 1, &cid);
        put_bytes(&mut list, 1, &entry);
    }
    let mut message = BytesMut::new();
    put_bytes(&mut message, 1, &list);
    put_bytes(&mut message, 99, b"a field of a later version");
    let got = decode(message.freeze()).expect("protobuf");
    assert_eq!(got.wants.len(), 1);
    assert_eq!(got.dropped, Dropped { unknown_hashes: 1, over_bounds: 0, malformed: 2 });
}

#[test]
fn a_message_without_a_wantlist_is_fine() {
    assert_eq!(decode(Bytes::new()), Ok(Received::default()));
}

#[test]
fn short_digests_and_inline_blocks_are_proven_too() {
    let data = Bytes::from_static(b"short");
    let digest = block(&data).cid().multihash().digest()[..20].to_vec();
    let hash = Multihash::wrap(0x12, &digest).expect("20 bytes");
    let short = Block::verify(Cid::v1(Codec::Raw, hash).expect("allowed"), data.clone());
    let inline = Block::inline(Cid::identity(Codec::Raw, &data).expect("short"));
    let blocks = vec![short.expect("a prefix of its digest"), inline.expect("an identity CID")];
    let sent = Message { blocks: blocks.clone(), ..Message::default() };
    assert_eq!(back(&sent, ProtocolVersion::V1_2).blocks, blocks);
}

#[test]
fn names_and_versions_match_both_ways() {
    for version in ProtocolVersion::ALL {
        assert_eq!(ProtocolVersion::from_name(version.name()), Some(version));
    }
    assert_eq!(ProtocolVersion::from_name("/ipfs/bitswap/2.0.0"), None);
}

fn any_message() -> impl Strategy<Value = Message> {
    let data = prop::collection::vec(any::<u8>(), 0..200);
    let entry = (data.clone(), any::<i32>(), any::<bool>(), any::<bool>(), any::<bool>());
    let entry = entry.prop_map(|(data, priority, cancel, have, send_dont_have)| WantEntry {
        cid: *block(&data).cid(),
        priority,
        cancel,
        want_type: if have { WantType::Have } else { WantType::Block },
        send_dont_have,
    });
    let presence = (data.clone(), any::<bool>()).prop_map(|(data, have)| {
        (*block(&data).cid(), if have { Presence::Have } else { Presence::DontHave })
    });
    let list = (
        prop::collection::vec(entry, 0..20),
        any::<bool>(),
        prop::collection::vec(data, 0..8),
        prop::collection::vec(presence, 0..20),
        any::<i32>(),
    );
    list.prop_map(|(wants, full, blocks, presences, pending_bytes)| Message {
        wants,
        full,
        blocks: blocks.iter().map(|data| block(data)).collect(),
        presences,
        pending_bytes,
    })
}

proptest! {
    #[test]
    fn any_message_comes_back_as_it_was(sent in any_message()) {
        let got = back(&sent, ProtocolVersion::V1_2);
        prop_assert_eq!(got.wants, sent.wants);
        prop_assert_eq!(got.blocks, sent.blocks);
        prop_assert_eq!(got.presences, sent.presences);
        prop_assert_eq!(got.full, sent.full);
    }

    #[test]
    fn any_cut_or_change_is_an_error_or_a_message_and_never_a_panic(
        sent in any_message(),
        cut in any::<prop::sample::Index>(),
        change in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = body(flat(encode(&sent, ProtocolVersion::V1_2))).to_vec();
        if !bytes.is_empty() {
            let at = change.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let outcome = decode(Bytes::from(bytes));
        if let Ok(got) = outcome {
            prop_assert!(got.blocks.len() <= sent.blocks.len() + 1);
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_message_and_never_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        if let Ok(Some((head, body))) = frame_len(&bytes) {
            prop_assert!(head <= 4 && body <= MESSAGE_BYTES_MAX);
        }
        if let Ok(got) = decode(Bytes::from(bytes)) {
            prop_assert!(got.wants.len() <= 300);
        }
    }
}
