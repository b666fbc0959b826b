//! One fleet for every test of the program.
//!
//! It lives as long as some test holds it: nothing of a process or of its folder outlives the program,
//! as it would if the fleet were kept in a static. Tests only read from it.

use std::sync::{Arc, Weak};

use harness::{Fleet, FleetPlan, http};
use parking_lot::Mutex;
use serde_json::json;

use crate::records::RECORD_TYPE;
use crate::shelf::Shelf;
use crate::{fixtures, sites};

/// A gateway whose paths lead to subdomains.
pub(crate) const GATEWAY: &str = "gw.test";
/// A host that gives only what clients verify by themselves.
pub(crate) const TRUSTLESS: &str = "trustless.test";

static WORLD: Mutex<Weak<World>> = Mutex::new(Weak::new());

/// The fleet, and what was put into it.
pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) shelf: Shelf,
}

/// The fleet that some test has started, or one that is started here.
pub(crate) fn world() -> Arc<World> {
    let mut known = WORLD.lock();
    known.upgrade().unwrap_or_else(|| {
        let world = Arc::new(World::start());
        *known = Arc::downgrade(&world);
        world
    })
}

impl World {
    fn start() -> Self {
        let mut shelf = Shelf::default();
        fixtures::make(&mut shelf);
        let links = sites::links(&shelf);
        let plan = FleetPlan {
            gateway_set: vec![
                (
                    "hosts.table",
                    json!([
                        { "name": GATEWAY, "class": "subdomain" },
                        { "name": TRUSTLESS, "class": "trustless" },
                        { "name": "*.sites.test", "class": "dnslink" },
                    ]),
                ),
                ("hosts.any", json!("always")),
                ("hosts.trusted_proxies", json!(["127.0.0.0/8"])),
                ("hosts.tunnel", json!(true)),
                ("names.dnslinks", json!(links)),
                ("names.resolvers", json!([])),
            ],
            ..FleetPlan::default()
        };
        let fleet = Fleet::start(&plan).expect("the fleet starts");
        let world = Self { fleet, shelf };
        world.load();
        world
    }

    /// Gives every node the blocks and the records. Nodes refuse records that prove nothing.
    fn load(&self) {
        let archive = self.shelf.archive();
        for node in &self.fleet.nodes {
            node.import("application/vnd.ipld.car", &archive).expect("the blocks are imported");
            for record in self.shelf.records() {
                let target = format!("/ipns/{}", record.name);
                let answer = http::put(node.admin, &target, RECORD_TYPE, &record.bytes);
                let answer = answer.expect("the node answers");
                let due = if record.is_valid { 200 } else { 400 };
                assert_eq!(answer.status(), due, "{}: {}", record.word, answer.text());
            }
        }
    }
}
