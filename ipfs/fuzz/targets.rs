//! What holds for every input, whoever wrote it: one claim per parser.
//!
//! The fuzzer looks for bytes that break a claim, and `ipfs/tests/fuzz.rs` replays what it found
//! before together with fresh mutations. A parser may refuse anything; what it accepts must survive
//! being written and read again, and no input may panic or be worked on without end.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use ipfs::answer::{Digest, Seen, Shape};
use ipfs::car::{self, CarError, Section};
use ipfs::dag::{DagError, Event, Reader};
use ipfs::denylist::{Feed, FeedError, Item, Line, List};
use ipfs::dnslink::{self, Root};
use ipfs::ipns::{Name, Record};
use ipfs::path::ContentPath;
use ipfs::redirects::{Redirects, TARGET_BYTES_MAX, merge_query};
use ipfs::resolve::{Resolve, TerminalKind};
use ipfs::trustless::{ByteRange, CarOptions, DagScope, EntityBytes, Order, Retrieval, Wanted};
use ipfs::unixfs::Meta;
use ipfs::unixfs::listing::Listing;
use ipfs::walk::{UNIXFS_DEPTH_MAX, Walk};
use ipfs::{Block, Cid, Codec, dag, dag_pb, links};

/// Steps after which a walk is stopped: a small DAG may well have endless paths through it.
const STEPS_MAX: usize = 4096;

/// CIDs: text and bytes that are accepted say the same CID again.
pub(crate) fn cid(bytes: &[u8]) {
    if let Ok(cid) = Cid::from_bytes(bytes) {
        assert_eq!(cid.to_bytes(), bytes, "one CID has one binary form");
        assert_eq!(Cid::parse(&cid.to_string()).expect("its own text"), cid);
    }
    if let Ok((cid, used)) = Cid::read_prefix(bytes) {
        assert_eq!(cid.to_bytes(), bytes[..used]);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(cid) = Cid::parse(text)
    {
        assert_eq!(Cid::parse(&cid.to_string()).expect("its own text"), cid);
        assert_eq!(Cid::from_bytes(&cid.to_bytes()).expect("its own bytes"), cid);
    }
}

/// CARs: how the bytes are cut on the way changes nothing, and what is read can be written.
pub(crate) fn car(bytes: &[u8]) {
    let whole = read_car(bytes, bytes.len().max(1));
    let cut = read_car(bytes, 7);
    match (whole, cut) {
        (Ok(whole), Ok(cut)) => {
            assert_eq!(whole, cut, "a CAR does not depend on how it arrives");
            let mut again = car::header(&whole.0);
            for (cid, data) in &whole.1 {
                again.extend(car::section_prefix(cid, data.len()));
                again.extend_from_slice(data);
            }
            assert_eq!(read_car(&again, 4096).expect("written by ourselves"), whole);
        }
        (Err(_), Err(_)) => {}
        (whole, cut) => panic!("whole {whole:?}, in pieces {cut:?}"),
    }
}

type Archive = (Vec<Cid>, Vec<(Cid, Bytes)>);

fn read_car(bytes: &[u8], piece: usize) -> Result<Archive, CarError> {
    let mut reader = car::Reader::new();
    let mut archive = Archive::default();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(section) = reader.next()? {
            match section {
                Section::Header(roots) => archive.0 = roots,
                Section::Block(unproven) => {
                    archive.1.push((unproven.cid, unproven.data.clone()));
                    if let Ok(block) = unproven.prove() {
                        assert!(Block::verify(*block.cid(), block.into_data()).is_ok());
                    }
                }
            }
        }
    }
    reader.finish()?;
    Ok(archive)
}

/// Bodies that a mirror compares: how they are cut on the way changes nothing, and an archive that the reader of
/// CARs accepts has as many blocks, and as many that are wrong, for who holds none of them.
pub(crate) fn answer(bytes: &[u8]) {
    for shape in [Shape::Bytes, Shape::Archive, Shape::Page] {
        let whole = seen(shape, bytes, bytes.len().max(1));
        assert_eq!(whole, seen(shape, bytes, 7), "a body does not depend on how it arrives");
    }
    let is_second_version = bytes.starts_with(&[0x0a, 0xa1, 0x67]);
    if let Ok((_, sections)) = read_car(bytes, 4096)
        && !is_second_version
    {
        let blocks = seen(Shape::Archive, bytes, 4096).blocks.expect("all was looked at");
        let sha256 = |cid: &Cid| cid.multihash().code() == 0x12;
        let wrong = sections
            .iter()
            .filter(|(cid, data)| sha256(cid) && Block::verify(*cid, data.clone()).is_err());
        assert!(!blocks.is_malformed, "{blocks:?}");
        assert_eq!((blocks.count, blocks.wrong), (sections.len() as u64, wrong.count() as u64));
    }
}

