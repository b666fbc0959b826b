//! Brings a fleet up: places, configs, processes in their order, and the site.
//!
//! Nothing is started before all that can be checked was checked.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, StatusCode};
use telemetry::Tasks;
use tokio::sync::mpsc;

use crate::add::{self, AddError};
use crate::client::{Client, ClientError, Endpoint};
use crate::fleet::{Fleet, Process, Site, Staging};
use crate::output::Style;
use crate::up::child::{self, Child, Event, Spec, Started};
use crate::up::configs::{self, GatewayPlan, NodePlan, Part, Written};
use crate::up::layout::{Places, StagingPlace};
use crate::up::observe::{Observe, Pace};
use crate::up::preflight::{self, DataFolder};
use crate::up::{Ports, Running, Steps, UpArgs, UpError};
use crate::{ipns, publish};

/// The host of the project's site. Browsers take every name below `localhost` to this machine.
const SITE_HOST: &str = "site.localhost";
/// The programs of a fleet.
const PROGRAMS: [&str; 2] = ["bifrost-gateway", "bifrost-node"];
/// What staging's processes are called.
const STAGING_GATEWAY: &str = "staging-0";
const STAGING_NODE: &str = "staging-node-0";
/// Where pairs of answers are, below the data folder.
const PAIRS: &str = "mirror";
/// Longest silence of an admin listener.
const SILENCE: Duration = Duration::from_secs(5);
/// Longest silence of a node while the site is imported.
const IMPORT_SILENCE: Duration = Duration::from_secs(60);
/// How long a process may take to become ready: a node reads its index first.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a process may take to drain: the longest that processes give themselves, and some.
const DRAIN_WITHIN: Duration = Duration::from_secs(75);

/// The programs of a fleet.
#[derive(Debug)]
struct Programs {
    gateway: PathBuf,
    node: PathBuf,
}

impl Programs {
    /// Those of this build.
    fn own() -> Result<Self, UpError> {
        let [gateway, node] = PROGRAMS;
        Ok(Self { gateway: preflight::program(gateway)?, node: preflight::program(node)? })
    }

    /// Those of another build: a folder that has them, or a gateway beside this build's node.
    fn of(path: Option<&Path>) -> Result<Self, UpError> {
        let own = Self::own()?;
        let Some(path) = path else { return Ok(own) };
        let [gateway, node] = PROGRAMS.map(|name| path.join(name));
        if path.is_dir() && gateway.is_file() {
            return Ok(Self { gateway, node: if node.is_file() { node } else { own.node } });
        }
        if path.is_file() {
            return Ok(Self { gateway: path.to_path_buf(), ..own });
        }
        Err(UpError::NoStaging(path.to_path_buf()))
    }
}

/// What is known while the fleet comes up.
pub(super) struct BringUp<'a> {
    args: &'a UpArgs,
    tasks: &'a Tasks,
    data: PathBuf,
    events: mpsc::Sender<Event>,
    steps: Steps,
    client: Client,
    programs: Programs,
    /// Those of staging, which may be another build.
    staging_programs: Programs,
    places: Places,
    observe: Option<Observe>,
}

impl<'a> BringUp<'a> {
    /// Finds programs and places, and checks that the places are free.
    ///
    /// # Errors
    /// A program is missing, a config is bad, or a port is taken.
    pub(super) fn new(
        args: &'a UpArgs,
        tasks: &'a Tasks,
        data: &DataFolder,
        events: mpsc::Sender<Event>,
        steps: Steps,
    ) -> Result<Self, UpError> {
        let places = match args.ports {
            Ports::Fixed => Places::fixed(args.base_port, args.listen, args.gateways, args.nodes),
            Ports::Auto => {
                Places::free(args.listen, args.gateways, args.nodes).map_err(UpError::NoPorts)?
            }
        };
        let pace = Pace::new(args.observe_every, args.observe_hurry);
        let observe = args.observe.then(|| Observe::new(&data.path, places.observe, pace));
        let mut this = Self {
            args,
            observe: observe.transpose()?,
            tasks,
            data: data.path.clone(),
            events,
            steps,
            client: Client::new(tasks.clone(), SILENCE),
            programs: Programs::own()?,
            staging_programs: Programs::of(args.staging_bin.as_deref())?,
            places,
        };
        for variable in child::overrides() {
            let variable = variable.display();
            this.steps.note(&format!(
                "{variable} is not passed on: not every process has such a key; edit a config"
            ));
        }
        this.unknown_names()?;
        this.heed_edits()?;
        this.check_ports()?;
        Ok(this)
    }

