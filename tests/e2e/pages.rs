//! Every page that the gateway draws, in a browser: readable by everybody, on a phone, by night, and
//! without a script.

use std::fs;
use std::net::TcpListener;

use harness::content::{archive, percent_encode};
use harness::http::Connection;
use harness::{Fleet, FleetPlan, bytes_of_seed, fleet, interop};
use serde_json::{Value, json};

/// A CID of the raw codec that nobody has.
fn nobodys(byte: &str) -> String {
    format!("f01551220{}", byte.repeat(32))
}

/// A block of dag-json with everything that a preview draws, in a CAR.
fn data_in_a_car() -> (String, Vec<u8>) {
    let link = ipfs::Block::of(ipfs::Codec::Raw, b"linked".to_vec().into()).expect("small");
    let deep = format!("{}1{}", "{\"below\":[".repeat(12), "]}".repeat(12));
    let text = format!(
        "{{\"deep\":{deep},\"link\":{{\"/\":\"{}\"}},\"list\":[1,2.5,null,true],\"text\":\"{}\"}}",
        link.cid(),
        "a-word-without-end".repeat(12),
    );
    let block = ipfs::Block::of(ipfs::Codec::DagJson, text.into()).expect("small");
    (block.cid().to_string(), archive(block.cid(), [&block]))
}

/// Adds a folder with a subfolder, long names and hostile ones, and returns its root.
fn add_folder(fleet: &Fleet) -> String {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let long = "a-name-that-is-long-and-has-no-place-to-break".repeat(4);
    let names = ["a.txt", "grün & ungrün.txt", "<script>alert(1)<", long.as_str()];
    fs::create_dir(folder.path().join("folder")).expect("folders can be made");
    fs::write(folder.path().join("folder/inside.txt"), "inside").expect("it can be written");
    for name in names {
        fs::write(folder.path().join(name), name.repeat(300)).expect("it can be written");
    }
    fleet.add(folder.path()).expect("the folder is added")
}