fn seen(shape: Shape, bytes: &[u8], piece: usize) -> Seen {
    let mut digest = Digest::new(shape, true, u64::MAX);
    bytes.chunks(piece).for_each(|piece| digest.update(piece));
    digest.finish(true)
}

/// dag-pb: a node that is accepted is written as the same node.
pub(crate) fn dag_pb(bytes: &[u8]) {
    if let Ok(node) = dag_pb::decode(&Bytes::copy_from_slice(bytes)) {
        let again = dag_pb::encode(&node);
        assert_eq!(dag_pb::decode(&again.into()).expect("written by ourselves"), node);
    }
}

/// UnixFS: a message that is accepted is written as the same message.
pub(crate) fn unixfs(bytes: &[u8]) {
    if let Ok(meta) = Meta::decode(&Bytes::copy_from_slice(bytes)) {
        let again = meta.encode();
        assert_eq!(Meta::decode(&again.into()).expect("written by ourselves"), meta);
    }
}

/// Links: no block makes a scan panic, and none has more links than bytes.
pub(crate) fn links(bytes: &[u8]) {
    for codec in [Codec::DagPb, Codec::DagCbor, Codec::DagJson, Codec::Raw] {
        if let Ok(block) = Block::of(codec, Bytes::copy_from_slice(bytes))
            && let Ok(found) = links::of(&block)
        {
            assert!(found.len() <= bytes.len());
        }
    }
}

/// IPNS: a name that is accepted says the same name again, and a record says nothing that its name's
/// key did not sign.
///
/// The input is the 34 or 38 bytes of a name, by its second byte, and a record behind them.
pub(crate) fn ipns(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(name) = Name::parse(text)
    {
        assert_eq!(Name::parse(&name.to_string()).expect("its own text"), name);
        assert_eq!(Name::from_cid(&name.cid()).expect("its own CID"), name);
    }
    let Some(length) = bytes.get(1) else { return };
    let Some((name, record)) = bytes.split_at_checked(2 + usize::from(*length)) else { return };
    let Ok(name) = Name::from_multihash_bytes(name) else { return };
    if let Ok(record) = Record::verify(&name, record) {
        assert_eq!(Record::verify(&name, record.bytes()).expect("proven before"), record);
        assert!(record.value().starts_with("/ip") && !record.supersedes(&record));
        assert!(!record.is_valid_at(record.validity()));
    }
}

/// dag-cbor and CBOR: what is read can be written again as itself, and other codecs keep it.
pub(crate) fn dag_cbor(bytes: &[u8]) {
    data(Codec::DagCbor, Codec::DagJson, bytes);
    data(Codec::Cbor, Codec::DagCbor, bytes);
}

/// dag-json and JSON: what is read can be written again as itself, and other codecs keep it.
pub(crate) fn dag_json(bytes: &[u8]) {
    data(Codec::DagJson, Codec::DagCbor, bytes);
    data(Codec::Json, Codec::Cbor, bytes);
}

fn data(own: Codec, other: Codec, bytes: &[u8]) {
    let block = |codec, bytes| Block::of(codec, Bytes::from(bytes)).expect("below the limit");
    let first = block(own, bytes.to_vec());
    let links = count_events(own, bytes);
    if let (Ok(found), Ok(count)) = (links::of(&first), &links) {
        assert_eq!(found.len(), *count, "links are the same, however they are read");
    }
    for names in [["0", "0"], ["a", "b"], ["/", "bytes"]] {
        assert!(links.is_err() || dag::lookup(&first, names).is_ok(), "a lookup reads no more");
    }
    let Ok(canonical) = dag::convert(&first, own) else { return };
    let canonical = block(own, canonical);
    let again = dag::convert(&canonical, own).expect("written by ourselves");
    assert_eq!(again, canonical.data()[..], "there is one canonical form");
    let Ok(there) = dag::convert(&canonical, other) else { return };
    let back = dag::convert(&block(other, there), own).expect("written by ourselves");
    assert_eq!(back, again, "nothing is lost on the way");
}