    /// Refuses `--config` for a process that there is not.
    fn unknown_names(&self) -> Result<(), UpError> {
        let known = |name: &str| {
            (0..self.places.gateways.len()).any(|index| name == gateway_name(index))
                || (0..self.places.nodes.len()).any(|index| name == node_name(index))
                || self.args.staging && [STAGING_GATEWAY, STAGING_NODE].contains(&name)
        };
        match self.args.config.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(UpError::UnknownProcess(name.clone())),
            None => Ok(()),
        }
    }

    /// Takes the addresses of config files that the operator wrote.
    fn heed_edits(&mut self) -> Result<(), UpError> {
        let [http, admin] = configs::GATEWAY_KEYS;
        let mut places = self.places.clone();
        let StagingPlace { gateway, node } = &mut places.staging;
        let named = places.gateways.iter_mut().enumerate();
        let named = named.map(|(index, place)| (gateway_name(index), place));
        for (name, place) in named.chain([(STAGING_GATEWAY.to_owned(), gateway)]) {
            let path = self.config_of(&name);
            [place.http, place.admin] =
                configs::addresses(&path, [(http, place.http), (admin, place.admin)])?;
        }
        let [http, admin] = configs::NODE_KEYS;
        let named = places.nodes.iter_mut().enumerate();
        let named = named.map(|(index, place)| (node_name(index), place));
        for (name, place) in named.chain([(STAGING_NODE.to_owned(), node)]) {
            let path = self.config_of(&name);
            [place.http, place.admin] =
                configs::addresses(&path, [(http, place.http), (admin, place.admin)])?;
        }
        self.places = places;
        Ok(())
    }

    fn check_ports(&self) -> Result<(), UpError> {
        let StagingPlace { gateway, node } = self.places.staging;
        let staging = self.args.staging;
        let named = self.places.gateways.iter().enumerate();
        let named = named.map(|(index, place)| (gateway_name(index), *place));
        let staged = staging.then_some((STAGING_GATEWAY.to_owned(), gateway));
        for (name, place) in named.chain(staged) {
            preflight::port(place.http, &format!("{name} (public)"), false)?;
            preflight::port(place.admin, &format!("{name} (admin)"), false)?;
        }
        let named = self.places.nodes.iter().enumerate();
        let named = named.map(|(index, place)| (node_name(index), *place));
        let staged = staging.then_some((STAGING_NODE.to_owned(), node));
        for (name, place) in named.chain(staged) {
            preflight::port(place.http, &format!("{name} (for gateways)"), false)?;
            preflight::port(place.admin, &format!("{name} (admin)"), false)?;
            let swarm = (Ipv4Addr::LOCALHOST, place.swarm).into();
            preflight::port(swarm, &format!("{name} (for peers)"), true)?;
        }
        if self.observe.is_some() {
            preflight::port(self.places.observe.prometheus, "prometheus", false)?;
            preflight::port(self.places.observe.alertmanager, "alertmanager", false)?;
            preflight::port(self.places.observe.probe, "probe", false)?;
        }
        Ok(())
    }

    fn config_of(&self, name: &str) -> PathBuf {
        let given = self.args.config.iter().find(|(given, _)| given == name);
        given.map_or_else(|| self.data.join(format!("{name}.yaml")), |(_, path)| path.clone())
    }

    /// Brings everything up and writes down what runs.
    ///
    /// # Errors
    /// As the variants of [`UpError`] say; children that started are in `running`.
    pub(super) async fn all(&mut self, running: &mut Running) -> Result<Fleet, UpError> {
        let nodes = self.nodes(running).await?;
        self.steps.begin("publishing the project's site");
        let key = self.data.join("site.key");
        let name = ipns::name_of(&key).map_err(publish::PublishError::from)?;
        let root = self.site(&nodes, &key, &name).await?;
        let staging = match self.args.staging {
            true => Some(self.staging(running, &nodes, (&name, &key, root.as_deref())).await?),
            false => None,
        };
        let gateways = self.gateways(running, &nodes, &name).await?;
        if let Some(root) = &root {
            self.shown(&gateways, &nodes, root).await?;
        }
        let first = self.places.gateways[0].http;
        let url = format!("http://{SITE_HOST}:{}/", first.port());
        let site = Site { url, root, key: Some(key) };
        let observe = self.observe.as_ref().map(Observe::urls);
        let fleet = Fleet { data: self.data.clone(), gateways, nodes, site, staging, observe };
        fleet.write().map_err(|source| UpError::Folder { path: self.data.clone(), source })?;
        self.observers(running, &fleet).await?;
        Ok(fleet)
    }

    /// Starts the nodes one by one: each is told of those before it.
    async fn nodes(&self, running: &mut Running) -> Result<Vec<Process>, UpError> {
        let mut peers = Vec::new();
        let mut nodes = Vec::new();
        for (index, place) in self.places.nodes.iter().enumerate() {
            let name = node_name(index);
            let plan = NodePlan {
                place: *place,
                folder: self.data.join(&name),
                peers: &peers,
                offline: self.args.offline,
                access_log: self.log_of(&format!("{name}.access")),
                env: "local",
            };
            let process = self.process(&name, place.http, place.admin);
            let child = self.start(&process, &self.programs.node, &plan.body()).await?;
            running.nodes.push(child);
            peers.extend(self.addresses_of(&process).await?);
            nodes.push(process);
        }
        Ok(nodes)
    }

    async fn gateways(
        &self,
        running: &mut Running,
        nodes: &[Process],
        site: &str,
    ) -> Result<Vec<Process>, UpError> {
        let mut gateways = Vec::new();
        for (index, place) in self.places.gateways.iter().enumerate() {
            let process = self.process(&gateway_name(index), place.http, place.admin);
            let body = self.gateway_body(index, nodes, site);
            let child = self.start(&process, &self.programs.gateway, &body).await?;
            running.gateways.push(child);
            gateways.push(process);
        }
        Ok(gateways)
    }

    /// The config of a gateway, whose site is at a name.
    fn gateway_body(&self, index: usize, nodes: &[Process], site: &str) -> String {
        let name = gateway_name(index);
        let urls: Vec<String> = nodes.iter().map(|node| node.url.clone()).collect();
        let StagingPlace { gateway, .. } = self.places.staging;
        let staging = self.process(STAGING_GATEWAY, gateway.http, gateway.admin).url;
        let pairs = self.data.join(PAIRS).join(&name);
        let plan = GatewayPlan {
            place: self.places.gateways[index],
            nodes: &urls,
            site_host: SITE_HOST,
            site_root: site,
            access_log: self.log_of(&format!("{name}.access")),
            part: if self.args.staging { Part::Production(&staging, &pairs) } else { Part::None },
        };
        plan.body()
    }

    /// Starts staging: a node that is a peer of the fleet's, and a gateway before it.
    async fn staging(
        &self,
        running: &mut Running,
        nodes: &[Process],
        (site, key, root): (&str, &Path, Option<&str>),
    ) -> Result<Staging, UpError> {
        let StagingPlace { gateway, node } = self.places.staging;
        let mut peers = Vec::new();
        for node in nodes {
            peers.extend(self.addresses_of(node).await?);
        }
        let plan = NodePlan {
            place: node,
            folder: self.data.join(STAGING_NODE),
            peers: &peers,
            offline: self.args.offline,
            access_log: self.log_of(&format!("{STAGING_NODE}.access")),
            env: "staging",
        };
        let node = self.process(STAGING_NODE, node.http, node.admin);
        let child = self.start(&node, &self.staging_programs.node, &plan.body()).await?;
        running.nodes.push(child);
        // The same name leads to the same site there, or every copy of a request for it would differ.
        if let Some(root) = root {
            publish::lead(key, root, &[Endpoint::parse(&node.admin)?], self.tasks).await?;
        }
        let plan = GatewayPlan {
            place: gateway,
            nodes: std::slice::from_ref(&node.url),
            site_host: SITE_HOST,
            site_root: site,
            access_log: self.log_of(&format!("{STAGING_GATEWAY}.access")),
            part: Part::Staging,
        };
        let gateway = self.process(STAGING_GATEWAY, gateway.http, gateway.admin);
        let child = self.start(&gateway, &self.staging_programs.gateway, &plan.body()).await?;
        running.gateways.push(child);
        Ok(Staging { gateway, node, pairs: self.data.join(PAIRS) })
    }

    /// Starts what watches the fleet, if it is to be watched.
    async fn observers(&self, running: &mut Running, fleet: &Fleet) -> Result<(), UpError> {
        let Some(observe) = &self.observe else { return Ok(()) };
        observe.write(fleet)?;
        for spec in observe.specs(&self.data)? {
            self.steps.begin(&format!("starting {}", spec.name));
            let mut started = Started::new(spec)?;
            started.ready(&self.client).await?;
            running.observers.push(started.watch(self.tasks, self.events.clone()));
        }
        Ok(())
    }

    /// Writes a config, starts its process, and waits until it is ready.
    async fn start(&self, process: &Process, program: &Path, body: &str) -> Result<Child, UpError> {
        if !self.is_given(&process.name) && configs::write(&process.config, body)? == Written::Kept
        {
            let path = process.config.display();
            self.steps.note(&format!("{path} was edited and is used as it is"));
        }
        self.steps.begin(&format!("starting {}", process.name));
        let mut started = Started::new(Spec {
            name: process.name.clone(),
            program: program.to_path_buf(),
            arguments: child::arguments(&process.config),
            log: process.log.clone(),
            admin: Endpoint::parse(&process.admin)?,
            ready_at: "/readyz",
            ready_within: READY_WITHIN,
            drain_within: DRAIN_WITHIN,
        })?;
        started.ready(&self.client).await?;
        Ok(started.watch(self.tasks, self.events.clone()))
    }

    /// The addresses at which a node's peers reach it.
    async fn addresses_of(&self, node: &Process) -> Result<Vec<String>, UpError> {
        let admin = Endpoint::parse(&node.admin)?;
        let said = self.client.json(&admin, Method::GET, "/identity").await?;
        let id = said["peer_id"].as_str().unwrap_or_default();
        let addresses = said["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
        let whole = |address: &str| match address.contains("/p2p/") {
            true => address.to_owned(),
            false => format!("{address}/p2p/{id}"),
        };
        let found: Vec<String> =
            addresses.iter().filter_map(|address| address.as_str().map(whole)).collect();
        if id.is_empty() || found.is_empty() {
            return Err(UpError::NoIdentity(node.name.clone()));
        }
        Ok(found)
    }

    /// Asks every gateway for the site, so that "ready" means pages: an edited config may name other
    /// nodes than there are.
    async fn shown(
        &self,
        gateways: &[Process],
        nodes: &[Process],
        root: &str,
    ) -> Result<(), UpError> {
        for gateway in gateways {
            let asked = Endpoint::parse(&gateway.url)?;
            let answer = self.client.head(&asked, Method::HEAD, &format!("/ipfs/{root}/")).await;
            if let Err(error) = answer {
                // An edited table need not name this address: that it is refused shows that it works.
                if matches!(
                    error,
                    ClientError::Status { status: StatusCode::MISDIRECTED_REQUEST, .. }
                ) {
                    let name = &gateway.name;
                    let text =
                        format!("{name} answers the hosts of its table alone, not {}", gateway.url);
                    self.steps.note(&Style::stderr().warning(&text));
                    continue;
                }
                let nodes: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
                return Err(UpError::NotShown {
                    name: gateway.name.clone(),
                    how: error.to_string(),
                    config: gateway.config.clone(),
                    nodes: nodes.join(", "),
                });
            }
        }
        Ok(())
    }

    /// Publishes the project's site on every node, if possible, leads its name to it, and returns its root. A
    /// fleet is there for more than its own site: without one its nodes show the one before, if they had any.
    async fn site(
        &self,
        nodes: &[Process],
        key: &Path,
        name: &str,
    ) -> Result<Option<String>, UpError> {
        let config = self.config_of(&gateway_name(0));
        if !self.is_given(&gateway_name(0)) {
            configs::write(&config, &self.gateway_body(0, nodes, name))?;
        }
        let warn = |text: String| self.steps.note(&Style::stderr().warning(&text));
        let new = match publish::local(&self.data, &config, self.tasks).await {
            Ok(new) => new,
            Err(error) => {
                warn(format!("the project's site is not published; one of before stays: {error}"));
                return Ok(None);
            }
        };
        let admins = nodes.iter().map(|node| Endpoint::parse(&node.admin));
        let admins = admins.collect::<Result<Vec<_>, _>>()?;
        let added = add::folder(new.path(), admins.clone(), IMPORT_SILENCE, self.tasks).await;
        let root = match added {
            Ok(root) => root.to_string(),
            Err(AddError::NotReplicated { cid, reasons, .. }) => {
                warn(format!("the project's site is not on every node: {reasons}"));
                cid
            }
            Err(error) => return Err(publish::PublishError::from(error).into()),
        };
        if let Some(reasons) = publish::lead(key, &root, &admins, self.tasks).await? {
            warn(format!("not every node knows the name of the project's site: {reasons}"));
        }
        new.finish().map_err(publish::PublishError::from)?;
        Ok(Some(root))
    }

    /// Whether the config of a process was named for this run.
    fn is_given(&self, name: &str) -> bool {
        self.args.config.iter().any(|(given, _)| given == name)
    }

    fn process(&self, name: &str, http: SocketAddr, admin: SocketAddr) -> Process {
        // Nobody can open 0.0.0.0 in a browser.
        let host = if http.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { http.ip() };
        let shown = SocketAddr::new(host, http.port());
        Process {
            name: name.to_owned(),
            url: format!("http://{shown}"),
            admin: format!("http://{admin}"),
            metrics: format!("http://{admin}/metrics"),
            config: self.config_of(name),
            log: self.log_of(name),
        }
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.data.join("logs").join(format!("{name}.log"))
    }
}

fn gateway_name(index: usize) -> String {
    format!("gateway-{index}")
}

fn node_name(index: usize) -> String {
    format!("node-{index}")
}
