//! Why `bifrost logs` has no answer, and what to do.

use std::io;
use std::path::PathBuf;

use super::filter::FilterError;
use crate::output::Exit;
use crate::web::WebError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogsError {
    /// The question was not understood.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The list of environments is not one.
    #[error("{}: {problem}", .path.display())]
    Sources {
        /// The list.
        path: PathBuf,
        /// What is wrong, with its line.
        problem: String,
    },
    /// No environment has this name.
    #[error("there is no environment {name:?}: there are {known}")]
    Environment {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// There is nothing to read.
    #[error(
        "no access logs in {}: start a fleet with `bifrost up`, or name folders with --sources FILE",
        .0.display()
    )]
    Nothing(PathBuf),
    /// A file or folder cannot be used.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another environment did not answer.
    #[error("environment {name}: {source}")]
    Remote {
        /// The environment.
        name: String,
        /// Why.
        source: WebError,
    },
    /// Another environment refused, or answered with something else.
    #[error("environment {name}: {problem}")]
    Answer {
        /// The environment.
        name: String,
        /// What it said.
        problem: String,
    },
    /// Records are not where they were asked for.
    #[error(
        "no record of request {0:?}: it was not sampled, is too old, or is of another environment"
    )]
    NoRequest(String),
    /// Something cannot be done with records of elsewhere.
    #[error("environment {0} is elsewhere: {1}")]
    Elsewhere(String, &'static str),
    /// The server cannot be as asked.
    #[error("{0}")]
    Serve(String),
}

impl LogsError {
    /// The exit code that tells it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            LogsError::Filter(_) | LogsError::Environment { .. } | LogsError::Serve(_) => {
                Exit::Usage
            }
            LogsError::Sources { .. }
            | LogsError::Nothing(_)
            | LogsError::File { .. }
            | LogsError::NoRequest(_)
            | LogsError::Elsewhere(..) => Exit::Input,
            LogsError::Remote { .. } => Exit::Unreachable,
            LogsError::Answer { .. } => Exit::Refused,
        }
    }
}

/// Names a file in an error of the system.
pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> LogsError {
    move |source| LogsError::File { path: path.into(), source }
}
