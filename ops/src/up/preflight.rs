//! What can be known to fail before anything is started: programs, folder, disk, ports.
//!
//! A port that is found free can be taken a moment later; then the process says so in its log, and
//! `bifrost up` shows the end of that log.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use bytesize::ByteSize;

use crate::up::UpError;

/// Below this much free space nothing is started: nodes refuse to store then.
const FREE_NEEDED: u64 = 512 * 1024 * 1024;
/// Below this much free space the operator is told.
const FREE_AMPLE: u64 = 2 * 1024 * 1024 * 1024;

/// Finds a program of ours: beside this one, else in `PATH`.
///
/// # Errors
/// [`UpError::NoProgram`].
pub(crate) fn program(name: &'static str) -> Result<PathBuf, UpError> {
    let beside = std::env::current_exe().ok().and_then(|own| own.parent().map(Path::to_path_buf));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = beside.iter().cloned().chain(std::env::split_paths(&path));
    found
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or(UpError::NoProgram { name, beside: beside.unwrap_or_default() })
}

/// Finds a program of the system in `PATH`.
pub(crate) fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|found| found.is_file())
}

/// The data folder, made and held for this process alone.
#[derive(Debug)]
pub(crate) struct DataFolder {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// What the operator should know about its disk.
    pub(crate) warning: Option<String>,
    /// Held as long as the fleet runs; the system lets go of it however the process ends.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder and its log folder, and checks that it can be written to.
    ///
    /// # Errors
    /// [`UpError::Folder`], [`UpError::InUse`], [`UpError::DiskFull`].
    pub(crate) fn open(path: &Path) -> Result<Self, UpError> {
        let failed = |source| UpError::Folder { path: path.to_path_buf(), source };
        fs::create_dir_all(path.join("logs")).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let lock = File::create(path.join(".lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(UpError::InUse(path)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let disk = rustix::fs::statvfs(&path).map_err(|errno| failed(errno.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        // A fleet that holds content already can serve it from a full disk.
        let is_new = !path.join("node-0").is_dir();
        if free < FREE_NEEDED && is_new {
            let (free, needed) = (ByteSize(free), ByteSize(FREE_NEEDED));
            return Err(UpError::DiskFull { path, free, needed });
        }
        let warning = (free < FREE_AMPLE)
            .then(|| format!("only {} are free in {}", ByteSize(free), path.display()));
        Ok(Self { path, warning, _lock: lock })
    }
}

/// Checks that nobody listens where a process is going to.
///
/// # Errors
/// [`UpError::Port`].
pub(crate) fn port(address: SocketAddr, what: &str, udp_too: bool) -> Result<(), UpError> {
    let taken = |source: io::Error| UpError::Port {
        address,
        what: what.to_owned(),
        advice: advice(&source),
        source,
    };
    TcpListener::bind(address).map_err(taken)?;
    if udp_too {
        UdpSocket::bind(address).map_err(taken)?;
    }
    Ok(())
}

fn advice(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::AddrInUse {
        "stop the program that uses it (a fleet that was killed may have left its processes), or choose other ports with --base-port 18080 or --ports auto"
    } else if error.kind() == io::ErrorKind::AddrNotAvailable {
        "this machine has no such address: choose one of its own with --listen"
    } else {
        "choose other ports with --base-port 18080 or --ports auto"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Exit;

    #[test]
    fn a_taken_port_is_named_with_its_owner_and_the_way_out() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let error = port(address, "gateway-0 (public)", false).expect_err("it is taken");
        let text = error.to_string();
        assert!(text.contains(&address.to_string()) && text.contains("gateway-0 (public)"));
        assert!(text.contains("--base-port 18080 or --ports auto"), "{text}");
        assert_eq!(error.exit(), Exit::Machine);
    }

    #[test]
    fn a_folder_serves_one_fleet_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let first = DataFolder::open(folder.path()).expect("it is free");
        assert!(matches!(DataFolder::open(folder.path()), Err(UpError::InUse(_))));
        drop(first);
        assert!(DataFolder::open(folder.path()).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        let error = DataFolder::open(file.path()).expect_err("it is a file");
        assert!(error.to_string().contains(&file.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_missing_program_is_named_with_the_way_to_build_it() {
        let error = program("bifrost-nothing").expect_err("there is no such program").to_string();
        assert!(error.contains("bifrost-nothing") && error.contains("make run"), "{error}");
    }
}
