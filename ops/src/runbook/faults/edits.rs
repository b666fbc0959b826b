//! Config files of a fleet, changed for a drill and put back byte for byte.
//!
//! What a file held stands beside it while it is changed, so that it can be put back even after a drill
//! that was killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};

use crate::whole::beside;

/// Ending of the copy of a file as it was.
const BEFORE: &str = ".before-drill";

/// A file that is not as it was.
#[derive(Debug)]
pub(super) struct Edit {
    path: PathBuf,
}

impl Edit {
    /// Sets keys of a YAML file, such as `limit.requests_max`.
    pub(super) fn set(path: &Path, changes: &[(&str, Value)]) -> Result<Self, String> {
        let failed = |text: String| format!("{}: {text}", path.display());
        let mut whole = read(path)?;
        for (key, value) in changes {
            set(&mut whole, key, value.clone())
                .ok_or_else(|| failed(format!("{key} is no map")))?;
        }
        let text = serde_yaml::to_string(&whole).map_err(|error| failed(error.to_string()))?;
        Self::replace(path, &text)
    }

    /// Replaces what a file holds.
    pub(super) fn replace(path: &Path, text: &str) -> Result<Self, String> {
        let edit = Self::away(path)?;
        edit.io(fs::write(path, text))?;
        Ok(edit)
    }

    /// Puts a file away, so that there is none. Of one that was changed already what it held at first
    /// is kept.
    pub(super) fn away(path: &Path) -> Result<Self, String> {
        let edit = Self { path: path.to_owned() };
        let is_first = Self::left(path).is_none();
        edit.io(if is_first { fs::rename(path, before(path)) } else { fs::remove_file(path) })?;
        Ok(edit)
    }

    /// Puts it back, unless that was done with an earlier change of it.
    pub(super) fn put_back(&self) -> Result<(), String> {
        match Self::left(&self.path) {
            Some(_) => self.io(fs::rename(before(&self.path), &self.path)),
            None => Ok(()),
        }
    }

    /// The file as a drill left it that was killed, if one did.
    pub(super) fn left(path: &Path) -> Option<Self> {
        before(path).exists().then(|| Self { path: path.to_owned() })
    }

    fn io(&self, done: io::Result<()>) -> Result<(), String> {
        done.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// What a YAML file holds.
pub(super) fn read(path: &Path) -> Result<Value, String> {
    let failed = |text: String| format!("{}: {text}", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    serde_yaml::from_str(&text).map_err(|error| failed(error.to_string()))
}

fn before(path: &Path) -> PathBuf {
    beside(path, BEFORE)
}

/// Sets a key below others, which are made where they are missing.
fn set(whole: &mut Value, key: &str, value: Value) -> Option<()> {
    let mut at = whole;
    for part in key.split('.') {
        if at.is_null() {
            *at = Value::Mapping(Mapping::new());
        }
        at = at.as_mapping_mut()?.entry(part.into()).or_insert(Value::Null);
    }
    *at = value;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_changed_and_put_back_byte_for_byte() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("a.yaml");
        let text = "# By hand.\nlimit: {requests_max: 9}\n";
        fs::write(&path, text).expect("it can be written");
        let changes = [("limit.requests_max", Value::from(2)), ("a.b.c", Value::from("d"))];
        let edit = Edit::set(&path, &changes).expect("it is YAML");
        let changed = fs::read_to_string(&path).expect("it is there");
        let changed: Value = serde_yaml::from_str(&changed).expect("it is YAML");
        assert_eq!(
            (&changed["limit"]["requests_max"], &changed["a"]["b"]["c"]),
            (&2.into(), &"d".into())
        );
        assert!(Edit::left(&path).is_some(), "who comes later finds what it was");
        edit.put_back().expect("it can be");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
        assert!(Edit::left(&path).is_none());
        Edit::away(&path).expect("it can be").put_back().expect("it can be");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
    }

    #[test]
    fn a_file_that_was_changed_twice_is_what_it_was_at_first() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("a.yaml");
        fs::write(&path, "a: 1\n").expect("it can be written");
        let first = Edit::set(&path, &[("b", Value::from(2))]).expect("it is YAML");
        let second = Edit::set(&path, &[("c", Value::from(3))]).expect("it is YAML");
        let changed = fs::read_to_string(&path).expect("it is there");
        assert_eq!(changed, "a: 1\nb: 2\nc: 3\n");
        second.put_back().expect("it can be");
        first.put_back().expect("it can be");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "a: 1\n");
    }

    #[test]
    fn a_value_is_not_taken_for_a_map() {
        let mut whole: Value = serde_yaml::from_str("a: 1\n").expect("it is YAML");
        assert_eq!(set(&mut whole, "a.b", Value::Null), None);
    }
}
