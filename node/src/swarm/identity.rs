//! The node's lasting identity: one ed25519 key in one private file.
//!
//! A key that others can read is refused rather than used, and a file that cannot be read is never
//! replaced: a node that comes back under another name would lose its place with every peer. A file that
//! somebody else keeps is never made, and may be read by its group, as mounted secrets are.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use libp2p::identity::{DecodingError, Keypair};

/// Name of the key's file in the data folder.
const FILE_NAME: &str = "identity.key";
/// Longest key file that is read; an encoded ed25519 key has 68 bytes.
const FILE_BYTES_MAX: u64 = 4096;
/// Bits that the mode of our own file must not have.
const OWN_FORBIDDEN: u32 = 0o077;
/// Bits that the mode of a file that somebody else keeps must not have.
const KEPT_FORBIDDEN: u32 = 0o037;

/// Why the node has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file could not be opened or read.
    #[error("cannot read the identity in {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file could not be written on the first start.
    #[error("cannot write the identity to {path}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is readable by others; its mode follows.
    #[error(
        "identity in {path} has mode {mode:03o}, so others can read it; make it 600, or 440 where swarm.identity_file names it"
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no key.
    #[error("{path} holds no private key; move it away to start under another identity")]
    Decode {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: DecodingError,
    },
}

/// Reads the key in `folder`, or makes one on the first start.
///
/// Blocks on the disk; meant for start-up.
///
/// # Errors
/// [`IdentityError`], by what was attempted.
pub fn load_or_create(folder: &Path) -> Result<Keypair, IdentityError> {
    let path = folder.join(FILE_NAME);
    match File::open(&path) {
        Ok(file) => read(file, path, OWN_FORBIDDEN),
        Err(error) if error.kind() == ErrorKind::NotFound => create(folder, path),
        Err(source) => Err(IdentityError::Read { path, source }),
    }
}

/// Reads the key in a file that somebody else keeps.
///
/// Blocks on the disk; meant for start-up.
///
/// # Errors
/// [`IdentityError`], by what was attempted.
pub fn load(path: &Path) -> Result<Keypair, IdentityError> {
    let path = path.to_path_buf();
    match File::open(&path) {
        Ok(file) => read(file, path, KEPT_FORBIDDEN),
        Err(source) => Err(IdentityError::Read { path, source }),
    }
}

fn read(file: File, path: PathBuf, forbidden: u32) -> Result<Keypair, IdentityError> {
    let bytes = match read_private(file, forbidden) {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(mode)) => return Err(IdentityError::Exposed { path, mode }),
        Err(source) => return Err(IdentityError::Read { path, source }),
    };
    Keypair::from_protobuf_encoding(&bytes).map_err(|source| IdentityError::Decode { path, source })
}

/// The file's bytes, or its mode when it has bits that are forbidden.
fn read_private(file: File, forbidden: u32) -> std::io::Result<Result<Vec<u8>, u32>> {
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & forbidden != 0 {
        return Ok(Err(mode));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Ok(bytes))
}

fn create(folder: &Path, path: PathBuf) -> Result<Keypair, IdentityError> {
    let key = Keypair::generate_ed25519();
    let bytes = key.to_protobuf_encoding().expect("an ed25519 key has an encoding");
    match write(folder, &path, &bytes) {
        Ok(()) => Ok(key),
        Err(source) => Err(IdentityError::Write { path, source }),
    }
}

/// Writes beside the path and renames, so that a crash leaves no half of a key.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let draft = path.with_extension("draft");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_the_same_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = load_or_create(folder.path()).expect("created");
        let second = load_or_create(folder.path()).expect("read");
        assert_eq!(first.public(), second.public());
    }

    #[test]
    fn identity_file_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        load_or_create(folder.path()).expect("created");
        let path = folder.path().join(FILE_NAME);
        let mode = std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        let refused = load_or_create(folder.path()).expect_err("exposed");
        assert!(matches!(refused, IdentityError::Exposed { mode: 0o640, .. }), "{refused}");
    }

    #[test]
    fn kept_identity_may_be_read_by_its_group_and_is_never_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node-0.key");
        let missing = load(&path).expect_err("missing");
        assert!(matches!(missing, IdentityError::Read { .. }) && !path.exists(), "{missing}");
        let made = load_or_create(folder.path()).expect("created");
        std::fs::rename(folder.path().join(FILE_NAME), &path).expect("moved");
        for (mode, is_taken) in [(0o440, true), (0o600, true), (0o460, false), (0o444, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
            let read = load(&path).map(|key| key.public() == made.public());
            assert_eq!(read.is_ok_and(|same| same), is_taken, "{mode:o}");
        }
    }

    #[test]
    fn damaged_identity_is_refused_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        load_or_create(folder.path()).expect("created");
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, b"not a key").expect("written");
        let refused = load_or_create(folder.path()).expect_err("damaged");
        assert!(matches!(refused, IdentityError::Decode { .. }), "{refused}");
        assert_eq!(std::fs::read(&path).expect("still there"), b"not a key");
    }
}
