//! What is asked about: a root, and the texts whose hashes would deny it.

use multibase::Base;

use crate::cid::{Cid, Codec, Multihash};
use crate::dnslink::Root;
use crate::path::encode_segment;

/// Codecs under which a legacy hash is looked for, whatever the codec that was asked for: the ones
/// that files, directories and documents have.
const LEGACY_CODECS: [Codec; 3] = [Codec::DagPb, Codec::Raw, Codec::DagCbor];

/// The bytes that stand for a root in a key.
pub(super) fn id(root: &Root) -> Vec<u8> {
    match root {
        Root::Ipfs(cid) => [&b"c"[..], &cid.multihash().to_bytes()].concat(),
        Root::Key(name) => [&b"k"[..], &name.multihash().to_bytes()].concat(),
        Root::Domain(name) => [b"d", name.as_bytes()].concat(),
    }
}

/// A path in the spellings that were hashed: decoded, and encoded where that differs.
pub(super) fn spellings(path: &str) -> Vec<String> {
    let encoded: Vec<String> = path.split('/').map(|name| encode_segment(name).collect()).collect();
    let encoded = encoded.join("/");
    if encoded == path { vec![encoded] } else { vec![path.to_owned(), encoded] }
}

/// What the present form hashes.
//= https://specs.ipfs.tech/compact-denylist-format/#double-hash
//# hash `b58-multihash/PATH` without trailing `/`
pub(super) fn present(root: &Root, path: &str) -> String {
    let root = match root {
        Root::Ipfs(cid) => Base::Base58Btc.encode(cid.multihash().to_bytes()),
        Root::Key(name) => Base::Base58Btc.encode(name.multihash().to_bytes()),
        Root::Domain(name) => format!("/ipns/{name}"),
    };
    if path.is_empty() { root } else { format!("{root}/{path}") }
}

/// What the legacy form hashes: always with a slash behind the root. It knows only the codec that
/// its author saw, so that the same content is looked for under the usual ones too.
//= https://specs.ipfs.tech/compact-denylist-format/#double-hash
//# When no path is present, the trailing slash must be kept
pub(super) fn legacy(root: &Root, path: &str) -> Vec<String> {
    let of = |codec: Codec, hash: &Multihash| Cid::v1(codec, *hash).ok().map(|cid| cid.to_string());
    let roots: Vec<String> = match root {
        Root::Ipfs(cid) => {
            let own = Some(cid.codec()).filter(|codec| !LEGACY_CODECS.contains(codec));
            let codecs = LEGACY_CODECS.into_iter().chain(own);
            codecs.filter_map(|codec| of(codec, cid.multihash())).collect()
        }
        Root::Key(name) => of(Codec::Libp2pKey, name.multihash()).into_iter().collect(),
        Root::Domain(name) => vec![name.clone()],
    };
    roots.into_iter().map(|root| format!("{root}/{path}")).collect()
}
