//! A package for Debian and Ubuntu, written as its format has it: an archive of three members.
//!
//! Services are not started by an installation: what they serve, and to whom, is said first.

use std::io;

use super::software::Software;
use super::tree::{Tree, gzipped};
use super::{PackageError, Stamp};

const CONTROL: &str = include_str!("../../packaging/debian/control");
const COPYRIGHT: &str = include_str!("../../packaging/debian/copyright");
const OVERRIDES: &str = include_str!("../../packaging/debian/lintian-overrides");
const SCRIPTS: [(&str, &str); 3] = [
    ("postinst", include_str!("../../packaging/debian/postinst")),
    ("prerm", include_str!("../../packaging/debian/prerm")),
    ("postrm", include_str!("../../packaging/debian/postrm")),
];

/// Makes the package: the name of its file, and its bytes.
///
/// # Errors
/// A program needs what no package of Debian has.
pub(super) fn build(software: &Software, stamp: Stamp) -> Result<(String, Vec<u8>), PackageError> {
    let version = version(software.version);
    let architecture = software.processor().debian;
    let mut data = Tree::default();
    data.below("usr", &software.prefix(Some(gzipped)));
    data.below("etc/bifrost", &software.configs()?);
    let documents = "usr/share/doc/bifrost";
    data.file(format!("{documents}/copyright"), 0o644, COPYRIGHT);
    data.file(format!("{documents}/changelog.gz"), 0o644, gzipped(&software.read("CHANGELOG.md")?));
    let changes = gzipped(changelog(&version, stamp).as_bytes());
    data.file(format!("{documents}/changelog.Debian.gz"), 0o644, changes);
    data.file("usr/share/lintian/overrides/bifrost", 0o644, OVERRIDES);

    let mut control = Tree::default();
    control.file("control", 0o644, fields(software, &data, &version)?);
    control.file("conffiles", 0o644, conffiles(&data));
    for (name, script) in SCRIPTS {
        control.file(name, 0o755, script);
    }
    let packed = |tree: &Tree| tree.tar_gz(stamp.time).expect("memory takes it");
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", packed(&control)),
        ("data.tar.gz", packed(&data)),
    ];
    let package = ar(&members, stamp.time).expect("memory takes it");
    Ok((format!("bifrost_{version}_{architecture}.deb"), package))
}

/// A version as Debian compares it: what comes before a release is marked by a tilde, and the last part is that
/// of the packaging.
fn version(version: &str) -> String {
    format!("{}-1", version.replacen('-', "~", 1))
}

/// The fields of the package.
fn fields(software: &Software, data: &Tree, version: &str) -> Result<String, PackageError> {
    let mut depends = Vec::new();
    for binary in &software.binaries {
        depends.extend(binary.depends()?);
    }
    // Of one package with several versions the newest has to be there: it is the last in order.
    depends.sort();
    depends.dedup();
    // Units name credentials by %d, and were read by this version.
    depends.push("systemd (>= 252)".to_owned());
    let bytes: usize = data.files().map(|(_, content)| content.len()).sum();
    Ok(CONTROL
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", software.processor().debian)
        .replace("@INSTALLED@", &bytes.div_ceil(1024).to_string())
        .replace("@DEPENDS@", &depends.join(", ")))
}

/// What an operator edits, which an upgrade leaves alone: every file below `etc`.
fn conffiles(data: &Tree) -> String {
    let files = data.files().filter(|(path, _)| path.starts_with("etc/"));
    files.map(|(path, _)| format!("/{path}\n")).collect()
}

/// Debian's own changelog, which says where the real one is.
fn changelog(version: &str, stamp: Stamp) -> String {
    let date = stamp.zoned().strftime("%a, %d %b %Y %H:%M:%S %z").to_string();
    format!(
        "bifrost ({version}) stable; urgency=medium\n\n  * Release; see changelog.gz for what it changes.\n\n \
         -- Bifrost maintainers <maintainers@bifrost.invalid>  {date}\n"
    )
}

/// An archive as ar(5) has it: members with their sizes in text, each at an even place.
fn ar(members: &[(&str, Vec<u8>)], time: u64) -> io::Result<Vec<u8>> {
    use std::io::Write;
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let length = content.len();
        writeln!(archive, "{name:<16}{time:<12}{:<6}{:<6}{:<8}{length:<10}`", 0, 0, "100644")?;
        archive.extend_from_slice(content);
        if length % 2 == 1 {
            archive.push(b'\n');
        }
    }
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_begin_at_even_places_behind_heads_of_60_bytes() {
        let members = [("debian-binary", b"2.0".to_vec()), ("control.tar.gz", b"xx".to_vec())];
        let archive = ar(&members, 7).expect("memory takes it");
        assert_eq!(archive.len(), 8 + 60 + 4 + 60 + 2);
        assert_eq!(&archive[8..24], b"debian-binary   ");
        assert_eq!(&archive[66..71], b"`\n2.0");
        assert_eq!(&archive[72..86], b"control.tar.gz");
    }

    #[test]
    fn what_comes_before_a_release_is_older_than_it() {
        let versions = ["1.0.0-alpha", "1.0.0-rc.1", "1.0.0-rc.2", "1.0.0", "1.0.1"];
        let versions = versions.map(version);
        assert_eq!(versions[1], "1.0.0~rc.1-1");
        for pair in versions.windows(2) {
            let mut dpkg = std::process::Command::new("dpkg");
            dpkg.args(["--compare-versions", &pair[0], "lt", &pair[1]]);
            assert!(dpkg.status().expect("there is dpkg").success(), "{pair:?}");
        }
    }

    #[test]
    fn changelog_of_debian_has_its_date() {
        let text = changelog("1.2.3-1", Stamp { time: 0 });
        assert!(text.starts_with("bifrost (1.2.3-1) stable; urgency=medium\n\n  * "), "{text}");
        assert!(text.ends_with(">  Thu, 01 Jan 1970 00:00:00 +0000\n"), "{text}");
    }
}
