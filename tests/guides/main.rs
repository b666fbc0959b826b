//! The guides of `ops/guides`, each followed word for word by somebody who does nothing else: commands are run,
//! files written, keys pressed, and what comes of it is held against what the guide shows.
//!
//! What only a cluster, a public name or a registrar could do is marked with its reason, checked as far as
//! it can be without running it, and may be a small share at most.

mod elsewhere;
mod looks;
mod named;
mod names;
mod page;
mod shell;
mod walk;

use std::fs;
use std::path::{Path, PathBuf};

use page::{Kind, Page};

/// The largest share of blocks of commands that need not be run, in hundredths.
const ELSEWHERE_MAX: usize = 15;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a member").to_path_buf()
}

fn page(name: &str) -> Page {
    let path = root().join(format!("ops/guides/{name}.md"));
    let text = fs::read_to_string(&path).expect("the guide is there");
    Page::read(name, &text).unwrap_or_else(|error| panic!("{error}"))
}

macro_rules! guides {
    ($($test:ident: $name:literal,)*) => {
        /// Every guide that is followed.
        const GUIDES: &[&str] = &[$($name),*];

        $(
            #[test]
            fn $test() {
                if let Err(error) = walk::follow(&page($name)) {
                    panic!("{error}");
                }
            }
        )*
    };
}

guides! {
    start_leads_where_it_says: "start",
    website_is_what_its_record_says: "website",
    origins_are_served_through_nginx: "domain",
    node_joins_and_leaves: "nodes",
    release_is_tried_and_promoted: "release",
    any_gateway_can_be_checked: "local-or-public",
    every_symptom_has_a_cause: "troubleshooting",
    size_is_the_sum_that_is_shown: "sizing",
    settings_of_others_become_ours: "migrate",
}

#[test]
fn every_guide_is_followed() {
    let entries = fs::read_dir(root().join("ops/guides")).expect("guides can be listed");
    let mut found: Vec<String> = entries
        .map(|entry| {
            entry.expect("guides can be listed").file_name().to_string_lossy().into_owned()
        })
        .collect();
    found.sort();
    let mut followed: Vec<String> = GUIDES.iter().map(|name| format!("{name}.md")).collect();
    followed.sort();
    assert_eq!(found, followed);
}

#[test]
fn few_commands_are_left_to_other_places_and_each_says_why() {
    let pages: Vec<Page> = GUIDES.iter().map(|name| page(name)).collect();
    let kinds = pages.iter().flat_map(|page| page.blocks.iter().map(|block| &block.kind));
    let (mut run, mut instead, mut elsewhere) = (0_usize, 0_usize, 0_usize);
    for kind in kinds {
        match kind {
            Kind::Elsewhere(why) => {
                assert!(!why.is_empty());
                elsewhere += 1;
            }
            Kind::Instead(..) => instead += 1,
            Kind::Run | Kind::Fails(_) | Kind::Within(_) | Kind::Background(_) => run += 1,
            Kind::Output | Kind::File(_) | Kind::Dns | Kind::Keys => {}
        }
    }
    assert_eq!(instead, 1, "`make run` alone has something in its place");
    let all = run + instead + elsewhere;
    assert!(elsewhere * 100 <= all * ELSEWHERE_MAX, "{elsewhere} of {all} are not run");
}

#[test]
fn guides_begin_with_what_comes_of_them_and_end_with_check_and_undo() {
    for page in GUIDES.iter().map(|name| page(name)) {
        let head = |key: &str| page.head.get(key).map(String::as_str).unwrap_or_default();
        let titled = format!("# {}\n", head("title"));
        assert!(page.prose.trim_start().starts_with(&titled), "{}: no {titled:?}", page.name);
        assert!(head("summary").ends_with('.'), "{}: its summary is a sentence", page.name);
        let minutes = head("minutes").split(|letter: char| !letter.is_ascii_digit()).next();
        assert!(minutes.is_some_and(|minutes| !minutes.is_empty()), "{}: minutes", page.name);
        let sections: Vec<&str> =
            page.prose.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let last: Vec<&&str> =
            sections.iter().rev().filter(|name| **name != "Next").take(2).collect();
        assert_eq!(last, [&"Undo it", &"Check it"], "{}", page.name);
    }
}

