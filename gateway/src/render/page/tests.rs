//! Pages, drawn with hostile words and with the templates of operators.

use std::path::Path;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use ipfs::Cid;
use ipfs::trustless::{Phase, Retrieval};
use telemetry::metrics::Label;

use super::*;
use crate::classify::{OwnPage, OwnPages};
use crate::outcome::Outcome;
use crate::render::Rendered;
use crate::stream::Content;

const HOSTILE: [&str; 5] = [
    "\"><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "{{ gateway.version }}{% raw %}",
    "<!--rows--><!--next-->\u{202e}\u{0}",
];

fn pages(config: &Config) -> Pages {
    Pages::new(config, &crate::config::Config::default()).expect("the pages are drawn")
}

fn with_folder(folder: &Path) -> Config {
    Config { templates: Some(folder.to_owned()), ..Config::default() }
}

/// A folder with one template.
fn folder(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join(name), text).expect("a file can be written");
    folder
}

fn why(word: &str, status: u16, outcome: Outcome) -> Explained<'_> {
    Explained {
        status: StatusCode::from_u16(status).expect("a status"),
        outcome,
        cause: word.to_owned(),
        path: Some(word),
        cid: Some(Cid::identity(ipfs::Codec::Raw, b"x").expect("small")),
        state: Some(Retrieval {
            phase: Phase::Data,
            providers: 3,
            connected: 1,
            elapsed: Duration::from_secs(30),
            outcome: None,
        }),
        blocked: Some(Blocked { list: word, reason: Some(word), legal: true }),
        retry_after: Some(Duration::from_secs(7)),
        request_id: word,
        own: OwnPages::Here,
    }
}

fn told(pages: &Pages, why: &Explained<'_>, accept: &str) -> Rendered {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, accept.parse().expect("a value"));
    failure(pages, why, &headers, false)
}

fn text(rendered: Rendered) -> String {
    match rendered.into_body() {
        Content::Full(bytes) => String::from_utf8(bytes.to_vec()).expect("text"),
        Content::Empty | Content::Pieces(_) => String::new(),
    }
}

/// Names of elements and attributes, and the values of links, as a browser would find them.
fn markup(html: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let (mut tags, mut attributes, mut links) = (Vec::new(), Vec::new(), Vec::new());
    let html = html.strip_prefix("<!DOCTYPE html>").expect("a page has a type");
    let (before, rest) = html.split_once("<style>").expect("a page has a style");
    let (_, after) = rest.split_once("</style>").expect("a style ends");
    for tag in before.split('<').skip(1).chain(after.split('<').skip(1)) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        tags.push(name.trim_start_matches('/').to_owned());
        while let Some((attribute, value)) = rest.split_once("=\"") {
            let (value, after) = value.split_once('"').expect("a value ends");
            attributes.push(attribute.trim().to_owned());
            if attribute.trim() == "href" {
                links.push(value.to_owned());
            }
            rest = after;
        }
        assert!(rest.trim().is_empty(), "{tag:?} has more than attributes with values");
    }
    (tags, attributes, links)
}

const TAGS: &str = "html head meta title style body header nav a main footer p h1 h2 ul li dl div dt \
                    dd code pre table caption thead tbody tr th td span b i";
const ATTRIBUTES: &str =
    "lang charset name content class href rel aria-label scope translate target";

fn assert_harmless(html: &str) {
    let (tags, attributes, links) = markup(html);
    for tag in &tags {
        assert!(TAGS.split(' ').any(|known| known == tag), "<{tag}> in {html}");
    }
    for attribute in &attributes {
        assert!(ATTRIBUTES.split(' ').any(|known| known == attribute), "{attribute}= in {html}");
    }
    for link in &links {
        let is_known = ["", "/", "?", "#", "https://", "mailto:"]
            .iter()
            .any(|start| link.is_empty() || (!start.is_empty() && link.starts_with(start)));
        assert!(is_known, "href={link:?}");
    }
    assert!(html.trim_end().ends_with("</html>"), "{html}");
}

#[test]
fn hostile_words_stay_text_in_every_page() {
    for word in HOSTILE {
        let pages = pages(&Config {
            operator: word.to_owned(),
            abuse: Some("mailto:abuse@gw.example".to_owned()),
            check_url: Some("https://check.example/?cid={cid}".to_owned()),
            ..Config::default()
        });
        for (status, outcome) in [(451, Outcome::Blocked), (504, Outcome::Timeout)] {
            assert_harmless(&text(told(&pages, &why(word, status, outcome), "text/html")));
        }
        for page in [OwnPage::Start, OwnPage::Help, OwnPage::Policy] {
            let page = pages.own(page, &HeaderMap::new(), false, SystemTime::now());
            assert_harmless(&text(page.expect("it is always there")));
        }
    }
}

