//! A fleet of real processes on loopback: nodes, gateways, and the operator's command.
//!
//! The programs are the ones that were built beside the test, started with config files that the
//! harness writes. Ports are chosen by the kernel and given back before the process binds them, so a
//! start whose port was taken meanwhile is tried again with others.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::http;
use crate::process::Process;

/// How long a process may take until it says that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How often a start is tried with other ports.
const START_TRIES: usize = 3;

/// What to start.
#[derive(Debug, Clone)]
pub struct FleetPlan {
    /// How many nodes.
    pub nodes: usize,
    /// Servers that the gateway uses beside the nodes, or in their place.
    pub extra_upstreams: Vec<SocketAddr>,
    /// Whether the gateway may use the nodes.
    pub gateway_uses_nodes: bool,
    /// Where node 0 serves HTTP, for a peer that is configured before the fleet starts; the others
    /// are on the ports after it.
    pub first_node: Option<SocketAddr>,
    /// Whether the nodes know each other.
    pub peered: bool,
    /// The program of the gateway.
    pub gateway_program: &'static str,
    /// Further settings of the gateway: `section.key` and its value.
    pub gateway_set: Vec<(&'static str, Value)>,
    /// Further settings of every node: `section.key` and its value.
    pub node_set: Vec<(&'static str, Value)>,
}

impl Default for FleetPlan {
    fn default() -> Self {
        Self {
            nodes: 2,
            extra_upstreams: Vec::new(),
            gateway_uses_nodes: true,
            first_node: None,
            peered: true,
            gateway_program: "bifrost-gateway",
            gateway_set: Vec::new(),
            node_set: Vec::new(),
        }
    }
}

/// One running process and where it listens.
pub struct Member {
    /// The public listener.
    pub http: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    /// The libp2p port, nodes only.
    pub swarm_port: u16,
    process: Option<Process>,
    name: String,
    program: &'static str,
    config: Value,
}

/// A running fleet; dropping it kills every process and removes its folder.
pub struct Fleet {
    folder: tempfile::TempDir,
    /// The nodes, in order.
    pub nodes: Vec<Member>,
    /// The gateway.
    pub gateway: Member,
}

impl Fleet {
    /// Starts what the plan says and waits until all of it is ready.
    ///
    /// # Errors
    /// A program is missing, or does not become ready; the message ends with its log.
    pub fn start(plan: &FleetPlan) -> Result<Self> {
        let mut last = None;
        for _ in 0..START_TRIES {
            match Self::try_start(plan) {
                Ok(fleet) => return Ok(fleet),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("a start was tried")?)
    }

    fn try_start(plan: &FleetPlan) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut nodes: Vec<Member> = Vec::new();
        for index in 0..plan.nodes {
            let http = match plan.first_node {
                Some(first) => SocketAddr::new(first.ip(), first.port() + u16::try_from(index)?),
                None => free_address()?,
            };
            let mut node = Member::node(index, http, folder.path())?;
            node.set_all(&plan.node_set);
            if plan.peered {
                let peers = nodes.iter().map(Member::peer_address).collect::<Result<Vec<_>>>()?;
                node.set("swarm.peering", json!(peers));
            }
            node.start(folder.path())?;
            nodes.push(node);
        }
        let mut upstreams = plan.extra_upstreams.clone();
        if plan.gateway_uses_nodes {
            upstreams.extend(nodes.iter().map(|node| node.http));
        }
        let mut gateway = Member::gateway(plan.gateway_program, &upstreams)?;
        gateway.set_all(&plan.gateway_set);
        gateway.start(folder.path())?;
        Ok(Self { folder, nodes, gateway })
    }

    /// The folder in which the processes run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gets a target from the gateway.
    ///
    /// # Panics
    /// With the end of every log when no answer comes.
    #[track_caller]
    pub fn get(&self, target: &str) -> http::Answer {
        match http::get(self.gateway.http, target) {
            Ok(answer) => answer,
            Err(error) => panic!("GET {target}: {error}\n{}", self.logs()),
        }
    }

    /// Runs `bifrost add` on a path, waits until every node holds it, and returns the root CID.
    ///
    /// # Errors
    /// The command fails or prints no CID; the message carries what it said.
    pub fn add(&self, path: &Path) -> Result<String> {
        self.add_with(path, &["--replicas", &self.nodes.len().to_string()])
    }

    /// [`Fleet::add`] with further arguments.
    ///
    /// # Errors
    /// As [`Fleet::add`].
    pub fn add_with(&self, path: &Path, more: &[&str]) -> Result<String> {
        let mut command = Command::new(program("bifrost")?);
        command.arg("add");
        for node in &self.nodes {
            command.arg("--node").arg(format!("http://{}", node.admin));
        }
        let output = command.args(more).arg(path).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "bifrost add: {said}\n{}", self.logs());
        let text = String::from_utf8(output.stdout)?;
        let cid = text.lines().last().context("bifrost add printed nothing")?.trim().to_owned();
        ensure!(cid.starts_with("bafy") || cid.starts_with("bafk"), "not a CID: {text}");
        Ok(cid)
    }

    /// Imports raw bytes as one file into node 0 through its admin listener.
    ///
    /// # Errors
    /// The import fails; the message carries the answer.
    pub fn import(&self, bytes: &[u8]) -> Result<String> {
        self.nodes[0].import("application/octet-stream", bytes)
    }

    /// The end of every log, for a failure message.
    pub fn logs(&self) -> String {
        let members = self.nodes.iter().chain([&self.gateway]);
        members.map(|member| member.log_tail(25)).collect::<Vec<_>>().join("\n")
    }

    /// Stops the gateway at once and starts it again with an empty cache.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn restart_gateway(&mut self) -> Result<()> {
        self.gateway.restart(self.folder.path())
    }