/// Reads a block to its end; returns how many links it has.
fn count_events(codec: Codec, bytes: &[u8]) -> Result<usize, DagError> {
    let mut reader = Reader::new(codec, bytes)?;
    let (mut links, mut events) = (0, 0);
    while let Some(event) = reader.next_event()? {
        links += usize::from(matches!(event, Event::Link(_)));
        events += 1;
        assert!(events <= 2 * bytes.len(), "an event takes a byte, and an end none");
    }
    Ok(links)
}

/// Paths, queries and headers: what is accepted says the same again.
pub(crate) fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(path) = ContentPath::parse(text) {
        let again = ContentPath::parse(&path.encoded()).expect("written by ourselves");
        assert_eq!(again.encoded(), path.encoded());
    }
    for wanted in [Wanted::from_query(text), Wanted::from_accept(text)] {
        let Ok(options) = wanted.car() else { continue };
        let again = Wanted::from_query(&options.query()).car().expect("written by ourselves");
        // Another gateway is always asked for depth first order.
        assert_eq!(again, CarOptions { order: Order::Dfs, ..options });
    }
    if let Ok(range) = EntityBytes::parse(text) {
        for size in [0, 1, 1000, u64::MAX] {
            if let Ok(Range { start, end }) = range.within(size) {
                assert!(start <= end && end <= size, "{text} of {size}: {start}..{end}");
            }
        }
    }
    if let Ok(Some(range)) = ByteRange::parse(text) {
        for size in [0, 1, 1000, u64::MAX] {
            if let Some(Range { start, end }) = range.within(size) {
                assert!(start < end && end <= size, "{text} of {size}: {start}..{end}");
            }
        }
    }
    if let Some(state) = Retrieval::parse(text) {
        assert!(Retrieval::parse(&state.to_string()).is_some(), "{state}");
    }
}

/// Redirects: whatever the site and the visitor wrote, the target fits into a header and stays on
/// its site unless a redirect names another.
///
/// The input is a path and, behind the first end of a line, a file.
pub(crate) fn redirects(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (path, file) = bytes.split_at(end);
    let path = String::from_utf8_lossy(path);
    let Ok(rules) = Redirects::parse(file) else { return };
    let Some(Ok(hit)) = rules.find(&path) else { return };
    assert!(hit.to.len() <= TARGET_BYTES_MAX);
    assert!(hit.to.starts_with('/') || hit.is_redirect() && hit.to.contains("://"), "{}", hit.to);
    for location in [merge_query(&hit.to, None), merge_query(&hit.to, Some(&path))] {
        assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{location}");
        assert!(!location.starts_with("//") && !location.starts_with("/\\"), "{location}");
    }
}

/// DNSLink: the order of records changes nothing, and domains survive being inlined.
pub(crate) fn dnslink(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let chosen = dnslink::choose(text.lines());
    assert_eq!(chosen.is_ok(), dnslink::choose(text.lines().rev()).is_ok());
    if let Ok(link) = &chosen {
        assert_eq!(dnslink::choose(text.lines().rev()).as_ref(), Ok(link));
        if let Root::Domain(name) = &link.root {
            assert_eq!(dnslink::domain(name).as_ref(), Some(name));
        }
    }
    for line in text.lines() {
        if let Some(label) = dnslink::inline(line) {
            assert_eq!(Some(dnslink::uninline(&label)), dnslink::domain(line));
        }
    }
}

/// Denylists: how the bytes are cut on the way changes nothing, and each line that is a rule
/// decides when it is the last.
pub(crate) fn denylist(bytes: &[u8]) {
    let (whole, cut) = (read_list(bytes, bytes.len().max(1)), read_list(bytes, 7));
    let (Ok(mut list), Ok(cut)) = (whole, cut) else {
        assert_eq!(read_list(bytes, 1).is_err(), read_list(bytes, 4096).is_err());
        return;
    };
    assert_eq!((list.lines(), list.skipped()), (cut.lines(), cut.skipped()));
    for text in String::from_utf8_lossy(bytes).lines().take(64) {
        let Ok(Some(Line { allow, item: Item::Path { root, path, .. }, .. })) = Line::parse(text)
        else {
            continue;
        };
        assert_eq!(ask(&list, &root, &path), ask(&cut, &root, &path), "{text}");
        list.push_line(text);
        assert_eq!(ask(&list, &root, &path), Some((list.lines(), allow)), "{text}");
        list = cut.clone();
    }
}

fn read_list(bytes: &[u8], piece: usize) -> Result<List, FeedError> {
    let mut feed = Feed::new("fuzz");
    bytes.chunks(piece).try_for_each(|piece| feed.push(piece))?;
    feed.finish()
}