#[test]
fn what_guides_name_is_there() {
    let known = named::Known::new(&root());
    let folder = root().join("ops/guides");
    let faults: Vec<String> =
        GUIDES.iter().flat_map(|name| known.faults(&page(name), &folder)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn make_run_ends_in_what_the_test_starts_in_its_place() {
    let output = std::process::Command::new("make")
        .args(["--no-print-directory", "--dry-run", "run"])
        .current_dir(root())
        .env_remove("MAKEFLAGS")
        .env_remove("UP_FLAGS")
        .output()
        .expect("there is a make");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().expect("it says what it would do");
    let start = page("start");
    let instead = start.blocks.iter().find_map(|block| {
        if let Kind::Instead(_, instead) = &block.kind { Some(instead.as_str()) } else { None }
    });
    let words = instead.and_then(|command| command.strip_prefix("bifrost ")).expect("it is ours");
    assert!(last.ends_with(&format!("/quick/bifrost\" {words}")), "{last}");
}

mod wrong {
    //! A guide that is wrong is found to be, wherever it is.

    use super::*;

    fn follow(text: &str) -> Result<(), String> {
        let head = "---\ntitle: T\nsummary: S\nminutes: 5\nneeds: nothing\n---\n";
        walk::follow(&Page::read("wrong", &format!("{head}{text}")).expect("it is read"))
    }

    #[test]
    fn right_guide_is_followed() {
        let text = "```sh\nname=a\nmkdir b && cd b\n```\n```yaml file=c/d.yaml\nx: $name\n```\n\
             ```sh\ncat c/d.yaml; echo $name; pwd\n```\n```text\nx: $name\na\n/…/home/b\n```\n\
             ```sh fails=3\necho no >&2; exit 3\n```\n```text\nno\n```\n\
             ```sh background until=\"Serving\"\npython3 -u -m http.server 8080\n```\n\
             ```dns\n$name.test. 5 IN A 192.0.2.10\n```\n\
             ```sh within=10\ngetent hosts a.test\n```\n```text\n192.0.2.10 … a.test\n```\n\
             ```sh elsewhere=\"a cluster\"\nkubectl get pods\n```\n\
             ```keys\nCtrl-C\n```\n";
        assert_eq!(follow(text), Ok(()));
    }

    #[test]
    fn wrong_guide_is_told_by_its_line() {
        for (text, why) in [
            ("```sh\nfalse\n```\n", "it failed"),
            ("```sh\necho $unset\n```\n", "unset"),
            (
                "```sh\na=1\nf() { echo 1; }\n```\nIn a second terminal:\n```sh\nf\n```\n",
                "f: command not found",
            ),
            ("```sh\na=1\n```\nIn a second terminal:\n```sh\necho $a\n```\n", "a: unbound"),
            ("```sh\necho a\n```\n```text\nb\n```\n", "does not print what is shown"),
            ("```sh fails=1\ntrue\n```\n", "it ended with 0"),
            ("```sh within=0\necho a\n```\n```text\nb\n```\n", "does not print"),
            ("```sh background until=\"up\"\necho down\n```\n", "it has ended"),
            ("```sh elsewhere=\"a cluster\"\nbifrost up --nods 3\n```\n", "--nods"),
            ("```sh elsewhere=\"a cluster\"\nif\n```\n", "syntax error"),
            ("```keys\nCtrl-C\n```\n", "nothing is there"),
            ("```dns\nhere\n```\n", "NAME. TTL"),
        ] {
            let said = follow(text).expect_err(text);
            let line = if text.contains("second") { text.matches('\n').count() + 4 } else { 7 };
            let place = format!("ops/guides/wrong.md:{line}: ");
            assert!(said.contains(why) && said.starts_with(&place), "{said}");
        }
        let left = follow("```sh\nsleep 60 &\n```\n").expect_err("it is left");
        assert!(left.contains("sleep 60"), "{left}");
    }
}
