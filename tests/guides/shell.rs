//! A bash that does what a reader does, with a network and processes of its own: the ports of the guides are free
//! there, whatever runs beside, nothing beyond is reached, and no other process can be hit.
//!
//! What it is told is a numbered step: a file that it sources, whose output, errors and code are files too. A
//! step that fails ends the shell. Dropping it kills everything that it started.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::fleet;
use rustix::process::getuid;

/// How long a guide may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// An address that is nobody's (RFC 5737), which guides take for the one that the world sees.
const PUBLIC: &str = "192.0.2.10";

const SHELL: [&str; 4] = ["bash", "--noprofile", "--norc", "-s"];

/// What a step left.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The shell of a guide.
pub(crate) struct Shell {
    child: Child,
    stdin: ChildStdin,
    folder: tempfile::TempDir,
    network: PathBuf,
    step: usize,
    until: Instant,
    background: Vec<usize>,
}

impl Shell {
    /// Starts it in an empty folder.
    ///
    /// # Errors
    /// There can be no network of its own.
    pub(crate) fn start() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        for name in ["home", "steps"] {
            fs::create_dir(folder.path().join(name)).map_err(|error| error.to_string())?;
        }
        let log = fs::File::create(folder.path().join("steps/log")).map_err(text)?;
        let programs = fleet::program("bifrost").map_err(text)?;
        let programs = programs.parent().expect("a program is in a folder").display();
        // A user who is nobody's root gets a network by a name space of users, and keeps what it may there.
        let user: &[&str] = match getuid().is_root() {
            true => &[],
            false => &["--user", "--map-current-user", "--keep-caps"],
        };
        let mut child = Command::new("unshare")
            .args(user)
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            // Whoever runs tests in the background may have made them deaf to Ctrl-C.
            .args(["env", "--default-signal=INT"])
            .args(SHELL)
            .env_clear()
            .env("PATH", format!("{programs}:{SYSTEM_PATH}"))
            .env("HOME", folder.path().join("home"))
            .env("LANG", "C.UTF-8")
            .current_dir(folder.path().join("home"))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(text)?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let stdin = child.stdin.take().expect("it is piped");
        let until = Instant::now() + LIMIT;
        let (network, step, background) = (PathBuf::new(), 0, Vec::new());
        let mut shell = Self { child, stdin, folder, network, step, until, background };
        shell.prepare().map_err(|error| {
            format!("no network of its own: be root, or allow name spaces of users\n{error}")
        })?;
        Ok(shell)
    }

    fn prepare(&mut self) -> Result<(), String> {
        let resolv = self.path("resolv.conf");
        fs::write(&resolv, "nameserver 127.0.0.53\n").map_err(text)?;
        let done = self.run(&format!(
            "set -eu\n\
             ip link set lo up\n\
             ip address add {PUBLIC}/32 dev lo\n\
             mount --bind '{}' /etc/resolv.conf\n\
             readlink /proc/self/ns/net\n\
             compgen -v >'{}'\n",
            resolv.display(),
            self.path("variables").display()
        ))?;
        self.network = PathBuf::from(done.out.trim());
        Ok(())
    }

    /// Forgets functions and variables, as another terminal in the same folder does not have them.
    ///
    /// # Errors
    /// The shell has ended.
    pub(crate) fn forget(&mut self) -> Result<(), String> {
        let known = self.path("variables");
        self.run(&format!(
            "unset -f $(compgen -A function)\n\
             unset $(compgen -v | grep -vxFf '{}') 2>&1 || true\n",
            known.display()
        ))
        .map(drop)
    }

    /// Runs commands that have to succeed.
    ///
    /// # Errors
    /// They fail, or take too long.
    pub(crate) fn run(&mut self, commands: &str) -> Result<Done, String> {
        let step = self.next(commands)?;
        let file = |end: &str| self.path(&format!("{step}.{end}")).display().to_string();
        let [sh, out, err, code] = ["sh", "out", "err", "code"].map(file);
        self.say(&format!(". '{sh}' </dev/null >'{out}' 2>'{err}'; echo 0 >'{code}'\n"))?;
        self.wait(step)
    }

    /// Runs commands that may fail, in a shell of their own; where their errors are part of what is shown,
    /// they are among the output.
    ///
    /// # Errors
    /// They take too long.
    pub(crate) fn attempt(&mut self, commands: &str, errors_shown: bool) -> Result<Done, String> {
        let step = self.next(commands)?;
        let file = |end: &str| self.path(&format!("{step}.{end}")).display().to_string();
        let [sh, out, err, code] = ["sh", "out", "err", "code"].map(file);
        let err = if errors_shown { "&1".to_owned() } else { format!("'{err}'") };
        self.say(&format!(
            "set +e; (set -e; . '{sh}') </dev/null >'{out}' 2>{err}; echo $? >'{code}'; set -e\n"
        ))?;
        self.wait(step)
    }

    /// Starts commands that go on, as another terminal does.
    ///
    /// # Errors
    /// They end, or take too long, before they have said this.
    pub(crate) fn background(&mut self, commands: &str, ready: &str) -> Result<usize, String> {
        let step = self.next(commands)?;
        let file = |end: &str| self.path(&format!("{step}.{end}")).display().to_string();
        let [sh, out, pid, code] = ["sh", "out", "pid", "code"].map(file);
        // With job control it is a process group of its own, which is what Ctrl-C is sent to.
        self.say(&format!(
            "set -m; (trap 'echo $? >\"{code}\"' EXIT; . '{sh}') </dev/null >'{out}' 2>&1 & \
             echo $! >'{pid}'; set +m\n"
        ))?;
        self.background.push(step);
        while !self.said(step).contains(ready) {
            self.poll()?;
            let gone = !self.read(step, "code").is_empty();
            if gone && !self.said(step).contains(ready) {
                let said = self.said(step);
                return Err(format!("it has ended, and never said {ready:?}: {said}"));
            }
        }
        Ok(step)
    }

    /// What a command in the background has printed so far.
    pub(crate) fn said(&self, step: usize) -> String {
        self.read(step, "out")
    }

    /// Presses Ctrl-C for what was started last, and waits until it has ended well.
    ///
    /// # Errors
    /// Nothing runs, or it ends badly or late.
    pub(crate) fn interrupt(&mut self) -> Result<Done, String> {
        let step = self.background.pop().ok_or("nothing is there that Ctrl-C could stop")?;
        let pid = self.read(step, "pid");
        let pid = pid.trim();
        self.run(&format!("kill -INT -- -{pid}\nwait {pid}"))
            .map_err(|error| format!("{error}\n{}", self.said(step)))
    }

    /// Waits a moment.
    ///
    /// # Errors
    /// The guide takes too long, or its shell has ended.
    pub(crate) fn poll(&mut self) -> Result<(), String> {
        if Instant::now() > self.until {
            return Err(format!("the guide takes longer than {LIMIT:?}"));
        }
        match self.child.try_wait() {
            Ok(None) => sleep(POLL),
            Ok(Some(status)) => return Err(format!("it failed: {status}")),
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    /// A file beside the steps.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("steps").join(name)
    }

    /// What runs on the network of this shell, but it and the server of names.
    pub(crate) fn left(&self) -> Vec<String> {
        let own = SHELL.join(" ");
        let mut all = self.processes();
        all.retain(|command| {
            !command.starts_with("unshare ") && !command.starts_with("dnsmasq --conf-file=")
        });
        // A second one has just been started, and is not yet what it will be.
        if let Some(shell) = all.iter().position(|command| command.trim() == own) {
            all.swap_remove(shell);
        }
        all
    }

    fn processes(&self) -> Vec<String> {
        let entries = fs::read_dir("/proc").expect("processes can be listed");
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let here = |id: &u32| {
            fs::read_link(format!("/proc/{id}/ns/net")).is_ok_and(|network| network == self.network)
        };
        let command = |id: u32| fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        ids.filter(here)
            .map(|id| String::from_utf8_lossy(&command(id)).replace('\0', " "))
            .filter(|command| !command.is_empty())
            .collect()
    }

    fn next(&mut self, commands: &str) -> Result<usize, String> {
        self.step += 1;
        fs::write(self.path(&format!("{}.sh", self.step)), commands).map_err(text)?;
        Ok(self.step)
    }

    fn say(&mut self, line: &str) -> Result<(), String> {
        self.stdin.write_all(line.as_bytes()).map_err(|error| format!("the shell ended: {error}"))
    }

    fn wait(&mut self, step: usize) -> Result<Done, String> {
        loop {
            // The shell writes the code with its newline at once.
            if let Some(code) = self.read(step, "code").strip_suffix('\n') {
                let code = code.parse().map_err(text)?;
                return Ok(Done { code, out: self.read(step, "out"), err: self.read(step, "err") });
            }
            self.poll().map_err(|error| {
                let log = fs::read_to_string(self.path("log")).unwrap_or_default();
                format!("{error}\n{}{}{log}", self.read(step, "out"), self.read(step, "err"))
            })?;
        }
    }

    fn read(&self, step: usize, end: &str) -> String {
        let bytes = fs::read(self.path(&format!("{step}.{end}"))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The shell is the first of its processes: none outlives it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
