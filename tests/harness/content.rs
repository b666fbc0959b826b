//! Content made from a seed: the same bytes on every machine, in Rust and in the interop scripts.
//!
//! Files are never committed when a rule can make them: a clone stays small and a failure names a
//! seed instead of a fixture.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ipfs::{Block, Cid, car};
use sha2::Digest;

/// A reader of pseudo-random bytes: xorshift64*, eight bytes a step, little endian.
pub struct SeedReader {
    state: u64,
    left: u64,
    word: [u8; 8],
    used: usize,
}

impl SeedReader {
    /// Reads `size` bytes of this seed.
    pub fn new(seed: u64, size: u64) -> Self {
        Self { state: seed ^ 0x9e37_79b9_7f4a_7c15, left: size, word: [0; 8], used: 8 }
    }

    fn step(&mut self) -> [u8; 8] {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
    }
}

impl Read for SeedReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for byte in &mut out[..size] {
            if self.used == 8 {
                self.word = self.step();
                self.used = 0;
            }
            *byte = self.word[self.used];
            self.used += 1;
        }
        self.left -= size as u64;
        Ok(size)
    }
}

/// `size` bytes of this seed, in memory.
pub fn bytes_of_seed(seed: u64, size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size);
    SeedReader::new(seed, size as u64).read_to_end(&mut out).expect("memory does not fail to read");
    out
}

/// Writes a file of `size` bytes of this seed.
///
/// # Errors
/// Whatever the file system says.
pub fn write_file(path: &Path, seed: u64, size: u64) -> io::Result<()> {
    let mut file = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    io::copy(&mut SeedReader::new(seed, size), &mut file)?;
    file.flush()
}

/// Every regular file below a folder, sorted, without following symlinks.
///
/// # Errors
/// The first folder or entry that cannot be read.
pub fn files_below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// These blocks in an archive with one root.
pub fn archive<'a>(root: &Cid, blocks: impl IntoIterator<Item = &'a Block>) -> Vec<u8> {
    let mut archive = car::header(&[*root]);
    for block in blocks {
        archive.extend(car::section_prefix(block.cid(), block.data().len()));
        archive.extend_from_slice(block.data());
    }
    archive
}

/// Percent-encodes one path segment: everything but unreserved characters.
pub fn percent_encode(segment: &str) -> String {
    segment.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
        out
    })
}

/// The sha2-256 digest in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_bytes_that_the_interop_scripts_make() {
        assert_eq!(hex::encode(bytes_of_seed(1, 16)), "97258eafb9ce2a104a489e16239db824");
        assert_eq!(
            sha256_hex(&bytes_of_seed(3, 3_000_000)),
            "6c92278362b5ee14e538d85dc0fd4045aa0628b96fca7655642799a0efdb1bcd"
        );
    }

    #[test]
    fn percent_encoding_keeps_unreserved_characters_only() {
        assert_eq!(percent_encode("a b%ü~._-"), "a%20b%25%C3%BC~._-");
    }
}
