//! What a program needs beside itself: its processor, its libraries, and how new a C library.
//!
//! A program that is linked statically needs nothing, and is packed as well.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;

use super::PackageError;

/// A processor, as it is called by those who name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Processor {
    /// In names of archives, as `uname -m` has it.
    pub(super) machine: &'static str,
    /// To Debian and to registries of images.
    pub(super) debian: &'static str,
}

/// By the number that the header of a program has.
const PROCESSORS: [(u16, Processor); 2] = [
    (62, Processor { machine: "x86_64", debian: "amd64" }),
    (183, Processor { machine: "aarch64", debian: "arm64" }),
];

/// Libraries that programs of ours may need, and the packages of Debian that have them.
const LIBRARIES: [(&str, &str); 5] = [
    ("libc.so", "libc6"),
    ("libm.so", "libc6"),
    ("ld-linux", "libc6"),
    ("libgcc_s.so", "libgcc-s1"),
    ("libstdc++.so", "libstdc++6"),
];

/// A program that is to be shipped.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    /// Its name.
    pub(super) name: &'static str,
    /// Its bytes.
    pub(super) bytes: Bytes,
    /// The processor that it is for.
    pub(super) processor: Processor,
    /// The libraries that it is loaded with; none when it is static.
    pub(super) libraries: Vec<PathBuf>,
}

impl Binary {
    /// Reads a program.
    ///
    /// # Errors
    /// It is not there, is for a processor that nobody knows, or needs what is not to be had.
    pub(super) fn read(folder: &Path, name: &'static str) -> Result<Self, PackageError> {
        let path = folder.join(name);
        let bytes = std::fs::read(&path)
            .map_err(|source| PackageError::Read { path: path.clone(), source })?;
        let machine = bytes.get(18..20).map(|two| u16::from_le_bytes([two[0], two[1]]));
        let known = PROCESSORS.iter().find(|(number, _)| Some(*number) == machine);
        let (_, processor) = known
            .filter(|_| bytes.starts_with(b"\x7fELF"))
            .ok_or_else(|| PackageError::NotAProgram(path.clone()))?;
        let libraries = loaded(&path)?;
        Ok(Self { name, bytes: bytes.into(), processor: *processor, libraries })
    }

    /// The packages of Debian that it needs.
    ///
    /// # Errors
    /// A library is in none of them.
    pub(super) fn depends(&self) -> Result<Vec<String>, PackageError> {
        let mut found = Vec::new();
        for library in &self.libraries {
            let name = library.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let known = LIBRARIES.iter().find(|(start, _)| name.starts_with(start));
            let (_, package) = known.ok_or(PackageError::Library(library.clone()))?;
            found.push(match (*package, glibc(&self.bytes)) {
                ("libc6", Some(minor)) => format!("libc6 (>= 2.{minor})"),
                (package, _) => package.to_owned(),
            });
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// The libraries that the loader of this machine would load.
fn loaded(path: &Path) -> Result<Vec<PathBuf>, PackageError> {
    let failed = |source| PackageError::Program { program: "ldd".into(), source };
    let output = Command::new("ldd").arg(path).env("LC_ALL", "C").output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = said.lines().find(|line| line.contains("not found")) {
        return Err(PackageError::Library(line.trim().into()));
    }
    // `libm.so.6 => /lib/libm.so.6 (0x…)`, and the loader itself without an arrow. A static program has
    // no such line.
    let paths =
        said.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}

/// The newest version 2.x of the C library that a program asks for.
fn glibc(bytes: &[u8]) -> Option<u32> {
    let asked = memchr::memmem::find_iter(bytes, b"GLIBC_2.").filter_map(|at| {
        let digits = bytes[at + 8..].iter().take(3).take_while(|byte| byte.is_ascii_digit());
        str::parse(&digits.map(|digit| char::from(*digit)).collect::<String>()).ok()
    });
    asked.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_of_this_machine_is_read_with_its_libraries() {
        let shell = Binary::read(Path::new("/bin"), "sh").expect("there is a shell");
        assert_eq!(shell.processor.machine, std::env::consts::ARCH);
        let depends = shell.depends().expect("it needs the C library alone");
        assert!(depends[0].starts_with("libc6 (>= 2."), "{depends:?}");
    }

    #[test]
    fn newest_version_of_the_c_library_counts() {
        assert_eq!(glibc(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.17\0GLIBC_PRIVATE"), Some(34));
        assert_eq!(glibc(b"nothing"), None);
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::write(folder.path().join("sh"), "#!/bin/sh\necho a script that is long enough")
            .expect("it can be written");
        let error = Binary::read(folder.path(), "sh").expect_err("it is a script");
        assert!(error.to_string().contains("no program"), "{error}");
    }
}
