//! What an image brings along of the machine that made it: the libraries that programs load, and what that
//! machine's list of packages says of them.
//!
//! A machine that keeps no such list, or keeps it otherwise than Debian, gives files and their sums alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use serde_json::{Value, json};

use super::software::Software;
use super::tree::sha256;
use super::{PackageError, read};

/// The libraries of an image.
#[derive(Debug)]
pub(super) struct Brought {
    /// Files by their paths.
    pub(super) files: BTreeMap<PathBuf, Bytes>,
    /// The packages that they are from, with the files of each.
    owners: BTreeMap<Owner, Vec<PathBuf>>,
    /// Files that no package is known to have.
    strays: Vec<PathBuf>,
}

/// A package of Debian, or of who follows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    name: String,
    version: String,
}

impl Brought {
    /// Reads what the programs load.
    ///
    /// # Errors
    /// A library cannot be read.
    pub(super) fn of(software: &Software) -> Result<Self, PackageError> {
        let mut brought =
            Self { files: BTreeMap::new(), owners: BTreeMap::new(), strays: Vec::new() };
        for path in software.binaries.iter().flat_map(|binary| &binary.libraries) {
            if brought.files.contains_key(path) {
                continue;
            }
            brought.files.insert(path.clone(), read(path)?.into());
            match owner(path) {
                Some(owner) => brought.owners.entry(owner).or_default().push(path.clone()),
                None => brought.strays.push(path.clone()),
            }
        }
        Ok(brought)
    }

    /// As components of CycloneDX: packages with their files, and files that are in none.
    pub(super) fn components(&self, debian: &str) -> Vec<Value> {
        let system = system();
        let mut all: Vec<Value> = Vec::new();
        for (owner, paths) in &self.owners {
            let Owner { name, version } = owner;
            let url = format!("pkg:deb/{system}/{name}@{}?arch={debian}", escaped(version));
            let files: Vec<Value> = paths.iter().map(|path| self.file(path)).collect();
            all.push(json!({
                "type": "library",
                "bom-ref": url,
                "name": name,
                "version": version,
                "purl": url,
                "components": files,
            }));
        }
        all.extend(self.strays.iter().map(|path| self.file(path)));
        all
    }

    fn file(&self, path: &Path) -> Value {
        let path_text = path.display().to_string();
        let sum = self.files.get(path).map(|content| sha256(content));
        json!({
            "type": "file",
            "bom-ref": format!("file:{path_text}"),
            "name": path_text,
            "hashes": [{ "alg": "SHA-256", "content": sum }],
        })
    }

    /// What says under which licences the packages are, as paths and texts, where the machine kept that.
    pub(super) fn copyrights(&self) -> Vec<(String, Vec<u8>)> {
        let texts = self.owners.keys().filter_map(|owner| {
            let path = format!("usr/share/doc/{}/copyright", owner.name);
            let text = std::fs::read(Path::new("/").join(&path)).ok()?;
            Some((path, text))
        });
        texts.collect()
    }
}

/// The package that a file is of. It may be listed with or without the `/usr` that its folder leads to.
fn owner(path: &Path) -> Option<Owner> {
    let bare = path.strip_prefix("/usr").map(|below| Path::new("/").join(below)).ok();
    let below_usr = path.strip_prefix("/").map(|below| Path::new("/usr").join(below)).ok();
    let places = [Some(path.to_path_buf()), bare, below_usr, path.canonicalize().ok()];
    let said = places.into_iter().flatten().find_map(|place| {
        asked(Command::new("dpkg-query").arg("--search").arg(place).env("LC_ALL", "C"))
    })?;
    // `libc6:amd64: /lib/…`; others may stand before it, about files that are diverted.
    let (package, _) = said.lines().next_back()?.split_once(": ")?;
    let version =
        asked(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]))?;
    let name = package.split(':').next()?.to_owned();
    Some(Owner { name, version })
}

/// What a program says; nothing if it is not there or fails.
fn asked(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned()).filter(|said| !said.is_empty())
}

/// What this machine runs, as URLs of packages name it.
fn system() -> String {
    let about = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let id = about.lines().find_map(|line| line.strip_prefix("ID="));
    id.map_or("debian", |id| id.trim_matches('"')).to_owned()
}

/// A version as URLs of packages have it.
fn escaped(version: &str) -> String {
    version.replace('%', "%25").replace('+', "%2B").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_is_declared_with_its_package_and_sum() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ops is a member");
        let brought = Brought::of(&Software::of_shells(root)).expect("they can be read");
        let components = brought.components("amd64");
        let files: Vec<&Value> = components
            .iter()
            .flat_map(|one| {
                one["components"].as_array().map_or(vec![one], |all| all.iter().collect())
            })
            .collect();
        assert_eq!(files.len(), brought.files.len());
        for (path, content) in &brought.files {
            let file = files.iter().find(|file| file["name"] == path.display().to_string());
            let file = file.unwrap_or_else(|| panic!("{} is not declared", path.display()));
            assert_eq!(file["hashes"][0]["content"], sha256(content));
        }
        // Only Debian and its like have this list.
        let listed = Command::new("dpkg-query").arg("--show").arg("libc6").output();
        if listed.is_ok_and(|listed| listed.status.success()) {
            let libc = components.iter().find(|one| one["name"] == "libc6");
            let url = libc.and_then(|libc| libc["purl"].as_str()).expect("the shell loads it");
            assert!(url.starts_with("pkg:deb/") && url.contains("/libc6@2."), "{url}");
        }
    }

    #[test]
    fn file_of_no_package_has_no_owner() {
        assert_eq!(owner(Path::new("/nowhere/libnone.so")), None);
        assert_eq!(escaped("1:2.36-9+deb12u10"), "1%3A2.36-9%2Bdeb12u10");
    }
}
