//! Why profiles could not be collected or read. What a collection lacks is no error.

use telemetry::admin::AdminError;
use telemetry::profile::read::ReadError;

use super::store::StoreError;
use crate::fleet::FleetError;
use crate::inventory::InventoryError;
use crate::output::Exit;
use crate::prometheus::PrometheusError;
use crate::web::WebError;
use crate::whole::FolderError;

/// Why profiles could not be collected or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    /// A flag says what cannot be.
    #[error("{0}")]
    Flag(String),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The list cannot be used.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// No fleet runs here, and no list was named.
    #[error("{0}, or a list with --inventory FILE")]
    Fleet(#[source] FleetError),
    /// There is no active process.
    #[error("there is no active process to profile")]
    Nobody,
    /// No client can be made.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Another collection runs.
    #[error("a collection runs already: {0}; wait for it, or for that time if it was killed")]
    Running(String),
    /// It was stopped.
    #[error("stopped: what was taken is not a set, and `bifrost profile gc` removes it")]
    Stopped,
    /// An index is not what was written.
    #[error("{key} is damaged: {text}; `bifrost profile verify` looks at all of the store")]
    Index {
        /// The index.
        key: String,
        /// What is wrong.
        text: String,
    },
    /// No profile is meant by a selector.
    #[error("no profile is {0}: `bifrost profile ls` shows what there is")]
    None(String),
    /// Several are meant where one is needed.
    #[error("{count} profiles are {what}: say more, such as its key")]
    Several {
        /// The selector.
        what: String,
        /// How many.
        count: usize,
    },
    /// A profile has other bytes than were stored.
    #[error("{0} is not what was stored: its hash is another")]
    Hash(String),
    /// A profile cannot be read.
    #[error("{what} cannot be read: {source}")]
    Read {
        /// The profile.
        what: String,
        /// What is wrong with it.
        source: ReadError,
    },
    /// A file cannot be read or written.
    #[error("could not use {what}: {source}")]
    File {
        /// The file.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder cannot be written anew.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Prometheus cannot be asked.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// The listener cannot be opened.
    #[error("{0}; choose another address with --listen")]
    Admin(#[source] AdminError),
    /// Signals cannot be waited for.
    #[error("could not wait for signals: {0}")]
    Signals(#[source] std::io::Error),
    /// A task of this command did not end well.
    #[error("the work was lost")]
    Lost(#[from] telemetry::TaskError),
}

impl ProfileError {
    /// The exit code of the command.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            ProfileError::Flag(_) => Exit::Usage,
            ProfileError::Folder(error) => error.exit(),
            ProfileError::Store(_)
            | ProfileError::File { .. }
            | ProfileError::Admin(_)
            | ProfileError::Signals(_) => Exit::Machine,
            ProfileError::Running(_) => Exit::Refused,
            ProfileError::Stopped => Exit::Killed,
            ProfileError::Lost(_) => Exit::Internal,
            ProfileError::Inventory(_)
            | ProfileError::Fleet(_)
            | ProfileError::Nobody
            | ProfileError::Web(_)
            | ProfileError::Index { .. }
            | ProfileError::None(_)
            | ProfileError::Several { .. }
            | ProfileError::Hash(_)
            | ProfileError::Read { .. }
            | ProfileError::Prometheus(_) => Exit::Input,
        }
    }
}