fn ask(list: &List, root: &Root, path: &str) -> Option<(u64, bool)> {
    let names: Vec<&str> = path.split('/').collect();
    let verdict = match root {
        Root::Ipfs(cid) => list.blocks_path(cid, &names),
        Root::Key(name) => list.blocks_name(&name.to_string(), &names),
        Root::Domain(name) => list.blocks_name(name, &names),
    };
    verdict.map(|verdict| (verdict.line, verdict.allow))
}

/// DAGs: whatever the blocks say, paths, listings and walks end or are refused, and a walk of a
/// file gives no byte outside of what was asked. Neither a file nor a listing leads on and on to
/// nothing.
///
/// The input is a row of blocks, each behind two bytes of length. A block names an earlier one by
/// the 36 bytes of its CID, which the seeds have and mutations keep.
pub(crate) fn dag(bytes: &[u8]) {
    let mut blocks = HashMap::new();
    let mut last = None;
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let (data, behind) = behind.split_at(behind.len().min(u16::from_le_bytes(*length).into()));
        rest = behind;
        for codec in [Codec::Raw, Codec::DagCbor, Codec::DagPb] {
            let data = Bytes::copy_from_slice(data);
            let block = Block::of(codec, data).expect("two bytes of length are below the limit");
            last = Some(*block.cid());
            blocks.insert(*block.cid(), block);
        }
    }
    let Some(root) = last else { return };
    let get = |cid: Cid| Block::inline(cid).or_else(|| blocks.get(&cid).cloned());
    follow(root, get);
    list(root, get);
    for scope in [DagScope::Block, DagScope::Entity, DagScope::All] {
        for dups in [false, true] {
            let options = CarOptions { scope, dups, ..CarOptions::default() };
            walk(Walk::new(&root, &options), None, get);
        }
    }
    for range in ["0:0", "1:6", "-4:*", "0:*", "3:9223372036854775807"] {
        let bytes = Some(EntityBytes::parse(range).expect("well-formed"));
        let options = CarOptions { scope: DagScope::Entity, bytes, ..CarOptions::default() };
        walk(Walk::new(&root, &options), None, get);
    }
    if is_file(root, get) {
        for range in [0..1, 0..7, 1..7, 3..u64::MAX, u64::MAX - 1..u64::MAX] {
            walk(Walk::file(&root, Some(range.clone())), Some(range), get);
        }
    }
}

fn is_file(root: Cid, get: impl Fn(Cid) -> Option<Block>) -> bool {
    let terminal = get(root).map(|block| Resolve::new(root, Vec::new()).feed(block));
    let Some(Ok(Some(terminal))) = terminal else { return false };
    matches!(terminal.kind, TerminalKind::File { .. })
}

fn follow(root: Cid, get: impl Fn(Cid) -> Option<Block>) {
    for name in ["a", "b", "index.html", "0"] {
        let mut path = Resolve::new(root, vec![name.to_owned(); 3]);
        let mut steps = 0;
        while let Some(block) = get(path.need())
            && let Ok(None) = path.feed(block)
        {
            steps += 1;
            assert!(steps < 3 * 64 + 3, "a path of three names does not end");
        }
    }
}

fn list(root: Cid, get: impl Fn(Cid) -> Option<Block>) {
    let Some(mut listing) = get(root).and_then(|block| Listing::new(&block).ok()) else { return };
    let mut idle = 0;
    for _ in 0..STEPS_MAX {
        while listing.next_entry().is_some() {
            idle = 0;
        }
        idle += 1;
        assert!(idle <= u64::BITS / 3 + 1, "a shard at each level leads to an entry");
        let Some(shard) = listing.need().and_then(&get) else { return };
        if listing.feed(&shard).is_err() {
            return;
        }
    }
}

fn walk(mut walk: Walk, range: Option<Range<u64>>, get: impl Fn(Cid) -> Option<Block>) {
    let (mut given, mut idle) = (0, 0);
    for _ in 0..STEPS_MAX {
        let ahead: Vec<Cid> = walk.wanted(4).collect();
        for block in ahead.into_iter().skip(1).filter_map(&get) {
            walk.expand(&block);
        }
        let Some(block) = walk.front().and_then(&get) else { return };
        let Ok(visit) = walk.feed(block) else { return };
        given += visit.content.len() as u64;
        idle = if visit.content.is_empty() { idle + 1 } else { 0 };
        if let Some(Range { start, end }) = range {
            assert!(idle <= UNIXFS_DEPTH_MAX, "a block at each level leads to a byte");
            assert!(given <= end - start, "{given} bytes of {start}..{end}");
        }
    }
}
