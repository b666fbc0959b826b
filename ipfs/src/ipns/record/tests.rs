//! Claims about records: which are proven, and what of them is believed.

use std::time::UNIX_EPOCH;

use libp2p_identity::{ecdsa, secp256k1};
use proptest::prelude::*;

use super::*;

const VALUE: &str = "/ipfs/bafkqaddwgevxmmraojswg33smq";
const TTL: Duration = Duration::from_secs(1800);

/// A name and a record of it, signed by an RSA key of 2048 bits that was thrown away.
const RSA: &[u8] = include_bytes!("../../../fuzz/corpus/ipns/rsa");

fn ed25519(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).expect("any 32 bytes are a key")
}

fn name_of(key: &Keypair) -> Name {
    Name::of_key(&key.public().encode_protobuf())
}

fn validity() -> SystemTime {
    UNIX_EPOCH + Duration::new(4_000_000_000, 123_456_789)
}

fn document() -> Document {
    Document {
        value: VALUE.as_bytes().to_vec(),
        validity: b"2096-10-02T07:06:40.123456789Z".to_vec(),
        validity_type: 0,
        sequence: 7,
        ttl: 1_800_000_000_000,
    }
}

fn entry() -> Entry {
    sign(&ed25519(1), &document()).expect("ed25519 signs")
}

fn verify(entry: &Entry) -> Result<Record, RecordError> {
    Record::verify(&name_of(&ed25519(1)), &entry.encode_to_vec())
}

/// A record of a document, as the key of the name signed it.
fn verify_document(document: &Document) -> Result<Record, RecordError> {
    verify(&sign(&ed25519(1), document).expect("ed25519 signs"))
}

/// A record of any signed bytes, without copies.
fn verify_data(data: &[u8]) -> Result<Record, RecordError> {
    let signature = ed25519(1).sign(&[SIGNED_PREFIX, data].concat()).expect("ed25519 signs");
    verify(&Entry {
        signature_v2: Some(signature.into()),
        data: Some(data.to_vec().into()),
        ..Entry::default()
    })
}

#[test]
fn record_says_what_it_was_made_of() {
    let key = ed25519(1);
    let bytes = create(&key, VALUE, 7, validity(), TTL).expect("a sound record");
    let record = Record::verify(&name_of(&key), &bytes).expect("our own record");
    assert_eq!((record.value(), record.sequence(), record.ttl()), (VALUE, 7, TTL));
    assert_eq!((record.validity(), record.name()), (validity(), &name_of(&key)));
    assert_eq!(record.bytes(), &bytes);
    assert_eq!(Record::verify(&name_of(&key), &entry().encode_to_vec()).expect("alike"), record);
}

#[test]
fn every_kind_of_key_proves_its_records() {
    let secp = secp256k1::SecretKey::try_from_bytes([1; 32]).expect("below the order");
    let ecdsa = ecdsa::SecretKey::try_from_bytes([1; 32]).expect("below the order");
    let keys: [Keypair; 3] =
        [ed25519(1), secp256k1::Keypair::from(secp).into(), ecdsa::Keypair::from(ecdsa).into()];
    for key in keys {
        let bytes = create(&key, VALUE, 0, validity(), TTL).expect("a sound record");
        let record = Record::verify(&name_of(&key), &bytes);
        assert_eq!(record.expect("our own record").value(), VALUE, "{:?}", key.key_type());
    }
    let (name, bytes) = RSA.split_at(34);
    let name = Name::from_multihash_bytes(name).expect("a name");
    assert_eq!(Record::verify(&name, bytes).expect("an RSA record").value(), VALUE);
}

#[test]
fn record_of_another_name_is_refused() {
    let other = name_of(&ed25519(2));
    let bytes = entry().encode_to_vec();
    // Without a key of its own, the record is held against the key in the name.
    assert_eq!(Record::verify(&other, &bytes), Err(RecordError::Signature));
    let key = Some(ed25519(1).public().encode_protobuf().into());
    let with_key = Entry { public_key: key, ..entry() };
    assert!(verify(&with_key).is_ok());
    let refused = Record::verify(&other, &with_key.encode_to_vec());
    assert_eq!(refused, Err(RecordError::OtherKey(other)));
    let hashed = Name::parse("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH").expect("a name");
    assert_eq!(Record::verify(&hashed, &bytes), Err(RecordError::NoKey));
}

