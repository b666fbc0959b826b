//! Why nothing could be probed. What a probe finds is no error.

use std::path::PathBuf;

use telemetry::admin::AdminError;

use crate::client::ClientError;
use crate::findings::Finding;
use crate::fleet::FleetError;
use crate::inventory::InventoryError;
use crate::output::Exit;
use crate::rota::RotaError;
use crate::web::WebError;

/// Why nothing could be probed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// The file cannot be read.
    #[error("could not read {}: {source}; name it with --config FILE", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file or a flag says what cannot be probed.
    #[error("{0}")]
    Config(Finding),
    /// A flag says what cannot be probed.
    #[error("{0}")]
    Flag(String),
    /// The rota cannot be used.
    #[error(transparent)]
    Rota(#[from] RotaError),
    /// The list cannot be used.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// No fleet runs here, and nothing else was named.
    #[error(
        "nothing to probe: name a gateway with --gateway URL, a list with --inventory FILE or a file with --config FILE; {0}"
    )]
    Fleet(#[source] FleetError),
    /// There are no gateways and no nodes.
    #[error("there is no active gateway or node to probe")]
    Nobody,
    /// An admin listener of a node cannot be named.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No client can be made.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Results cannot be shown.
    #[error("{0}; choose another address with --listen")]
    Admin(#[source] AdminError),
    /// Signals cannot be waited for.
    #[error("could not wait for signals: {0}")]
    Signals(#[source] std::io::Error),
}

impl ProbeError {
    /// The exit code of the command: a wrong flag is 2, all else could not check.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            ProbeError::Flag(_) => Exit::Usage,
            ProbeError::Read { .. }
            | ProbeError::Rota(_)
            | ProbeError::Config(_)
            | ProbeError::Inventory(_)
            | ProbeError::Fleet(_)
            | ProbeError::Nobody
            | ProbeError::Client(_)
            | ProbeError::Web(_)
            | ProbeError::Admin(_)
            | ProbeError::Signals(_) => Exit::Input,
        }
    }
}
