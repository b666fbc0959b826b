//! Claims about what requests ask for.

use http::Request;
use ipfs::trustless::Format;

use super::*;

const PATH: &str = "/ipfs/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

fn ask(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Asked, AskError> {
    let hosts = Hosts::new(&Config::default(), true).expect("the default is valid");
    let mut request = Request::builder().method(method).uri(uri).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let parts = request.body(()).expect("a valid request").into_parts().0;
    let caller = super::caller(&parts, [127, 0, 0, 1].into(), &hosts)?;
    super::request(&parts, &caller, &hosts)
}

fn content(uri: &str, headers: &[(&str, &str)]) -> Box<Content> {
    match ask("GET", uri, headers).expect("a valid request") {
        Asked::Content(content) => content,
        Asked::Redirect(_) | Asked::Own(_) | Asked::Options | Asked::Tunnel => {
            panic!("{uri} is content")
        }
    }
}

#[test]
fn methods_other_than_reading_are_refused() {
    for method in ["POST", "PUT", "DELETE", "TRACE", "PATCH"] {
        let error = ask(method, PATH, &[]).expect_err("a refusal");
        assert_eq!(error.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert!(matches!(ask("OPTIONS", PATH, &[]), Ok(Asked::Options)));
}

#[test]
fn sizes_are_bounded() {
    let long = format!("{PATH}/{}", "x".repeat(URI_BYTES_MAX));
    assert_eq!(ask("GET", &long, &[]).expect_err("too long").status().as_u16(), 414);
    let large = "x".repeat(HEADER_BYTES_MAX);
    let error = ask("GET", PATH, &[("x-large", &large)]).expect_err("too large");
    assert_eq!(error.status().as_u16(), 431);
    let many = vec![("x-field", "1"); HEADER_FIELDS_MAX];
    assert_eq!(ask("GET", PATH, &many).expect_err("too many").status().as_u16(), 431);
}

#[test]
fn query_wins_over_accept() {
    let car = ("accept", "application/vnd.ipld.car; dups=y");
    assert_eq!(content(PATH, &[]).wish, Wish::Page);
    assert_eq!(content(&format!("{PATH}?format=raw"), &[car]).wish, Wish::Raw);
    let asked = content(PATH, &[car]);
    assert!(matches!(asked.wish, Wish::Car(options) if options.dups));
    assert!(asked.negotiated);
    assert_eq!(content(&format!("{PATH}?format=unheard-of"), &[]).wish, Wish::Page);
    let error = ask("GET", &format!("{PATH}?format=car&dag-scope=most"), &[]);
    assert_eq!(error.expect_err("no such scope").status().as_u16(), 400);
}

#[test]
fn forms_are_asked_for_by_their_words() {
    for (query, wish) in [
        ("format=tar", Wish::Tar),
        ("format=ipns-record", Wish::IpnsRecord),
        ("format=dag-json", Wish::Codec(Format::DagJson)),
        ("format=cbor", Wish::Codec(Format::Cbor)),
    ] {
        assert_eq!(content(&format!("{PATH}?{query}"), &[]).wish, wish, "{query}");
    }
    let asked = content(PATH, &[("accept", "application/json, text/plain, */*")]);
    assert_eq!((asked.wish, asked.page_is_fine), (Wish::Codec(Format::Json), true));
    let asked = content(PATH, &[("accept", "text/html,application/xml;q=0.9,*/*;q=0.8")]);
    assert_eq!((asked.wish, asked.html), (Wish::Page, true));
}

#[test]
fn parameters_of_a_website_are_no_fault() {
    for query in ["version=3", "order=desc", "dag-scope=most", "format=raw&car-order=desc"] {
        assert!(ask("GET", &format!("{PATH}?{query}"), &[]).is_ok(), "{query}");
    }
    let car = ("accept", "application/vnd.ipld.car");
    let error = ask("GET", &format!("{PATH}?car-order=desc"), &[car]);
    assert_eq!(error.expect_err("no such order").status().as_u16(), 400);
}

#[test]
fn service_worker_registration_is_refused() {
    let worker = [("service-worker", "script")];
    for path in [PATH, &format!("{PATH}/")] {
        assert_eq!(ask("GET", path, &worker).expect_err("a refusal").status().as_u16(), 400);
    }
    // A worker below a root has the root for its scope at most.
    assert!(ask("GET", &format!("{PATH}/worker.js"), &worker).is_ok());
}

#[test]
fn names_are_decoded_once_and_bounded() {
    let asked = content(&format!("{PATH}?filename=a%20b%2522.txt&download=true"), &[]);
    assert_eq!(asked.filename.as_deref(), Some("a b%22.txt"));
    assert!(asked.download);
    let long = format!("{PATH}?filename={}", "x".repeat(wish::FILENAME_BYTES_MAX + 1));
    assert_eq!(ask("GET", &long, &[]).expect_err("too long").status().as_u16(), 400);
}

#[test]
fn only_if_cached_is_heard_among_others() {
    let asked = content(PATH, &[("cache-control", "no-transform, Only-If-Cached")]);
    assert!(asked.only_if_cached);
    assert!(!content(PATH, &[("cache-control", "no-cache")]).only_if_cached);
}

#[test]
fn unknown_paths_are_not_found_and_own_pages_are() {
    assert!(matches!(ask("GET", "/", &[]), Ok(Asked::Own(OwnPage::Start))));
    assert!(matches!(ask("GET", "/version", &[]), Ok(Asked::Own(OwnPage::Version))));
    for path in ["/ipfs", "/metrics", "/debug/pprof/", "/livez", "/readyz"] {
        assert_eq!(ask("GET", path, &[]).expect_err("nothing there").status().as_u16(), 404);
    }
}
