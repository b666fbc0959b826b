//! What can go wrong while a fleet comes up, in words that say what to do.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytesize::ByteSize;

use crate::add::client_exit;
use crate::client::ClientError;
use crate::output::Exit;
use crate::publish::PublishError;

/// Why the fleet does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    /// A program of ours is not there.
    #[error("{name} was found neither in {} nor in PATH: build it with `make run` or `cargo build --release --bins`", .beside.display())]
    NoProgram {
        /// The program.
        name: &'static str,
        /// The folder of this program.
        beside: PathBuf,
    },
    /// There is no other build at a path.
    #[error("--staging-bin {} is neither a gateway nor a folder with bifrost-gateway in it", .0.display())]
    NoStaging(PathBuf),
    /// A program that watches the fleet is not there.
    #[error(
        "--observe needs {package}, which is not in PATH: on Debian, `apt-get install {package}`"
    )]
    NoObserver {
        /// The package that has it.
        package: &'static str,
    },
    /// The rota of the data folder.
    #[error("{0}; mend it, or delete it to have the one of this build")]
    Rota(String),
    /// A program could not be started.
    #[error("could not start {}: {source}", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder or file cannot be used.
    #[error("could not use {}: {source}; choose another folder with --data", .path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another fleet has the folder.
    #[error("a fleet runs already with the data folder {}: stop it, or choose another folder with --data and other ports with --base-port 18080", .0.display())]
    InUse(PathBuf),
    /// The disk is full.
    #[error("only {free} are free in {}, and {needed} are needed: free space, or choose another disk with --data", .path.display())]
    DiskFull {
        /// The data folder.
        path: PathBuf,
        /// What is free.
        free: ByteSize,
        /// What is needed.
        needed: ByteSize,
    },
    /// A port is taken.
    #[error("{what} cannot listen on {address}: {source}; {advice}")]
    Port {
        /// The address.
        address: SocketAddr,
        /// Who wants it.
        what: String,
        /// What to do.
        advice: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no free port.
    #[error("found no free port on the address of --listen: {0}")]
    NoPorts(#[source] io::Error),
    /// An edited config has an address that is none.
    #[error("{} was edited and cannot be read: {problem}; mend it, or delete it to have it written again", .path.display())]
    EditedConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// `--config` names a process that there is not.
    #[error("--config names {0}, which this fleet does not have: raise --nodes or --gateways")]
    UnknownProcess(String),
    /// A process did not become ready.
    #[error("{name} {how}; the end of {}:\n{tail}", .log.display())]
    NotReady {
        /// The process.
        name: String,
        /// What it did.
        how: String,
        /// Its log.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },
    /// A gateway is up and does not show the site.
    #[error(
        "{name} runs but does not show what the nodes hold: {how}; upstream.nodes in {} must name {nodes}, or delete the file to have it written again", .config.display()
    )]
    NotShown {
        /// The gateway.
        name: String,
        /// What it answered.
        how: String,
        /// Its config.
        config: PathBuf,
        /// The nodes that there are.
        nodes: String,
    },
    /// A node does not say who it is.
    #[error("{0} names no address for peers; this is a fault: report it")]
    NoIdentity(String),
    /// An admin listener could not be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The project's site could not be published.
    #[error("could not publish the project's site: {0}")]
    Site(Box<PublishError>),
    /// Signals cannot be listened to.
    #[error("could not listen for signals: {0}")]
    Signals(#[source] io::Error),
    /// A signal came before all was ready.
    #[error("stopped before all was ready")]
    Interrupted,
    /// A second signal came before all was drained.
    #[error("stopped at once; what was in flight is lost")]
    Killed,
}

impl From<PublishError> for UpError {
    fn from(error: PublishError) -> Self {
        Self::Site(Box::new(error))
    }
}

impl UpError {
    /// The exit code of the command.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            UpError::NoProgram { .. }
            | UpError::NoObserver { .. }
            | UpError::Start { .. }
            | UpError::Folder { .. }
            | UpError::InUse(_)
            | UpError::DiskFull { .. }
            | UpError::Port { .. }
            | UpError::NoPorts(_)
            | UpError::EditedConfig { .. } => Exit::Machine,
            UpError::Rota(_) => Exit::Input,
            UpError::UnknownProcess(_) | UpError::NoStaging(_) => Exit::Usage,
            UpError::NotReady { .. } | UpError::NotShown { .. } => Exit::NotReady,
            UpError::NoIdentity(_) | UpError::Signals(_) => Exit::Internal,
            UpError::Client(error) => client_exit(error),
            UpError::Site(error) => error.exit(),
            UpError::Interrupted | UpError::Killed => Exit::Killed,
        }
    }
}
