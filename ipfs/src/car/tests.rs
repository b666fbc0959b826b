//! Claims about CAR archives.

use proptest::prelude::*;

use super::*;
use crate::Codec;

fn block(text: &str) -> Block {
    Block::of(Codec::Raw, Bytes::copy_from_slice(text.as_bytes())).expect("a small block")
}

fn archive(blocks: &[Block]) -> Vec<u8> {
    let mut car = header(&[*blocks[0].cid()]);
    for block in blocks {
        car.extend(section_prefix(block.cid(), block.data().len()));
        car.extend_from_slice(block.data());
    }
    car
}

/// Reads an archive that arrives in pieces of a given size.
fn read(car: &[u8], piece: usize) -> Result<(Vec<Cid>, Vec<Block>), CarError> {
    let mut reader = Reader::new();
    let (mut roots, mut blocks) = (Vec::new(), Vec::new());
    for bytes in car.chunks(piece.max(1)) {
        reader.push(bytes);
        while let Some(section) = reader.next()? {
            match section {
                Section::Header(found) => roots = found,
                Section::Block(unproven) => blocks.push(unproven.prove()?),
            }
        }
    }
    let count = reader.finish()?;
    assert_eq!(count, blocks.len() as u64);
    Ok((roots, blocks))
}

fn v2(inner: &[u8], padding: usize, index: &[u8]) -> Vec<u8> {
    let mut car = vec![0x0a, 0xa1, 0x67];
    car.extend_from_slice(b"version\x02");
    car.extend([0; 16]);
    car.extend((51 + padding as u64).to_le_bytes());
    car.extend((inner.len() as u64).to_le_bytes());
    car.extend(0u64.to_le_bytes());
    car.extend(vec![0; padding]);
    car.extend_from_slice(inner);
    car.extend_from_slice(index);
    car
}

#[test]
fn what_was_written_is_read_in_any_pieces() {
    let blocks = [block("one"), block("two"), block(&"three".repeat(1000))];
    let car = archive(&blocks);
    for piece in [1, 2, 7, 100, car.len()] {
        let (roots, read) = read(&car, piece).expect("a whole archive");
        assert_eq!(roots, [*blocks[0].cid()]);
        assert_eq!(read, blocks);
    }
}

#[test]
fn car_v2_is_read_by_its_data() {
    let blocks = [block("one"), block("two")];
    for padding in [0, 1, 1000] {
        let car = v2(&archive(&blocks), padding, b"an index that is not read");
        for piece in [1, 50, car.len()] {
            assert_eq!(read(&car, piece).expect("a whole archive").1, blocks);
        }
    }
}

#[test]
fn car_cut_anywhere_is_refused() {
    let blocks = [block("one"), block("two")];
    let car = archive(&blocks);
    let ends_of_blocks = [archive(&blocks[..1]).len(), header(&[*blocks[0].cid()]).len()];
    for end in (0..car.len()).filter(|end| !ends_of_blocks.contains(end)) {
        assert!(matches!(read(&car[..end], 16), Err(CarError::Cut(_))), "cut at {end}");
    }
    let car = v2(&car, 0, b"");
    for end in 0..car.len() {
        assert!(matches!(read(&car[..end], 16), Err(CarError::Cut(_))), "v2 cut at {end}");
    }
}

#[test]
fn wrong_hash_names_the_block() {
    let mut car = archive(&[block("one"), block("two")]);
    *car.last_mut().expect("bytes") ^= 1;
    assert!(matches!(read(&car, 64), Err(CarError::Block { index: 1, .. })));
}

#[test]
fn lengths_over_the_limit_are_refused_unread() {
    let mut car = header(&[]);
    car.extend(unsigned_varint::encode::u64(1 << 40, &mut unsigned_varint::encode::u64_buffer()));
    assert!(matches!(read(&car, 8), Err(CarError::TooLong(_))));
    let car = [0xff; 16];
    assert!(matches!(read(&car, 1), Err(CarError::NotACar(_))));
}

#[test]
fn what_is_not_a_car_is_refused() {
    for bytes in
        [&b"<!doctype html><p>hello</p>"[..], b"\x00", b"PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaaa"]
    {
        let mut long = bytes.to_vec();
        long.resize(200, b' ');
        assert!(matches!(read(&long, 200), Err(CarError::NotACar(_))), "{bytes:?}");
    }
}

#[test]
fn header_with_many_roots_is_read() {
    let roots: Vec<Cid> = (0..300).map(|i| *block(&i.to_string()).cid()).collect();
    let (read, blocks) = read(&header(&roots), 1000).expect("a header alone");
    assert_eq!(read, roots);
    assert!(blocks.is_empty());
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes: Vec<u8>, piece in 1usize..64) {
        drop(std::hint::black_box(read(&bytes, piece)));
        drop(std::hint::black_box(read(&v2(&bytes, 3, b""), piece)));
    }
}
