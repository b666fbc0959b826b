//! A website on an origin of its own, in a browser: its rules and its service worker work.

use harness::{Fleet, FleetPlan, fleet, interop};
use serde_json::json;

const WORKER: &str = "\
self.addEventListener('install', event => event.waitUntil(self.skipWaiting()))
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', event => {
  if (new URL(event.request.url).pathname === '/from-worker') {
    const headers = { 'content-type': 'text/html' }
    event.respondWith(new Response('<h1>from the worker</h1>', { headers }))
  }
})
";

#[test]
fn website_on_a_subdomain_host_has_its_rules_and_its_service_worker() {
    let site = tempfile::tempdir().expect("a folder can be made");
    for (name, text) in [
        ("index.html", "<!DOCTYPE html><title>home</title><h1>home</h1>"),
        ("new.html", "<!DOCTYPE html><title>new</title><h1>new</h1>"),
        ("404.html", "<!DOCTYPE html><title>lost</title><h1>lost</h1>"),
        ("_redirects", "/old /new.html 301\n/app/* /index.html 200\n/* /404.html 404\n"),
        ("worker.js", WORKER),
    ] {
        std::fs::write(site.path().join(name), text).expect("files can be written");
    }
    let table = json!([{ "name": "localhost", "class": "subdomain" }]);
    let plan =
        FleetPlan { nodes: 1, gateway_set: vec![("hosts.table", table)], ..FleetPlan::default() };
    let fleet = Fleet::start(&plan).expect("the fleet starts");
    let root = fleet.add(site.path()).expect("the site is added");
    let port = fleet.gateway.http.port();
    let origin = format!("http://{root}.ipfs.localhost:{port}");
    let shared = format!("http://127.0.0.1:{port}/ipfs/{root}/");
    let kept = fleet::artefacts().join("website.png");
    let shot = kept.to_string_lossy();
    let seen = interop::run("website.mjs", &[&origin, &shot, &shared], "").expect("a browser");

    assert_eq!(seen["title"], "home", "{seen}");
    assert_eq!(seen["old"]["url"], format!("{origin}/new.html"), "{seen}");
    assert_eq!(
        (seen["deep"]["status"].as_u64(), seen["deep"]["text"].as_str()),
        (Some(200), Some("home"))
    );
    assert_eq!(
        (seen["lost"]["status"].as_u64(), seen["lost"]["text"].as_str()),
        (Some(404), Some("lost"))
    );
    assert_eq!(seen["worker"], "/", "{seen}");
    assert_eq!(seen["offline"]["text"], "from the worker", "{seen}");
    assert_ne!(seen["registerOnPaths"], "registered", "{seen}");
    assert_eq!(seen["console"], json!([]), "{seen}");
}
