//! What can go wrong with records, in words that say what to do.

use std::path::PathBuf;

use ipfs::ipns::{Name, RecordError};

use crate::add::client_exit;
use crate::client::ClientError;
use crate::fleet::FleetError;
use crate::output::Exit;
use crate::whole::FileError;

/// Why a record was not made, stored or shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IpnsError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no record of the name.
    #[error(
        "{} is no record of {name}: {source}; `bifrost ipns sign` says which name a key has",
        .path.display()
    )]
    Record {
        /// The file.
        path: PathBuf,
        /// The name that was given.
        name: Name,
        /// What is wrong with it.
        source: RecordError,
    },
    /// The record is not valid any more.
    #[error("the record in {} has expired; sign one anew", .0.display())]
    Expired(PathBuf),
    /// There is no key yet.
    #[error("{}: no such file; to make a key there, use --new-key", .0.display())]
    NoKey(PathBuf),
    /// There is a key already.
    #[error("{} is there already and is not replaced; leave --new-key out to sign with it", .0.display())]
    KeyThere(PathBuf),
    /// Others can read the key; its mode follows.
    #[error("{} has mode {mode:03o}, so others can read the key; make it 600", .path.display())]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no private key.
    #[error("{} holds no private key in libp2p's encoding; to make one elsewhere, use --new-key", .0.display())]
    NotAKey(PathBuf),
    /// The record cannot be made as it is asked for.
    #[error("cannot make the record: {0}")]
    Sign(#[from] RecordError),
    /// The fleet is not known.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The fleet names a node that cannot be talked to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Some nodes, or all, do not hold the record.
    #[error("the record of {name} is on {held} of {asked} nodes: {reasons}")]
    NotHeld {
        /// The name.
        name: Name,
        /// How many nodes hold it.
        held: usize,
        /// How many were asked to.
        asked: usize,
        /// What each failing node said.
        reasons: String,
        /// How the command ends.
        exit: Exit,
    },
    /// No node has a valid record.
    #[error("no node has a valid record of {name}: {reasons}")]
    NotFound {
        /// The name.
        name: Name,
        /// What each node said.
        reasons: String,
        /// How the command ends.
        exit: Exit,
    },
}

impl IpnsError {
    /// The exit code of the command.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            IpnsError::File(_)
            | IpnsError::Record { .. }
            | IpnsError::Expired(_)
            | IpnsError::NoKey(_)
            | IpnsError::KeyThere(_)
            | IpnsError::KeyExposed { .. }
            | IpnsError::NotAKey(_) => Exit::Input,
            IpnsError::Sign(_) => Exit::Usage,
            IpnsError::Fleet(error) => error.exit(),
            IpnsError::Client(error) => client_exit(error),
            IpnsError::NotHeld { exit, .. } | IpnsError::NotFound { exit, .. } => *exit,
        }
    }
}
