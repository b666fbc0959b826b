//! What can go wrong while something is added, in words that say what to do.

use std::path::PathBuf;

use http::StatusCode;
use ipfs::car::CarError;
use ipfs::unixfs::import::Collision;

use crate::client::ClientError;
use crate::fleet::FleetError;
use crate::output::Exit;

/// Why nothing, or not all, was added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    /// The path is not there.
    #[error("{}: no such file or folder", .0.display())]
    Missing(PathBuf),
    /// The path may not be read.
    #[error("{}: permission denied; nothing was added: make it readable or leave it out", .0.display())]
    Denied(PathBuf),
    /// The path is no file, folder or symlink.
    #[error("{} is {}, which cannot be content; nothing was added: leave it out", .0.display(), .1)]
    Special(PathBuf, &'static str),
    /// The name is not UTF-8.
    #[error("{}: the name is not valid UTF-8, as names in UnixFS must be; rename it", .0.display())]
    NameNotText(PathBuf),
    /// The folder is too deep.
    #[error("{}: folders are nested too deep", .0.display())]
    TooDeep(PathBuf),
    /// The file changed while it was read.
    #[error("{} changed while it was read; nothing of it was added: try again when it is at rest", .0.display())]
    Changed(PathBuf),
    /// Reading failed.
    #[error("could not read {}: {source}", .path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Two paths would have the same name in one folder.
    #[error("two paths are named {0:?}; add them one by one, or rename one")]
    NameTaken(String),
    /// The name could not be asked for.
    #[error("{0:?} cannot be a name: it is empty, is . or .., or has a / or a zero byte in it")]
    BadName(String),
    /// One name for several paths.
    #[error("--name takes one PATH; to put several into one folder, use --wrap")]
    NameOfMany,
    /// A folder that is too large for one block has two names that cannot be in it together.
    #[error("{0}, so one folder of this size cannot hold both; nothing was added: rename one")]
    SameHash(#[from] Collision),
    /// A path has no name of its own.
    #[error("{} has no name; give one with --name", .0.display())]
    NoName(PathBuf),
    /// The archive is not what it claims to be.
    #[error("{}: {source}; nothing of it was added{}", .path.display(), advice(.source))]
    Car {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        source: CarError,
    },
    /// The archive names no root.
    #[error("{}: the CAR names no root, so nothing could be asked for by its CID", .0.display())]
    NoRoots(PathBuf),
    /// The fleet is not known.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A node could not be talked to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The URL is not that of an admin listener.
    #[error("{0} is no admin listener: those of `bifrost up` are on the ports from 9180 on")]
    NotAdmin(String),
    /// A node took the content and then said that it failed.
    #[error("{node} did not store it: {text}{}", disk_advice(*.full))]
    NotStored {
        /// The node's admin listener.
        node: String,
        /// What it said.
        text: String,
        /// Whether its disk is full.
        full: bool,
    },
    /// An archive does not hold all that is below its root.
    #[error(
        "the archive does not hold all of {cid}, and what it lacks is not to be had ({text}); its blocks are stored: add the rest and run the same command again"
    )]
    NotWhole {
        /// The root.
        cid: String,
        /// What the node said.
        text: String,
    },
    /// A node found another root than we did.
    #[error("{node} stored {said} where {expected} was sent; this is a fault: report it")]
    OtherRoot {
        /// The node's admin listener.
        node: String,
        /// The root it names.
        said: String,
        /// The root of the import.
        expected: String,
    },
    /// More replicas were asked for than there are nodes.
    #[error("--replicas {asked} needs as many nodes, and there are {nodes}")]
    TooFewNodes {
        /// What was asked for.
        asked: usize,
        /// How many nodes are known.
        nodes: usize,
    },
    /// The content is on too few nodes.
    #[error(
        "{cid} is stored, but on {held} of {asked} nodes: {reasons}; run the same command again once the nodes are well"
    )]
    NotReplicated {
        /// The root.
        cid: String,
        /// How many nodes hold it.
        held: usize,
        /// How many should.
        asked: usize,
        /// What each failing node said.
        reasons: String,
    },
    /// Another part gave up; its error is the one to tell.
    #[error("gave up")]
    Stopped,
    /// A thread panicked.
    #[error(transparent)]
    Task(#[from] telemetry::TaskError),
}

