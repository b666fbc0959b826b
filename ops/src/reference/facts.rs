//! What the processes say of themselves: the binaries beside this one are asked.

use serde_json::Value;
use telemetry::Tasks;
use tokio::process::Command;

use crate::runbook::names::{Names, NamesError};

/// The processes of a fleet, as their binaries are called.
pub(super) const PROGRAMS: [&str; 2] = ["bifrost-gateway", "bifrost-node"];

/// What one process says of itself.
pub(super) struct Said {
    /// Its binary.
    pub(super) program: &'static str,
    /// The JSON Schema of its configuration.
    pub(super) config: Value,
    /// Tables of headers.
    pub(super) headers: Value,
    /// How requests end.
    pub(super) outcomes: Value,
    /// What `--help` prints.
    pub(super) help: String,
}

/// Everything that pages are made from.
pub(super) struct Facts {
    /// The processes.
    pub(super) said: Vec<Said>,
    /// Pages of metrics, by program.
    pub(super) metrics: Vec<(&'static str, String)>,
}

impl Facts {
    /// Asks both binaries, and starts each for a moment to read its metrics.
    ///
    /// # Errors
    /// As the variants of [`NamesError`] say.
    pub(super) async fn gather(tasks: &Tasks) -> Result<Self, NamesError> {
        let mut said = Vec::new();
        for program in PROGRAMS {
            said.push(Said {
                program,
                config: described(program, "config").await?,
                headers: described(program, "headers").await?,
                outcomes: described(program, "outcomes").await?,
                help: asked(program, &["--help"]).await?,
            });
        }
        let mut names = Names::default();
        names.of_processes(tasks).await?;
        Ok(Self { said, metrics: names.pages })
    }
}

async fn described(program: &'static str, subject: &str) -> Result<Value, NamesError> {
    let text = asked(program, &["--describe", subject]).await?;
    serde_json::from_str(&text).map_err(|error| NamesError::Process {
        program,
        what: format!("describes its {subject} in what is no JSON: {error}"),
    })
}

async fn asked(program: &'static str, words: &[&str]) -> Result<String, NamesError> {
    let failed = |what: String| NamesError::Process { program, what };
    let path =
        crate::up::program(program).map_err(|error| NamesError::Program(error.to_string()))?;
    // Without colours, and as wide as pages are.
    let answer = Command::new(path).args(words).env_clear().env("COLUMNS", "100").output().await;
    let answer = answer.map_err(|error| failed(format!("does not start: {error}")))?;
    if !answer.status.success() {
        return Err(failed(format!("{} ends with {}", words.join(" "), answer.status)));
    }
    String::from_utf8(answer.stdout).map_err(|_| failed("prints what is no text".to_owned()))
}
