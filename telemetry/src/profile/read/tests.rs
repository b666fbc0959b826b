//! What is read, and what is refused before it can do harm.

use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use pprof::protos::{Function, Label, Line, Sample};

use super::*;
use crate::Tasks;

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// `main` calls `work`, which has `inner` inlined: 3 samples of 10 ns.
fn plain() -> Profile {
    let texts = ["", "samples", "count", "cpu", "nanoseconds", "main", "work", "inner"];
    let function = |id, name| Function { id, name, ..Function::default() };
    let line = |function_id| Line { function_id, line: 1 };
    let location = |id, line| Location { id, line, ..Location::default() };
    Profile {
        sample_type: vec![ValueType { ty: 1, unit: 2 }, ValueType { ty: 3, unit: 4 }],
        sample: vec![Sample { location_id: vec![2, 1], value: vec![3, 30], label: Vec::new() }],
        location: vec![location(1, vec![line(1)]), location(2, vec![line(3), line(2)])],
        function: vec![function(1, 5), function(2, 6), function(3, 7)],
        string_table: texts.map(str::to_owned).to_vec(),
        duration_nanos: 1_000_000_000,
        ..Profile::default()
    }
}

fn of(profile: &Profile) -> Result<Stacks, ReadError> {
    read(&pack(&profile.encode_to_vec()))
}

#[test]
fn stacks_have_names_from_the_innermost_on() {
    let stacks = of(&plain()).expect("it is whole");
    let names: Vec<&str> =
        stacks.stacks[0].frames.iter().map(|at| &stacks.functions[*at as usize][..]).collect();
    assert_eq!(names, ["inner", "work", "main"]);
    assert_eq!((stacks.shown, stacks.total(), stacks.samples()), (1, 30, 3));
    assert_eq!(stacks.counted[1], Counted { what: "cpu".into(), unit: "nanoseconds".into() });
    assert_eq!(stacks.duration, Some(Duration::from_secs(1)));
}

#[test]
fn profiles_of_this_process_are_read() {
    let stacks = read(&crate::profile::tasks(&Tasks::new())).expect("it is ours");
    assert_eq!((&stacks.counted[stacks.shown].what[..], stacks.total()), ("tasks", 0));
    assert!(stacks.comments[0].starts_with("bifrost "), "{:?}", stacks.comments);
}

#[test]
fn every_cut_of_a_profile_is_refused() {
    let whole = pack(&plain().encode_to_vec());
    for end in 0..whole.len() {
        let read = read(&whole[..end]);
        assert!(matches!(read, Err(ReadError::Packed(_))), "{end}: {read:?}");
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(read(&longer), Err(ReadError::Trailing(1)));
}

#[test]
fn no_flipped_byte_does_more_than_change_the_answer() {
    let bytes = plain().encode_to_vec();
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut other = bytes.clone();
            other[at] ^= flip;
            // Whether it is still a profile is left open; that it is looked at is not.
            drop(read(&pack(&other)));
        }
    }
    let packed = pack(&bytes);
    for at in 10..packed.len() {
        let mut other = packed.clone();
        other[at] ^= 0xff;
        assert!(read(&other).is_err(), "{at}");
    }
}

#[test]
fn what_refers_to_nothing_is_refused() {
    let changed = |change: fn(&mut Profile)| {
        let mut profile = plain();
        change(&mut profile);
        of(&profile).expect_err("it refers to nothing").to_string()
    };
    let text = "a function refers to a text that is not there";
    assert_eq!(changed(|one| one.function[0].name = 99), text);
    assert_eq!(changed(|one| one.function[0].name = -1), text);
    let location = "a sample refers to a location that is not there";
    assert_eq!(changed(|one| one.sample[0].location_id[0] = 7), location);
    let function = "a location refers to a function that is not there";
    assert_eq!(changed(|one| one.location[1].line[1].function_id = 9), function);
    assert_eq!(changed(|one| one.sample_type.clear()), "it has no types of samples");
    let values = "a sample has 1 values, and there are 2 types";
    assert_eq!(changed(|one| one.sample[0].value.truncate(1)), values);
    assert_eq!(read(&pack(b"")), Err(ReadError::NoTypes));
}

#[test]
fn bombs_are_refused_by_their_counts() {
    // Empty messages: two bytes on the wire, tens in memory.
    for (field, what) in [(2, "samples"), (4, "locations"), (5, "functions"), (6, "texts")] {
        let bytes = [(field << 3) | 2, 0].repeat(ITEMS_MAX + 1);
        assert_eq!(read(&pack(&bytes)), Err(ReadError::TooMany { what, max: ITEMS_MAX }));
    }
    let mut labels = plain();
    labels.sample[0].label = vec![Label::default(); PARTS_MAX];
    let refused = of(&labels);
    assert!(matches!(refused, Err(ReadError::TooMany { max: PARTS_MAX, .. })), "{refused:?}");
}

#[test]
fn more_bytes_than_a_profile_has_are_not_unpacked() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..=(BYTES_MAX >> 20) {
        encoder.write_all(&zeros).expect("memory takes all");
    }
    let bomb = encoder.finish().expect("memory takes all");
    assert_eq!(read(&bomb), Err(ReadError::TooLong(BYTES_MAX)));
}

#[test]
fn a_name_that_many_functions_have_is_read_once() {
    let mut many = plain();
    many.string_table[7] = "x".repeat(1 << 20);
    // Read for each of them, it would be a hundred gigabytes.
    many.function.extend((4..100_000).map(|id| Function { id, name: 7, ..Function::default() }));
    let began = Instant::now();
    let stacks = of(&many).expect("it is whole");
    assert_eq!(stacks.functions.len(), 3);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_long_text_is_not_held_by_each_who_refers_to_it() {
    let mut profile = plain();
    profile.string_table[4] = "x".repeat(TEXT_BYTES_MAX);
    profile.comment = vec![4; 8];
    assert_eq!(of(&profile).expect("it is short enough").comments.len(), 8);
    profile.string_table[4].push('x');
    let refused = of(&profile).expect_err("a type is too long");
    assert_eq!(refused.to_string(), "it has more than 4096 bytes in a type or comment");
    profile.sample_type[1].unit = 2;
    assert_eq!(of(&profile).expect_err("so is a comment"), refused);
}

#[test]
fn deep_stacks_keep_their_inner_end() {
    let mut deep = plain();
    deep.sample[0].location_id = [vec![2], vec![1; 10 * DEPTH_MAX]].concat();
    let stacks = of(&deep).expect("it is whole");
    assert_eq!(stacks.stacks[0].frames.len(), DEPTH_MAX);
    assert_eq!(stacks.functions[stacks.stacks[0].frames[0] as usize], "inner");
}

#[test]
fn places_without_a_name_are_told_by_their_address() {
    let mut bare = plain();
    bare.location[0].line.clear();
    bare.location[0].address = 0xbeef;
    let stacks = of(&bare).expect("it is whole");
    let last = stacks.stacks[0].frames[2];
    assert_eq!(stacks.functions[last as usize], "0xbeef");
}
