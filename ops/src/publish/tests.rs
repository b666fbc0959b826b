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
        figures: Sources {
            prometheus,
            within: Duration::from_secs(10),
            folders: out.map(Path::to_path_buf).into_iter().collect(),
            former: None,
        },
        rota: None,
        profiles: None,
        mirror: None,
        from: "2027-01-15T00:00:00Z".parse().expect("a time"),
    }
}

fn text(files: &Files, path: &str) -> String {
    String::from_utf8(files[path].clone()).expect("a text")
}

/// A Prometheus with one series of everything, whose label `cache` has this value, and one of somebody else's.
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
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":[{{\"metric\":{labels},{value}}},\
             {{\"metric\":{{\"sloth_service\":\"payments\",\"sloth_slo\":\"charges\",\"alertname\":\"PaymentsDown\",\"severity\":\"page\"}},{value}}}]}}}}"
        );
        Response::new(Full::new(Bytes::from(body)))
    };
    played::serve(tasks, listener, answer);
    place
}

/// A site as it is rendered, and what is said of it.
async fn rendered(given: &Given<'_>, tasks: &Tasks) -> (Result<Files, PublishError>, Told) {
    let mut told = Told::default();
    (site(given, tasks, &mut told).await, told)
}

/// A site with no findings.
async fn well(given: &Given<'_>, tasks: &Tasks) -> Files {
    let (files, told) = rendered(given, tasks).await;
    assert_eq!(told.findings, []);
    files.expect("it is well")
}

/// Writes a site into a folder.
fn put(out: &Path, files: &Files) {
    write(out, files).and_then(|new| Ok(new.finish()?)).expect("it is written");
}

/// A place where a site of before is served; everything else there has this status.
async fn former(tasks: &Tasks, files: Files, status: u16) -> String {
    let (place, listener) = played::listen().await;
    let files = std::sync::Arc::new(files);
    played::serve(tasks, listener, move |request: Request<Incoming>| {
        let found = files.get(request.uri().path().trim_start_matches('/')).cloned();
        async move {
            let status = if found.is_some() { 200 } else { status };
            let body = Full::new(found.unwrap_or_default().into());
            Response::builder().status(status).body(body).expect("it is plain")
        }
    });
    place.url()
}

#[tokio::test]
async fn the_site_of_this_build_is_well_and_the_same_twice() {
    let tasks = Tasks::new();
    let files = well(&given(None, None), &tasks).await;
    for path in
        ["index.html", "guides/local-or-public.html", "runbooks/NodeDiskFull.html", "rota.html"]
    {
        assert!(files.contains_key(path), "{path}");
    }
    for path in ["status.html", "metrics.html"] {
        assert!(text(&files, path).contains("holds no figures"), "{path}");
    }
    assert!(!text(&files, "rota.html").contains("pager:"), "contacts stay where they are");
    let again = well(&given(None, None), &tasks).await;
    assert!(again == files, "nothing but what happened makes a difference");
}

#[tokio::test]
async fn what_is_measured_is_all_that_an_edition_changes() {
    let tasks = Tasks::new();
    let place = prometheus(&tasks, "hit").await.url();
    let one = well(&given(None, None), &tasks).await;
    let other = well(&given(Some(&place), None), &tasks).await;
    assert!(text(&other, "status.html").contains("GatewayAvailability"));
    // Nodes keep every edition: what is the same is there once.
    let changed: Vec<&String> = one.keys().filter(|path| one[*path] != other[*path]).collect();
    assert_eq!(changed, ["metrics.html", "metrics.json", "status.html", "status.json"]);
}

