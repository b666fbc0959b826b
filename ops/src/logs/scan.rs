//! Reads all lines of all segments, with every core, and shows each record that is asked for.
//!
//! Files are read in pieces of some megabytes that are whole lines; a piece belongs to one thread, which
//! keeps what it finds, and only at the end is put together. A line that is no record is told with its
//! file and number, and the rest is read all the same.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::filter::Filter;
use super::record;
use super::sources::Segment;

/// Bytes of a piece: large enough that starting one costs nothing, small enough to stay in a core's
/// cache.
const PIECE_BYTES: u64 = 512 * 1024;
/// Longest line that is read: records have bounded values and are far shorter.
const LINE_BYTES_MAX: usize = 128 * 1024;
/// Most lines of one piece that are told of as no records.
const TOLD_MAX: usize = 8;

/// What takes the records that a thread finds.
pub(crate) trait Visit: Send {
    /// A record that is asked for, and the place of its segment in the list.
    fn record(&mut self, segment: usize, line: &[u8]);
    /// Takes over what another has found.
    fn merge(&mut self, other: Self);
}

/// Something of a segment that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file.
    pub(crate) path: PathBuf,
    /// The line, counted from 1; 0 for the whole file.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) text: String,
}

/// What a scan came to.
#[derive(Debug)]
pub(crate) struct Scanned<V> {
    /// What was found.
    pub(crate) found: V,
    /// Lines that were read.
    pub(crate) lines: u64,
    /// Bytes that were read.
    pub(crate) bytes: u64,
    /// What could not be read.
    pub(crate) problems: Vec<Problem>,
}

struct Piece {
    segment: usize,
    from: u64,
    to: u64,
}

/// Shows every record that the filter takes to visitors, one for each thread.
pub(crate) fn scan<V: Visit>(
    segments: &[Segment],
    filter: &Filter,
    visitor: impl Fn() -> V + Sync,
) -> Scanned<V> {
    let pieces = pieces(segments, filter);
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut own = Scanned { found: visitor(), lines: 0, bytes: 0, problems: Vec::new() };
        let mut buffer = Vec::new();
        while let Some(piece) = pieces.get(next.fetch_add(1, Relaxed)) {
            let segment = &segments[piece.segment];
            if let Err(error) = read_piece(segment, piece, filter, &mut buffer, &mut own) {
                let (path, text) = (segment.path.clone(), error.to_string());
                own.problems.push(Problem { path, line: 0, text });
            }
        }
        own
    };
    let mut whole = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut whole = work();
        for other in others {
            let other = other.join().expect("a scan does not panic");
            whole.found.merge(other.found);
            whole.lines += other.lines;
            whole.bytes += other.bytes;
            whole.problems.extend(other.problems);
        }
        whole
    });
    whole.problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    whole.problems.dedup();
    whole
}

/// The pieces of what may hold what is asked for.
fn pieces(segments: &[Segment], filter: &Filter) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (place, segment) in segments.iter().enumerate() {
        let span = segment.seal.as_ref().map_or(("", ""), |seal| (&*seal.from, &*seal.to));
        if !filter.may_take(span.0, span.1) {
            continue;
        }
        let mut from = 0;
        while from < segment.bytes {
            let to = (from + PIECE_BYTES).min(segment.bytes);
            pieces.push(Piece { segment: place, from, to });
            from = to;
        }
    }
    pieces
}

/// Reads the lines that begin within a piece.
fn read_piece<V: Visit>(
    segment: &Segment,
    piece: &Piece,
    filter: &Filter,
    buffer: &mut Vec<u8>,
    own: &mut Scanned<V>,
) -> io::Result<()> {
    let file = File::open(&segment.path)?;
    // From the byte before, which tells whether a line begins with the piece; and as far behind it as
    // its last line goes.
    let start = piece.from.saturating_sub(1);
    let length = usize::try_from(piece.to - start).unwrap_or(usize::MAX);
    read_at_most(&file, buffer, length, start)?;
    let is_cut = !buffer.ends_with(b"\n") && piece.to < segment.bytes;
    if is_cut {
        let mut rest = Vec::new();
        read_at_most(&file, &mut rest, LINE_BYTES_MAX, piece.to)?;
        let end = memchr::memchr(b'\n', &rest).map_or(rest.len(), |place| place + 1);
        buffer.extend_from_slice(&rest[..end]);
    }
    let skipped = if piece.from == 0 {
        0
    } else {
        memchr::memchr(b'\n', buffer).map_or(buffer.len(), |place| place + 1)
    };
    own.bytes += piece.to - piece.from;
    let mut told = 0;
    let mut place = skipped;
    while place < buffer.len() {
        let rest = &buffer[place..];
        let end = memchr::memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        own.lines += 1;
        if !record::is_record(line) {
            // What is being written has no line end yet.
            let is_growing = end.is_none() && segment.seal.is_none();
            if !line.is_empty() && !is_growing && told < TOLD_MAX {
                told += 1;
                own.problems.push(problem(segment, &file, start + place as u64, line)?);
            }
        } else if filter.takes(line) {
            own.found.record(piece.segment, line);
        }
        place += line.len() + 1;
    }
    Ok(())
}

