//! Who is known to answer for a process: the schedules of the rota.

use std::path::{Path, PathBuf};

use super::InventoryError;
use crate::rota::{ROTA, schedule_names};

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
    let beside = list.parent().and_then(Path::parent).map(|root| root.join(ROTA));
    let path = match named {
        Some(path) => path.to_path_buf(),
        None => {
            let places = [Some(PathBuf::from(ROTA)), beside];
            let Some(found) = places.into_iter().flatten().find(|path| path.is_file()) else {
                return Ok(None);
            };
            found
        }
    };
    let failed = |source| InventoryError::Read { path: path.clone(), source };
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let rota = serde_yaml::from_str(&text)
        .map_err(|error| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
    Ok(Some(Owners { schedules: schedule_names(&rota).unwrap_or_default(), path }))
}
