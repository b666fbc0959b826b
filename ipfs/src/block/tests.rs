//! Claims about proven blocks: every hash that is allowed, by its published digest of no bytes.

use super::*;

/// Multicodec codes, and the digests of the empty string.
const EMPTY: [(u64, &str); 19] = [
    (0x11, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    (0x12, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (
        0x13,
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ),
    (
        0x14,
        "a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a615b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26",
    ),
    (
        0x15,
        "0c63a75b845e4f7d01107d852e4c2485c51a50aaaa94fc61995e71bbee983a2ac3713831264adb47fb6bd1e058d5f004",
    ),
    (0x16, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"),
    (0x17, "6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7"),
    (
        0x19,
        "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762fd75dc4ddd8c0f200cb05019d67b592f6fc821c49479ab48640292eacb3b7c4be",
    ),
    (0x1a, "f71837502ba8e10837bdd8d365adb85591895602fc552b48b7390abd"),
    (0x1b, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    (
        0x1c,
        "2c23146a63a29acf99e73b88f8c24eaa7dc60aa771780ccc006afbfa8fe2479b2dd2b21362337441ac12b515911957ff",
    ),
    (
        0x1d,
        "0eab42de4c3ceb9235fc91acffe746b29c29a8c366b7c60e4e67c466f36a4304c00fa9caf9d87976ba469bcbe06713b435f091ef2769fb160cdab33d3670680e",
    ),
    (0x1e, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
    (0x56, "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456"),
    (0xb214, "3345524abf6bbe1809449224b5972c41790b6cf2"),
    (0xb220, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
    (
        0xb240,
        "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce",
    ),
    (0xb254, "354c9c33f735962418bdacb9479873429c34916f"),
    (0xb260, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"),
];

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

fn cid(code: u64, digest: &[u8]) -> Cid {
    let hash = Multihash::wrap(code, digest).expect("a short digest");
    Cid::v1(Codec::Raw, hash).expect("an allowed hash")
}

#[test]
fn every_allowed_hash_proves_its_bytes_and_no_others() {
    for (code, digest) in EMPTY {
        let cid = cid(code, &unhex(digest));
        assert!(Block::verify(cid, Bytes::new()).is_ok(), "0x{code:x}");
        let other = Block::verify(cid, Bytes::from_static(b"x"));
        assert_eq!(other, Err(BlockError::Mismatch(cid)), "0x{code:x}");
    }
}

#[test]
fn shortened_digest_proves_by_its_prefix() {
    for (code, digest) in EMPTY {
        let digest = &unhex(digest)[..20];
        assert!(Block::verify(cid(code, digest), Bytes::new()).is_ok(), "0x{code:x}");
    }
}

#[test]
fn block_over_the_limit_is_refused_unhashed() {
    let cid = cid(EMPTY[1].0, &unhex(EMPTY[1].1));
    let size = BLOCK_BYTES_MAX + 1;
    let over = Block::verify(cid, vec![0; size].into());
    assert_eq!(over, Err(BlockError::TooLarge(size)));
    assert!(Block::of(Codec::Raw, vec![0; BLOCK_BYTES_MAX].into()).is_ok());
    assert!(Block::of(Codec::Raw, vec![0; size].into()).is_err());
}

#[test]
fn inline_block_is_in_its_cid() {
    for size in [0, 1, DIGEST_BYTES_MAX] {
        let data = vec![7; size];
        let cid = Cid::identity(Codec::Raw, &data).expect("small enough");
        assert_eq!(Block::inline(cid).expect("an identity CID").data()[..], data);
        assert!(Block::verify(cid, data.into()).is_ok());
        assert!(Block::verify(cid, Bytes::from_static(b"other")).is_err());
    }
    assert!(Cid::identity(Codec::Raw, &[0; DIGEST_BYTES_MAX + 1]).is_err());
    assert!(Block::inline(cid(EMPTY[1].0, &unhex(EMPTY[1].1))).is_none());
}

#[test]
fn block_answers_for_every_cid_of_its_multihash_only() {
    let block = Block::of(Codec::DagPb, Bytes::from_static(b"")).expect("small");
    let v0 = Cid::v0(*block.cid().multihash()).expect("sha2-256");
    assert_eq!(*block.under(v0).expect("the same multihash").cid(), v0);
    let other = Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small");
    assert!(block.under(*other.cid()).is_none());
}

#[test]
fn block_without_its_digest_gets_the_cid_that_its_bytes_have() {
    for (code, digest) in EMPTY {
        let digest = unhex(digest);
        let prefix =
            Prefix { is_v0: false, codec: Codec::Raw, hash_code: code, digest_bytes: digest.len() };
        let block = Block::hashed(&prefix, Bytes::new()).expect("an acceptable prefix");
        assert_eq!(*block.cid(), cid(code, &digest), "0x{code:x}");
        let short = Prefix { digest_bytes: 19, ..prefix };
        assert_eq!(Block::hashed(&short, Bytes::new()), Err(BlockError::Prefix));
        let long = Prefix { digest_bytes: 1 << 40, ..prefix };
        assert_eq!(Block::hashed(&long, Bytes::new()), Err(BlockError::Prefix));
    }
    let inline = Prefix { is_v0: false, codec: Codec::Raw, hash_code: 0, digest_bytes: 1 };
    let block = Block::hashed(&inline, Bytes::from_static(b"x")).expect("an inline block");
    assert_eq!(block.cid().identity_data(), Some(&b"x"[..]));
    assert!(Block::hashed(&inline, Bytes::from_static(b"xy")).is_err());
    let v0 = Prefix { is_v0: true, codec: Codec::DagPb, hash_code: 0x12, digest_bytes: 32 };
    assert!(Block::hashed(&v0, Bytes::new()).expect("version 0").cid().is_v0());
}
