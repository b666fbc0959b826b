//! Which processes are profiled: the active ones of the inventory, or the fleet of this machine.

use std::path::PathBuf;

use clap::Args;

use super::error::ProfileError;
use crate::client::Endpoint;
use crate::fleet::{Fleet, Process};
use crate::inventory::{self, Inventory, Kind, Status};

/// Which fleet, on the command line.
#[derive(Debug, Clone, Args)]
pub(crate) struct Whose {
    /// The list whose active processes are profiled.
    #[arg(long, value_name = "FILE", env = "BIFROST_INVENTORY")]
    inventory: Option<PathBuf>,
    /// Only processes of this environment.
    #[arg(long)]
    env: Option<String>,
    /// The data folder of the fleet on this machine, which is profiled if no list is named.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// What it is for.
    pub(crate) role: String,
    /// Its environment.
    pub(crate) env: String,
    /// Its admin listener, if it has one.
    pub(crate) admin: Option<String>,
}

impl Whose {
    /// The processes, as they are at this moment.
    ///
    /// # Errors
    /// The list or the fleet cannot be read, or nobody is in it.
    pub(crate) fn targets(&self) -> Result<Vec<Target>, ProfileError> {
        let mut targets = match &self.inventory {
            Some(path) => of_list(&inventory::usable(path)?),
            None => of_fleet(&Fleet::read(&self.data).map_err(ProfileError::Fleet)?),
        };
        targets.retain(|target| self.env.as_ref().is_none_or(|env| *env == target.env));
        if targets.is_empty() { Err(ProfileError::Nobody) } else { Ok(targets) }
    }
}

fn of_list(list: &Inventory) -> Vec<Target> {
    let active = list.processes.iter().filter(|process| process.status == Status::Active);
    let target = |process: &inventory::Process| Target {
        name: process.name.clone(),
        kind: process.kind,
        role: role(process.kind, process.role_word()),
        env: process.env.clone(),
        admin: process.admin.clone(),
    };
    active.map(target).collect()
}

fn of_fleet(fleet: &Fleet) -> Vec<Target> {
    let target = |env: &str, name: &str, kind: Kind, admin: &str| Target {
        name: name.to_owned(),
        kind,
        role: role(kind, ""),
        env: env.to_owned(),
        admin: Some(admin.to_owned()),
    };
    let local = |kind| move |one: &Process| target("local", &one.name, kind, &one.admin);
    let gateways = fleet.gateways.iter().map(local(Kind::Gateway));
    let nodes = fleet.nodes.iter().map(local(Kind::Node));
    let probe = fleet.observe.iter().map(|watch| target("local", "probe", Kind::Ops, &watch.probe));
    let staging = fleet.staging.iter().flat_map(|staging| {
        [(&staging.gateway, Kind::Gateway), (&staging.node, Kind::Node)]
            .map(|(one, kind)| target("staging", &one.name, kind, &one.admin))
    });
    gateways.chain(nodes).chain(probe).chain(staging).collect()
}

fn role(kind: Kind, word: &str) -> String {
    match (kind, word) {
        (Kind::Node, "") => "pool".to_owned(),
        (Kind::Node, word) => word.to_owned(),
        (Kind::Gateway, _) => kind.word().to_owned(),
        (Kind::Ops, _) => kind.job().to_owned(),
    }
}

/// The nodes among them that content can be put into from here.
pub(crate) fn nodes(targets: &[Target]) -> Vec<Endpoint> {
    let nodes = targets.iter().filter(|target| target.kind == Kind::Node);
    nodes.filter_map(|node| Endpoint::parse(node.admin.as_deref()?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_processes_of_the_list_are_profiled() {
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/inventory.yaml");
        let whose = |env: Option<&str>| Whose {
            inventory: Some(list.into()),
            env: env.map(str::to_owned),
            data: "".into(),
        };
        let targets = whose(None).targets().expect("the example is usable");
        let shown: Vec<_> = targets.iter().map(|one| (&one.name[..], &one.role[..])).collect();
        assert_eq!(shown, [("gateway-0", "gateway"), ("node-0", "pool"), ("node-1", "pool")]);
        assert_eq!(nodes(&targets).len(), 2);
        let none = whose(Some("staging")).targets();
        assert!(matches!(none, Err(ProfileError::Nobody)), "{none:?}");
    }

    #[test]
    fn a_fleet_that_does_not_run_is_said() {
        let whose = Whose { inventory: None, env: None, data: "/nowhere".into() };
        let error = whose.targets().expect_err("nothing runs there").to_string();
        assert!(error.contains("no fleet runs with the data folder"), "{error}");
    }
}