#[test]
fn only_the_second_signature_counts() {
    let without = Entry { signature_v2: None, ..entry() };
    assert_eq!(verify(&without), Err(RecordError::Unsigned));
    let empty = Entry { signature_v2: Some(Bytes::new()), ..entry() };
    assert_eq!(verify(&empty), Err(RecordError::Unsigned));
    assert_eq!(verify(&Entry { data: None, ..entry() }), Err(RecordError::Unsigned));
    let broken = Entry { signature_v2: Some(vec![1; 64].into()), ..entry() };
    assert_eq!(verify(&broken), Err(RecordError::Signature));
    let first_broken = Entry { signature_v1: Some(vec![1; 64].into()), ..entry() };
    assert!(verify(&first_broken).is_ok());
    let Entry { signature_v2, data, .. } = entry();
    let second_only = Entry { signature_v2, data, ..Entry::default() };
    assert_eq!(verify(&second_only).expect("no copies are needed").value(), VALUE);
}

#[test]
fn copies_that_differ_from_what_is_signed_are_refused() {
    let differ = [
        Entry { value: Some("/ipfs/bafkqaaa".into()), ..entry() },
        Entry { value: None, ..entry() },
        Entry { validity: None, ..entry() },
        Entry { validity_type: Some(1), ..entry() },
        Entry { sequence: Some(8), ..entry() },
        Entry { ttl: None, ..entry() },
    ];
    for entry in differ {
        assert_eq!(verify(&entry), Err(RecordError::Copies), "{entry:?}");
    }
    assert!(verify(&Entry { validity_type: None, ..entry() }).is_ok(), "zero is not written");
}

#[test]
fn every_byte_of_the_document_is_signed() {
    let data = entry().data.expect("signed");
    for at in 0..data.len() {
        let mut changed = data.to_vec();
        changed[at] ^= 1;
        assert!(verify(&Entry { data: Some(changed.into()), ..entry() }).is_err(), "byte {at}");
    }
}

#[test]
fn record_over_ten_kib_is_refused_unread() {
    let mut bytes = entry().encode_to_vec();
    // A field that nobody knows fills it up.
    let filler = RECORD_BYTES_MAX - bytes.len() - 4;
    crate::dag_pb::write_bytes(&mut bytes, 15, &vec![0; filler]);
    bytes.resize(RECORD_BYTES_MAX, 0x78);
    let name = name_of(&ed25519(1));
    let fits = [&entry().encode_to_vec()[..], &[0x78, 1]].concat();
    assert!(Record::verify(&name, &fits).is_ok(), "unknown fields are skipped");
    bytes.push(0);
    assert_eq!(Record::verify(&name, &bytes), Err(RecordError::TooLarge(RECORD_BYTES_MAX + 1)));
    let long = format!("/ipns/{}", "a".repeat(RECORD_BYTES_MAX));
    let refused = create(&ed25519(1), &long, 0, validity(), TTL);
    assert!(matches!(refused, Err(RecordError::TooLarge(_))));
}

#[test]
fn record_expires() {
    let record = verify(&entry()).expect("a sound record");
    assert!(record.is_valid_at(UNIX_EPOCH));
    assert!(record.is_valid_at(validity() - Duration::from_nanos(1)));
    assert!(!record.is_valid_at(validity()));
}

#[test]
fn extremes_are_bounded_or_refused() {
    let never = Document { ttl: u64::MAX, sequence: u64::MAX, ..document() };
    let record = verify_document(&never).expect("a sound record");
    assert_eq!((record.ttl(), record.sequence()), (TTL_MAX, u64::MAX));
    let odd = Document { validity_type: 1, ..document() };
    assert_eq!(verify_document(&odd), Err(RecordError::ValidityType(1)));
    for validity in [&b""[..], b"soon", b"\xff\xff", &[b'9'; 4000]] {
        let odd = Document { validity: validity.to_vec(), ..document() };
        assert_eq!(verify_document(&odd), Err(RecordError::Validity));
    }
    let late = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert_eq!(create(&ed25519(1), VALUE, 0, late, TTL), Err(RecordError::Validity));
}

