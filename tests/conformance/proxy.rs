//! The gateway as an HTTP proxy: whole URLs as targets, and tunnels to itself.

use crate::claims::{get, prove};
use crate::fixtures::LETTERS;
use crate::world::{GATEWAY, world};

#[test]
fn proxy_answers_for_the_hosts_that_it_is_asked_for() {
    let world = world();
    let host = "subdomain-gateway/#host-request-header";
    let paths = "subdomain-gateway/#use-in-interop-with-path-gateway";
    let origin = |id: &str| format!("{{{id}}}.ipfs.{GATEWAY}");
    let url = |host: &str, path: &str| format!("http://{host}{path}");
    let claims = [
        get(host, "a URL leads to an origin", &url(&origin("letters"), "/"))
            .host(&origin("letters"))
            .body(LETTERS),
        get(host, "the path of the URL is the origin's", &url(&origin("tree"), "/ipfs/file.txt"))
            .host(&origin("tree"))
            .body(LETTERS),
        get(paths, "a URL of the gateway leads on", &url(GATEWAY, "/ipfs/{old}/"))
            .host(GATEWAY)
            .gives(301)
            .header("location", "http://{old_v1}.ipfs.gw.test/"),
        get(host, "a tunnel leads to an origin", "/")
            .host(&origin("letters"))
            .through_tunnel()
            .body(LETTERS),
        get(host, "the path in a tunnel is the origin's", "/ipfs/file.txt")
            .host(&origin("tree"))
            .through_tunnel()
            .body(LETTERS),
        get(paths, "a tunnel to the gateway leads on", "/ipfs/{old}/")
            .host(GATEWAY)
            .through_tunnel()
            .gives(301)
            .header("location", "http://{old_v1}.ipfs.gw.test/"),
    ];
    prove(&world, world.fleet.gateway.http, "proxy", &claims);
}