#[tokio::test]
async fn without_profiles_or_pairs_the_rest_is_published() {
    let tasks = Tasks::new();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (empty, nowhere) = (folder.path().display().to_string(), folder.path().join("none"));
    let nowhere_too = nowhere.display().to_string();
    for store in [&empty, &nowhere_too] {
        let profiles = Some(&store[..]);
        let given = Given { profiles, mirror: Some(&nowhere), ..given(None, None) };
        let (files, told) = rendered(&given, &tasks).await;
        let files = files.expect("it is well");
        let rules: Vec<&str> = told.findings.iter().map(|finding| finding.rule).collect();
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
    let given = Given { rota: Some(path), ..given(None, None) };
    let files = well(&given, &tasks).await;
    let list = text(&files, "a-z.html");
    assert!(list.contains("rota.html#schedule-main") && list.contains("#schedule-ärzte--co"));
}

#[tokio::test]
async fn figures_stay_when_who_has_them_is_gone() {
    let tasks = Tasks::new();
    let place = prometheus(&tasks, "hit").await.url();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("site");
    let files = well(&given(Some(&place), None), &tasks).await;
    let (status, metrics) = (text(&files, "status.html"), text(&files, "metrics.html"));
    assert!(status.contains("<a href=\"runbooks/GatewayAvailability.html\">"), "{status}");
    assert!(metrics.contains("87.500 %") && !metrics.contains("198.18.0.1"), "{metrics}");
    for path in ["status.html", "status.json", "metrics.html", "metrics.json"] {
        assert!(!text(&files, path).to_lowercase().contains("payments"), "{path} tells of others");
    }
    put(&out, &files);

    let (kept, told) = rendered(&given(Some(NOWHERE), Some(&out)), &tasks).await;
    let kept = kept.expect("it is well");
    assert!(matches!(&told.findings[..], [one] if one.rule == "no-figures"), "{told:?}");
    for path in ["metrics.json", "status.json"] {
        assert_eq!(text(&kept, path), fs::read_to_string(out.join(path)).expect("it is there"));
    }
    assert!(text(&kept, "status.html").contains("Younger ones are not to be had"));
    assert!(
        !text(&kept, "status.html").contains(NOWHERE),
        "where it is asked is nobody's business"
    );

    let (kept, told) = rendered(&given(None, Some(&out)), &tasks).await;
    assert_eq!(text(&kept.expect("it is well"), "status.json"), text(&files, "status.json"));
    assert!(told.findings.is_empty() && told.notes.len() == 1, "{told:?}");

    fs::remove_dir_all(&out).expect("it can be removed");
    let (none, _) = rendered(&given(Some(NOWHERE), Some(&out)), &tasks).await;
    assert!(text(&none.expect("it is well"), "metrics.html").contains("holds no figures"));
}

#[tokio::test]
async fn the_youngest_figures_of_before_are_kept() {
    let tasks = Tasks::new();
    let place = prometheus(&tasks, "hit").await.url();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut files = well(&given(Some(&place), None), &tasks).await;
    let bare = well(&given(None, None), &tasks).await;
    let [old, young, empty] = ["old", "young", "empty"].map(|name| folder.path().join(name));
    put(&empty, &bare);
    put(&young, &files);
    for path in ["status.json", "metrics.json"] {
        let mut figures: serde_json::Value =
            serde_json::from_slice(&files[path]).expect("it is JSON");
        figures["asked_at"] = json!(1_700_000_000);
        files.insert(path.to_owned(), figures.to_string().into_bytes());
    }
    put(&old, &files);
    let served = former(&tasks, files, 404).await;
    let of = |folders: &[&Path], former| {
        let mut given = given(None, None);
        given.figures.folders = folders.iter().map(|folder| folder.to_path_buf()).collect();
        given.figures.former = former;
        given
    };
    let is_old = |files: &Files| text(files, "status.json").contains("1700000000");
    for folders in [[&*old, &*young], [&*young, &*old]] {
        assert!(!is_old(&well(&of(&folders, Some(NOWHERE)), &tasks).await));
    }
    // Files without figures are no reason not to ask for those that are served.
    assert!(is_old(&well(&of(&[&empty], Some(&served)), &tasks).await));
}

#[tokio::test]
async fn that_figures_cannot_be_read_is_not_that_there_are_none() {
    let tasks = Tasks::new();
    let none = former(&tasks, Files::new(), 404).await;
    let away = former(&tasks, Files::new(), 502).await;
    let other = ["status.json", "metrics.json"].map(|path| (path.to_owned(), b"<html>".to_vec()));
    let other = former(&tasks, other.into(), 404).await;
    let of = |former| {
        let mut given = given(None, None);
        given.figures.former = former;
        given
    };
    assert!(text(&well(&of(Some(&none)), &tasks).await, "status.html").contains("no figures"));
    for place in [&away[..], &other, NOWHERE] {
        let (refused, _) = rendered(&of(Some(place)), &tasks).await;
        let error = refused.map(drop).expect_err("they would be lost");
        assert!(matches!(error, PublishError::Former { .. }), "{place}: {error}");
        assert!(error.to_string().contains("leave --former out"), "{error}");
        assert_eq!(error.exit(), crate::output::Exit::Input);
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("metrics.json"), "{").expect("it is written");
    let (refused, _) = rendered(&given(None, Some(folder.path())), &tasks).await;
    let error = refused.map(drop).expect_err("they would be lost").to_string();
    assert!(error.contains("metrics.json") && error.contains("move it away"), "{error}");
}

#[tokio::test]
async fn a_fleet_of_this_machine_has_its_own_rota_and_figures() {
    let tasks = Tasks::new();
    let place = prometheus(&tasks, "hit").await.url();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let data = folder.path();
    let rota = include_str!("../../../runbooks/rota.yaml");
    fs::write(data.join("rota.yaml"), rota).expect("it is written");
    let first = well(&of_data(data, policy::Source::Defaults, Some(&place)), &tasks).await;
    write_own(data, &first).and_then(|new| Ok(new.finish()?)).expect("it is written");
    let fleet = Fleet {
        data: data.to_path_buf(),
        gateways: Vec::new(),
        nodes: Vec::new(),
        site: crate::fleet::Site { url: String::new(), root: None, key: None },
        staging: None,
        observe: None,
    };
    let args = parsed(&[]).expect("they are taken");
    for given in [given_of(&args, &fleet), of_data(data, policy::Source::Defaults, None)] {
        let files = well(&given, &tasks).await;
        assert!(!text(&files, "rota.html").contains("examples"), "it has a rota");
        assert_eq!(text(&files, "status.json"), text(&first, "status.json"));
    }
    fs::remove_file(data.join("site").join(MARK)).expect("it can be removed");
    let error = write_own(data, &first).map(drop).expect_err("it is somebody's").to_string();
    assert!(error.contains("--data") && !error.contains("--out"), "{error}");
}

#[derive(clap::Parser)]
struct Parse {
    #[command(flatten)]
    args: PublishArgs,
}

fn parsed(words: &[&str]) -> Result<PublishArgs, clap::Error> {
    let words = [&["publish"], words].concat();
    <Parse as clap::Parser>::try_parse_from(words).map(|parsed| parsed.args)
}

#[test]
fn who_is_told_the_name_alone_is_none_of_the_nodes() {
    let words = ["--node", "http://127.0.0.1:1", "--also", "http://127.0.0.1:2"];
    parsed(&words).expect_err("there is no name to be told");
    let args = parsed(&[&words[..], &["--key", "key"]].concat()).expect("they are taken");
    let target = into(&args, None).expect("it has nodes").expect("it goes somewhere");
    let urls = |places: &[Endpoint]| places.iter().map(Endpoint::url).collect::<Vec<_>>();
    assert_eq!(urls(&target.nodes), ["http://127.0.0.1:1"]);
    assert_eq!(urls(&target.also), ["http://127.0.0.1:2"]);
}

fn given_of<'a>(args: &'a PublishArgs, fleet: &'a Fleet) -> Given<'a> {
    super::given(args, Some(fleet))
}

#[tokio::test]
async fn a_label_that_names_somebody_is_not_published() {
    let tasks = Tasks::new();
    let place = prometheus(&tasks, "198.18.7.7").await.url();
    let (refused, _) = rendered(&given(Some(&place), None), &tasks).await;
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
    put(&out, &files(&["a", "b"]));
    // No folder can be where a file is.
    let error = write(&out, &files(&["a", "a/b"])).map(drop).expect_err("half of it is written");
    assert_eq!(error.exit(), crate::output::Exit::Machine);
    assert!(
        out.join("b").is_file() && fs::read_dir(folder.path()).expect("it is there").count() == 1
    );
}

#[test]
fn what_nodes_have_is_told_when_the_folder_cannot_take_its_place() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("site");
    let begun = || {
        let new = write(&out, &Files::new()).expect("it is written");
        // A folder that is gone can be put nowhere.
        fs::remove_dir_all(new.path()).expect("it can be removed");
        new
    };
    let name = Some("/ipns/k51".to_owned());
    let published = Published { root: Some("bafyroot".to_owned()), name, findings: Vec::new() };
    let error = finish(begun(), &published).expect_err("there is nothing to put there");
    let said = "but nodes have the site as /ipfs/bafyroot, to which /ipns/k51 leads";
    assert!(error.to_string().contains(said), "{error}");
    assert_eq!(error.exit(), crate::output::Exit::Machine);
    let error = finish(begun(), &Published::default()).expect_err("there is nothing to put there");
    assert!(matches!(error, PublishError::Folder(_)), "{error}");
}
