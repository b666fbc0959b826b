//! Messages to bytes, as chunks that share the bytes of their blocks.
//!
//! A block is never copied: its chunk is the block's own buffer, and the chunks are meant for one
//! vectored write.

use bytes::{Bytes, BytesMut};
use ipfs::{Block, Cid};

use super::fields::{from_int32, put_bytes, put_head, put_number, put_varint, varint_len};
use super::{Message, Presence, ProtocolVersion, WantEntry, WantType};

/// Encodes a message with its length prefix.
///
/// What a version cannot say is left out: presences and WANT-HAVE before 1.2. (An older peer would
/// take a WANT-HAVE for a want of the block.)
pub fn encode(message: &Message, version: ProtocolVersion) -> Vec<Bytes> {
    let mut chunks = Chunks::default();
    put_wantlist(&mut chunks.head, message, version);
    for block in &message.blocks {
        chunks.block(block, version);
    }
    if version.has_presences() {
        for (cid, presence) in &message.presences {
            put_presence(&mut chunks.head, cid, *presence);
        }
        put_number(&mut chunks.head, 5, from_int32(message.pending_bytes));
    }
    chunks.finish()
}

/// Bytes of our own making, cut wherever the bytes of a block go between.
#[derive(Default)]
struct Chunks {
    done: Vec<Bytes>,
    size: usize,
    head: BytesMut,
}

impl Chunks {
    fn block(&mut self, block: &Block, version: ProtocolVersion) {
        let data = block.data();
        if version.has_prefixes() {
            let prefix = prefix(block.cid());
            let data_head = 1 + varint_len(data.len() as u64);
            let prefix_field = 1 + varint_len(prefix.len() as u64) + prefix.len();
            put_head(&mut self.head, 3, prefix_field + data_head + data.len());
            put_bytes(&mut self.head, 1, &prefix);
        }
        put_head(&mut self.head, 2, data.len());
        let head = self.head.split().freeze();
        self.push(head);
        self.push(data.clone());
    }

    fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.size += chunk.len();
            self.done.push(chunk);
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        let tail = self.head.split().freeze();
        self.push(tail);
        let mut frame = BytesMut::with_capacity(4);
        put_varint(&mut frame, self.size as u64);
        self.done.insert(0, frame.freeze());
        self.done
    }
}

fn put_wantlist(out: &mut BytesMut, message: &Message, version: ProtocolVersion) {
    if message.wants.is_empty() && !message.full {
        return;
    }
    let mut list = BytesMut::with_capacity(message.wants.len() * 52);
    let mut entry = BytesMut::new();
    for want in &message.wants {
        let sayable = version.has_presences() || want.want_type == WantType::Block || want.cancel;
        if sayable {
            entry.clear();
            put_entry(&mut entry, want, version);
            put_bytes(&mut list, 1, &entry);
        }
    }
    put_number(&mut list, 2, u64::from(message.full));
    put_bytes(out, 1, &list);
}

fn put_entry(out: &mut BytesMut, want: &WantEntry, version: ProtocolVersion) {
    put_bytes(out, 1, &want.cid.to_bytes());
    put_number(out, 2, from_int32(want.priority));
    put_number(out, 3, u64::from(want.cancel));
    if version.has_presences() {
        put_number(out, 4, u64::from(want.want_type == WantType::Have));
        put_number(out, 5, u64::from(want.send_dont_have));
    }
}

fn put_presence(out: &mut BytesMut, cid: &Cid, presence: Presence) {
    let cid = cid.to_bytes();
    let kind = u64::from(presence == Presence::DontHave);
    let kind_size = if kind == 0 { 0 } else { 2 };
    put_head(out, 4, 1 + varint_len(cid.len() as u64) + cid.len() + kind_size);
    put_bytes(out, 1, &cid);
    put_number(out, 2, kind);
}

/// The CID without its digest: version, codec, hash function and digest length.
fn prefix(cid: &Cid) -> BytesMut {
    let hash = cid.multihash();
    let mut out = BytesMut::with_capacity(12);
    put_varint(&mut out, u64::from(!cid.is_v0()));
    put_varint(&mut out, cid.codec().code());
    put_varint(&mut out, hash.code());
    put_varint(&mut out, hash.digest().len() as u64);
    out
}
