//! The file of a name's key: an ed25519 key in libp2p's protobuf encoding, readable by its owner only.
//!
//! A file that is there is never replaced: who loses the key has lost the name.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use libp2p_identity::Keypair;

use super::IpnsError;
use crate::whole::FileError;

/// Longest key file that is read; an encoded ed25519 key has 68 bytes.
const FILE_BYTES_MAX: u64 = 4096;

/// Reads the key in a file.
///
/// # Errors
/// [`IpnsError`], by what is wrong with the file.
pub(super) fn read(path: &Path) -> Result<Keypair, IpnsError> {
    let unreadable = |source| IpnsError::from(FileError::Read { path: path.to_owned(), source });
    let file = File::open(path).map_err(|source| {
        let is_missing = source.kind() == ErrorKind::NotFound;
        if is_missing { IpnsError::NoKey(path.to_owned()) } else { unreadable(source) }
    })?;
    let metadata = file.metadata().map_err(unreadable)?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let mode = metadata.permissions().mode() & 0o777;
    // A key that somebody else keeps for us is read as their group: Kubernetes gives secrets so.
    if mode & (if is_ours { 0o077 } else { 0o037 }) != 0 {
        return Err(IpnsError::KeyExposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    Keypair::from_protobuf_encoding(&bytes).map_err(|_| IpnsError::NotAKey(path.to_owned()))
}

/// Writes a key to a file that is not there yet.
///
/// # Errors
/// [`IpnsError::KeyThere`] and [`IpnsError::File`].
pub(super) fn write(path: &Path, key: &Keypair) -> Result<(), IpnsError> {
    let bytes = key.to_protobuf_encoding().expect("an ed25519 key has an encoding");
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| {
        let (path, is_there) = (path.to_owned(), source.kind() == ErrorKind::AlreadyExists);
        if is_there { IpnsError::KeyThere(path) } else { FileError::Write { path, source }.into() }
    })
}
