//! Hosts that lie in files of their own are taken over and let go of by SIGHUP, and a wrong row changes nothing.

use std::time::{Duration, Instant};

use harness::metrics::assert_metric;
use harness::{Fleet, FleetPlan, http};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

fn status(fleet: &Fleet, host: &str) -> u16 {
    let headers = [("Host", host)];
    let answer = http::ask(fleet.gateway.http, "GET", "/", &headers).expect("it answers");
    answer.status()
}

/// Tells the gateway to read its files again, and waits until a host is answered so.
fn reload(fleet: &Fleet, host: &str, wanted: u16) {
    let id = i32::try_from(fleet.gateway.process_id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("it runs"), Signal::HUP).expect("it can be told");
    let give_up = Instant::now() + Duration::from_secs(10);
    while status(fleet, host) != wanted {
        assert!(Instant::now() < give_up, "{host} is not {wanted}\n{}", fleet.logs());
    }
}

#[test]
fn hosts_of_a_folder_are_read_again_on_sighup() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("a.yaml"), "- { name: a.example, class: pages }\n").expect("written");
    let plan = FleetPlan {
        nodes: 1,
        gateway_set: vec![("hosts.files", json!([folder.path()])), ("hosts.any", json!("never"))],
        ..FleetPlan::default()
    };
    let fleet = Fleet::start(&plan).expect("the fleet starts");
    assert_eq!((status(&fleet, "a.example"), status(&fleet, "b.example")), (200, 421));

    std::fs::write(file("b.yaml"), "- { name: b.example, class: pages }\n").expect("written");
    reload(&fleet, "b.example", 200);
    std::fs::remove_file(file("a.yaml")).expect("removed");
    reload(&fleet, "a.example", 421);

    std::fs::write(file("c.yaml"), "- { name: c.example, class: pages }\n- { name: b.example }\n")
        .expect("written");
    let id = i32::try_from(fleet.gateway.process_id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("it runs"), Signal::HUP).expect("it can be told");
    let name = "bifrost_gateway_config_reloads_rejected_total";
    assert_metric(fleet.gateway.admin, name, &[], 1.0);
    assert_eq!((status(&fleet, "b.example"), status(&fleet, "c.example")), (200, 421));
    let place = format!("{}:2", file("c.yaml").display());
    assert!(fleet.logs().contains(&place), "{place}\n{}", fleet.logs());
}