#[test]
fn failures_are_told_as_page_problem_and_text() {
    let pages = pages(&Config::default());
    let why = why("could not fetch it", 504, Outcome::Timeout);
    let page = text(told(&pages, &why, "text/html,*/*"));
    assert!(page.contains("Try again</a> <span>in 7 seconds"), "{page}");
    assert!(page.contains("found 3 providers, connected to 1"), "{page}");
    let problem = told(&pages, &why, "application/problem+json");
    assert_eq!(problem.headers()[header::CONTENT_TYPE], "application/problem+json");
    let problem: serde_json::Value = serde_json::from_str(&text(problem)).expect("JSON");
    assert_eq!(problem["status"], 504);
    assert_eq!(problem["detail"], "could not fetch it");
    assert_eq!(problem["retry_after_s"], 7);
    assert_eq!(problem["blocked"]["list"], "could not fetch it");
    let plain = told(&pages, &why, "*/*");
    assert_eq!(plain.headers()[header::RETRY_AFTER], "7");
    assert_eq!(plain.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let plain = text(plain);
    assert!(plain.starts_with("504 It took too long\nOur nodes did not answer"), "{plain}");
    for line in ["cause: could not fetch it\n", "try again in: 7 s\n", "next: Try again.\n"] {
        assert!(plain.contains(line), "{line:?} in {plain}");
    }
}

#[test]
fn block_of_the_law_names_its_list_and_who_blocks() {
    let config = Config { abuse: Some("mailto:a@gw.example".to_owned()), ..Config::default() };
    let mut why = why("-", 451, Outcome::Blocked);
    why.blocked = Some(Blocked { list: "court", reason: Some("order 7"), legal: true });
    let page = told(&pages(&config), &why, "text/html");
    assert_eq!(page.headers()[header::LINK], "</policy>; rel=\"blocked-by\"");
    let page = text(page);
    for word in ["for legal reasons", "court", "order 7", "a@gw.example"] {
        assert!(page.contains(word), "{word} in {page}");
    }
    let plain = text(told(&pages(&config), &why, "*/*"));
    assert!(plain.contains("list: court\nreason: order 7\n"), "{plain}");

    why.own = OwnPages::Nowhere;
    let page = told(&pages(&config), &why, "text/html");
    assert!(!page.headers().contains_key(header::LINK), "paths of a website are content");
    assert!(!text(page).contains("href=\"/"));
    let policy_url = Some("https://gw.example/policy".to_owned());
    let page = told(&pages(&Config { policy_url, ..config }), &why, "text/html");
    assert_eq!(page.headers()[header::LINK], "<https://gw.example/policy>; rel=\"blocked-by\"");
}

#[test]
fn content_that_is_not_to_be_had_leads_to_a_check_where_one_is_configured() {
    let check_url = Some("https://check.example/?cid={cid}".to_owned());
    let pages = pages(&Config { check_url, ..Config::default() });
    let why_not = why("-", 502, Outcome::NoProviders);
    let link = format!("https://check.example/?cid={}", why_not.cid.expect("it has one"));
    assert!(text(told(&pages, &why_not, "text/html")).contains(&link));
    let elsewhere = why("-", 500, Outcome::BadContent);
    assert!(!text(told(&pages, &elsewhere, "text/html")).contains("check.example"));
}

#[test]
fn every_page_of_a_failure_leads_to_the_policy() {
    let policy_url = Some("https://gw.example/policy".to_owned());
    let (own, elsewhere) = (Config::default(), Config { policy_url, ..Config::default() });
    for outcome in Outcome::ALL {
        let status = [404, 429, 504][outcome.index() % 3];
        let mut why = why("-", status, *outcome);
        let page = text(told(&pages(&own), &why, "text/html"));
        assert!(page.contains("<a href=\"/policy\">Usage policy</a>"), "{outcome:?}: {page}");
        why.own = OwnPages::At("https://gw.example:444".to_owned());
        let page = text(told(&pages(&own), &why, "text/html"));
        let link = "<a href=\"https://gw.example:444/policy\">Usage policy</a>";
        assert!(page.contains(link) && !page.contains("href=\"/"), "{outcome:?}: {page}");
        why.own = OwnPages::Nowhere;
        let page = text(told(&pages(&elsewhere), &why, "text/html"));
        let link = "<a href=\"https://gw.example/policy\">Usage policy</a>";
        assert!(page.contains(link), "{outcome:?}: {page}");
    }
}

#[test]
fn numbers_on_the_page_are_those_of_the_configuration() {
    let mut config = crate::config::Config::default();
    config.limit.requests_max = 4711;
    config.server.first_byte_timeout = Duration::from_secs(23);
    config.access.to = telemetry::access::Destination::File;
    config.access.keep_for = Duration::from_secs(5 * 86_400);
    let pages = Pages::new(&config.pages, &config).expect("the pages are drawn");
    let drawn = |page| {
        text(pages.own(page, &HeaderMap::new(), false, SystemTime::now()).expect("it is there"))
    };
    let (page, twin) = (drawn(OwnPage::Policy), drawn(OwnPage::PolicyJson));
    let twin: serde_json::Value = serde_json::from_str(&twin).expect("JSON");
    for limit in twin["said"].as_array().expect("a list") {
        let [says, text] = ["says", "text"].map(|key| limit[key].as_str().expect("a text"));
        let row = format!("<tr><th scope=\"row\">{says}</th><td>{text}</td></tr>");
        assert!(page.contains(&row), "{row} in {page}");
    }
    for number in [
        "<td>4711</td>",
        "<td>23 seconds</td>",
        "are kept: 5 days after the day (UTC) of the request has ended.",
    ] {
        assert!(page.contains(number), "{number} in {page}");
    }
    assert_eq!(twin["privacy"]["kept"][0]["seconds"], 432_000);
    assert!(page.contains("without a service level agreement"), "{page}");
}

#[test]
fn template_of_an_operator_is_used_and_changes_tags() {
    let folder =
        folder("start.html", "{% extends \"base.html\" %}{% block main %}ours{% endblock %}");
    let ours = pages(&with_folder(folder.path()));
    let built_in = pages(&Config::default());
    assert_ne!(ours.drawn(), built_in.drawn());
    assert_eq!(built_in.drawn(), pages(&Config::default()).drawn());
    let start = |pages: &Pages| {
        let page = pages.own(OwnPage::Start, &HeaderMap::new(), false, SystemTime::now());
        page.expect("it is there")
    };
    let (ours, built_in) = (start(&ours), start(&built_in));
    assert_ne!(ours.headers()[header::ETAG], built_in.headers()[header::ETAG]);
    assert!(text(ours).contains("<main>\nours"));
    assert!(text(built_in).contains("/ipfs/{cid}/path"));
}

#[test]
fn template_at_fault_is_refused() {
    for (name, text, why) in [
        ("start.html", "{% block", "start.html:1"),
        ("error.html", "{{ statsu }}", "undefined"),
        ("policy.html", "{% for limit in limits %}{{ limit.sayz }}{% endfor %}", "undefined"),
        ("listing.html", "{% extends \"base.html\" %}", "rows"),
        (
            "preview.html",
            "{% for i in range(99999) %}{% for j in range(9) %}{% endfor %}{% endfor %}",
            "fuel",
        ),
        ("eror.html", "hello", "is no page"),
    ] {
        let folder = folder(name, text);
        let refused = Pages::new(&with_folder(folder.path()), &crate::config::Config::default());
        let error = refused.map(drop).expect_err(name);
        assert!(error.contains("pages.templates") && error.contains(why), "{name}: {error}");
    }
    let missing = with_folder(Path::new("no/such/folder"));
    assert!(Pages::new(&missing, &crate::config::Config::default()).is_err());
}

#[test]
fn page_that_cannot_be_drawn_is_told_as_text() {
    let folder = folder("error.html", "{% if status == 418 %}{{ nothing }}{% endif %}");
    let pages = pages(&with_folder(folder.path()));
    let answer = told(&pages, &why("tea", 418, Outcome::ClientError), "text/html");
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(text(answer).contains("cause: tea"));
}

#[test]
fn contact_for_holes_expires_in_half_a_year() {
    let own = |config: Config| {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        pages(&config).own(OwnPage::Security, &HeaderMap::new(), false, now)
    };
    assert!(own(Config::default()).is_none());
    let security_contact = Some("mailto:security@gw.example".to_owned());
    let said = text(own(Config { security_contact, ..Config::default() }).expect("it is there"));
    assert!(said.starts_with("Contact: mailto:security@gw.example\n"), "{said}");
    assert!(said.contains("Expires: 2027-07-14T00:00:00Z\n"), "{said}");
}
