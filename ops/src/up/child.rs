//! One process of the fleet: started, watched, started again when it dies, and drained.
//!
//! Children are in process groups of their own, so that Ctrl-C on a terminal reaches this process
//! alone and the order of the drain is ours. A child that dies is told with the end of its log and
//! started again after a pause that doubles; only the first start is final when it fails.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use telemetry::{TaskHandle, Tasks};
use tokio::process::{Child as Process, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Endpoint};
use crate::up::UpError;

/// Pause before a dead child is started again; doubles with each death.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A child that lived this long is well again, and its pause begins anew.
const WELL_AFTER: Duration = Duration::from_secs(60);
/// Time between two looks at whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Lines of its log that are shown of a child that died.
const TAIL_LINES: usize = 12;
/// Bytes of the log that are searched for them.
const TAIL_BYTES: u64 = 16 * 1024;
/// A log of this size is put aside when its process starts.
const LOG_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What a child is.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// Its name in the fleet.
    pub(crate) name: String,
    /// Its program.
    pub(crate) program: PathBuf,
    /// What it is told on its command line.
    pub(crate) arguments: Vec<OsString>,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    /// Where it says whether it is ready.
    pub(crate) admin: Endpoint,
    /// The target that answers with success there once it is.
    pub(crate) ready_at: &'static str,
    /// How long it may take to become ready.
    pub(crate) ready_within: Duration,
    /// How long it may take to drain.
    pub(crate) drain_within: Duration,
}

/// What happened to a child.
#[derive(Debug)]
pub(crate) enum Event {
    /// It died; it is started again after a pause.
    Died { name: String, how: String, tail: String, again_in: Duration },
    /// It was started again.
    Restarted { name: String },
    /// It did not drain in time and was killed.
    Killed { name: String, after: Duration },
}

/// A child that runs, or is about to run again.
#[derive(Debug)]
pub(crate) struct Child {
    stop: CancellationToken,
    kill: CancellationToken,
    /// Cancelled when the watcher has gone, however it went.
    gone: CancellationToken,
    _task: TaskHandle<()>,
}

/// The arguments of a process of ours: its config, and to end with its standard input.
pub(crate) fn arguments(config: &Path) -> Vec<OsString> {
    vec!["--config".into(), config.into(), "--stop-with-stdin".into()]
}

/// A process that runs. Ours drains by itself when this process is gone, for it sees the end of its
/// standard input then.
#[derive(Debug)]
struct Alive {
    process: Process,
    _lifeline: Option<ChildStdin>,
}

/// A child that has started and is not watched yet; dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Started {
    spec: Spec,
    alive: Alive,
}

