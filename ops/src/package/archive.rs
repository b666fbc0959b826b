//! The archive of a release: everything that is installed by hand, under one folder, with its sums.

use super::software::Software;
use super::tree::Tree;
use super::{PackageError, Stamp, chart};

/// The name of the file, and the archive.
///
/// # Errors
/// A file of the project cannot be read.
pub(super) fn build(software: &Software, stamp: Stamp) -> Result<(String, Vec<u8>), PackageError> {
    let mut tree = software.prefix(None);
    tree.below("etc/bifrost", &software.configs()?);
    for document in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md", "SECURITY.md"] {
        tree.file(document, 0o644, software.read(document)?);
    }
    let (name, chart) = chart::build(&software.root, stamp)?;
    tree.file(name, 0o644, chart);
    let sums = tree.sums();
    tree.file("SHA256SUMS", 0o644, sums);
    let name = format!("bifrost-{}-{}-linux", software.version, software.processor().machine);
    let mut whole = Tree::default();
    whole.below(&name, &tree);
    let packed = whole.tar_gz(stamp.time).expect("memory takes it");
    Ok((format!("{name}.tar.gz"), packed))
}
