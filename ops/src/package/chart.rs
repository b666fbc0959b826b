//! The Helm chart as one file, without what `.helmignore` leaves out: the same files give the same bytes,
//! which Helm's own packing does not promise.

use std::path::{Path, PathBuf};

use super::tree::Tree;
use super::{PackageError, Stamp, read};

/// The name of the file, and the packed chart.
///
/// # Errors
/// A file of the chart cannot be read, or has no version.
pub(super) fn build(root: &Path, stamp: Stamp) -> Result<(String, Vec<u8>), PackageError> {
    let folder = root.join("helm/bifrost");
    let about = read(&folder.join("Chart.yaml"))?;
    let about = String::from_utf8_lossy(&about).into_owned();
    let version = about.lines().find_map(|line| line.strip_prefix("version: "));
    let version = version.ok_or_else(|| PackageError::Garbled {
        program: "Chart.yaml",
        said: "it has no line `version: …`".to_owned(),
    })?;
    let ignored = read(&folder.join(".helmignore"))?;
    let ignored = String::from_utf8_lossy(&ignored).into_owned();
    let ignored: Vec<&str> = ignored
        .lines()
        .map(|line| line.trim().trim_end_matches('/'))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut tree = Tree::default();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for (path, is_folder) in listed(&next)? {
            let below = path.strip_prefix(&folder).expect("found below it").to_string_lossy();
            match (ignored.contains(&below.as_ref()), is_folder) {
                (true, _) => {}
                (false, true) => folders.push(path),
                (false, false) => tree.file(format!("bifrost/{below}"), 0o644, read(&path)?),
            }
        }
    }
    let name = format!("bifrost-chart-{}.tgz", version.trim());
    // Helm's archives have no folders of their own, and it does not mind them.
    Ok((name, tree.tar_gz(stamp.time).expect("memory takes it")))
}

/// What a folder holds, and whether it is a folder.
fn listed(folder: &Path) -> Result<Vec<(PathBuf, bool)>, PackageError> {
    let failed = |source| PackageError::Read { path: folder.to_path_buf(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        found.push((entry.path(), entry.file_type().map_err(failed)?.is_dir()));
    }
    Ok(found)
}
