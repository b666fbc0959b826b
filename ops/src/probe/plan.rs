//! Which checks a round makes: every wanted check of every gateway and node, or why it cannot be made.
//!
//! A check that lacks what it needs is in the plan too, with the reason: a probe that silently asks
//! less than it seems to is worse than none.

use std::sync::Arc;

use super::ask::Gateway;
use super::check::{Check, Lane};
use super::config::Settings;
use super::content::Content;
use super::http::{Name, Site};
use super::node::Node;
use telemetry::metrics::Label as _;

/// What is asked of a gateway.
#[derive(Debug, Clone)]
pub(crate) enum Of {
    /// Nothing but what the check asks by itself.
    Nothing,
    /// Content that is there.
    Content(Arc<Content>),
    /// Content that is made and seeded for this check.
    Fresh,
    /// A name, and what it leads to if the probe put it there.
    Name(Name, Option<Arc<Content>>),
    /// A website.
    Site(Site),
    /// A path that is denied.
    Denied(String),
}

/// Who is asked.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A gateway.
    Gateway(Gateway, Of),
    /// A node, at its admin listener.
    Admin(Node, String),
    /// A node, at one of its addresses for peers.
    Peer(Node, String),
    /// A node, for a block of content.
    Block(Node, Arc<Content>),
    /// Nobody, for this reason.
    Nobody(String, String),
}

impl Target {
    /// The name of who is asked.
    pub(crate) fn name(&self) -> &str {
        match self {
            Target::Gateway(gateway, _) => &gateway.name,
            Target::Admin(node, _) | Target::Peer(node, _) | Target::Block(node, _) => &node.name,
            Target::Nobody(name, _) => name,
        }
    }

    /// What is asked for.
    pub(crate) fn subject(&self) -> String {
        match self {
            Target::Gateway(_, of) => match of {
                Of::Nothing | Of::Fresh => String::new(),
                Of::Content(content) => content.path(),
                Of::Name(name, _) => format!("/ipns/{}{}", name.name, name.path),
                Of::Site(site) => format!("{}{}", site.host, site.path),
                Of::Denied(path) => path.clone(),
            },
            Target::Peer(_, address) => address.clone(),
            Target::Block(_, content) => content.file.to_string(),
            Target::Admin(..) | Target::Nobody(..) => String::new(),
        }
    }
}

/// One check that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// What is asked.
    pub(crate) check: Check,
    /// In which lane.
    pub(crate) lane: Lane,
    /// Who is asked.
    pub(crate) target: Target,
}

/// What the probe could put in place before the round.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    /// Content that is there, or why it is not.
    pub(crate) canaries: Vec<Result<Arc<Content>, String>>,
    /// The probe's own name and what it leads to, or why it does not.
    pub(crate) own_name: Option<Result<(Name, Arc<Content>), String>>,
    /// Admin listeners of the nodes that have content, and the content.
    pub(crate) seeded: Vec<(String, Arc<Content>)>,
    /// The nodes, with what they say of themselves.
    pub(crate) nodes: Vec<Node>,
}

/// The checks of one round; those of the lanes `cold` and `new` only if it is their turn.
pub(crate) fn plan(settings: &Settings, ready: &Ready, cold: bool) -> Vec<Task> {
    let mut tasks = Vec::new();
    for check in Check::ALL.iter().copied().filter(|check| settings.wants(*check)) {
        for lane in check.lanes().iter().copied().filter(|lane| cold || *lane == Lane::Warm) {
            let targets = match check {
                Check::NodeReadyz | Check::Libp2pIdentify | Check::BitswapCanary => {
                    ready.nodes.iter().flat_map(|node| of_node(check, node, ready)).collect()
                }
                Check::HttpPath
                | Check::HttpSubdomain
                | Check::HttpRaw
                | Check::HttpCar
                | Check::HttpRange
                | Check::HttpHead
                | Check::HttpEtag304
                | Check::HttpOnlyIfCached
                | Check::HttpDnslink
                | Check::HttpIpns
                | Check::HttpDenylist
                | Check::HttpTimeoutPage
                | Check::HttpCors
                | Check::HttpWebsite
                | Check::HttpNew => of_gateways((check, lane), settings, ready),
            };
            tasks.extend(targets.into_iter().map(|target| Task { check, lane, target }));
        }
    }
    tasks
}

