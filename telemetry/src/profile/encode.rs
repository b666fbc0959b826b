//! Profiles as compressed `profile.proto`.
//!
//! Each says in its comments which build it was taken of, since a profile outlives its process.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use pprof::protos::{Function, Label, Line, Location, Message, Profile, Sample, ValueType};
use pprof::{Frames, Report, Symbol};

use super::names;
use crate::build_info;
use crate::tasks::Alive;

/// Largest heap profile that is read; one of a gateway under load has under 1 MiB.
const HEAP_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A processor profile.
pub(super) fn cpu(report: &Report) -> Vec<u8> {
    let mut builder = Builder::new();
    let period = 1_000_000_000 / i64::from(report.timing.frequency.max(1));
    let samples = builder.value("samples", "count");
    let time = builder.value("cpu", "nanoseconds");
    builder.profile.sample_type = vec![samples, time.clone()];
    builder.profile.period_type = Some(time);
    builder.profile.period = period;
    builder.profile.duration_nanos = signed(report.timing.duration.as_nanos());
    let began = report.timing.start_time.duration_since(UNIX_EPOCH).unwrap_or_default();
    builder.profile.time_nanos = signed(began.as_nanos());
    for (frames, count) in &report.data {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        builder.stack(frames, vec![count, count.saturating_mul(period)]);
    }
    builder.finish()
}

/// Tasks as a profile: each name is a function, each task one count, and the age of the oldest tells
/// of tasks that hang.
pub(super) fn tasks(alive: &[Alive]) -> Vec<u8> {
    let mut builder = Builder::new();
    let count = builder.value("tasks", "count");
    let oldest = builder.value("oldest", "nanoseconds");
    builder.profile.default_sample_type = count.ty;
    builder.profile.sample_type = vec![count.clone(), oldest];
    builder.profile.period_type = Some(count);
    builder.profile.period = 1;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    builder.profile.time_nanos = signed(now.as_nanos());
    for alive in alive {
        let function = builder.function(alive.name, "");
        let location = builder.location(vec![(function, 0)]);
        let value =
            vec![i64::try_from(alive.count).unwrap_or(i64::MAX), signed(alive.oldest.as_nanos())];
        let sample = Sample { location_id: vec![location], value, ..Sample::default() };
        builder.profile.sample.push(sample);
    }
    builder.finish()
}

/// The allocator's profile with the names that other profiles have, and with the build.
pub(super) fn heap(compressed: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(compressed).take(HEAP_BYTES_MAX).read_to_end(&mut bytes)?;
    let mut profile = Profile::decode(bytes.as_slice()).map_err(io::Error::other)?;
    for place in 0..profile.function.len() {
        let function = &profile.function[place];
        let text = |index: i64| {
            let index = usize::try_from(index).ok();
            index.and_then(|index| profile.string_table.get(index)).map_or("", String::as_str)
        };
        let name = names::qualified(text(function.name), text(function.filename));
        profile.function[place].name = signed(profile.string_table.len() as u128);
        profile.string_table.push(name);
    }
    without_allocator(&mut profile);
    let builder = Builder { profile, ..Builder::new() };
    Ok(builder.finish())
}

/// Takes the allocator's own frames, and those of the standard library that pass requests on to it, from
/// the inner end of every stack: who asked for memory is what is looked for, and not who keeps the books.
fn without_allocator(profile: &mut Profile) {
    let text = |index: i64| {
        let index = usize::try_from(index).ok();
        index.and_then(|index| profile.string_table.get(index)).map_or("", String::as_str)
    };
    let passes_on = ["alloc::alloc::", "alloc::raw_vec::", "__rust_", "_rjem_"];
    let own: HashSet<u64> = profile
        .function
        .iter()
        .filter(|function| {
            let name = text(function.name);
            text(function.filename).contains("jemalloc")
                || name.contains("jemalloc")
                || passes_on.iter().any(|start| name.starts_with(start))
        })
        .map(|function| function.id)
        .collect();
    let mut whole = HashSet::new();
    for place in &mut profile.location {
        let inner = place.line.iter().take_while(|line| own.contains(&line.function_id)).count();
        if inner < place.line.len() {
            // The rest was inlined below them.
            place.line.drain(..inner);
        } else if inner > 0 {
            whole.insert(place.id);
        }
    }
    for sample in &mut profile.sample {
        let inner = sample.location_id.iter().take_while(|place| whole.contains(place)).count();
        if inner < sample.location_id.len() {
            sample.location_id.drain(..inner);
        }
    }
}

