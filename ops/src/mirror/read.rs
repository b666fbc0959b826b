//! Reads pairs: files in any order and of any gateway, each pair once, in the order of time.
//!
//! A line that is no pair is told with its file and number, and the rest is read all the same. Memory is
//! bounded by the number of pairs: more are refused, since no sample of them would bear the claims made.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use telemetry::pairs::{FILES_PER_LIFE, Pair};

use super::observed::{Dictionary, Lane, NO_BUILD, Observed, hashed};
use super::{MirrorError, at};

/// Longest line that is read: pairs are a fifth of that at most.
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// Most lines that are told of as no pairs.
const TOLD_MAX: usize = 8;
/// Most builds, and gateways, that are told apart.
const BUILDS_MAX: usize = 1_000;

/// The build of who does not say which it is.
pub(crate) const UNNAMED: &str = "unnamed";
/// The build of pairs from before any answered.
const SILENT: &str = "(silent)";
/// How long first tries may fail while builds change: longer than a second one waits.
const CHANGE_MS: u64 = 60_000;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    /// The pairs, in the order of time.
    pub(crate) pairs: Vec<Observed>,
    /// The words of their differences, forms and failures.
    pub(crate) words: Dictionary,
    /// Staging's builds, by the place that pairs name.
    pub(crate) builds: Vec<String>,
    /// Requests that were not copied since staging was left alone, by its build.
    pub(crate) unasked: BTreeMap<u16, u64>,
    /// Pairs by production's build.
    pub(crate) production: BTreeMap<String, u64>,
    /// The gateways that wrote them, with the places that pairs name.
    pub(crate) gateways: BTreeMap<String, u16>,
    /// Where files of pairs lie, and how many.
    pub(crate) folders: BTreeMap<PathBuf, usize>,
    /// Pairs that were there already.
    pub(crate) duplicates: u64,
    /// Lines that are no pairs.
    pub(crate) bad: u64,
    /// The first of them, in words.
    pub(crate) told: Vec<String>,
}

/// Files of a kind in a folder: `kind.ndjson`, and those that it was rotated to.
///
/// # Errors
/// `File` when the folder cannot be read.
pub(crate) fn files(folder: &Path, kind: &str) -> Result<Vec<PathBuf>, MirrorError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let rest = name.strip_prefix(kind).and_then(|rest| rest.strip_suffix(".ndjson"));
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A file, or the files of a kind in a folder and in those that it holds.
///
/// # Errors
/// `Nothing` when there is no such path, `File` when a folder cannot be read.
pub(crate) fn found(path: &Path, kind: &str) -> Result<Vec<PathBuf>, MirrorError> {
    if !path.is_dir() {
        return match path.is_file() {
            true => Ok(vec![path.to_path_buf()]),
            false => Err(MirrorError::Nothing(path.to_path_buf())),
        };
    }
    let mut list = Vec::new();
    for folder in folders(path)? {
        list.extend(files(&folder, kind)?);
    }
    Ok(list)
}

/// A folder and those in it: each gateway of a machine has one of its own.
///
/// # Errors
/// `File` when it cannot be read.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, MirrorError> {
    let mut found = vec![folder.to_path_buf()];
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the pairs of folders and files, `most` of them at most.
///
/// # Errors
/// `Nothing` when there are none, `TooMany` when there are more than `most`, `File` when one cannot be
/// read.
pub(crate) fn read(paths: &[PathBuf], most: usize) -> Result<Pairs, MirrorError> {
    let mut all = Pairs::default();
    let mut seen = HashSet::new();
    for path in paths {
        for file in found(path, "pairs")? {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            *all.folders.entry(folder.unwrap_or(Path::new(".")).to_path_buf()).or_default() += 1;
            all.read_file(&file, &mut seen, most)?;
        }
    }
    if all.pairs.is_empty() && all.bad == 0 {
        return Err(MirrorError::Nothing(paths.first().cloned().unwrap_or_default()));
    }
    all.pairs.sort_by_key(|pair| pair.at_ms);
    all.attribute();
    Ok(all)
}

/// Each line of a file, without its end, and whether it has one; a line too long as far as it is read.
///
/// # Errors
/// `File` when it cannot be read.
pub(crate) fn lines(
    path: &Path,
    longest: u64,
    mut each: impl FnMut(usize, &[u8], bool) -> Result<(), MirrorError>,
) -> Result<(), MirrorError> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(at(path))?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = longest + 1;
        if (&mut file).take(limit).read_until(b'\n', &mut line).map_err(at(path))? == 0 {
            return Ok(());
        }
        let is_whole = line.last() == Some(&b'\n');
        if is_whole {
            line.pop();
        } else if line.len() as u64 == limit {
            file.skip_until(b'\n').map_err(at(path))?;
        }
        let has_end = is_whole || line.len() as u64 == limit;
        each(number, &line, has_end)?;
    }
    Ok(())
}

