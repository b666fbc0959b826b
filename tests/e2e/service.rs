//! Processes under a service manager: what they tell it, and the sockets that they take from it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::fleet::{free_address, program};
use harness::http;
use harness::process::Process;

/// How long a manager waits to be told something.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service manager, as far as a process can tell.
struct Manager {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("it can be bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket has a timeout");
        Self { folder, socket }
    }

    /// Starts a program as a service; `env` sets the variables and becomes the program.
    fn start(&self, name: &str, variables: &[&str], arguments: &[String]) -> Process {
        let notify = format!("NOTIFY_SOCKET={}", self.folder.path().join("notify").display());
        let mut words = vec![notify];
        words.extend(variables.iter().map(ToString::to_string));
        words.push(program(name).expect("it is built").to_string_lossy().into_owned());
        words.extend(arguments.iter().cloned());
        Process::start(name, Path::new("env"), words, self.folder.path()).expect("it starts")
    }

    /// What is told until a message has this line; the message is the last.
    fn told_until(&self, line: &str) -> Vec<String> {
        let mut told: Vec<String> = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer);
            let length = length.unwrap_or_else(|error| panic!("{error} after {told:?}"));
            told.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            if told.last().is_some_and(|message| message.lines().any(|told| told == line)) {
                return told;
            }
        }
    }
}

fn gateway_arguments(admin: SocketAddr, http: SocketAddr) -> Vec<String> {
    let sets = [
        format!("server.listen={http}"),
        format!("admin.listen={admin}"),
        "server.drain_window=1s".to_owned(),
        "upstream.nodes=[{url: \"http://127.0.0.1:1\"}]".to_owned(),
    ];
    sets.into_iter().flat_map(|set| ["--set".to_owned(), set]).collect()
}

#[test]
fn gateway_tells_its_manager_how_it_is_from_start_to_end() {
    let manager = Manager::new();
    let [http, admin] = [free_address(), free_address()].map(|free| free.expect("a port is free"));
    let arguments = gateway_arguments(admin, http);
    let mut gateway = manager.start("bifrost-gateway", &["WATCHDOG_USEC=400000"], &arguments);
    manager.told_until("READY=1");
    assert_eq!(http::get(admin, "/readyz").expect("it answers").status(), 200, "it was true");
    manager.told_until("WATCHDOG=1");
    manager.told_until("WATCHDOG=1");

    gateway.hang_up();
    let told = manager.told_until("RELOADING=1");
    let clock =
        told.last().expect("the message").lines().any(|line| line.starts_with("MONOTONIC_USEC="));
    assert!(clock, "{told:?}");
    manager.told_until("READY=1");

    gateway.terminate();
    manager.told_until("STOPPING=1");
    let told = manager.told_until("EXTEND_TIMEOUT_USEC=30000000");
    let status = told.last().expect("the message").contains("STATUS=draining, 0 in flight");
    assert!(status, "{told:?}");
    manager.told_until("WATCHDOG=1");
    assert!(gateway.wait(PATIENCE).is_some_and(|status| status.success()));
}

#[test]
fn node_tells_its_manager_how_it_is_from_start_to_end() {
    let manager = Manager::new();
    let [http, admin] = [free_address(), free_address()].map(|free| free.expect("a port is free"));
    let data = manager.folder.path().join("node");
    let sets = [
        format!("http.listen={http}"),
        format!("admin.listen={admin}"),
        format!("dir={}", data.display()),
        format!("blockstore.dir={}", data.join("blocks").display()),
        "swarm.listen=[]".to_owned(),
    ];
    let arguments: Vec<String> =
        sets.into_iter().flat_map(|set| ["--set".to_owned(), set]).collect();
    let mut node = manager.start("bifrost-node", &[], &arguments);
    manager.told_until("READY=1");
    node.hang_up();
    manager.told_until("RELOADING=1");
    manager.told_until("READY=1");
    node.terminate();
    manager.told_until("STOPPING=1");
    assert!(node.wait(PATIENCE).is_some_and(|status| status.success()));
}

/// Starts a gateway with two listeners as its third and fourth descriptor, as a manager does. A shell
/// stands between, since what a manager does between fork and exec is `unsafe`.
fn activated(names: &str, sockets: [TcpListener; 2], arguments: &[String], log: &Path) -> Command {
    let script = "LISTEN_PID=$$ exec \"$0\" \"$@\" 3<&0 4<&1 0</dev/null 1>&2";
    let [third, fourth] = sockets.map(OwnedFd::from);
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(program("bifrost-gateway").expect("it is built"));
    command.args(arguments).env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", names);
    command.stdin(Stdio::from(third)).stdout(Stdio::from(fourth));
    command.stderr(fs::File::create(log).expect("a log can be made"));
    command
}

#[test]
fn sockets_that_are_handed_over_take_the_place_of_binding() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    let [public, admin] =
        sockets.each_ref().map(|socket| socket.local_addr().expect("it is bound"));
    // What the configuration names is taken, so that binding it would fail.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = taken.local_addr().map(|address| (taken, address)).expect("it is bound");
    let log = folder.path().join("log");
    let arguments = gateway_arguments(taken.1, taken.1);
    let mut child =
        activated("public:admin", sockets, &arguments, &log).spawn().expect("sh starts");
    // Nobody has to wait: who connects before the process is there is answered when it is.
    let ready = || http::get(admin, "/readyz").is_ok_and(|answer| answer.status() == 200);
    let deadline = std::time::Instant::now() + PATIENCE;
    while !ready() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let answer = http::get(public, "/help").map(|answer| answer.status());
    child.kill().and_then(|()| child.wait()).expect("it ends");
    let said = fs::read_to_string(&log).unwrap_or_default();
    assert_eq!(answer.ok(), Some(200), "{said}");
}

#[test]
fn socket_with_a_name_that_stands_for_nothing_refuses_the_start() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    let log = folder.path().join("log");
    let free = free_address().expect("a port is free");
    let mut command = activated("public:web", sockets, &gateway_arguments(free, free), &log);
    let status = command.status().expect("sh starts");
    let said = fs::read_to_string(&log).expect("there is a log");
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("`web`") && said.contains("FileDescriptorName="), "{said}");
}

#[test]
fn token_of_the_admin_listener_may_be_a_file() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("token");
    fs::write(&file, "hush\n").expect("it can be written");
    let manager = Manager::new();
    let [http, admin] = [free_address(), free_address()].map(|free| free.expect("a port is free"));
    let variable = format!("BIFROST_ADMIN__TOKEN_FILE={}", file.display());
    let arguments = gateway_arguments(admin, http);
    let _gateway = manager.start("bifrost-gateway", &[&variable], &arguments);
    manager.told_until("READY=1");
    let status = |token: &str| {
        let token = format!("Bearer {token}");
        let answer = http::ask(admin, "GET", "/metrics", &[("Authorization", &token)]);
        answer.expect("it answers").status()
    };
    assert_eq!([status("hush"), status("loud")], [200, 401]);

    fs::write(&file, "\n").expect("it can be written");
    let checked = Command::new(program("bifrost-gateway").expect("it is built"))
        .arg("--check-config")
        .env("BIFROST_ADMIN__TOKEN_FILE", &file)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2));
    assert!(said.contains("admin.token_file") && said.contains("is empty"), "{said}");
}
