//! Why nothing, or not all, was published, in words that say what to do.

use std::path::PathBuf;

use crate::add::{AddError, client_exit};
use crate::client::ClientError;
use crate::dash::DashError;
use crate::findings::Finding;
use crate::fleet::FleetError;
use crate::ipns::IpnsError;
use crate::output::Exit;
use crate::profile::ProfileError;
use crate::prometheus::PrometheusError;
use crate::rota::RotaError;
use crate::web::WebError;
use crate::whole::FolderError;

/// Why nothing was published. What was published before is still there, but for what
/// [`PublishError::Half`] says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// A name can lead only to what nodes have.
    #[error("--key needs nodes that have the site: name them with --node or --data")]
    NoNode,
    /// The fleet is not known.
    #[error("{0}, or write it into a folder with --out")]
    Fleet(#[from] FleetError),
    /// The fleet names a node that cannot be talked to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no policy to be read.
    #[error("the policy cannot be read: {0}")]
    Policy(String),
    /// The rota cannot be read.
    #[error(transparent)]
    Rota(#[from] RotaError),
    /// A text of this build cannot be read.
    #[error("{0}")]
    Text(Finding),
    /// Prometheus cannot be asked.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Prometheus gives no answers.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// There are no figures.
    #[error(transparent)]
    Dash(#[from] DashError),
    /// The figures of the site before would be lost.
    #[error(
        "the figures of the site before cannot be read, and there are no new ones, so nothing was published: {what}; {advice}"
    )]
    Former {
        /// What could not be read, and why.
        what: String,
        /// How to go on without them.
        advice: String,
    },
    /// Profiles cannot be asked for.
    #[error("profiles: {0}")]
    Profiles(#[from] ProfileError),
    /// It would be wrong.
    #[error(
        "the site would have {} faults, so nothing was published: {}",
        .0.len(),
        .0.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Wrong(Vec<Finding>),
    /// The folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Somebody else's files are where a fleet of this machine has its site.
    #[error("{} holds what `bifrost publish` did not write: move it away, or use another folder with --data", .0.display())]
    Foreign(PathBuf),
    /// Nodes have it, and the folder could not take its place.
    #[error("{source}; the folder is as it was, but nodes have the site as /ipfs/{root}{}", led(.name.as_deref()))]
    Half {
        /// Why not.
        source: FolderError,
        /// The root of the site.
        root: String,
        /// The name that leads to it.
        name: Option<String>,
    },
    /// There is no room for it before it is in nodes.
    #[error("no temporary folder: {0}")]
    Temporary(std::io::Error),
    /// No node, or too few, have it.
    #[error(transparent)]
    Add(#[from] AddError),
    /// The name does not lead to it.
    #[error("the name does not lead to it: {0}")]
    Name(#[from] IpnsError),
}

impl PublishError {
    /// The exit code of the command.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            PublishError::NoNode | PublishError::Foreign(_) => Exit::Usage,
            PublishError::Fleet(error) => error.exit(),
            PublishError::Client(error) => client_exit(error),
            PublishError::Policy(_)
            | PublishError::Rota(_)
            | PublishError::Text(_)
            | PublishError::Web(_)
            | PublishError::Prometheus(_)
            | PublishError::Dash(_)
            | PublishError::Former { .. }
            | PublishError::Wrong(_) => Exit::Input,
            PublishError::Profiles(error) => error.exit(),
            PublishError::Folder(error) | PublishError::Half { source: error, .. } => error.exit(),
            PublishError::Temporary(_) => Exit::Machine,
            PublishError::Add(error) => error.exit(),
            PublishError::Name(error) => error.exit(),
        }
    }
}

fn led(name: Option<&str>) -> String {
    name.map(|name| format!(", to which {name} leads")).unwrap_or_default()
}