/// A profile that is being made; equal texts, functions and places are held once.
struct Builder {
    profile: Profile,
    texts: HashMap<String, i64>,
    functions: HashMap<(i64, i64), u64>,
    locations: HashMap<Vec<(u64, i64)>, u64>,
}

impl Builder {
    fn new() -> Self {
        let profile = Profile { string_table: vec![String::new()], ..Profile::default() };
        let texts = HashMap::from([(String::new(), 0)]);
        Self { profile, texts, functions: HashMap::new(), locations: HashMap::new() }
    }

    fn text(&mut self, text: &str) -> i64 {
        if let Some(index) = self.texts.get(text) {
            return *index;
        }
        let index = i64::try_from(self.profile.string_table.len()).expect("texts fit in memory");
        self.profile.string_table.push(text.to_owned());
        self.texts.insert(text.to_owned(), index);
        index
    }

    fn value(&mut self, kind: &str, unit: &str) -> ValueType {
        ValueType { ty: self.text(kind), unit: self.text(unit) }
    }

    fn function(&mut self, name: &str, file: &str) -> u64 {
        let (name, filename) = (self.text(name), self.text(file));
        let id = self.profile.function.len() as u64 + 1;
        let known = *self.functions.entry((name, filename)).or_insert(id);
        if known == id {
            let function =
                Function { id, name, system_name: name, filename, ..Function::default() };
            self.profile.function.push(function);
        }
        known
    }

    /// A place in the code: the lines of functions that were inlined there, the innermost first.
    fn location(&mut self, lines: Vec<(u64, i64)>) -> u64 {
        let id = self.profile.location.len() as u64 + 1;
        let line =
            lines.iter().map(|(function_id, line)| Line { function_id: *function_id, line: *line });
        let line = line.collect();
        let known = *self.locations.entry(lines).or_insert(id);
        if known == id {
            self.profile.location.push(Location { id, line, ..Location::default() });
        }
        known
    }

    fn stack(&mut self, frames: &Frames, value: Vec<i64>) {
        let mut location_id = Vec::with_capacity(frames.frames.len());
        for inlined in &frames.frames {
            let lines = inlined.iter().map(|symbol| self.line(symbol)).collect();
            location_id.push(self.location(lines));
        }
        let (key, thread) = (self.text("thread"), self.text(&frames.thread_name_or_id()));
        let label = vec![Label { key, str: thread, ..Label::default() }];
        self.profile.sample.push(Sample { location_id, value, label });
    }

    fn line(&mut self, symbol: &Symbol) -> (u64, i64) {
        let file = symbol.filename.as_ref().map(|file| file.to_string_lossy()).unwrap_or_default();
        let name = names::qualified(&symbol.name(), &file);
        (self.function(&name, &file), i64::from(symbol.lineno()))
    }

    fn finish(mut self) -> Vec<u8> {
        let build = format!("bifrost {} {}", build_info::version(), build_info::commit());
        self.profile.comment.push(signed(self.profile.string_table.len() as u128));
        self.profile.string_table.push(build);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&self.profile.encode_to_vec()).expect("memory takes all");
        encoder.finish().expect("memory takes all")
    }
}

/// A number in the type that profiles use.
fn signed(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocators_own_frames_are_left_out_of_heap_profiles() {
        let mut builder = Builder::new();
        let kind = builder.value("inuse_space", "bytes");
        builder.profile.sample_type = vec![kind];
        let ours = builder.function("main", "/build/gateway/src/main.rs");
        let theirs = builder.function("prof_alloc_prep", "jemalloc/internal/prof_inlines.h");
        let library = builder.function("alloc::raw_vec::finish_grow", "");
        let inner = builder.location(vec![(theirs, 1)]);
        let outer = builder.location(vec![(library, 2), (ours, 1)]);
        for location_id in [vec![inner, inner, outer], vec![inner]] {
            builder.profile.sample.push(Sample { location_id, value: vec![1], label: Vec::new() });
        }
        let heap = heap(&builder.finish()).expect("it is a profile");
        let stacks = super::super::read::read(&heap).expect("it is a profile");
        let names: Vec<&str> = stacks
            .stacks
            .iter()
            .map(|stack| &stacks.functions[stack.frames[0] as usize][..])
            .collect();
        // A stack of nothing else keeps what it has.
        assert_eq!(names, ["gateway::main", "prof_alloc_prep"]);
        assert_eq!(stacks.stacks[0].frames.len(), 1);
    }
}
