//! How each fault is made, and who feels it.

use std::time::Duration;

use rustix::process::Signal;
use serde_yaml::{Mapping, Value};
use tokio::time::{Instant, sleep};

use super::content::Content;
use super::edits::{self, Edit};
use super::load::{Asked, Crowd, Load};
use super::processes::{pid_of, pid_of_probe, signal};
use super::{Beat, Corrupting, Fault, OfFleet, Process, Told, Traffic, Undo, access_log, fleet};

/// Files of a folder from which every request gets another one.
const FILES: usize = 2000;
/// The host of a website of a drill. Browsers take every name below `localhost` to this machine.
const HOST: &str = "drill.localhost";
/// People who open one thing after another.
const PEOPLE: Crowd = Crowd { clients: 16, pause: Duration::from_millis(200) };
/// Programs that ask as soon as they have an answer.
const PROGRAMS: Crowd = Crowd { clients: 32, pause: Duration::from_millis(2) };
/// People who all wait for what is late.
const PATIENT: Crowd = Crowd { clients: 64, pause: Duration::from_millis(200) };
/// How long a node without a processor waits for it, and for how long it has it then.
const MOMENTS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(15));
/// How long a peer is silent, longer than a first byte may take, and how long it is not.
const SILENCES: (Duration, Duration) = (Duration::from_secs(34), Duration::from_secs(2));
/// What waits for a silent peer: longer than that, and than gateways and nodes wait without.
const PATIENCE: &str = "55s";
/// More bytes than any disk has.
const MORE_THAN_A_DISK: u64 = 1 << 50;
/// How long content may take to be there before something is broken.
const WARM_WITHIN: Duration = Duration::from_secs(30);
/// Where nothing can be written to: every write ends as on a full disk.
const FULL: &str = "/dev/full";

impl OfFleet {
    /// Breaks something, and has somebody feel it.
    pub(super) async fn break_by(&mut self, fault: Fault, traffic: Traffic) -> Result<(), String> {
        match fault {
            Fault::RejectConfig => self.reject_config().await,
            Fault::LoseLog => self.lose_log(traffic).await,
            Fault::LoseDenylist => self.lose_denylist().await,
            Fault::FillDisk => self.fill_disk().await,
            Fault::OverloadNode => self.overload_node().await,
            Fault::SlowNode => self.slow_node().await,
            Fault::SlowNodes => self.slow_nodes(traffic).await,
            Fault::CorruptNode => self.corrupt_node(traffic).await,
            Fault::SlowPeer => self.slow_peer(traffic).await,
            Fault::KillNode => self.kill_node(traffic).await,
            Fault::KillGateway => self.kill(self.gateway()?),
            Fault::StopNode => {
                let pid = pid_of(&self.node()?)?;
                self.stop(pid)
            }
            Fault::StopNodes => self.stop_nodes(traffic).await,
            Fault::Overload => self.overload(traffic).await,
            Fault::CorruptFront => self.corrupt_front().await,
            Fault::StopProbe => {
                let pid = pid_of_probe(self.observers()?)?;
                self.stop(pid)
            }
            Fault::StopGateway => {
                let pid = pid_of(&self.gateway()?)?;
                self.stop(pid)
            }
        }
    }

    async fn reject_config(&mut self) -> Result<(), String> {
        let gateway = self.gateway()?;
        let told = Told::Reload(gateway.clone());
        let mut text =
            std::fs::read_to_string(&gateway.config).map_err(|error| error.to_string())?;
        text.push_str("no_such_key: 1\n");
        let edit = Edit::replace(&gateway.config, &text)?;
        self.undo.push(Undo::File(edit, told.clone()));
        self.tell(&told).await
    }

    async fn lose_log(&mut self, traffic: Traffic) -> Result<(), String> {
        let gateway = self.gateway()?;
        let path = access_log(&gateway).ok_or("the gateway writes no access log to a file")?;
        let asked = self.content(traffic, FILES).await?;
        let told = Told::Reload(gateway.clone());
        self.undo.push(Undo::File(Edit::away(&path)?, told.clone()));
        std::os::unix::fs::symlink(FULL, &path).map_err(|error| error.to_string())?;
        self.tell(&told).await?;
        self.load(&asked, PEOPLE)
    }

    async fn lose_denylist(&mut self) -> Result<(), String> {
        let gateway = self.gateway()?;
        let list = self.fleet.data.join("drill.deny");
        std::fs::write(&list, "version: 1\n---\n").map_err(|error| error.to_string())?;
        let file =
            Mapping::from_iter([("file".into(), list.to_string_lossy().into_owned().into())]);
        let lists = Value::Sequence(vec![Value::Mapping(file)]);
        let told = Told::Restart(gateway.clone());
        let changed = self.change(&gateway, &[("denylist.lists", lists)], told).await;
        let gone = std::fs::remove_file(&list).map_err(|error| error.to_string());
        changed.and(gone)
    }

