//! Profiles as compressed `profile.proto`.
//!
//! Each says in its comments which build it was taken of, since a profile outlives its process.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use pprof::protos::{Function, Line, Location, Message, Profile, Sample, ValueType};

use crate::build_info;
use crate::tasks::Alive;

/// A processor profile, with the build it is of.
pub(super) fn cpu(mut profile: Profile) -> Vec<u8> {
    let build = format!("bifrost {} {}", build_info::version(), build_info::commit());
    let comment = intern(&mut profile.string_table, build);
    profile.comment.push(comment);
    compress(&profile)
}

/// Tasks as a profile: each name is a function, each task one count, and the age of the oldest tells
/// of tasks that hang.
pub(super) fn tasks(alive: &[Alive]) -> Vec<u8> {
    let mut profile = Profile { string_table: vec![String::new()], ..Profile::default() };
    let mut text = |text: &str| intern(&mut profile.string_table, text.to_owned());
    let tasks = ValueType { ty: text("tasks"), unit: text("count") };
    let oldest = ValueType { ty: text("oldest"), unit: text("nanoseconds") };
    let comment = text(&format!("bifrost {} {}", build_info::version(), build_info::commit()));
    let names: Vec<i64> = alive.iter().map(|alive| text(alive.name)).collect();
    for ((id, alive), name) in (1..).zip(alive).zip(names) {
        let age = i64::try_from(alive.oldest.as_nanos()).unwrap_or(i64::MAX);
        let count = i64::try_from(alive.count).unwrap_or(i64::MAX);
        let line = Line { function_id: id, ..Line::default() };
        profile.function.push(Function { id, name, system_name: name, ..Function::default() });
        profile.location.push(Location { id, line: vec![line], ..Location::default() });
        let value = vec![count, age];
        profile.sample.push(Sample { location_id: vec![id], value, ..Sample::default() });
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    profile.time_nanos = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    profile.default_sample_type = tasks.ty;
    profile.period_type = Some(tasks.clone());
    profile.period = 1;
    profile.sample_type = vec![tasks, oldest];
    profile.comment = vec![comment];
    compress(&profile)
}

/// Appends a text to the table; its place is how the profile refers to it.
fn intern(table: &mut Vec<String>, text: String) -> i64 {
    table.push(text);
    i64::try_from(table.len() - 1).expect("a profile has few texts")
}

fn compress(profile: &Profile) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&profile.encode_to_vec()).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