impl Pairs {
    fn read_file(
        &mut self,
        path: &Path,
        seen: &mut HashSet<u64>,
        most: usize,
    ) -> Result<(), MirrorError> {
        lines(path, LINE_BYTES_MAX, |number, line, has_end| {
            let read = Pair::parse(line).and_then(|pair| {
                let observed = Observed::of(&pair, &mut self.words)?;
                Ok((pair, observed))
            });
            match read {
                // A key may be asked for twice within a millisecond: only the whole line tells them apart.
                Ok(_) if !seen.insert(hashed(line)) => self.duplicates += 1,
                Ok((pair, observed)) => {
                    self.take(&pair, observed);
                    if self.pairs.len() > most {
                        return Err(MirrorError::TooMany(most));
                    }
                }
                // What is being written has no line end yet.
                Err(_) if line.is_empty() || !has_end => {}
                Err(problem) => {
                    self.bad += 1;
                    if self.told.len() < TOLD_MAX {
                        let path = path.display();
                        self.told.push(format!("{path}:{number}: no pair, and skipped: {problem}"));
                    }
                }
            }
            Ok(())
        })
    }

    fn take(&mut self, pair: &Pair, mut observed: Observed) {
        observed.gateway = self.gateway(&pair.gateway);
        let build = pair.production.build.as_deref().unwrap_or(UNNAMED);
        if self.production.len() < BUILDS_MAX || self.production.contains_key(build) {
            *self.production.entry(build.to_owned()).or_default() += 1;
        }
        // A failure that names no build may be of who stands before it.
        let side = pair.staging.as_ref().filter(|side| side.build.is_some() || side.is_good());
        if let (Some(staging), Lane::Staging) = (side, observed.lane) {
            observed.build = self.build(staging.build.as_deref().unwrap_or(UNNAMED));
        }
        self.pairs.push(observed);
    }

    fn gateway(&mut self, name: &str) -> u16 {
        if let Some(place) = self.gateways.get(name) {
            return *place;
        }
        let place = self.gateways.len().min(BUILDS_MAX - 1);
        let place = u16::try_from(place).expect("gateways are bounded");
        if self.gateways.len() < BUILDS_MAX {
            self.gateways.insert(name.to_owned(), place);
        }
        place
    }

    fn build(&mut self, name: &str) -> u16 {
        let known = self.builds.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            if self.builds.len() < BUILDS_MAX {
                self.builds.push(name.to_owned());
            }
            self.builds.len() - 1
        });
        u16::try_from(place).expect("builds are bounded")
    }

    /// When pairs begin, where there were older ones: a folder has all files that are kept.
    pub(crate) fn cut_at(&self) -> Option<u64> {
        let is_full = self.folders.values().any(|files| *files > FILES_PER_LIFE as usize);
        self.pairs.first().filter(|_| is_full).map(|pair| pair.at_ms)
    }

    /// The build of the latest pair that has one.
    pub(crate) fn latest(&self) -> u16 {
        let silent = self.place(SILENT);
        let builds = || self.pairs.iter().rev().map(|pair| pair.build);
        builds().find(|build| Some(*build) != silent).or(builds().next()).unwrap_or(0)
    }

    /// The place of a build.
    fn place(&self, build: &str) -> Option<u16> {
        let place = self.builds.iter().position(|known| known == build)?;
        u16::try_from(place).ok()
    }

    /// What cannot answer cannot say what it is: a failure is of the build that answered the same gateway
    /// last before it, or of none, so that a build is not blamed for its own installation. That holds for
    /// first tries as well: while builds change, only the second answer is compared. Pairs of production
    /// with itself are of the time's build.
    fn attribute(&mut self) {
        let first = self.pairs.iter().map(|pair| pair.build).find(|build| *build != NO_BUILD);
        let mut last = vec![None; self.gateways.len()];
        let mut since = HashMap::new();
        for pair in &mut self.pairs {
            let before = &mut last[usize::from(pair.gateway)];
            if pair.unasked > 0 {
                let build = before.unwrap_or(NO_BUILD);
                *self.unasked.entry(build).or_default() += u64::from(pair.unasked);
            }
            if pair.build == NO_BUILD {
                let known = before.or(first.filter(|_| pair.lane == Lane::Again));
                pair.build = known.unwrap_or(NO_BUILD);
                continue;
            }
            let since = *since.entry((pair.gateway, pair.build)).or_insert(pair.at_ms);
            let is_there = *before == Some(pair.build) || pair.at_ms - since > CHANGE_MS;
            if pair.retried && !is_there {
                pair.retried = false;
            } else {
                *before = Some(pair.build);
            }
        }
        let is_silent = |pair: &Observed| pair.build == NO_BUILD;
        let unasked = self.unasked.remove(&NO_BUILD);
        if self.builds.is_empty() || unasked.is_some() || self.pairs.iter().any(is_silent) {
            let silent = self.build(SILENT);
            self.unasked.extend(unasked.map(|count| (silent, count)));
            self.pairs
                .iter_mut()
                .filter(|pair| is_silent(pair))
                .for_each(|pair| pair.build = silent);
        }
    }
}
