//! Answers that agree, and each way in which they can differ.

use bytes::Bytes;

use super::*;
use crate::block::Block;
use crate::car;
use crate::cid::Codec;

fn head(status: u16, headers: &[(&str, &str)]) -> Answer {
    Answer::new(status, None, |name| {
        let found: Vec<&[u8]> =
            headers.iter().filter(|(key, _)| *key == name).map(|(_, v)| v.as_bytes()).collect();
        found.into_iter()
    })
}

fn with(mut answer: Answer, body: Seen) -> Answer {
    answer.body = body;
    answer
}

fn seen(shape: Shape, bytes: &[u8]) -> Seen {
    // In pieces of every length, so that no state is met only at a boundary.
    let mut digest = Digest::new(shape, true, 1 << 20);
    let mut rest = bytes;
    let mut piece = 1;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        digest.update(now);
        (rest, piece) = (later, piece % 7 + 1);
    }
    digest.finish(true)
}

fn ok(shape: Shape, bytes: &[u8]) -> Answer {
    with(head(200, &[("etag", "\"a\"")]), seen(shape, bytes))
}

fn differences(question: &Question, one: &Answer, two: &Answer) -> Vec<String> {
    compare(question, one, two).1.differences().iter().map(|found| found.text()).collect()
}

fn block(text: &str) -> Block {
    Block::of(Codec::Raw, Bytes::from(text.to_owned())).expect("it is small")
}

fn archive(blocks: &[(&Block, &[u8])]) -> Vec<u8> {
    let mut bytes = car::header(&[*blocks[0].0.cid()]);
    for (block, data) in blocks {
        bytes.extend(car::section_prefix(block.cid(), data.len()));
        bytes.extend_from_slice(data);
    }
    bytes
}

#[test]
fn equal_answers_are_the_same() {
    let question = Question::default();
    let answer = ok(Shape::Bytes, b"content");
    assert_eq!(compare(&question, &answer, &answer), (Class::Verifiable, Agreement::Same));
}

#[test]
fn a_flipped_byte_is_found_and_its_block_tells_whose_it_is() {
    let block = block("content");
    let question = Question { block: Some(*block.cid()), ..Question::default() };
    let (right, wrong) = (ok(Shape::Bytes, b"content"), ok(Shape::Bytes, b"c0ntent"));
    assert_eq!(differences(&question, &right, &wrong), ["unverified"]);
    assert_eq!(differences(&question, &wrong, &right), ["production-unverified"]);
    assert_eq!(differences(&question, &wrong, &wrong), ["unverified", "production-unverified"]);
    assert_eq!(differences(&Question::default(), &right, &wrong), ["body"]);
}

#[test]
fn a_missing_header_is_a_difference_and_is_named() {
    let one = head(200, &[("etag", "\"a\""), ("x-ipfs-path", "/ipfs/b")]);
    let two = head(200, &[("etag", "\"a\""), ("x-other", "1")]);
    assert_eq!(differences(&Question::default(), &one, &two), ["header:x-ipfs-path"]);
    assert_eq!(differences(&Question::default(), &two, &one), ["header:x-ipfs-path"]);
}

#[test]
fn failures_are_compared_by_their_rates_alone() {
    let (good, bad) = (head(200, &[]), head(504, &[("etag", "\"a\"")]));
    for (one, two) in [(&good, &bad), (&bad, &good), (&bad, &bad)] {
        assert_eq!(compare(&Question::default(), one, two), (Class::Network, Agreement::Rates));
    }
    let missing = head(404, &[]);
    assert_eq!(differences(&Question::default(), &good, &missing), ["status"]);
}

#[test]
fn a_name_that_moved_is_no_difference() {
    let question = Question { is_named: true, ..Question::default() };
    let at = |root, age| head(200, &[("x-ipfs-roots", root), ("cache-control", age)]);
    let (one, two) = (at("a", "public, max-age=60"), at("b", "public, max-age=60"));
    assert_eq!(compare(&question, &one, &two), (Class::Mutable, Agreement::Moved));
    // Of the same record less is left for who asks later.
    let later = at("a", "public, max-age=58");
    assert_eq!(compare(&question, &one, &later), (Class::Mutable, Agreement::Same));
    let other = at("a", "no-store");
    assert_eq!(differences(&question, &one, &other), ["header:cache-control"]);
}