    /// Restarts the gateway on these upstreams and no others.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn use_upstreams(&mut self, upstreams: &[SocketAddr]) -> Result<()> {
        self.gateway.set("upstream.nodes", upstream_nodes(upstreams));
        self.restart_gateway()
    }

    /// Stops a node at once and starts it again on its store.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn restart_node(&mut self, index: usize) -> Result<()> {
        self.nodes[index].restart(self.folder.path())
    }
}

impl Member {
    fn node(index: usize, http: SocketAddr, folder: &Path) -> Result<Self> {
        let (admin, swarm_port) = (free_address()?, free_swarm_port()?);
        let mut node = Self::new(format!("node-{index}"), "bifrost-node", http, admin);
        node.swarm_port = swarm_port;
        node.set("http.listen", json!(http));
        node.set("admin.listen", json!(admin));
        let data = folder.join(format!("node-{index}"));
        node.set("dir", json!(data));
        node.set("blockstore.dir", json!(data.join("blocks")));
        let listen = [
            format!("/ip4/127.0.0.1/tcp/{swarm_port}"),
            format!("/ip4/127.0.0.1/udp/{swarm_port}/quic-v1"),
        ];
        node.set("swarm.listen", json!(listen));
        Ok(node)
    }

    fn gateway(program: &'static str, upstreams: &[SocketAddr]) -> Result<Self> {
        let (http, admin) = (free_address()?, free_address()?);
        let mut gateway = Self::new("gateway".to_owned(), program, http, admin);
        gateway.set("server.listen", json!(http));
        gateway.set("admin.listen", json!(admin));
        gateway.set("upstream.nodes", upstream_nodes(upstreams));
        Ok(gateway)
    }

    fn new(name: String, program: &'static str, http: SocketAddr, admin: SocketAddr) -> Self {
        Self { http, admin, swarm_port: 0, process: None, name, program, config: json!({}) }
    }

    /// Sets `section.key` in the config that the next start reads.
    pub fn set(&mut self, key: &str, value: Value) {
        let place = key.split('.').fold(&mut self.config, |place, part| &mut place[part]);
        *place = value;
    }

    fn set_all(&mut self, settings: &[(&str, Value)]) {
        for (key, value) in settings {
            self.set(key, value.clone());
        }
    }

    /// Imports a body through the admin listener and returns the first root.
    ///
    /// # Errors
    /// The import fails; the message carries the answer.
    pub fn import(&self, content_type: &str, bytes: &[u8]) -> Result<String> {
        let answer = http::post(self.admin, "/import", content_type, bytes)?;
        let text = answer.text();
        let last: Value = serde_json::from_str(text.lines().last().unwrap_or_default())
            .with_context(|| format!("{} {text}", answer.status()))?;
        let root = last["roots"][0].as_str();
        Ok(root.with_context(|| format!("import said {text}"))?.to_owned())
    }

