//! Why there is no access log, and what to mend.

use std::io;
use std::path::PathBuf;

/// Why there is no access log.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file could not be opened.
    #[error("could not open the access log {}: {source}; make its folder or change access.path", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The file with the key cannot be used.
    #[error("the key of the access log, {}: {problem}; see access.key_file", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The share of samples is none.
    #[error("access.sample is {0}: give a share from 0 to 1")]
    Sample(f64),
    /// A word that records name is none.
    #[error("{key} is {text:?}: give at most 64 letters, digits, dashes, dots and underscores")]
    Label {
        /// The key.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// The collector's URL is none that can be used.
    #[error("access.collector is {0}: write an http URL such as http://127.0.0.1:4318/v1/logs")]
    Collector(String),
    /// The exporter to the collector could not be made.
    #[error("could not make the exporter of access records; see access.collector")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// There is no tokio runtime for it.
    #[error("access records are sent from within a tokio runtime")]
    Runtime(#[source] tokio::runtime::TryCurrentError),
    /// The writer's thread could not be started.
    #[error("could not start the writer of the access log")]
    Start(#[source] io::Error),
}
