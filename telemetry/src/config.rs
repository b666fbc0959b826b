//! One typed YAML file per process, and what overrides it: environment, then flags.
//!
//! A key that nobody reads is refused, since a misspelt limit is a missing limit. Each override is
//! checked as it is laid over, so that the message names the one at fault.

pub mod duration;
mod overlay;
mod schema;
mod secret;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;

use overlay::Override;
pub use schema::{DurationText, SizeText, schema};
pub use secret::Secret;

/// Largest file that is read. The full sample of a gateway is under 16 KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("could not read the configuration file {}: {source}; check the path given with --config", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The file is too large to be a configuration.
    #[error("the configuration file {} has {bytes} bytes, more than {FILE_BYTES_MAX}", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The file is no YAML, or has a key or value that is not taken.
    #[error("{}: {source}; correct or remove this key", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the key, the line and the column.
        source: serde_yaml::Error,
    },
    /// An override is not written as it should be.
    #[error("{origin}: {problem}")]
    Override {
        /// The variable or flag.
        origin: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads the configuration of a process: the defaults, under the file, under the variables
/// `BIFROST_<SECTION>__<KEY>`, under the flags `--set section.key=value`.
///
/// Values of variables and flags are YAML. A variable without a double underscore is none of the
/// configuration's and is left alone.
///
/// # Errors
/// `Read`, `TooLarge` and `File` for the file; `Override` for a variable or flag that is malformed,
/// names no key, or has a value that its key does not take.
pub fn load<T: DeserializeOwned>(file: Option<&Path>, sets: &[String]) -> Result<T, ConfigError> {
    // A variable that is no text is none of ours: our names and values are text.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load_with(file, variables, sets)
}

/// [`load`] with the variables given, for tests and for children that are about to be started.
///
/// # Errors
/// As [`load`].
pub fn load_with<T: DeserializeOwned>(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
    sets: &[String],
) -> Result<T, ConfigError> {
    let (mut tree, mut loaded) = read(file)?;
    let mut overrides: Vec<_> = variables
        .into_iter()
        .filter_map(|(name, value)| Override::variable(&name, &value))
        .collect();
    // The environment has no order of its own; with this one an error is always the same.
    overrides.sort_by(|one, other| one.origin.cmp(&other.origin));
    for flag in sets {
        overrides.push(Override::flag(flag)?);
    }
    for over in overrides {
        (tree, loaded) = laid(&over, &tree)?;
    }
    Ok(loaded)
}

/// The tree with an override, and what it loads as: of the first reading that its key takes.
fn laid<T: DeserializeOwned>(over: &Override, tree: &Value) -> Result<(Value, T), ConfigError> {
    let mut problem = String::new();
    for value in over.readings()? {
        let mut tree = tree.clone();
        over.lay(value, &mut tree)?;
        match parse(&tree) {
            Ok(loaded) => return Ok((tree, loaded)),
            Err(error) => problem = error,
        }
    }
    let problem = format!("{problem}; correct its name or value");
    Err(ConfigError::Override { origin: over.origin.clone(), problem })
}

/// The effective configuration as YAML; secrets are `REDACTED`.
///
/// # Panics
/// When `config` is no tree of plain values, which a configuration always is.
#[must_use]
pub fn to_yaml<T: Serialize>(config: &T) -> String {
    serde_yaml::to_string(config).expect("a configuration is a tree of plain values")
}

fn read<T: DeserializeOwned>(file: Option<&Path>) -> Result<(Value, T), ConfigError> {
    let path = file.unwrap_or(Path::new("the defaults")).to_path_buf();
    let refused = |source| ConfigError::File { path: path.clone(), source };
    let text = match file {
        Some(path) => read_text(path)?,
        None => String::new(),
    };
    let tree: Value = serde_yaml::from_str(&text).map_err(refused)?;
    let refused = |source| ConfigError::File { path: path.clone(), source };
    if tree.is_null() {
        let tree = Value::Mapping(serde_yaml::Mapping::new());
        let loaded = serde_yaml::from_value(tree.clone()).map_err(refused)?;
        return Ok((tree, loaded));
    }
    // From the text and not from the tree, for the line and column in the message.
    let loaded = serde_yaml::from_str(&text).map_err(refused)?;
    Ok((tree, loaded))
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_path_buf(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge { path: path.to_path_buf(), bytes });
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// Reads a tree by way of its text, because only then errors name the key. The line and column are
/// of a text that nobody sees, and are cut off.
fn parse<T: DeserializeOwned>(tree: &Value) -> Result<T, String> {
    let text = serde_yaml::to_string(tree).map_err(|error| error.to_string())?;
    serde_yaml::from_str(&text).map_err(|error| {
        let message = error.to_string();
        let end = message.rfind(" at line ").unwrap_or(message.len());
        message[..end].to_owned()
    })
}

#[cfg(test)]
mod tests;
