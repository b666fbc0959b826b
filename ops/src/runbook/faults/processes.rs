//! Processes of a fleet on this machine: found, signalled, and waited for.
//!
//! A process is found by a word of its command line that no other fleet has, its config file or its
//! address, so that only those of this fleet are touched.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::fleet::{Observers, Process};
use crate::web::Web;

/// How long a process may take to be ready again: it drains first, and `bifrost up` waits for up to half
/// a minute before it starts one that left often.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The gateway or node of a fleet.
pub(super) fn pid_of(process: &Process) -> Result<Pid, String> {
    let ours = ["bifrost-gateway", "bifrost-node"];
    let word = process.config.as_os_str().as_encoded_bytes();
    pid_with(&ours, word).ok_or_else(|| format!("{} does not run on this machine", process.name))
}

/// The probe of a fleet.
pub(super) fn pid_of_probe(observers: &Observers) -> Result<Pid, String> {
    let address = observers.probe.trim_start_matches("http://");
    let pid = pid_with(&["bifrost"], address.as_bytes());
    pid.ok_or_else(|| "the probe does not run on this machine".to_owned())
}

fn pid_with(programs: &[&str], wanted: &[u8]) -> Option<Pid> {
    for entry in std::fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let first = words.next().map(|first| String::from_utf8_lossy(first).into_owned());
        let name = first.as_deref().map(Path::new).and_then(Path::file_name);
        let is_ours = name.is_some_and(|name| programs.iter().any(|program| name == *program));
        if is_ours && words.any(|word| word == wanted) {
            return Pid::from_raw(number);
        }
    }
    None
}

/// Sends a signal.
pub(super) fn signal(pid: Pid, signal: Signal) -> Result<(), String> {
    kill_process(pid, signal).map_err(|errno| format!("process {pid:?}: {errno}"))
}

/// Has a process end and `bifrost up` start it again, with the config that its file has by then.
pub(super) async fn restart(process: &Process, web: &Web) -> Result<(), String> {
    end(&process.name, || pid_of(process)).await?;
    ready(process, web).await
}

/// The same of the probe, which reads anew where the fleet is.
pub(super) async fn restart_probe(observers: &Observers, web: &Web) -> Result<(), String> {
    end("probe", || pid_of_probe(observers)).await?;
    answers("the probe", &format!("{}/livez", observers.probe), web).await
}

/// Waits until a process says that it is ready.
pub(super) async fn ready(process: &Process, web: &Web) -> Result<(), String> {
    let url = format!("{}/readyz", process.admin);
    let found = answers(&process.name, &url, web).await;
    found.map_err(|text| format!("{text}; its log says why: {}", process.log.display()))
}

/// Asks a process to leave, and waits until it has.
async fn end(name: &str, look: impl Fn() -> Result<Pid, String>) -> Result<(), String> {
    let before = look()?;
    signal(before, Signal::TERM)?;
    let give_up = Instant::now() + READY_WITHIN;
    while look().is_ok_and(|pid| pid == before) {
        if Instant::now() >= give_up {
            return Err(format!("{name} did not leave"));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn answers(name: &str, url: &str, web: &Web) -> Result<(), String> {
    let give_up = Instant::now() + READY_WITHIN;
    while !web.get(url).await.is_ok_and(|page| page.status.is_success()) {
        if Instant::now() >= give_up {
            return Err(format!("{name} is not ready again"));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}