    async fn fill_disk(&mut self) -> Result<(), String> {
        let node = self.node()?;
        let changes = [("blockstore.free_min", Value::from(MORE_THAN_A_DISK))];
        self.change(&node, &changes, Told::Restart(node.clone())).await
    }

    async fn overload_node(&mut self) -> Result<(), String> {
        let node = self.node()?;
        let content = self.stored(&[&node], FILES).await?;
        let changes = [("serve.requests_max", Value::from(1))];
        self.change(&node, &changes, Told::Restart(node.clone())).await?;
        self.load(&of_node(&node, format!("{}?format=car", content.path())), PROGRAMS)
    }

    async fn slow_node(&mut self) -> Result<(), String> {
        let node = self.node()?;
        let content = self.stored(&[&node], 20).await?;
        self.moments(std::slice::from_ref(&node), MOMENTS)?;
        self.load(&of_node(&node, format!("{}?format=raw", content.path())), PROGRAMS)
    }

    async fn slow_nodes(&mut self, traffic: Traffic) -> Result<(), String> {
        let asked = self.content(traffic, FILES).await?;
        let nodes = self.fleet.nodes.clone();
        self.moments(&nodes, MOMENTS)?;
        self.load(&asked, PEOPLE)
    }

    async fn corrupt_node(&mut self, traffic: Traffic) -> Result<(), String> {
        let (gateway, node) = (self.gateway()?, self.node()?);
        let asked = self.content(traffic, FILES).await?;
        let proxy = Corrupting::in_front_of(&node.url, &self.web, &self.tasks).await?;
        let others = self.fleet.nodes.iter().filter(|other| other.name != node.name);
        let urls: Vec<String> =
            others.map(|other| other.url.clone()).chain([proxy.url.clone()]).collect();
        self.proxies.push(proxy);
        let changes = [("upstream.nodes", nodes_at(&urls))];
        self.change(&gateway, &changes, Told::Reload(gateway.clone())).await?;
        self.load(&asked, PEOPLE)
    }

    /// The probe is told that the gateway is where the proxy is, as a load balancer's address would be.
    async fn corrupt_front(&mut self) -> Result<(), String> {
        let gateway = self.gateway()?;
        let proxy = Corrupting::in_front_of(&gateway.url, &self.web, &self.tasks).await?;
        let mut moved = self.fleet.clone();
        for one in moved.gateways.iter_mut().filter(|one| one.name == gateway.name) {
            one.url = proxy.url.clone();
        }
        self.proxies.push(proxy);
        let edit = Edit::away(&self.fleet.data.join(fleet::FILE))?;
        self.undo.push(Undo::File(edit, Told::Probe));
        moved.write().map_err(|error| error.to_string())?;
        self.tell(&Told::Probe).await
    }

    /// Gateways ask one node, which has what is asked for from another one, which is silent.
    async fn slow_peer(&mut self, traffic: Traffic) -> Result<(), String> {
        let (gateway, peer) = (self.gateway()?, self.node()?);
        let node = self.fleet.nodes.first().filter(|node| node.name != peer.name).cloned();
        let node =
            node.ok_or("a peer is the second of two nodes: start the fleet with --nodes 2")?;
        let content = self.stored(&[&peer], FILES).await?;
        let patient = ["serve.first_block_timeout", "bitswap.give_up"];
        let changes = patient.map(|key| (key, Value::from(PATIENCE)));
        self.change(&node, &changes, Told::Restart(node.clone())).await?;
        let mut changes = vec![
            ("upstream.nodes", nodes_at(std::slice::from_ref(&node.url))),
            ("upstream.block_timeout", PATIENCE.into()),
            ("server.first_byte_timeout", PATIENCE.into()),
        ];
        let asked = match traffic {
            Traffic::Website => {
                changes.push(self.website(&gateway, &content)?);
                at_website(&gateway, &content)
            }
            Traffic::Gateway | Traffic::Names => by_path(&gateway, &content),
        };
        self.change(&gateway, &changes, Told::Restart(gateway.clone())).await?;
        self.warm(&asked).await?;
        self.moments(&[peer], SILENCES)?;
        self.load(&asked, PATIENT)
    }

    async fn kill_node(&mut self, traffic: Traffic) -> Result<(), String> {
        let asked = self.content(traffic, FILES).await?;
        self.kill(self.node()?)?;
        self.load(&asked, PEOPLE)
    }

