//! Reads the commit that is checked out, for the build info.
//!
//! Reads git's files instead of asking git, which need not be installed; a source tree without them
//! builds all the same. `BIFROST_COMMIT` in the environment of the build wins. Debug builds do not
//! look, so that a commit does not have every crate compiled again.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=BIFROST_COMMIT");
    let given = std::env::var("BIFROST_COMMIT").ok().filter(|commit| !commit.is_empty());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = given.or_else(|| if release { checked_out() } else { None });
    if let Some(commit) = commit {
        println!("cargo:rustc-env=BIFROST_BUILD_COMMIT={commit}");
    }
}

/// The commit of the checkout around this package.
fn checked_out() -> Option<String> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    let git = git_folder(package.parent()?)?;
    let head = read(&git.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else {
        return hash(&head);
    };
    // A linked work tree keeps its branches in the folder of the main one.
    let shared = read(&git.join("commondir")).map_or_else(|| git.clone(), |path| git.join(path));
    read(&shared.join(name)).as_deref().and_then(hash).or_else(|| packed(&shared, name))
}

fn git_folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let pointer = read(&git)?;
    Some(root.join(pointer.strip_prefix("gitdir: ")?))
}

fn packed(git: &Path, name: &str) -> Option<String> {
    let refs = read(&git.join("packed-refs"))?;
    let line = refs.lines().find(|line| line.ends_with(&format!(" {name}")))?;
    hash(line.split(' ').next()?)
}

/// Reads a file and has the build run again when it changes.
fn read(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    println!("cargo:rerun-if-changed={}", path.display());
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn hash(text: &str) -> Option<String> {
    let valid = text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| text.to_owned())
}
