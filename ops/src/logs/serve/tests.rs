//! What holds of questions over HTTP, asked as other machines ask.

use std::path::Path;

use super::*;
use crate::logs::fixture::{Folder, Made};
use crate::logs::sources::Source;
use crate::web::{Page, Web};

/// A server of a folder with three records, and the token of one person.
struct World {
    folder: Folder,
    address: SocketAddr,
    token: String,
    tasks: Tasks,
}

fn args(folder: &Path) -> ServeArgs {
    ServeArgs {
        listen: ([127, 0, 0, 1], 0).into(),
        tokens: folder.join("tokens"),
        audit: folder.join("audit"),
        behind_tls: false,
    }
}

impl World {
    async fn start() -> Self {
        let folder = Folder::new();
        let failed = Made { status: 504, outcome: "timeout", cache: "network", ..Made::ok(2) };
        folder.write("gateway-0.access.log", [Made::ok(1), failed.clone(), Made::ok(3)]);
        let clear = Made { more: ",\"root_cid\":\"bafy\",\"path\":\"/<b>\"".to_owned(), ..failed };
        folder.write("gateway-0.access.log.clear", [clear]);
        let made = new_token("ada").expect("a token");
        let (first, second) = made.split_once('\n').expect("two lines");
        let token = first.rsplit(' ').next().expect("a token").to_owned();
        let line = second.split_once(": ").expect("a line").1.to_owned();
        std::fs::write(folder.0.path().join("tokens"), line).expect("written");
        std::fs::write(folder.0.path().join("ada.token"), &token).expect("written");
        let tasks = Tasks::new();
        let environments = vec![folder.environment("production")];
        let started = start(args(folder.0.path()), environments, &tasks).await;
        let (address, accepting) = started.expect("it starts");
        tasks.background("logs", async move {
            accepting.await.ok();
        });
        Self { folder, address, token, tasks }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Page {
        let mut request = Request::get(format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let web = Web::new(&self.tasks, Duration::from_secs(20), 1 << 20).expect("a client");
        web.ask(request.body(Default::default()).expect("a request")).await.expect("an answer")
    }

    async fn text(&self, path: &str) -> (u16, String) {
        let page = self.get(path, Some(&self.token)).await;
        (page.status.as_u16(), String::from_utf8_lossy(&page.body).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_to_who_has_a_token_and_noted() {
    let world = World::start().await;
    for token in [None, Some("guess")] {
        assert_eq!(world.get("/v1/query", token).await.status, 401);
        assert_eq!(world.get("/", token).await.status, 401);
    }
    let (status, text) = world.text("/v1/query?q=outcome%3Dtimeout").await;
    assert_eq!((status, text.lines().count()), (200, 2), "{text}");
    assert!(text.ends_with("}}\n") && text.contains("\"records\":1"), "{text}");
    let (_, text) = world.text("/v1/top?field=outcome").await;
    assert!(text.starts_with("{\"count\":") && text.contains("\"value\":\"ok\""), "{text}");
    let (_, text) = world.text(&format!("/v1/explain?id={:032x}", 2)).await;
    assert!(text.contains("answered 504 (timeout)"), "{text}");
    assert_eq!(world.text("/v1/query?q=colour%3Dred").await.0, 400);
    assert_eq!(world.text("/v1/explain?id=x").await.0, 404);
    assert_eq!(world.text("/metrics").await.0, 404);
    let audit = std::fs::read_to_string(world.folder.0.path().join("audit")).expect("written");
    assert!(audit.lines().all(|line| line.contains("\"user\":\"ada\"")), "{audit}");
    assert!(audit.contains("outcome=timeout") && audit.contains("\"status\":404"), "{audit}");
    assert!(!audit.contains(&world.token), "no token is noted");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_escapes_what_records_hold() {
    let world = World::start().await;
    let (status, text) = world.text("/?q=outcome%3Dtimeout&clear=1").await;
    assert_eq!(status, 200);
    assert!(text.contains("path=/&lt;b&gt;") && !text.contains("<b>"), "{text}");
    let (status, text) = world.text("/?q=%3Cscript%3E").await;
    assert_eq!(status, 400);
    assert!(!text.contains("<script>"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_environments_are_asked_at_once_and_one_is_elsewhere() {
    let world = World::start().await;
    let here = Folder::new();
    here.write("gateway-1.access.log", [Made { second: 59, ..Made::ok(4) }]);
    let source = Source {
        folder: None,
        url: Some(format!("http://{}", world.address)),
        token_file: Some(world.folder.0.path().join("ada.token")),
    };
    let elsewhere = Environment { name: "production".to_owned(), source };
    let environments = [elsewhere, here.environment("staging")];
    let what = Question { terms: String::new(), kind: Kind::Records, limit: 2 };
    let now = SystemTime::now();
    let answer = ask::query(&environments, &what, now, &world.tasks).await.expect("an answer");
    let envs: Vec<_> = answer.records.iter().map(|one| one.env.as_str()).collect();
    assert_eq!(envs, ["production", "staging"]);
    assert_eq!(answer.summary.matched.records, 4);
    let ranking = ask::top(&environments, &what, "outcome", now, &world.tasks).await;
    assert_eq!(ranking.expect("a ranking").rows[0].count.text(), "3");
    let id = format!("{:032x}", 2);
    let records = ask::request(&environments, &id, &world.tasks).await.expect("records");
    assert_eq!(records.len(), 2, "with clear text and without");
}

#[tokio::test]
async fn address_beyond_loopback_needs_tls_in_front() {
    let folder = Folder::new();
    let listen = ([0, 0, 0, 0], 0).into();
    let args = ServeArgs { listen, ..args(folder.0.path()) };
    let refused = start(args, vec![folder.environment("local")], &Tasks::new()).await;
    let error = refused.err().expect("refused").to_string();
    assert!(error.contains("--behind-tls"), "{error}");
}