impl AddError {
    /// The exit code of the command.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            AddError::Missing(_)
            | AddError::Denied(_)
            | AddError::Special(..)
            | AddError::NameNotText(_)
            | AddError::TooDeep(_)
            | AddError::Changed(_)
            | AddError::Read { .. }
            | AddError::Car { .. }
            | AddError::NotWhole { .. }
            | AddError::SameHash(_)
            | AddError::NoRoots(_) => Exit::Input,
            AddError::NameTaken(_)
            | AddError::BadName(_)
            | AddError::NameOfMany
            | AddError::NoName(_)
            | AddError::NotAdmin(_)
            | AddError::TooFewNodes { .. } => Exit::Usage,
            AddError::Fleet(error) => error.exit(),
            AddError::Client(error) => client_exit(error),
            AddError::NotStored { .. } => Exit::Refused,
            AddError::NotReplicated { .. } => Exit::NotReplicated,
            AddError::OtherRoot { .. } | AddError::Stopped | AddError::Task(_) => Exit::Internal,
        }
    }

    /// The same error, in the words of a node that could not be found.
    pub(crate) fn of_search(error: ClientError) -> Self {
        match error {
            ClientError::Status { url, status: StatusCode::NOT_FOUND, .. } => {
                AddError::NotAdmin(url)
            }
            other @ (ClientError::BadUrl(_)
            | ClientError::BadToken
            | ClientError::NotRunning(_)
            | ClientError::Connect { .. }
            | ClientError::Silent { .. }
            | ClientError::Broken { .. }
            | ClientError::Status { .. }
            | ClientError::Garbled { .. }) => AddError::Client(other),
        }
    }

    /// The same error, in the words of a failed import where a node refused it.
    pub(crate) fn of_import(error: ClientError) -> Self {
        match error {
            ClientError::Status { url, status, text } => {
                let text = match status {
                    StatusCode::NOT_FOUND => {
                        "it takes no imports: it is a gateway's admin listener, name a node's"
                            .to_owned()
                    }
                    _ => format!("{status}: {text}"),
                };
                AddError::NotStored { node: url, text, full: false }
            }
            other @ (ClientError::BadUrl(_)
            | ClientError::BadToken
            | ClientError::NotRunning(_)
            | ClientError::Connect { .. }
            | ClientError::Silent { .. }
            | ClientError::Broken { .. }
            | ClientError::Garbled { .. }) => AddError::Client(other),
        }
    }
}

/// The exit code of a failed request.
pub(crate) fn client_exit(error: &ClientError) -> Exit {
    match error {
        ClientError::BadUrl(_) | ClientError::BadToken => Exit::Usage,
        ClientError::NotRunning(_) | ClientError::Connect { .. } | ClientError::Silent { .. } => {
            Exit::Unreachable
        }
        ClientError::Broken { .. } | ClientError::Status { .. } | ClientError::Garbled { .. } => {
            Exit::Refused
        }
    }
}

fn advice(error: &CarError) -> &'static str {
    match error {
        CarError::Cut(_) => ": fetch the file again, it is not complete",
        CarError::NotACar(_) => ": to add it as an ordinary file, use --as-file",
        CarError::Block { .. } => ": the file is damaged or forged, fetch it again",
        CarError::TooLong(_) | CarError::Cid { .. } => "",
    }
}

fn disk_advice(full: bool) -> &'static str {
    if full {
        "; free space where the data folder is, or start the fleet with --data on another disk"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_its_remedy() {
        let error = AddError::NotStored {
            node: "http://127.0.0.1:9180".into(),
            text: "the disk of the blockstore is full".into(),
            full: true,
        };
        assert!(error.to_string().ends_with("with --data on another disk"), "{error}");
        assert_eq!(error.exit(), Exit::Refused);
    }

    #[test]
    fn names_with_the_same_hash_are_both_named() {
        let error = AddError::from(Collision { first: "a".into(), second: "b".into() });
        let text = "names \"a\" and \"b\" have the same hash, so one folder of this size cannot hold both; nothing was added: rename one";
        assert_eq!(error.to_string(), text);
        assert_eq!(error.exit(), Exit::Input);
    }

    #[test]
    fn car_errors_name_the_file_the_block_and_the_way_on() {
        let path = PathBuf::from("a.car");
        let cut = AddError::Car { path: path.clone(), source: CarError::Cut(7) };
        let text = "a.car: CAR is cut short after 7 whole blocks; nothing of it was added: fetch the file again, it is not complete";
        assert_eq!(cut.to_string(), text);
        let not = AddError::Car { path, source: CarError::NotACar("a bad length") };
        assert!(not.to_string().contains("--as-file"), "{not}");
        assert_eq!(not.exit(), Exit::Input);
    }
}
