//! Reads the archives that gateways make: CARs whose every block is verified, and tars.

use std::io::Read;

use anyhow::Result;
use ipfs::car::{Reader, Section};

/// The CIDs of the blocks of a CAR in their order; a header, and nothing else, is before them.
pub(crate) fn blocks(archive: &[u8]) -> Result<Vec<String>> {
    let mut reader = Reader::new();
    reader.push(archive);
    let mut cids = Vec::new();
    while let Some(section) = reader.next()? {
        match section {
            Section::Header(_) => {}
            Section::Block(unproven) => cids.push(unproven.prove()?.cid().to_string()),
        }
    }
    reader.finish()?;
    Ok(cids)
}

/// The files of a tar, by path, with their content.
pub(crate) fn files(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = String::from_utf8(entry.path_bytes().into_owned())?;
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.push((path, content));
        }
    }
    files.sort();
    Ok(files)
}
