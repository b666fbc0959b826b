//! Who is known to answer for a process: the schedules of the rota.

use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::InventoryError;

/// Where the rota stands, unless it is named.
const DEFAULT: &str = "runbooks/rota.yaml";

/// The schedules of a rota.
#[derive(Debug)]
pub(super) struct Owners {
    /// The rota.
    pub(super) path: PathBuf,
    /// The names of its schedules.
    pub(super) schedules: Vec<String>,
}

/// Reads the schedules of the rota that is named, or of the one in `runbooks/` if there is one, from
/// here or beside the folder of the list.
///
/// # Errors
/// [`InventoryError::Read`] for one that is named and cannot be read.
pub(super) fn read(named: Option<&Path>, list: &Path) -> Result<Option<Owners>, InventoryError> {
    let beside = list.parent().and_then(Path::parent).map(|root| root.join(DEFAULT));
    let path = match named {
        Some(path) => path.to_path_buf(),
        None => {
            let places = [Some(PathBuf::from(DEFAULT)), beside];
            let Some(found) = places.into_iter().flatten().find(|path| path.is_file()) else {
                return Ok(None);
            };
            found
        }
    };
    let failed = |source| InventoryError::Read { path: path.clone(), source };
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let rota: Value = serde_yaml::from_str(&text)
        .map_err(|error| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
    Ok(Some(Owners { schedules: schedules(&rota), path }))
}

/// The names of schedules, whether they are the keys of a mapping or stand in a list.
fn schedules(rota: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match rota.get("schedules") {
        Some(Value::Mapping(all)) => all.keys().filter_map(text).collect(),
        Some(Value::Sequence(all)) => {
            all.iter().filter_map(|one| one.get("name").and_then(text)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_found_in_either_layout() {
        let map = serde_yaml::from_str("schedules:\n  a: {}\n  b: {}\n").expect("YAML");
        assert_eq!(schedules(&map), ["a", "b"]);
        let list = serde_yaml::from_str("schedules:\n  - name: a\n").expect("YAML");
        assert_eq!(schedules(&list), ["a"]);
        assert!(schedules(&Value::Null).is_empty());
    }
}
