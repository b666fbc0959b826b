//! A fleet of `bifrost up`, as an operator starts it.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::Process;

const PATIENCE: Duration = Duration::from_secs(60);

/// A fleet of `bifrost up`, and what it said when it was ready.
pub struct Up {
    /// The command itself.
    pub process: Process,
    /// The line that it printed.
    pub said: Value,
}

impl Up {
    /// Starts a fleet with its data in `fleet` below this folder and waits until it is ready; `name`
    /// is that of its log.
    ///
    /// # Panics
    /// With the end of the log when it is not ready in time.
    pub fn start(name: &str, folder: &Path, more: &[&str]) -> Self {
        let data = folder.join("fleet");
        let program = crate::fleet::program("bifrost").expect("it is built");
        let arguments = ["up", "--ports", "auto", "--format", "json", "--offline", "--data"];
        let arguments = arguments.iter().map(AsRef::<OsStr>::as_ref).chain([data.as_os_str()]);
        let arguments = arguments.chain(more.iter().map(AsRef::as_ref));
        let mut process = Process::start(name, &program, arguments, folder).expect("it starts");
        let log = folder.join(format!("{name}.log"));
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let ready = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(said) = ready.into_iter().find(|line| line["event"] == "ready") {
                return Self { process, said };
            }
            let waits = process.is_alive() && began.elapsed() < PATIENCE;
            assert!(waits, "it is not ready: {}", process.log_tail(40));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// An address of a process: `("gateways", 0, "url")`.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn address(&self, kind: &str, index: usize, which: &str) -> SocketAddr {
        let url = self.said[kind][index][which].as_str().expect("every process has its URLs");
        url.trim_start_matches("http://").parse().expect("an address")
    }
}

/// The processes that were started with a file of this folder, and their command lines.
///
/// # Panics
/// When processes cannot be listed.
pub fn processes_of(folder: &Path) -> Vec<(u32, String)> {
    let folder = folder.to_str().expect("temporary folders are text");
    let ids = fs::read_dir("/proc").expect("processes can be listed").filter_map(|entry| {
        entry.ok().and_then(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
    });
    let command = |id: &u32| fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    ids.map(|id| (id, String::from_utf8_lossy(&command(&id)).replace('\0', " ")))
        .filter(|(_, command)| command.contains(folder))
        .collect()
}
