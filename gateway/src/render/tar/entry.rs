//! One entry of an archive: its header, and names that stay inside of the root.

use bytes::Bytes;

use super::TarError;

/// Size of a block of an archive.
const BLOCK_BYTES: usize = 512;
/// Longest name that a header holds; a longer one has an entry of its own before it.
const NAME_BYTES_MAX: usize = 100;
/// How much of a name is said when it is refused.
const SAID_CHARS_MAX: usize = 128;
/// Longest path in an archive.
const PATH_BYTES_MAX: usize = 4096;

/// What an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    File { size: u64 },
    Folder,
    Symlink { target: &'a str },
}

/// The path of an entry, whose name may have parts of its own. It stays below `root`.
pub(super) fn join(root: &str, folder: &str, name: &str) -> Result<String, TarError> {
    let cut = || name.chars().take(SAID_CHARS_MAX).collect();
    let outside = || TarError::Outside(cut());
    let path = follow(folder, name).ok_or_else(outside)?;
    if path.len() > PATH_BYTES_MAX || name.contains('\0') || name.is_empty() {
        return Err(TarError::Name(cut()));
    }
    let below = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
    below.filter(|rest| !rest.is_empty()).ok_or_else(outside)?;
    Ok(path)
}

/// Checks that a symbolic link at `path` stays in the root.
pub(super) fn check_target(root: &str, path: &str, target: &str) -> Result<(), TarError> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    // Behind a name ".." leads wherever that name is a link to, which words cannot tell.
    let names = target.split('/').skip_while(|part| matches!(*part, "" | "." | ".."));
    let climbs = names.into_iter().any(|part| part == "..");
    let inside =
        !climbs && !target.starts_with('/') && !target.contains('\0') && !target.is_empty();
    let end = follow(folder, target).filter(|_| inside && !root.is_empty());
    let stays = end.is_some_and(|end| {
        end.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if stays { Ok(()) } else { Err(TarError::Symlink(path.to_owned())) }
}

/// Goes from a folder along a relative path, by its words alone. `None` above the first part.
fn follow(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The header of an entry, with the entries before it that hold what is too long for one.
pub(super) fn header(path: &str, kind: Kind<'_>) -> Bytes {
    let mut bytes = Vec::with_capacity(BLOCK_BYTES);
    let path = match kind {
        Kind::Folder => format!("{path}/"),
        Kind::File { .. } | Kind::Symlink { .. } => path.to_owned(),
    };
    let mut header = tar::Header::new_gnu();
    // Nothing of the content says whose it is or when it was made.
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    match kind {
        Kind::File { size } => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(0o644);
            header.set_size(size);
        }
        Kind::Folder => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
        }
        Kind::Symlink { target } => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            if target.len() > NAME_BYTES_MAX {
                long(&mut bytes, b'K', target);
            }
            put(&mut header.as_old_mut().linkname, target);
        }
    }
    if path.len() > NAME_BYTES_MAX {
        long(&mut bytes, b'L', &path);
    }
    put(&mut header.as_old_mut().name, &path);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes.into()
}

/// An entry that holds a name of the next one, as GNU tar has it.
fn long(bytes: &mut Vec<u8>, kind: u8, name: &str) {
    let mut header = tar::Header::new_gnu();
    put(&mut header.as_old_mut().name, "././@LongLink");
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let size = name.len() as u64 + 1;
    header.set_size(size);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(&padding(size));
}

/// Puts as much of a name into a field as it holds.
fn put(field: &mut [u8; NAME_BYTES_MAX], name: &str) {
    field.fill(0);
    let length = name.len().min(NAME_BYTES_MAX);
    field[..length].copy_from_slice(&name.as_bytes()[..length]);
}

/// What fills the last block of an entry of this size.
pub(super) fn padding(size: u64) -> Bytes {
    static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
    let block = BLOCK_BYTES as u64;
    let over = usize::try_from(size % block).expect("less than a block");
    Bytes::from_static(if over == 0 { &[] } else { &ZEROS[over..] })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn names_stay_in_their_root() {
        for (name, path) in [
            ("a", Some("root/d/a")),
            ("a/b", Some("root/d/a/b")),
            ("../e", Some("root/e")),
            ("a/../b", Some("root/d/b")),
            ("/abs", Some("root/d/abs")),
            ("..", None),
            ("../..", None),
            ("../../x", None),
            // A name that climbs out of the root and comes back has not left it.
            ("../../root/x", Some("root/x")),
            ("../../../x", None),
            ("", None),
            ("a\0b", None),
        ] {
            assert_eq!(join("root", "root/d", name).ok().as_deref(), path, "{name:?}");
        }
    }

    #[test]
    fn symbolic_links_stay_in_their_root() {
        for (target, stays) in [
            ("b", true),
            ("../b", true),
            ("./b/../c", false),
            ("../../b", false),
            ("../../../etc/passwd", false),
            ("/etc/passwd", false),
            ("", false),
        ] {
            assert_eq!(check_target("root", "root/d/a", target).is_ok(), stays, "{target:?}");
        }
        assert!(check_target("", "root", "b").is_err(), "a link alone has no folder to stay in");
    }

    #[test]
    fn long_names_and_large_sizes_are_read_back() {
        let name = "ü".repeat(300);
        let target = "t".repeat(200);
        let mut bytes = header(&name, Kind::Symlink { target: &target }).to_vec();
        bytes.extend_from_slice(&header("big", Kind::File { size: 1 << 40 }));
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut entries = archive.entries().expect("an archive");
        let mut link = entries.next().expect("an entry").expect("a good one");
        assert_eq!(link.path_bytes(), name.as_bytes());
        assert_eq!(link.link_name_bytes().expect("a target"), target.as_bytes());
        assert_eq!(link.read(&mut [0; 1]).expect("nothing"), 0);
        let big = entries.next().expect("an entry").expect("a good one");
        assert_eq!(big.size(), 1 << 40);
    }
}
