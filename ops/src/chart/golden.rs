//! What every set is rendered to, kept to be looked at when it changes.
//!
//! A set keeps the objects in which it differs from the set `default`, and names the others: what a switch
//! does is what its folder holds. Long texts are kept as their digest; they are copies of files that have
//! their own place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;
use sha2::{Digest as _, Sha256};

use super::objects::Object;
use super::{ChartError, about, listed};
use crate::findings::Finding;
use crate::whole::{FileError, read, write};

/// The set that the others are told from.
pub(super) const BASE: &str = "default";
/// Text beyond this is kept as its digest.
const TEXT_MAX: usize = 4096;

/// The golden files by path from their folder.
pub(super) type Files = BTreeMap<PathBuf, String>;

/// The golden files of what was rendered, by set.
pub(super) fn files(rendered: &[(String, Vec<Object>)]) -> Files {
    let of = |objects: &[Object]| -> BTreeMap<String, String> {
        objects
            .iter()
            .map(|object| (format!("{}-{}.yaml", object.kind, object.name), kept(object)))
            .collect()
    };
    let base = rendered.iter().find(|(name, _)| name == BASE);
    let base = base.map(|(_, objects)| of(objects)).unwrap_or_default();
    let mut files = Files::new();
    for (name, objects) in rendered {
        let mut same = String::new();
        for (file, text) in of(objects) {
            if name != BASE && base.get(&file) == Some(&text) {
                same.push_str(&format!("{file}\n"));
            } else {
                files.insert(Path::new(name).join(file), text);
            }
        }
        if name != BASE {
            files.insert(Path::new(name).join("as-in-default.txt"), same);
        }
    }
    files
}

/// An object with long texts as digests.
fn kept(object: &Object) -> String {
    let mut value = object.value.clone();
    if object.kind == "PrometheusRule"
        && let Some(groups) = value.get_mut("spec").and_then(|spec| spec.get_mut("groups"))
    {
        *groups = Value::String(serde_yaml::to_string(groups).expect("it was YAML"));
    }
    shorten(&mut value);
    serde_yaml::to_string(&value).expect("it was YAML")
}

fn shorten(value: &mut Value) {
    if let Value::String(text) = value {
        if text.len() > TEXT_MAX {
            let digest = hex::encode(Sha256::digest(text.as_bytes()));
            *text = format!("{} bytes, sha256 {digest}", text.len());
        }
    } else if let Value::Mapping(mapping) = value {
        mapping.iter_mut().for_each(|(_, value)| shorten(value));
    } else if let Value::Sequence(values) = value {
        values.iter_mut().for_each(shorten);
    }
}

/// The golden files that there are, without those of sets that were not rendered.
fn there(folder: &Path, wanted: &Files, only: bool) -> Result<Files, ChartError> {
    let mut files = Files::new();
    for set in listed(folder)? {
        let name = set.file_name().unwrap_or_default().to_owned();
        if only && !wanted.keys().any(|path| path.starts_with(&name)) {
            continue;
        }
        for path in listed(&set)? {
            let file = path.file_name().unwrap_or_default();
            files.insert(Path::new(&name).join(file), read(&path)?);
        }
    }
    Ok(files)
}

/// How what was rendered differs from the golden files; `only` some sets were.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn drift(folder: &Path, wanted: &Files, only: bool) -> Result<Vec<Finding>, ChartError> {
    let there = there(folder, wanted, only)?;
    let mut found = Vec::new();
    for (path, text) in wanted {
        let at = folder.join(path);
        match there.get(path) {
            None => found.push(about(&at, "golden", "it is rendered and not kept: --update")),
            Some(kept) if kept != text => {
                let lines = kept.lines().zip(text.lines());
                let line = 1 + lines.clone().take_while(|(one, other)| one == other).count();
                let now = text.lines().nth(line - 1).unwrap_or("the end").trim();
                let said = format!("rendered differently from here, as `{now}`: --update if meant");
                found.push(Finding::at(at, line, "golden", said));
            }
            Some(_) => {}
        }
    }
    for path in there.keys().filter(|path| !wanted.contains_key(*path)) {
        let said = "it is kept and not rendered any more: --update if meant";
        found.push(about(&folder.join(path), "golden", said));
    }
    Ok(found)
}

/// Makes the golden files what was rendered.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn update(folder: &Path, wanted: &Files, only: bool) -> Result<(), ChartError> {
    for path in there(folder, wanted, only)?.keys().filter(|path| !wanted.contains_key(*path)) {
        let path = folder.join(path);
        std::fs::remove_file(&path)
            .map_err(|source| FileError::Write { path: path.clone(), source })?;
        // It stays while it has other files.
        path.parent().map(std::fs::remove_dir);
    }
    wanted.iter().try_for_each(|(path, text)| write(&folder.join(path), text))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::objects::split;

    fn objects(names: &[(&str, &str)]) -> Vec<Object> {
        let text = names.iter().map(|(name, data)| {
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: {data}}}\n")
        });
        split(&text.collect::<String>()).expect("they are objects")
    }

    #[test]
    fn sets_keep_what_differs_from_the_default() {
        let long = "x".repeat(TEXT_MAX + 1);
        let rendered = [
            (BASE.to_owned(), objects(&[("one", "1"), ("two", "2")])),
            ("other".to_owned(), objects(&[("one", "1"), ("two", &long)])),
        ];
        let files = files(&rendered);
        let names: Vec<_> = files.keys().map(|path| path.to_string_lossy()).collect();
        let wanted = [
            "default/ConfigMap-one.yaml",
            "default/ConfigMap-two.yaml",
            "other/ConfigMap-two.yaml",
            "other/as-in-default.txt",
        ];
        assert_eq!(names, wanted);
        assert!(files[Path::new(wanted[2])].contains("4097 bytes, sha256 "));
        assert_eq!(files[Path::new(wanted[3])], "ConfigMap-one.yaml\n");
    }

    #[test]
    fn every_difference_is_found_and_update_ends_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = files(&[(BASE.to_owned(), objects(&[("one", "1"), ("two", "2")]))]);
        update(folder.path(), &before, false).expect("written");
        assert_eq!(drift(folder.path(), &before, false).expect("read"), []);
        let after = files(&[(BASE.to_owned(), objects(&[("one", "9"), ("three", "3")]))]);
        let found = drift(folder.path(), &after, false).expect("read");
        assert_eq!(found.len(), 3, "{found:?}");
        update(folder.path(), &after, false).expect("written");
        assert_eq!(drift(folder.path(), &after, false).expect("read"), []);
    }

    #[test]
    fn sets_that_were_not_rendered_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = [
            (BASE.to_owned(), objects(&[("one", "1")])),
            ("other".to_owned(), objects(&[("one", "2")])),
        ];
        update(folder.path(), &files(&all), false).expect("written");
        let one = files(&all[..1]);
        assert_eq!(drift(folder.path(), &one, true).expect("read"), []);
        assert_eq!(drift(folder.path(), &one, false).expect("read").len(), 2);
    }
}