    /// Whether the node's store holds a block.
    ///
    /// # Errors
    /// The admin listener does not answer.
    pub fn has(&self, cid: &str) -> Result<bool> {
        let answer = http::get(self.admin, &format!("/has?cid={cid}"))?;
        let said: Value = serde_json::from_slice(&answer.body)
            .with_context(|| format!("{} {}", answer.status(), answer.text()))?;
        said["has"].as_bool().with_context(|| format!("no `has` in {said}"))
    }

    /// The node's address with its peer id, as another peer dials it.
    ///
    /// # Errors
    /// The admin listener does not answer.
    pub fn peer_address(&self) -> Result<String> {
        let answer = http::get(self.admin, "/identity")?;
        let said: Value = serde_json::from_slice(&answer.body)?;
        let id = said["peer_id"].as_str().with_context(|| format!("no peer id in {said}"))?;
        Ok(format!("/ip4/127.0.0.1/tcp/{}/p2p/{id}", self.swarm_port))
    }

    /// The id of the running process, or zero.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// The running process.
    ///
    /// # Panics
    /// When it was stopped.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the member runs")
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process().kill();
    }

    /// The end of the log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.process.as_ref().map_or_else(String::new, |process| process.log_tail(lines))
    }

    fn restart(&mut self, folder: &Path) -> Result<()> {
        self.process = None;
        self.start(folder)
    }

    fn start(&mut self, folder: &Path) -> Result<()> {
        let program = program(self.program)?;
        // JSON is YAML, and needs no writer of its own.
        let config = folder.join(format!("{}.yaml", self.name));
        std::fs::write(&config, serde_json::to_vec_pretty(&self.config)?)?;
        let arguments = [OsStr::new("--config"), config.as_os_str()];
        let mut process = Process::start(&self.name, &program, arguments, folder)?;
        wait_ready(&mut process, self.admin)?;
        self.process = Some(process);
        Ok(())
    }
}

/// Waits until `/readyz` answers 200.
///
/// # Errors
/// The process leaves, or patience ends; the message carries its log.
pub fn wait_ready(process: &mut Process, admin: SocketAddr) -> Result<()> {
    let give_up = Instant::now() + READY_WITHIN;
    loop {
        if http::get(admin, "/readyz").is_ok_and(|answer| answer.status() == 200) {
            return Ok(());
        }
        if !process.is_alive() {
            bail!("left before it was ready\n{}", process.log_tail(40));
        }
        if Instant::now() >= give_up {
            bail!("not ready after {READY_WITHIN:?}\n{}", process.log_tail(40));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folder with the programs that were built beside this test or program.
///
/// # Panics
/// When the running program has no path.
pub fn build_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("BIFROST_BIN_DIR") {
        return folder.into();
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own.parent().expect("a program lies in a folder");
    // Test programs lie one folder deeper than the others.
    if folder.file_name() == Some(OsStr::new("deps")) {
        folder.parent().expect("deps lies in the profile's folder").to_path_buf()
    } else {
        folder.to_path_buf()
    }
}

/// Where screenshots are kept: `artefacts` in the build folder.
///
/// # Panics
/// When the folder cannot be made.
pub fn artefacts() -> PathBuf {
    let build = build_folder();
    let folder = build.parent().expect("a profile lies in the build folder").join("artefacts");
    std::fs::create_dir_all(&folder).expect("folders can be made");
    folder
}

/// The path of one of our programs.
///
/// # Errors
/// It was not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = build_folder().join(name);
    ensure!(path.is_file(), "{} is missing: run `cargo build --workspace --bins`", path.display());
    Ok(path)
}

/// An address that nobody listens on.
///
/// # Errors
/// Whatever the bind says.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A port that is free for TCP and for UDP.
fn free_swarm_port() -> Result<u16> {
    for _ in 0..16 {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address.port());
        }
    }
    bail!("no port is free for both TCP and UDP")
}

fn upstream_nodes(upstreams: &[SocketAddr]) -> Value {
    upstreams.iter().map(|node| json!({ "url": format!("http://{node}") })).collect()
}
