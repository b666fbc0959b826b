//! Claims about CIDs.

use proptest::prelude::*;

use super::*;

const V0: &str = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH";
const V1: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

const BASES: [Base; 23] = [
    Base::Base2,
    Base::Base8,
    Base::Base10,
    Base::Base16Lower,
    Base::Base16Upper,
    Base::Base32Lower,
    Base::Base32Upper,
    Base::Base32PadLower,
    Base::Base32PadUpper,
    Base::Base32HexLower,
    Base::Base32HexUpper,
    Base::Base32HexPadLower,
    Base::Base32HexPadUpper,
    Base::Base32Z,
    Base::Base36Lower,
    Base::Base36Upper,
    Base::Base58Flickr,
    Base::Base58Btc,
    Base::Base64,
    Base::Base64Pad,
    Base::Base64Url,
    Base::Base64UrlPad,
    Base::Base256Emoji,
];

fn hash(code: u64, size: usize) -> Multihash {
    Multihash::wrap(code, &vec![1; size]).expect("no more than the longest")
}

/// A binary CIDv1 with a digest of ones.
fn binary(version: u8, code: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![version, 0x55];
    for number in [code, size as u64] {
        let mut buffer = unsigned_varint::encode::u64_buffer();
        bytes.extend_from_slice(unsigned_varint::encode::u64(number, &mut buffer));
    }
    bytes.extend(vec![1; size]);
    bytes
}

#[test]
fn every_base_is_read() {
    let cid = Cid::parse(V1).expect("a valid CID");
    for base in BASES {
        let text = cid.to_text(base);
        assert_eq!(Cid::parse(&text), Ok(cid), "{base:?}: {text}");
    }
}

#[test]
fn both_versions_are_written_as_they_were_read() {
    for text in [V0, V1] {
        assert_eq!(Cid::parse(text).expect("a valid CID").to_string(), text);
    }
    let v0 = Cid::parse(V0).expect("a valid CID");
    assert!(v0.is_v0());
    assert_eq!(v0.codec(), Codec::DagPb);
    assert_eq!(v0.to_v1().multihash(), v0.multihash());
    assert_eq!(Cid::from_bytes(&v0.to_bytes()), Ok(v0));
    assert_eq!(Cid::parse(&v0.to_v1().to_string()), Ok(v0.to_v1()));
}

#[test]
fn weak_and_unknown_hashes_are_refused() {
    // murmur3-128, md5, shake-128, blake2b-152 and codes nobody has.
    for code in [0x22, 0xd5, 0x18, 0xb213, 0xb241, 0xffff, u64::MAX >> 1] {
        let bytes = binary(1, code, 20);
        assert!(Cid::from_bytes(&bytes).is_err(), "0x{code:x}");
    }
    assert_eq!(Cid::from_bytes(&binary(1, 0x12, 19)), Err(CidError::DigestTooSmall(19)));
    assert_eq!(Cid::from_bytes(&binary(1, 0x12, 33)), Err(CidError::DigestTooLong(33)));
    assert_eq!(Cid::from_bytes(&binary(1, 0xd5, 20)), Err(CidError::HashNotAllowed(0xd5)));
    assert!(Cid::v1(Codec::Raw, hash(0x12, 16)).is_err());
    assert!(Cid::v1(Codec::Raw, hash(0x12, 20)).is_ok());
}

#[test]
fn identity_cids_hold_up_to_128_bytes() {
    for size in [0, 1, 64, 65, 128] {
        assert!(Cid::from_bytes(&binary(1, 0, size)).is_ok(), "{size}");
    }
    assert_eq!(Cid::from_bytes(&binary(1, 0, 129)), Err(CidError::DigestTooLong(129)));
    assert_eq!(Cid::parse("bafkqaaa").expect("the empty block").identity_data(), Some(&[][..]));
}

#[test]
fn malformed_text_is_refused() {
    let long = "b".repeat(10_000_000);
    let with_prefix = format!("z{V0}");
    let cut = &V1[..V1.len() - 2];
    let trailing = multibase::encode(Base::Base32Lower, [&binary(1, 0x12, 32)[..], &[0]].concat());
    let texts =
        ["", "b", "Qm", "QmInvalidCID", &long, &with_prefix, cut, &trailing, "?abc", "bafy\0"];
    for text in texts {
        let shown: String = text.chars().take(40).collect();
        assert!(Cid::parse(text).is_err(), "{shown}");
    }
}

#[test]
fn malformed_bytes_are_refused() {
    for version in [0, 2, 3, 18] {
        assert!(Cid::from_bytes(&binary(version, 0x12, 32)).is_err(), "version {version}");
    }
    let overlong = [&[0x81, 0x00], &binary(1, 0x12, 32)[1..]].concat();
    assert!(Cid::from_bytes(&overlong).is_err(), "a varint longer than it need be");
    let whole = binary(1, 0x12, 32);
    for end in 0..whole.len() {
        assert!(Cid::from_bytes(&whole[..end]).is_err(), "cut at {end}");
    }
    assert!(Cid::from_bytes(&[&whole[..], &[0]].concat()).is_err(), "bytes behind");
    assert_eq!(Cid::read_prefix(&[&whole[..], &[0]].concat()).map(|(_, used)| used), Ok(36));
}

proptest! {
    #[test]
    fn no_input_breaks_the_parsers(text in ".{0,80}", bytes: Vec<u8>) {
        std::hint::black_box(Cid::parse(&text).is_ok());
        std::hint::black_box(Cid::from_bytes(&bytes).is_ok());
    }

    #[test]
    fn a_check_says_what_reading_says(
        front in prop::sample::select(vec![
            vec![0x12, 0x20],
            vec![0x12, 0x1f],
            vec![1, 0x55, 0x12, 0x20],
            vec![1, 0x70, 0x12, 0x20],
            vec![1, 0x71, 0x12, 0x20],
            vec![1, 0x55, 0x12, 0x1f],
            vec![1, 0x55, 0x16, 0x20],
            vec![2, 0x55, 0x12, 0x20],
        ]),
        digest in prop::collection::vec(any::<u8>(), 30..35),
    ) {
        let bytes = [front, digest].concat();
        prop_assert_eq!(Cid::check(&bytes), Cid::from_bytes(&bytes).map(|_| ()));
    }

    #[test]
    fn what_is_read_is_written_the_same(codec in 0u64..100_000, digest in prop::array::uniform32(0u8..)) {
        let hash = Multihash::wrap(0x12, &digest).expect("32 bytes");
        let cid = Cid::v1(Codec::from_code(codec), hash).expect("sha2-256");
        prop_assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
        prop_assert_eq!(Cid::parse(&cid.to_string()), Ok(cid));
        prop_assert_eq!(cid.codec().code(), codec);
        prop_assert_eq!(cid.encoded_len(), cid.to_bytes().len());
    }
}
