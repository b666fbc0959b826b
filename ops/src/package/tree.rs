//! A tree of files that is to be packed: the same tree gives the same bytes, whoever packs it and when.
//!
//! Entries are in order of name, belong to root unless said otherwise, and have one time: that of the commit.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// Files by their paths, which have no slash in front.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    mode: u32,
    owner: u64,
    /// None of a folder.
    content: Option<Bytes>,
}

impl Tree {
    /// Adds a file, and the folders above it.
    pub(super) fn file(&mut self, path: impl Into<String>, mode: u32, content: impl Into<Bytes>) {
        self.put(path.into(), Entry { mode, owner: 0, content: Some(content.into()) });
    }

    /// Adds a folder of its own.
    pub(super) fn folder(&mut self, path: impl Into<String>, mode: u32, owner: u64) {
        self.put(path.into(), Entry { mode, owner, content: None });
    }

    fn put(&mut self, path: String, entry: Entry) {
        for (at, _) in path.match_indices('/') {
            let above = Entry { mode: 0o755, owner: 0, content: None };
            self.entries.entry(path[..at].to_owned()).or_insert(above);
        }
        self.entries.insert(path, entry);
    }

    /// Adds another tree below a folder.
    pub(super) fn below(&mut self, folder: &str, other: &Self) {
        for (path, entry) in &other.entries {
            self.put(format!("{folder}/{path}"), entry.clone());
        }
    }

    /// Its files, without folders, in order of path.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.entries
            .iter()
            .filter_map(|(path, entry)| Some((path.as_str(), entry.content.as_ref()?)))
    }

    /// The lines that `sha256sum --check` reads.
    pub(super) fn sums(&self) -> String {
        self.files().map(|(path, content)| format!("{}  {path}\n", sha256(content))).collect()
    }

    /// Writes it as an archive of tar whose entries are of this time, in seconds since 1970.
    ///
    /// # Errors
    /// Of writing.
    pub(super) fn tar<W: Write>(&self, time: u64, to: W) -> io::Result<W> {
        let mut builder = Builder::new(to);
        for (path, entry) in &self.entries {
            let mut header = Header::new_gnu();
            let content = entry.content.as_deref();
            header.set_entry_type(content.map_or(EntryType::Directory, |_| EntryType::Regular));
            header.set_mode(entry.mode);
            header.set_uid(entry.owner);
            header.set_gid(entry.owner);
            if entry.owner == 0 {
                header.set_username("root")?;
                header.set_groupname("root")?;
            }
            header.set_mtime(time);
            header.set_size(content.map_or(0, |content| content.len() as u64));
            let path = content.map_or_else(|| format!("{path}/"), |_| path.clone());
            builder.append_data(&mut header, path, content.unwrap_or_default())?;
        }
        builder.into_inner()
    }

    /// The same, compressed.
    ///
    /// # Errors
    /// Of writing, which memory does not have.
    pub(super) fn tar_gz(&self, time: u64) -> io::Result<Vec<u8>> {
        self.tar(time, gzip(Vec::new()))?.finish()
    }
}

/// Compresses without a name or a time of its own.
pub(super) fn gzip<W: Write>(to: W) -> flate2::write::GzEncoder<W> {
    GzBuilder::new().mtime(0).write(to, Compression::default())
}

/// A text compressed as far as can be, as Debian wants its documents.
pub(super) fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut to = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    to.write_all(text).and_then(|()| to.finish()).expect("memory takes it")
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.file("usr/bin/thing", 0o755, &b"one"[..]);
        tree.folder("var/lib/thing", 0o750, 65532);
        tree.file("etc/thing.yaml", 0o644, &b"two"[..]);
        tree
    }

    #[test]
    fn same_tree_gives_the_same_bytes_in_order_of_name() {
        let one = tree().tar_gz(1_700_000_000).expect("memory takes it");
        assert_eq!(one, tree().tar_gz(1_700_000_000).expect("memory takes it"));
        let tar = tree().tar(1_700_000_000, Vec::new()).expect("memory takes it");
        let mut archive = tar::Archive::new(tar.as_slice());
        let entries = archive.entries().expect("it is one");
        let seen: Vec<(String, u32, u64, u64)> = entries
            .map(|entry| {
                let entry = entry.expect("it is whole");
                let path = entry.path().expect("it has one").display().to_string();
                let header = entry.header();
                let number = |read: io::Result<u64>| read.expect("it is a number");
                let mode = header.mode().expect("it is a number");
                (path, mode, number(header.uid()), number(header.mtime()))
            })
            .collect();
        let when = 1_700_000_000;
        let wanted = [
            ("etc/", 0o755, 0),
            ("etc/thing.yaml", 0o644, 0),
            ("usr/", 0o755, 0),
            ("usr/bin/", 0o755, 0),
            ("usr/bin/thing", 0o755, 0),
            ("var/", 0o755, 0),
            ("var/lib/", 0o755, 0),
            ("var/lib/thing/", 0o750, 65532),
        ];
        let wanted = wanted.map(|(path, mode, owner)| (path.to_owned(), mode, owner, when));
        assert_eq!(seen, wanted);
    }

    #[test]
    fn sums_are_those_that_sha256sum_reads() {
        let sums = tree().sums();
        let one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
        assert!(sums.contains(&format!("{one}  usr/bin/thing\n")), "{sums}");
        assert_eq!(sums.lines().count(), 2, "folders have none");
    }
}