fn read_at_most(file: &File, into: &mut Vec<u8>, length: usize, from: u64) -> io::Result<()> {
    into.resize(length, 0);
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut into[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    into.truncate(filled);
    Ok(())
}

/// Tells of a line that is no record, with its number.
fn problem(segment: &Segment, file: &File, place: u64, line: &[u8]) -> io::Result<Problem> {
    let (mut number, mut from) = (1, 0);
    let mut buffer = Vec::new();
    while from < place {
        let length = PIECE_BYTES.min(place - from);
        read_at_most(file, &mut buffer, usize::try_from(length).unwrap_or(usize::MAX), from)?;
        if buffer.is_empty() {
            break;
        }
        number += memchr::memchr_iter(b'\n', &buffer).count();
        from += buffer.len() as u64;
    }
    let start = String::from_utf8_lossy(&line[..line.len().min(40)]);
    let text = format!("not a record, and skipped: {}", start.escape_debug());
    Ok(Problem { path: segment.path.clone(), line: number, text })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[derive(Default)]
    struct Ids(Vec<String>);

    impl Visit for Ids {
        fn record(&mut self, _: usize, line: &[u8]) {
            self.0.push(String::from_utf8_lossy(line).into_owned());
        }
        fn merge(&mut self, other: Self) {
            self.0.extend(other.0);
        }
    }

    fn segment(folder: &tempfile::TempDir, text: &str) -> Segment {
        let path = folder.path().join("access.log");
        std::fs::write(&path, text).expect("written");
        Segment { env: "local".to_owned(), path, bytes: text.len() as u64, seal: None }
    }

    fn line(number: usize, pad: usize) -> String {
        let pad = "x".repeat(pad);
        format!(
            "{{\"ts\":\"2026-11-21T10:00:00.000Z\",\"v\":1,\"path\":\"{pad}\",\"status\":{number}}}\n"
        )
    }

    #[test]
    fn every_line_is_read_once_wherever_pieces_end() {
        let folder = tempfile::tempdir().expect("folder");
        for pad in [0, 1000, 100_000] {
            let count = 9 * 1024 * 1024 / (pad + 80);
            let text: String = (0..count).map(|number| line(number, pad)).collect();
            let segment = segment(&folder, &text);
            let filter = Filter::parse("", SystemTime::now()).expect("a filter");
            let scanned = scan(&[segment], &filter, Ids::default);
            assert_eq!(scanned.problems, []);
            assert_eq!(scanned.lines, count as u64);
            let mut found = scanned.found.0;
            let mut expected: Vec<&str> = text.lines().collect();
            found.sort();
            expected.sort_unstable();
            assert!(found == expected, "{} of {count} with {pad}", found.len());
        }
    }

    #[test]
    fn line_that_is_no_record_is_told_and_the_rest_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let text = format!("{}torn {{\n\u{1b}[31m\n{}{{\"ts\":\"half", line(1, 0), line(2, 0));
        let segment = segment(&folder, &text);
        let filter = Filter::parse("status>=1", SystemTime::now()).expect("a filter");
        let scanned = scan(&[segment], &filter, Ids::default);
        assert_eq!(scanned.found.0.len(), 2);
        let lines: Vec<_> = scanned.problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [2, 3], "the last one is being written");
        assert!(!scanned.problems[1].text.contains('\u{1b}'), "no terminal is told what to do");
    }

    #[test]
    fn segment_that_is_gone_is_told_and_the_rest_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let here = segment(&folder, &line(1, 0));
        let gone = Segment { path: folder.path().join("gone"), ..here.clone() };
        let filter = Filter::parse("", SystemTime::now()).expect("a filter");
        let scanned = scan(&[gone, here], &filter, Ids::default);
        assert_eq!(scanned.found.0.len(), 1);
        assert_eq!(scanned.problems.len(), 1);
        assert!(scanned.problems[0].path.ends_with("gone"));
    }
}