#[test]
fn document_that_is_not_a_records_is_refused() {
    let sound = document().write();
    assert!(verify_data(&sound).is_ok());
    // The time to live is behind the map's head and the key: make it negative, or text.
    let ttl = 5;
    assert_eq!(sound[ttl], 0x1b);
    for head in [0x3b, 0xfb] {
        let mut odd = sound.clone();
        odd[ttl] = head;
        assert!(matches!(verify_data(&odd), Err(RecordError::Document(_))), "{head:x}");
    }
    let behind = [&sound[..], &[0xf6]].concat();
    assert!(matches!(verify_data(&behind), Err(RecordError::Dag(_))));
    for odd in [&[0xa0][..], &[0x80], &[0xf6], b"\xa2\x63TTL\x01\x63TTL\x01"] {
        assert!(matches!(verify_data(odd), Err(RecordError::Document(_))), "{odd:x?}");
    }
    assert!(matches!(verify_data(&[0x81; 9000]), Err(RecordError::Document(_))));
    assert!(verify_data(&[&b"\xa1\x61a"[..], &[0x81; 9000]].concat()).is_err());
}

#[test]
fn fields_of_others_are_ignored() {
    let sound = document().write();
    let more = [b"\xa6", &sound[1..], b"\x62_x\xa1\x61a\x82\x01\xf6"].concat();
    assert_eq!(verify_data(&more).expect("a sound record").value(), VALUE);
}

#[test]
fn value_is_a_content_path() {
    let value = |bytes: &[u8]| {
        let document = Document { value: bytes.to_vec(), ..document() };
        verify_document(&document).map(|record| record.value().to_owned())
    };
    for path in ["/ipns/example.com", "/ipfs/bafkqaaa/a/b", "/ipns/k51"] {
        assert_eq!(value(path.as_bytes()).as_deref(), Ok(path));
        assert!(create(&ed25519(1), path, 0, validity(), TTL).is_ok());
    }
    let cid = Cid::parse("bafkqaaa").expect("a CID");
    assert_eq!(value(&cid.to_bytes()).as_deref(), Ok("/ipfs/bafkqaaa"));
    assert_eq!(value(b"").as_deref(), Ok("/ipfs/bafkqaaa"));
    for odd in ["/", "/ipfs/", "/ipfs//a", "//evil.example", "/ipld/bafkqaaa", "bafkqaaa", "\0"] {
        assert_eq!(value(odd.as_bytes()), Err(RecordError::Value), "{odd}");
        assert!(create(&ed25519(1), odd, 0, validity(), TTL).is_err(), "{odd}");
    }
    assert_eq!(value(b"/ipfs/\xff"), Err(RecordError::Value));
}

#[test]
fn later_record_takes_the_place_of_an_earlier_one() {
    let record = |sequence, seconds| {
        let validity = UNIX_EPOCH + Duration::from_secs(seconds);
        let bytes = create(&ed25519(1), VALUE, sequence, validity, TTL).expect("a sound record");
        Record::verify(&name_of(&ed25519(1)), &bytes).expect("our own")
    };
    assert!(record(2, 10).supersedes(&record(1, 20)));
    assert!(record(1, 20).supersedes(&record(1, 10)));
    assert!(!record(1, 10).supersedes(&record(1, 10)));
    assert!(!record(1, 20).supersedes(&record(2, 10)));
}

proptest! {
    #[test]
    fn no_bytes_break_the_verifier(bytes: Vec<u8>, data: Vec<u8>, key: Vec<u8>) {
        let name = name_of(&ed25519(1));
        drop(std::hint::black_box(Record::verify(&name, &bytes)));
        drop(std::hint::black_box(verify_data(&data)));
        let keyed = Entry { public_key: Some(key.clone().into()), ..entry() }.encode_to_vec();
        drop(std::hint::black_box(Record::verify(&Name::of_key(&key), &keyed)));
    }
}