/// A page: its name, its path with or without a host before it, the headers to send, its status.
type Page = (&'static str, String, Value, u16);

/// Looks at pages and returns what is wrong with them.
fn complaints(fleet: &Fleet, pages: &[Page]) -> Vec<String> {
    let port = fleet.gateway.http.port();
    let wanted = pages.iter().map(|(name, path, headers, _)| {
        let (host, path) = path.split_at(path.find('/').expect("a path has a slash"));
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        json!({ "name": name, "url": format!("http://{host}:{port}{path}"), "headers": headers })
    });
    let folder = fleet::artefacts().join("pages");
    fs::create_dir_all(&folder).expect("folders can be made");
    let seen = interop::looks(&folder, wanted.collect()).expect("Chromium runs");
    let mut complaints = Vec::new();
    for look in seen {
        let page = pages.iter().find(|(name, ..)| look["name"] == *name);
        let status = page.expect("only what was wanted is seen").3;
        let is_well = look["status"] == status && interop::is_well(&look, 0);
        if !is_well {
            complaints.push(format!("{status} is due: {look}"));
        }
    }
    complaints
}

fn pages(root: &str, data: &str, denied: [String; 2]) -> Vec<Page> {
    let none = || json!({});
    let page = |name, path: String, status| (name, path, none(), status);
    let long = percent_encode(&"<img src=x>".repeat(30));
    let [policy, law] = denied;
    vec![
        page("start", "/".to_owned(), 200),
        page("help", "/help".to_owned(), 200),
        page("policy", "/policy".to_owned(), 200),
        page("listing", format!("/ipfs/{root}/"), 200),
        page("listing-below", format!("/ipfs/{root}/folder/"), 200),
        page("preview", format!("/ipfs/{data}"), 200),
        page("bad-request", "/ipfs/not-a-cid".to_owned(), 400),
        page("not-found", format!("/ipfs/{root}/{long}"), 404),
        page("no-such-page", "/nothing/here".to_owned(), 404),
        page("other-form", format!("/ipfs/{root}/a.txt?format=dag-json"), 406),
        page("blocked", format!("/ipfs/{policy}"), 410),
        (
            "not-at-hand",
            format!("/ipfs/{}", nobodys("11")),
            json!({ "cache-control": "only-if-cached" }),
            412,
        ),
        ("range", format!("/ipfs/{root}/a.txt"), json!({ "range": "bytes=99999999-" }), 416),
        page("other-host", "stranger.example/".to_owned(), 421),
        page("law", format!("/ipfs/{law}"), 451),
        page("unsupported", format!("/ipfs/{data}/text"), 501),
        page("no-providers", format!("/ipfs/{}", nobodys("5a")), 502),
        page("name", "/ipns/nobody.example/".to_owned(), 502),
    ]
}

/// A block that is no dag-pb although its CID says so, in a CAR.
fn malformed_in_a_car() -> (String, Vec<u8>) {
    let block = ipfs::Block::of(ipfs::Codec::DagPb, vec![0xff; 64].into()).expect("small");
    (block.cid().to_string(), archive(block.cid(), [&block]))
}

/// The pages of a gateway that has too much to do, is too slow, or has no node.
fn complaints_in_need(fleet: &mut Fleet) -> Vec<String> {
    let page = |name, status| (name, format!("/ipfs/{}", nobodys("33")), json!({}), status);
    let big = fleet.import(&bytes_of_seed(7, 64 << 20)).expect("the import succeeds");
    fleet.gateway.set("limit", json!({ "per_client_max": 1, "exempt_loopback": false }));
    fleet.restart_gateway().expect("the gateway starts again");
    // One download that is not read takes all that a client may have.
    let mut download = Connection::open(fleet.gateway.http).expect("a connection");
    download.send("GET", &format!("/ipfs/{big}"), &[]).expect("a request");
    assert_eq!(download.head().expect("an answer").status, 200);
    let mut wrong = complaints(fleet, &[page("limited", 429)]);
    drop(download);

    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    fleet.gateway.set("limit", json!({}));
    fleet.gateway.set("server.first_byte_timeout", json!("1s"));
    fleet.use_upstreams(&[silent.local_addr().expect("an address")]).expect("it starts again");
    wrong.extend(complaints(fleet, &[page("timeout", 504)]));

    drop(silent);
    fleet.restart_gateway().expect("the gateway starts again");
    wrong.extend(complaints(fleet, &[page("no-node", 503)]));
    wrong
}

#[test]
fn every_page_is_accessible_on_every_screen_and_runs_no_script() {
    let lists = tempfile::tempdir().expect("a folder can be made");
    let denied = [nobodys("a1"), nobodys("a2")];
    let list = lists.path().join("operator.deny");
    let [policy, law] = &denied;
    let rules = format!(
        "version: 1\n---\n/ipfs/{policy}\n/ipfs/{law} gateway_status=451 reason=Court%20order%207\n"
    );
    fs::write(&list, rules).expect("it can be written");
    let gateway_set = vec![
        ("hosts.any", json!("never")),
        ("hosts.table", json!([{ "name": "127.0.0.1", "class": "path" }])),
        ("names.resolvers", json!([])),
        ("denylist.lists", json!([{ "file": list }])),
        ("pages.operator", json!("Gateway of the Example Society")),
        ("pages.abuse", json!("mailto:abuse@gateway.example")),
        ("pages.check_url", json!("https://check.example/?cid={cid}")),
    ];
    let plan = FleetPlan { gateway_set, ..FleetPlan::default() };
    let mut fleet = Fleet::start(&plan).expect("the fleet starts");
    let root = add_folder(&fleet);
    let (data, car) = data_in_a_car();
    let import = |node: &fleet::Member| node.import("application/vnd.ipld.car", &car);
    let imported = import(&fleet.nodes[0]).expect("the CAR is imported");
    assert_eq!(imported, data);

    let (malformed, car) = malformed_in_a_car();
    let imported = fleet.nodes[0].import("application/vnd.ipld.car", &car);
    assert_eq!(imported.expect("the CAR is imported"), malformed);

    let mut due = pages(&root, &data, denied);
    due.push(("malformed", format!("/ipfs/{malformed}"), json!({}), 500));
    let mut wrong = complaints(&fleet, &due);
    wrong.extend(complaints_in_need(&mut fleet));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