    /// Kills a process and puts its config away, without which `bifrost up` cannot start it again.
    fn kill(&mut self, process: Process) -> Result<(), String> {
        let pid = pid_of(&process)?;
        let edit = Edit::away(&process.config)?;
        self.undo.push(Undo::File(edit, Told::Start(process)));
        signal(pid, Signal::KILL)
    }

    async fn stop_nodes(&mut self, traffic: Traffic) -> Result<(), String> {
        let asked = self.content(traffic, FILES).await?;
        for node in self.fleet.nodes.clone() {
            self.stop(pid_of(&node)?)?;
        }
        self.load(&asked, PATIENT)
    }

    async fn overload(&mut self, traffic: Traffic) -> Result<(), String> {
        let gateway = self.gateway()?;
        let asked = self.content(traffic, FILES).await?;
        let changes = [("limit.requests_max", Value::from(2))];
        self.change(&gateway, &changes, Told::Restart(gateway.clone())).await?;
        self.load(&asked, PROGRAMS)
    }

    fn load(&mut self, asked: &Asked, crowd: Crowd) -> Result<(), String> {
        self.loads.push(Load::start(&self.tasks, asked, crowd)?);
        Ok(())
    }

    /// Has processes run for moments only.
    fn moments(
        &mut self,
        processes: &[Process],
        (stopped, running): (Duration, Duration),
    ) -> Result<(), String> {
        let pids = processes.iter().map(pid_of).collect::<Result<Vec<_>, _>>()?;
        self.undo.extend(pids.iter().copied().map(Undo::Continue));
        self.beats.push(Beat::of_moments(&self.tasks, pids, stopped, running));
        Ok(())
    }

    async fn stored(&self, nodes: &[&Process], files: usize) -> Result<Content, String> {
        Content::add(nodes, files, &self.fleet.data, &self.tasks).await
    }

    /// New content on all nodes, and how it is asked for.
    async fn content(&mut self, traffic: Traffic, files: usize) -> Result<Asked, String> {
        let gateway = self.gateway()?;
        let content = self.stored(&self.nodes(), files).await?;
        let asked = match traffic {
            Traffic::Gateway => by_path(&gateway, &content),
            Traffic::Website => {
                let change = self.website(&gateway, &content)?;
                self.change(&gateway, &[change], Told::Reload(gateway.clone())).await?;
                at_website(&gateway, &content)
            }
            Traffic::Names => {
                let name = content.name(&self.nodes(), &self.tasks).await?;
                // One file is enough: what has to be late is the name.
                let paths = [format!("{name}/0")];
                Asked { url: gateway.url, host: None, paths: paths.into() }
            }
        };
        self.warm(&asked).await?;
        Ok(asked)
    }

    /// The change of a gateway's hosts by which it has a website of this content.
    fn website(
        &self,
        gateway: &Process,
        content: &Content,
    ) -> Result<(&'static str, Value), String> {
        let whole = edits::read(&gateway.config)?;
        let table = whole.get("hosts").and_then(|hosts| hosts.get("table"));
        let mut hosts = table.and_then(Value::as_sequence).cloned().unwrap_or_default();
        let host =
            [("name", HOST.to_owned()), ("class", "site".to_owned()), ("root", content.path())];
        let host = host.map(|(key, value)| (key.into(), value.into()));
        hosts.push(Value::Mapping(Mapping::from_iter(host)));
        Ok(("hosts.table", Value::Sequence(hosts)))
    }

    /// Asks until there is an answer, so that the folder is known and what is in it is not.
    async fn warm(&self, asked: &Asked) -> Result<(), String> {
        let give_up = Instant::now() + WARM_WITHIN;
        while !asked.ask(&self.web, 0).await {
            if Instant::now() >= give_up {
                let first = &asked.paths[0];
                return Err(format!("{}{first} could not be opened before the fault", asked.url));
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }
}

fn by_path(gateway: &Process, content: &Content) -> Asked {
    Asked { url: gateway.url.clone(), host: None, paths: content.single() }
}

fn at_website(gateway: &Process, content: &Content) -> Asked {
    let port = gateway.url.rsplit(':').next().unwrap_or_default();
    let host = Some(format!("{HOST}:{port}"));
    Asked { url: gateway.url.clone(), host, paths: content.paths() }
}

fn of_node(node: &Process, path: String) -> Asked {
    Asked { url: node.url.clone(), host: None, paths: [path].into() }
}

/// A list of nodes, as a gateway's config has it.
fn nodes_at(urls: &[String]) -> Value {
    let node =
        |url: &String| Value::Mapping(Mapping::from_iter([("url".into(), url.clone().into())]));
    Value::Sequence(urls.iter().map(node).collect())
}
