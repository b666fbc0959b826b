//! A site from what is given: whole, well, the same twice, and with the figures that there are.

use std::fs;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use super::*;
use crate::played;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

fn given<'a>(prometheus: Option<&'a str>, out: Option<&'a Path>) -> Given<'a> {
    Given {
        policy: policy::Source::Defaults,
        figures: Sources { prometheus, within: Duration::from_secs(10), out, former: None },
        rota: None,
        profiles: None,
        mirror: None,
        from: "2027-01-15T00:00:00Z".parse().expect("a time"),
    }
}

fn text(files: &Files, path: &str) -> String {
    String::from_utf8(files[path].clone()).expect("a text")
}

/// A Prometheus with one series of everything, whose label `cache` has this value.
async fn prometheus(tasks: &Tasks, cache: &'static str) -> Endpoint {
    let (place, listener) = played::listen().await;
    let answer = move |request: Request<Incoming>| async move {
        let range = request.uri().path().ends_with("query_range");
        let labels = format!(
            "{{\"sloth_service\":\"gateway\",\"sloth_slo\":\"availability\",\"job\":\"gateway\",\"cache\":\"{cache}\",\
             \"alertname\":\"GatewayAvailability\",\"severity\":\"page\",\"instance\":\"198.18.0.1:9080\"}}"
        );
        let (kind, value) = match range {
            true => ("matrix", "\"values\":[[1800000000,\"0.875\"]]"),
            false => ("vector", "\"value\":[1800000000,\"0.25\"]"),
        };
        let body = format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":[{{\"metric\":{labels},{value}}}]}}}}"
        );
        Response::new(Full::new(Bytes::from(body)))
    };
    played::serve(tasks, listener, answer);
    place
}

#[tokio::test]
async fn the_site_of_this_build_is_well_and_the_same_twice() {
    let (tasks, mut findings) = (Tasks::new(), Vec::new());
    let files = site(&given(None, None), &tasks, &mut findings).await.expect("it is well");
    assert_eq!(findings, []);
    for path in
        ["index.html", "guides/local-or-public.html", "runbooks/NodeDiskFull.html", "rota.html"]
    {
        assert!(files.contains_key(path), "{path}");
    }
    for path in ["status.html", "metrics.html"] {
        assert!(text(&files, path).contains("holds no figures"), "{path}");
    }
    assert!(!text(&files, "rota.html").contains("pager:"), "contacts stay where they are");
    let again = site(&given(None, None), &tasks, &mut findings).await.expect("it is well");
    assert!(again == files, "nothing but what happened makes a difference");
}

#[tokio::test]
async fn what_is_measured_is_all_that_an_edition_changes() {
    let (tasks, mut findings) = (Tasks::new(), Vec::new());
    let place = prometheus(&tasks, "hit").await.url();
    let one = site(&given(None, None), &tasks, &mut findings).await.expect("it is well");
    let other = site(&given(Some(&place), None), &tasks, &mut findings).await.expect("it is well");
    assert_eq!(findings, []);
    assert!(text(&other, "status.html").contains("GatewayAvailability"));
    // Nodes keep every edition: what is the same is there once.
    let changed: Vec<&String> = one.keys().filter(|path| one[*path] != other[*path]).collect();
    assert_eq!(changed, ["metrics.html", "metrics.json", "status.html", "status.json"]);
}

#[tokio::test]
async fn without_profiles_or_pairs_the_rest_is_published() {
    let (tasks, mut findings) = (Tasks::new(), Vec::new());
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (empty, nowhere) = (folder.path().display().to_string(), folder.path().join("none"));
    let nowhere_too = nowhere.display().to_string();
    for store in [&empty, &nowhere_too] {
        let profiles = Some(&store[..]);
        let given = Given { profiles, mirror: Some(&nowhere), ..given(None, None) };
        let files = site(&given, &tasks, &mut findings).await.expect("it is well");
        let rules: Vec<&str> = findings.drain(..).map(|finding| finding.rule).collect();
        assert_eq!(rules, ["no-verdict", "no-profiles"], "{store}");
        assert!(files.contains_key("status.html") && !files.contains_key("mirror.html"));
        assert!(files.keys().all(|path| !path.starts_with("profiles/")));
        // Nothing leads to what is not there.
        assert!(!text(&files, "index.html").contains("profiles/"));
    }
}

#[tokio::test]
async fn schedules_may_have_the_names_of_parts_of_a_page() {
    let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder can be made"));
    let path = folder.path().join("rota.yaml");
    let rota = "people: []\nschedules:\n  - {name: main, layers: []}\n  - {name: \"Ärzte & Co\", layers: []}\n";
    fs::write(&path, rota).expect("it can be written");
    let given = Given { rota: Some(&path), ..given(None, None) };
    let files = site(&given, &tasks, &mut Vec::new()).await.expect("it is well");
    let list = text(&files, "a-z.html");
    assert!(list.contains("rota.html#schedule-main") && list.contains("#schedule-ärzte--co"));
}

#[tokio::test]
async fn figures_stay_when_who_has_them_is_gone() {
    let tasks = Tasks::new();
    let place = prometheus(&tasks, "hit").await.url();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("site");
    let mut findings = Vec::new();
    let files = site(&given(Some(&place), None), &tasks, &mut findings).await.expect("it is well");
    assert_eq!(findings, []);
    let (status, metrics) = (text(&files, "status.html"), text(&files, "metrics.html"));
    assert!(status.contains("<a href=\"runbooks/GatewayAvailability.html\">"), "{status}");
    assert!(metrics.contains("87.500 %") && !metrics.contains("198.18.0.1"), "{metrics}");
    write(&out, &files).and_then(|new| Ok(new.finish()?)).expect("it is written");

    let blind = given(Some(NOWHERE), Some(&out));
    let kept = site(&blind, &tasks, &mut findings).await.expect("it is well");
    assert!(matches!(&findings[..], [one] if one.rule == "no-figures"), "{findings:?}");
    for path in ["metrics.json", "status.json"] {
        assert_eq!(text(&kept, path), fs::read_to_string(out.join(path)).expect("it is there"));
    }
    assert!(text(&kept, "status.html").contains("Younger ones are not to be had"));
    assert!(
        !text(&kept, "status.html").contains(NOWHERE),
        "where it is asked is nobody's business"
    );

    fs::remove_dir_all(&out).expect("it can be removed");
    let none = site(&blind, &tasks, &mut Vec::new()).await.expect("it is well");
    assert!(text(&none, "metrics.html").contains("holds no figures"));
}

#[tokio::test]
async fn a_label_that_names_somebody_is_not_published() {
    let tasks = Tasks::new();
    let place = prometheus(&tasks, "198.18.7.7").await.url();
    let refused = site(&given(Some(&place), None), &tasks, &mut Vec::new()).await;
    let error = refused.map(drop).expect_err("an address is somebody's");
    assert!(
        error.to_string().contains("client-data") && error.exit() == crate::output::Exit::Input
    );
}

#[tokio::test]
async fn a_site_that_cannot_be_written_leaves_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("site");
    let files = |paths: &[&str]| -> Files {
        paths.iter().map(|path| ((*path).to_owned(), path.as_bytes().to_vec())).collect()
    };
    write(&out, &files(&["a", "b"])).and_then(|new| Ok(new.finish()?)).expect("it is written");
    // No folder can be where a file is.
    let error = write(&out, &files(&["a", "a/b"])).map(drop).expect_err("half of it is written");
    assert_eq!(error.exit(), crate::output::Exit::Machine);
    assert!(
        out.join("b").is_file() && fs::read_dir(folder.path()).expect("it is there").count() == 1
    );
}