fn of_gateways(at: (Check, Lane), settings: &Settings, ready: &Ready) -> Vec<Target> {
    let asked = of_gateway(at, settings, ready);
    let mut targets = Vec::new();
    for gateway in &settings.gateways {
        let nobody = |why: String| Target::Nobody(gateway.name.clone(), why);
        if at.0 == Check::HttpSubdomain && gateway.subdomains.is_none() {
            targets.push(nobody(missing(at.0)));
            continue;
        }
        let target = |of: &Result<Of, String>| match of {
            Ok(of) => Target::Gateway(gateway.clone(), of.clone()),
            Err(why) => nobody(why.clone()),
        };
        targets.extend(asked.iter().map(target));
    }
    targets
}

/// What is asked of each gateway; never nothing at all.
fn of_gateway(
    (check, lane): (Check, Lane),
    settings: &Settings,
    ready: &Ready,
) -> Vec<Result<Of, String>> {
    let found: Vec<Result<Of, String>> = match check {
        Check::HttpOnlyIfCached | Check::HttpTimeoutPage => vec![Ok(Of::Nothing)],
        Check::HttpNew => fresh(settings),
        Check::HttpDnslink => named(&settings.dnslinks),
        Check::HttpIpns => {
            let own = ready
                .own_name
                .iter()
                .map(|own| own.clone().map(|(name, content)| Of::Name(name, Some(content))));
            own.chain(named(&settings.names)).collect()
        }
        Check::HttpWebsite => settings.sites.iter().cloned().map(Of::Site).map(Ok).collect(),
        Check::HttpDenylist => settings.denied.iter().cloned().map(Of::Denied).map(Ok).collect(),
        Check::HttpPath
        | Check::HttpSubdomain
        | Check::HttpRaw
        | Check::HttpCar
        | Check::HttpRange
        | Check::HttpHead
        | Check::HttpEtag304
        | Check::HttpCors => match lane {
            Lane::Cold | Lane::New => fresh(settings),
            Lane::Warm => ready.canaries.iter().map(|one| one.clone().map(Of::Content)).collect(),
        },
        Check::NodeReadyz | Check::Libp2pIdentify | Check::BitswapCanary => Vec::new(),
    };
    if found.is_empty() { vec![Err(missing_in(check, lane))] } else { found }
}

fn fresh(settings: &Settings) -> Vec<Result<Of, String>> {
    if settings.seeds.is_empty() { Vec::new() } else { vec![Ok(Of::Fresh)] }
}

fn named(names: &[Name]) -> Vec<Result<Of, String>> {
    names.iter().map(|name| Ok(Of::Name(name.clone(), None))).collect()
}

fn of_node(check: Check, node: &Node, ready: &Ready) -> Vec<Target> {
    let nobody = || vec![Target::Nobody(node.name.clone(), missing(check))];
    if check == Check::NodeReadyz {
        let Some(admin) = &node.admin else { return nobody() };
        return vec![Target::Admin(node.clone(), admin.clone())];
    }
    if node.addresses.is_empty() {
        let why = "no address for peers is known: write libp2p, or let its admin listener be asked";
        return vec![Target::Nobody(node.name.clone(), why.to_owned())];
    }
    if check == Check::Libp2pIdentify {
        let peer = |address: &String| Target::Peer(node.clone(), address.clone());
        return node.addresses.iter().map(peer).collect();
    }
    let has = |(admin, _): &&(String, Arc<Content>)| node.admin.as_ref() == Some(admin);
    match ready.seeded.iter().find(has) {
        Some((_, content)) => vec![Target::Block(node.clone(), Arc::clone(content))],
        None => nobody(),
    }
}

fn missing(check: Check) -> String {
    format!("not configured: it needs {}", check.needs())
}

fn missing_in(check: Check, lane: Lane) -> String {
    match lane {
        Lane::Warm => missing(check),
        Lane::Cold | Lane::New => {
            format!("not configured: the lane {} needs --seed-node ADMIN", lane.text())
        }
    }
}
