//! The list as it is worked with: every word known, every address read.
//!
//! What the file says in text is kept in text where it is printed again, so that rendering does not
//! change a spelling.

use std::net::IpAddr;

use jiff::civil::Date;
use serde::Serialize;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The stateless frontend.
    Gateway,
    /// The store and its network.
    Node,
    /// A process of operators: a probe.
    Ops,
}

impl Kind {
    /// All, in the order of the request.
    pub(crate) const ALL: [Self; 3] = [Self::Gateway, Self::Node, Self::Ops];

    /// Its word in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Gateway => "gateway",
            Kind::Node => "node",
            Kind::Ops => "ops",
        }
    }

    /// The job by which Prometheus knows it.
    pub(crate) fn job(self) -> &'static str {
        match self {
            Kind::Gateway => "gateway",
            Kind::Node => "node",
            Kind::Ops => "probe",
        }
    }
}

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Holds content for gateways.
    Pool,
    /// Takes content of browsers before anybody asks for it.
    Preload,
    /// Looks up content and peers for others.
    Delegate,
    /// Where others enter the network.
    Bootstrap,
}

impl Role {
    /// All.
    pub(crate) const ALL: [Self; 4] = [Self::Pool, Self::Preload, Self::Delegate, Self::Bootstrap];

    /// Its word in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Pool => "pool",
            Role::Preload => "preload",
            Role::Delegate => "delegate",
            Role::Bootstrap => "bootstrap",
        }
    }

    /// Whether strangers know it by its peer ID, which then has to stand in the list.
    pub(crate) fn is_known_by_peer_id(self) -> bool {
        match self {
            Role::Preload | Role::Delegate | Role::Bootstrap => true,
            Role::Pool => false,
        }
    }

    /// Whether strangers find its addresses in DNS, below `_dnsaddr`.
    pub(crate) fn is_in_dnsaddr(self) -> bool {
        match self {
            Role::Delegate | Role::Bootstrap => true,
            Role::Pool | Role::Preload => false,
        }
    }
}

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It serves.
    Active,
    /// It does not exist yet: not scraped, not in DNS.
    Planned,
    /// It goes: still scraped, no longer in DNS.
    Decommissioning,
}

impl Status {
    /// All.
    pub(crate) const ALL: [Self; 3] = [Self::Active, Self::Planned, Self::Decommissioning];

    /// Its word in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Planned => "planned",
            Status::Decommissioning => "decommissioning",
        }
    }
}

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// Its name, which is also its `instance` in Prometheus.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Of a node: what it is for.
    pub(crate) role: Option<Role>,
    /// The environment.
    pub(crate) env: String,
    /// Where it is.
    pub(crate) region: String,
    /// The public URL.
    pub(crate) url: Option<String>,
    /// The admin listener.
    pub(crate) admin: Option<String>,
    /// The addresses of the machine, as DNS gives them.
    pub(crate) addresses: Vec<IpAddr>,
    /// Where peers dial it, without the peer ID.
    pub(crate) libp2p: Vec<String>,
    /// Its identity.
    pub(crate) peer_id: Option<String>,
    /// The names by which strangers find it.
    pub(crate) dns: Vec<String>,
    /// The schedule of the rota that answers for it.
    pub(crate) owner: String,
    /// The page that says what to do about it.
    pub(crate) runbook: Option<String>,
    /// When somebody has to look whether it is still wanted.
    pub(crate) expires: Option<Date>,
    /// When it ends, if it goes.
    pub(crate) decommission: Option<Date>,
    /// Where it is in its life.
    pub(crate) status: Status,
}

impl Process {
    /// The word of its role; empty for what has none.
    pub(crate) fn role_word(&self) -> &'static str {
        self.role.map_or("", Role::word)
    }

    /// Its addresses for peers, with the peer ID if it is known.
    pub(crate) fn dialable(&self) -> impl Iterator<Item = String> {
        self.libp2p.iter().map(|address| match &self.peer_id {
            Some(peer) => format!("{address}/p2p/{peer}"),
            None => address.clone(),
        })
    }
}

/// The list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inventory {
    /// The environments, in the file's order.
    pub(crate) environments: Vec<String>,
    /// How long names may be kept, in seconds.
    pub(crate) dns_ttl: u32,
    /// The processes, in the file's order.
    pub(crate) processes: Vec<Process>,
}
