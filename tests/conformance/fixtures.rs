//! The content that claims are about: files and folders, made from rules and small enough to read.

use harness::bytes_of_seed;
use ipfs::unixfs::import::Profile;
use ipfs::{Block, Cid, Codec};

use crate::shelf::{Made, Shelf};
use crate::{documents, records, sharded, sites};

/// A file whose bytes are easy to count.
pub(crate) const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz\n";
/// A page that stands for its folder.
pub(crate) const INDEX: &str = "<!doctype html><title>index</title>the index\n";
/// A file of JSON.
pub(crate) const DATA: &str = "{\"kind\": \"a file\"}\n";
/// The file behind names that are not ASCII.
pub(crate) const SWEET: &str = "søt\n";
/// The path of that file from `{tree}`, as a URL has it.
pub(crate) const SWEET_PATH: &str = "bj%C3%B8rk/na%C3%AFve%20%E2%98%95/s%C3%B8t.txt";
/// Bytes in each chunk of `{chunked}` and of `{holed}`.
pub(crate) const CHUNK: usize = 1024;
/// What the identity CID `{inline}` holds.
pub(crate) const INLINE: &str = "in the CID itself\n";

/// The bytes of `{chunked}`: three chunks, none like another.
pub(crate) fn chunked() -> Vec<u8> {
    bytes_of_seed(31, 3 * CHUNK)
}

/// The bytes of `{holed}`, whose second chunk nobody has.
pub(crate) fn holed() -> Vec<u8> {
    bytes_of_seed(37, 3 * CHUNK)
}

/// Makes everything.
pub(crate) fn make(shelf: &mut Shelf) {
    let letters = shelf.file("letters", LETTERS.as_bytes());
    let bytes = chunked();
    let chunked = shelf.chunks("chunked", &bytes.chunks(CHUNK).collect::<Vec<_>>(), None);
    let bytes = holed();
    shelf.chunks("holed", &bytes.chunks(CHUNK).collect::<Vec<_>>(), Some(1));
    // What older tools make: CIDv0, and a leaf that is UnixFS too.
    shelf.file_as(Profile::V0of2015, "old", LETTERS.as_bytes());
    let old = Cid::parse(shelf.word("old")).expect("our own CID");
    shelf.name("old_v1", &old.to_v1().to_string());
    let tree = tree(shelf, letters, chunked);
    shelf.folder("twins", &[("a", chunked), ("b", chunked), ("c", letters), ("d", letters)]);
    inline(shelf);
    archives(shelf, letters);
    sharded::make(shelf, chunked);
    documents::make(shelf, tree.cid);
    sites::make(shelf);
    records::make(shelf);
    // A block that nobody has.
    let nowhere = Block::of(Codec::Raw, bytes_of_seed(41, 64).into()).expect("a small block");
    shelf.name("nowhere", &nowhere.cid().to_string());
}

fn tree(shelf: &mut Shelf, letters: Made, chunked: Made) -> Made {
    let index = shelf.file("index", INDEX.as_bytes());
    let guide = shelf.file("guide", b"<!doctype html><title>guide</title>the guide\n");
    let docs = shelf.folder("docs", &[("index.html", index), ("guide.html", guide)]);
    let sweet = shelf.file("sweet", SWEET.as_bytes());
    let naive = shelf.folder("naive", &[("søt.txt", sweet)]);
    let bjork = shelf.folder("bjork", &[("naïve ☕", naive)]);
    let percent = shelf.file("percent", b"a name that looks encoded\n");
    let data = shelf.file("data", DATA.as_bytes());
    let link = shelf.symlink("link", "letters.txt");
    // Names that could be taken for those of a namespace.
    let bar = shelf.file("bar", b"at a sneaky path\n");
    let ipns = shelf.folder("ipns", &[("bar", bar)]);
    let ipfs = shelf.folder("ipfs", &[("ipns", ipns), ("file.txt", letters)]);
    shelf.folder(
        "tree",
        &[
            ("letters.txt", letters),
            ("docs", docs),
            ("bjørk", bjork),
            ("50%25 off & more.txt", percent),
            ("data.json", data),
            ("link", link),
            ("chunked.bin", chunked),
            ("ipfs", ipfs),
        ],
    )
}

fn inline(shelf: &mut Shelf) {
    let inline = Cid::identity(Codec::Raw, INLINE.as_bytes()).expect("a short block");
    shelf.name("inline", &inline.to_string());
    // Too long for a label of a host name in any base that those allow.
    let long = Cid::identity(Codec::Raw, &[b'x'; 100]).expect("a short block");
    shelf.name("long", &long.to_string());
}

/// Folders with names that a tar must not follow out of its root, and some that it may.
fn archives(shelf: &mut Shelf, letters: Made) {
    shelf.folder("outside", &[("../escaped.txt", letters)]);
    shelf.folder("inside", &[("sub/../kept.txt", letters)]);
}
