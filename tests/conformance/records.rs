//! IPNS records, good and tampered with. Their keys are seeds: anybody may sign for these names.

use std::time::{Duration, SystemTime};

use ipfs::cid::Base;
use ipfs::ipns::{self, Name};
use ipfs::{Cid, Codec};
use libp2p_identity::Keypair;

use crate::shelf::Shelf;

/// The media type of a record.
pub(crate) const RECORD_TYPE: &str = "application/vnd.ipfs.ipns-record";
/// The time to live that records say.
pub(crate) const TTL: u64 = 1800;
/// How long records are valid.
const VALID_FOR: Duration = Duration::from_secs(86_400);

/// Fields of the message, by their numbers.
const VALUE: u8 = 1;
const SIGNATURE_V1: u8 = 2;
const SIGNATURE_V2: u8 = 8;
const DATA: u8 = 9;

/// A record under the word that claims know its name by.
pub(crate) struct Signed {
    pub(crate) word: &'static str,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_valid: bool,
}

/// A field of a protobuf message: its number, and all of its bytes with the tag before them.
type Field = (u8, Vec<u8>);

/// Signs every record.
pub(crate) fn make(shelf: &mut Shelf) {
    let tree = format!("/ipfs/{}", shelf.word("tree"));
    let letters = format!("/ipfs/{}", shelf.word("letters"));
    let same = |fields: Vec<Field>| fields;
    let good = sign(shelf, "k_tree", 1, &tree, true, same);
    let cid = good.cid();
    let hash = Base::Base58Btc.encode(&cid.to_bytes()[2..]);
    shelf.name("k_tree_peer", &hash);
    shelf.name("k_tree_b32", &cid.to_text(Base::Base32Lower));
    let as_dag_pb = Cid::v1(Codec::DagPb, *cid.multihash()).expect("its hash is known");
    shelf.name("k_tree_dag_pb", &as_dag_pb.to_text(Base::Base36Lower));
    sign(shelf, "k_docs", 2, &format!("{tree}/docs"), true, same);
    sign(shelf, "k_chain", 3, &format!("/ipns/{good}"), true, same);
    sign(shelf, "k_json", 4, &format!("/ipfs/{}", shelf.word("dagjson")), true, same);
    sign(shelf, "k_v2", 5, &letters, true, |fields| {
        fields.into_iter().filter(|(number, _)| [SIGNATURE_V2, DATA].contains(number)).collect()
    });
    sign(shelf, "k_odd_v1", 6, &letters, true, |fields| broken(fields, SIGNATURE_V1));
    sign(shelf, "k_v1", 7, &letters, false, |fields| {
        fields.into_iter().filter(|(number, _)| ![SIGNATURE_V2, DATA].contains(number)).collect()
    });
    sign(shelf, "k_forged", 8, &letters, false, |fields| broken(fields, SIGNATURE_V2));
    sign(shelf, "k_mismatch", 9, &letters, false, |fields| broken(fields, VALUE));
    // A key that never signed anything.
    shelf.name("k_silent", &name(10).to_string());
}

fn key(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).expect("any 32 bytes are a key")
}

fn name(seed: u8) -> Name {
    Name::of_key(&key(seed).public().encode_protobuf())
}

fn sign(
    shelf: &mut Shelf,
    word: &'static str,
    seed: u8,
    value: &str,
    is_valid: bool,
    change: impl Fn(Vec<Field>) -> Vec<Field>,
) -> Name {
    let until = SystemTime::now() + VALID_FOR;
    let record = ipns::create(&key(seed), value, 1, until, Duration::from_secs(TTL));
    let changed = change(fields(&record.expect("a sound record")));
    let bytes = changed.into_iter().flat_map(|(_, bytes)| bytes).collect();
    let name = name(seed);
    shelf.sign(Signed { word, name: name.to_string(), bytes, is_valid });
    name
}

/// Changes the last byte of a field.
fn broken(mut fields: Vec<Field>, number: u8) -> Vec<Field> {
    let field = fields.iter_mut().find(|(known, _)| *known == number).expect("the field is there");
    *field.1.last_mut().expect("a field has a tag") ^= 1;
    fields
}

/// Cuts a message of ours into its fields: numbers and bytes, with tags of one byte.
fn fields(mut message: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some(&tag) = message.first() {
        let varint = message[1..].iter().take_while(|byte| **byte >= 128).count() + 1;
        let length = message[1..=varint]
            .iter()
            .rev()
            .fold(0, |length, byte| length << 7 | usize::from(byte & 127));
        let end = 1 + varint + if tag & 7 == 2 { length } else { 0 };
        let (field, rest) = message.split_at(end);
        fields.push((tag >> 3, field.to_vec()));
        message = rest;
    }
    fields
}