#[test]
fn an_archive_is_compared_by_its_blocks() {
    let (a, b) = (block("a block"), block("another"));
    let question = Question::default();
    let car = |blocks: &[(&Block, &[u8])]| ok(Shape::Archive, &archive(blocks));
    let both = car(&[(&a, a.data()), (&b, b.data())]);
    assert_eq!(both.body.blocks.map(|blocks| blocks.count), Some(2));
    let turned = ok(Shape::Archive, &{
        let mut bytes = car::header(&[*a.cid()]);
        for block in [&b, &a] {
            bytes.extend(car::section_prefix(block.cid(), block.data().len()));
            bytes.extend_from_slice(block.data());
        }
        bytes
    });
    assert_eq!(differences(&question, &both, &turned), ["order"]);
    assert_eq!(differences(&question, &both, &car(&[(&a, a.data())])), ["blocks"]);
    let lying = car(&[(&a, a.data()), (&b, b"an0ther")]);
    assert_eq!(differences(&question, &both, &lying), ["unverified"]);
}

#[test]
fn what_is_no_archive_or_ends_within_a_section_is_unverified() {
    let a = block("a block");
    let whole = archive(&[(&a, a.data())]);
    let right = ok(Shape::Archive, &whole);
    for wrong in [&whole[..whole.len() - 1], b"no archive", &[0x80; 40], &[]] {
        let found = differences(&Question::default(), &right, &ok(Shape::Archive, wrong));
        assert_eq!(found.first().map(String::as_str), Some("unverified"), "{wrong:?}");
    }
    // An empty block has no bytes that could end it.
    let empty = Block::of(Codec::Raw, Bytes::new()).expect("it is small");
    let seen = seen(Shape::Archive, &archive(&[(&empty, b""), (&a, a.data())]));
    let blocks = seen.blocks.expect("it is an archive");
    assert_eq!((blocks.count, blocks.wrong, blocks.is_malformed), (2, 0, false));
}

#[test]
fn a_page_may_be_drawn_anew_and_has_to_link_to_the_same() {
    let question = Question { is_rendered: true, ..Question::default() };
    let page = |bytes: &[u8]| ok(Shape::Page, bytes);
    let one = page(b"<a href=\"/ipfs/a\">a</a><a href=\"/ipfs/b\">b</a>");
    let drawn = page(b"<li><a class=x href=\"/ipfs/b\">b<a href=\"/ipfs/a\">a");
    let fewer = page(b"<a href=\"/ipfs/a\">a</a>");
    assert_eq!(differences(&question, &one, &drawn), ["body"]);
    assert_eq!(differences(&question, &one, &fewer), ["links"]);
    assert_eq!(compare(&question, &one, &drawn).0, Class::Rendered);
}

#[test]
fn an_answer_that_is_cut_is_a_failure_and_no_difference() {
    let whole = ok(Shape::Bytes, b"content");
    let mut cut = whole.clone();
    cut.body.whole = false;
    for (one, two) in [(&whole, &cut), (&cut, &whole)] {
        let agreement = compare(&Question::default(), one, two);
        assert_eq!(agreement, (Class::Network, Agreement::Rates));
    }
}

#[test]
fn behind_the_limit_nothing_is_looked_at() {
    let digest = |bytes: &[u8]| {
        let mut digest = Digest::new(Shape::Bytes, false, 4);
        digest.update(bytes);
        with(head(200, &[]), digest.finish(true))
    };
    assert!(differences(&Question::default(), &digest(b"abcdef"), &digest(b"abcdxx")).is_empty());
    assert_eq!(differences(&Question::default(), &digest(b"abcdef"), &digest(b"xbcdef")), ["body"]);
}

#[test]
fn only_heads_of_redirects_and_of_missing_pages_are_compared() {
    for status in [301, 404] {
        let one = with(head(status, &[("location", "/a")]), seen(Shape::Bytes, b"id 1"));
        let two = with(head(status, &[("location", "/a")]), seen(Shape::Bytes, b"id 2"));
        assert!(differences(&Question::default(), &one, &two).is_empty());
        let other = head(status, &[("location", "/b")]);
        assert_eq!(differences(&Question::default(), &one, &other), ["header:location"]);
    }
}
