//! Rows of the table of hosts that lie in files of their own, for whoever has thousands.
//!
//! Files are read as a whole or not at all: a row that is wrong refuses all of them, by file and line, so that the
//! hosts in force are always those of one moment.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Host;

/// Most bytes of one file, a hundred thousand rows or so.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most files of one folder.
const FILES_MAX: usize = 10_000;
/// Most rows of all files.
const ROWS_MAX: usize = 200_000;

/// A row and where it stands, as `file:line`.
pub(super) struct Placed {
    pub(super) place: String,
    pub(super) host: Host,
}

/// Reads every row of files, and of every `*.yaml` in folders, in the order of their names.
///
/// # Errors
/// A text that names the file and, where one is at fault, the line.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Placed>, String> {
    let mut rows = Vec::new();
    for path in paths {
        if path.is_dir() {
            for file in files(path)? {
                one(&file, &mut rows)?;
            }
        } else {
            one(path, &mut rows)?;
        }
    }
    Ok(rows)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed =
        |error: std::io::Error| format!("hosts: could not read {}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|end| end == "yaml") {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(format!("hosts: {} has more than {FILES_MAX} files", folder.display()));
        }
    }
    files.sort();
    Ok(files)
}

fn one(path: &Path, rows: &mut Vec<Placed>) -> Result<(), String> {
    let shown = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| format!("hosts: could not read {shown}: {error}"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!(
            "hosts: {shown} has more than {FILE_BYTES_MAX} bytes; make it several"
        ));
    }
    // A file of comments has no rows.
    let hosts: Option<Vec<Host>> = serde_yaml::from_str(&text).map_err(|error| {
        let line = error.location().map_or(1, |at| at.line());
        format!("hosts: {shown}:{line}: {error}")
    })?;
    let hosts = hosts.unwrap_or_default();
    if rows.len() + hosts.len() > ROWS_MAX {
        return Err(format!("hosts: with {shown} there are more than {ROWS_MAX} rows"));
    }
    let mut lines = lines(&text);
    rows.extend(hosts.into_iter().map(|host| {
        let place =
            lines.next().map_or_else(|| shown.to_string(), |line| format!("{shown}:{line}"));
        Placed { place, host }
    }));
    Ok(())
}

/// The lines on which the rows of a list begin: those with a dash as far to the left as the first one.
fn lines(text: &str) -> impl Iterator<Item = usize> + '_ {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_row = |line: &str| line.trim_start().starts_with("- ");
    let first = text.lines().find(|line| is_row(line)).map(indent);
    let begins = move |line: &str| is_row(line) && Some(indent(line)) == first;
    text.lines().enumerate().filter(move |(_, line)| begins(line)).map(|(number, _)| number + 1)
}