impl Started {
    /// Starts the process.
    ///
    /// # Errors
    /// [`UpError::Start`], [`UpError::Folder`].
    pub(crate) fn new(spec: Spec) -> Result<Self, UpError> {
        let alive = start(&spec)?;
        Ok(Self { spec, alive })
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// [`UpError::NotReady`] with the end of its log when it leaves or takes too long.
    ///
    /// # Cancellation
    /// Dropped, the process is killed with its handle.
    pub(crate) async fn ready(&mut self, client: &Client) -> Result<(), UpError> {
        let give_up = Instant::now() + self.spec.ready_within;
        loop {
            let looked = client.head(&self.spec.admin, Method::GET, self.spec.ready_at).await;
            // One that left is told first: the port may be another program's.
            if let Ok(Some(status)) = self.alive.process.try_wait() {
                return Err(self.not_ready(describe(status)));
            }
            match looked {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= give_up => {
                    let waited = humantime::format_duration(self.spec.ready_within);
                    return Err(self.not_ready(format!("is not ready after {waited} ({error})")));
                }
                Err(_) => sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Watches it from here on.
    pub(crate) fn watch(self, tasks: &Tasks, events: mpsc::Sender<Event>) -> Child {
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let watcher = Watcher { spec: self.spec, stop: stop.clone(), kill: kill.clone(), events };
        let gone = CancellationToken::new();
        let at_end = gone.clone().drop_guard();
        let task = tasks.spawn("child", async move {
            watcher.run(self.alive).await;
            drop(at_end);
        });
        Child { stop, kill, gone, _task: task }
    }

    fn not_ready(&self, how: String) -> UpError {
        let Spec { name, log, .. } = &self.spec;
        UpError::NotReady { name: name.clone(), how, log: log.clone(), tail: tail(log) }
    }
}

impl Child {
    /// Asks it to drain, and waits until it is gone.
    pub(crate) async fn drain(&self) {
        self.stop.cancel();
        self.gone.cancelled().await;
    }

    /// Has it killed, drained or not.
    pub(crate) fn kill(&self) {
        self.kill.cancel();
        self.stop.cancel();
    }
}

struct Watcher {
    spec: Spec,
    stop: CancellationToken,
    kill: CancellationToken,
    events: mpsc::Sender<Event>,
}

impl Watcher {
    async fn run(self, mut alive: Alive) {
        let mut pause = PAUSE_FIRST;
        loop {
            let began = Instant::now();
            let how = tokio::select! {
                status = alive.process.wait() => match status {
                    Ok(status) => describe(status),
                    Err(error) => error.to_string(),
                },
                () = self.stop.cancelled() => return self.end(alive).await,
            };
            if began.elapsed() > WELL_AFTER {
                pause = PAUSE_FIRST;
            }
            let Some(again) = self.again(how, &mut pause).await else { return };
            alive = again;
            self.tell(Event::Restarted { name: self.spec.name.clone() }).await;
        }
    }

    /// Starts it again, after as many pauses as that takes; `None` when it is to stop.
    async fn again(&self, mut how: String, pause: &mut Duration) -> Option<Alive> {
        loop {
            let (name, tail) = (self.spec.name.clone(), tail(&self.spec.log));
            self.tell(Event::Died { name, how, tail, again_in: *pause }).await;
            tokio::select! {
                () = sleep(*pause) => {}
                () = self.stop.cancelled() => return None,
            }
            *pause = (*pause * 2).min(PAUSE_MAX);
            match start(&self.spec) {
                Ok(alive) => return Some(alive),
                Err(error) => how = error.to_string(),
            }
        }
    }

    async fn end(&self, mut alive: Alive) {
        let process = &mut alive.process;
        signal(process, Signal::TERM);
        let drained = tokio::select! {
            ended = timeout(self.spec.drain_within, process.wait()) => ended.is_ok(),
            () = self.kill.cancelled() => false,
        };
        if drained {
            return;
        }
        // It may have left between the two.
        process.kill().await.ok();
        if !self.kill.is_cancelled() {
            let (name, after) = (self.spec.name.clone(), self.spec.drain_within);
            self.tell(Event::Killed { name, after }).await;
        }
    }

    async fn tell(&self, event: Event) {
        // Nobody listens any more while the command leaves.
        self.events.send(event).await.ok();
    }
}

fn start(spec: &Spec) -> Result<Alive, UpError> {
    let failed = |source| UpError::Folder { path: spec.log.clone(), source };
    if spec.log.metadata().is_ok_and(|log| log.len() > LOG_BYTES_MAX) {
        std::fs::rename(&spec.log, spec.log.with_extension("log.1")).map_err(failed)?;
    }
    let log = File::options().create(true).append(true).open(&spec.log).map_err(failed)?;
    let other = log.try_clone().map_err(failed)?;
    let mut command = Command::new(&spec.program);
    for variable in overrides() {
        command.env_remove(variable);
    }
    let mut process = command
        .args(&spec.arguments)
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(other)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| UpError::Start { program: spec.program.clone(), source })?;
    // Taken out, because waiting for a process would close it.
    let _lifeline = process.stdin.take();
    Ok(Alive { process, _lifeline })
}

/// Variables that override a key of one kind of process, and which the other kind would refuse.
pub(crate) fn overrides() -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| is_override(name)).collect()
}

fn is_override(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"BIFROST_") && name.windows(2).any(|pair| pair == b"__")
}

fn signal(process: &Process, signal: Signal) {
    let id = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        // A process that has left already needs no signal.
        kill_process(id, signal).ok();
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("left with code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "left".to_owned(),
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = read_end(log).unwrap_or_else(|error| error.to_string());
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    last.iter().map(|line| format!("    {line}\n")).collect()
}

fn read_end(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
