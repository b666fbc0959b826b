//! A claim: a section of a specification, a request, and what the answer has to be.
//!
//! A table is proven to its end before the test fails, so that one run shows all that is wrong.

use std::io;
use std::net::SocketAddr;

use harness::http::{self, Connection};
use harness::{Answer, Ending};

use crate::expect::{Expect, show};
use crate::shelf::Shelf;
use crate::world::World;

/// Headers that an answer to HEAD has as the answer to GET has them.
const HEADERS: [&str; 9] = [
    "content-type",
    "content-disposition",
    "content-location",
    "location",
    "etag",
    "accept-ranges",
    "x-content-type-options",
    "x-ipfs-path",
    "x-ipfs-roots",
];

/// How a request gets to the gateway.
#[derive(Debug, Clone, Copy)]
enum Route {
    Straight,
    /// Through a tunnel that `CONNECT` opens to the host.
    Tunnel,
}

/// See the module.
pub(crate) struct Claim {
    section: &'static str,
    says: String,
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    route: Route,
    status: (u16, u16),
    expects: Vec<Expect>,
    /// Whether the same request with the answer's `Etag` is answered with 304.
    revalidates: bool,
    /// Whether HEAD is answered as GET is, without the body.
    and_head: bool,
}

/// A claim about GET of a target; 200 is due unless the claim says otherwise.
pub(crate) fn get(section: &'static str, says: impl Into<String>, target: &str) -> Claim {
    Claim {
        section,
        says: says.into(),
        method: "GET",
        target: target.to_owned(),
        headers: Vec::new(),
        route: Route::Straight,
        status: (200, 200),
        expects: Vec::new(),
        revalidates: false,
        and_head: false,
    }
}

impl Claim {
    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn host(self, host: &str) -> Self {
        self.with("Host", host)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn accept(self, kind: &str) -> Self {
        self.with("Accept", kind)
    }

    pub(crate) fn through_tunnel(self) -> Self {
        Self { route: Route::Tunnel, ..self }
    }

    pub(crate) fn gives(self, status: u16) -> Self {
        Self { status: (status, status), ..self }
    }

    pub(crate) fn gives_between(self, first: u16, last: u16) -> Self {
        Self { status: (first, last), ..self }
    }

    fn and(mut self, expect: Expect) -> Self {
        self.expects.push(expect);
        self
    }

    /// The header has this value.
    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        self.and(Expect::Header(name, value.to_owned()))
    }

    /// The header's value contains this.
    pub(crate) fn has(self, name: &'static str, part: &str) -> Self {
        self.and(Expect::Contains(name, part.to_owned()))
    }

    /// The header is not there, or without this in its value.
    pub(crate) fn lacks(self, name: &'static str, part: &str) -> Self {
        self.and(Expect::Lacks(name, part.to_owned()))
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.and(Expect::Body(body.into()))
    }

    /// The body is the block that a word stands for.
    pub(crate) fn block(self, word: &'static str) -> Self {
        self.and(Expect::Block(word))
    }

    /// The body contains this.
    pub(crate) fn text(self, part: &str) -> Self {
        self.and(Expect::Text(part.to_owned()))
    }

    /// The body does not contain this.
    pub(crate) fn no_text(self, part: &str) -> Self {
        self.and(Expect::NoText(part.to_owned()))
    }

    /// The body is a CAR of these blocks, no others, in this order.
    pub(crate) fn blocks(self, words: &[&'static str]) -> Self {
        self.and(Expect::Blocks(words.to_vec()))
    }

    pub(crate) fn check(self, what: &'static str, holds: fn(&Shelf, &Answer) -> bool) -> Self {
        self.and(Expect::Check(what, holds))
    }

    pub(crate) fn revalidates(self) -> Self {
        Self { revalidates: true, ..self }
    }

    pub(crate) fn and_head(self) -> Self {
        Self { and_head: true, ..self }
    }

    fn ask(&self, shelf: &Shelf, to: SocketAddr, more: &[(&str, &str)]) -> io::Result<Answer> {
        self.ask_as(self.method, shelf, to, more)
    }

    fn ask_as(
        &self,
        method: &str,
        shelf: &Shelf,
        to: SocketAddr,
        more: &[(&str, &str)],
    ) -> io::Result<Answer> {
        let target = shelf.fill(&self.target);
        let filled: Vec<(&str, String)> =
            self.headers.iter().map(|(name, value)| (*name, shelf.fill(value))).collect();
        let mut headers: Vec<(&str, &str)> =
            filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(more);
        match self.route {
            Route::Straight => http::ask(to, method, &target, &headers),
            Route::Tunnel => {
                let host = headers.iter().find(|(name, _)| *name == "Host").map(|(_, host)| *host);
                let authority = format!("{}:80", host.expect("a tunnel leads to a host"));
                let mut connection = Connection::open(to)?;
                connection.send("CONNECT", &authority, &[("Host", &authority)])?;
                let head = connection.head()?;
                if head.status != 200 {
                    let text = format!("CONNECT {authority}: {}", head.status);
                    return Err(io::Error::other(text));
                }
                headers.push(("Connection", "close"));
                connection.ask(method, &target, &headers)
            }
        }
    }

    /// What of the answer is not as claimed; none when all is.
    fn complaints(&self, shelf: &Shelf, to: SocketAddr, answer: &Answer) -> Vec<String> {
        let mut complaints = Vec::new();
        let (first, last) = self.status;
        if !(first..=last).contains(&answer.status()) {
            complaints.push(format!("status {first} to {last} is due"));
        }
        if answer.ending != Ending::Complete {
            complaints.push("the body was cut".to_owned());
        }
        complaints.extend(self.expects.iter().filter_map(|due| due.complaint(shelf, answer)));
        if self.revalidates {
            complaints.extend(self.revalidation(shelf, to, answer));
        }
        if self.and_head {
            complaints.extend(self.head(shelf, to, answer));
        }
        complaints
    }

    fn revalidation(&self, shelf: &Shelf, to: SocketAddr, first: &Answer) -> Option<String> {
        let Some(etag) = first.header("etag") else {
            return Some("an Etag is due".to_owned());
        };
        let strong = etag.trim_start_matches("W/");
        let forms = [
            strong.to_owned(),
            format!("W/{strong}"),
            format!("\"another\", W/\"third\", {etag}"),
            "*".to_owned(),
        ];
        forms.iter().find_map(|form| {
            let again = self.ask(shelf, to, &[("If-None-Match", form)]);
            let is_same = |again: &Answer| {
                again.status() == 304 && again.body.is_empty() && again.header("etag") == Some(etag)
            };
            let shown = match again {
                Ok(again) if is_same(&again) => return None,
                Ok(again) => show(&again),
                Err(error) => error.to_string(),
            };
            Some(format!("304 with the same Etag is due to If-None-Match: {form}, but\n{shown}"))
        })
    }

    fn head(&self, shelf: &Shelf, to: SocketAddr, got: &Answer) -> Option<String> {
        // The others depend on when and by whom an answer was made, or on how its body is framed.
        let alike = |answer: &Answer| {
            (answer.status(), HEADERS.map(|name| answer.header(name).map(str::to_owned)))
        };
        match self.ask_as("HEAD", shelf, to, &[]) {
            Ok(answer) if alike(&answer) == alike(got) => None,
            Ok(answer) => Some(format!("HEAD is answered otherwise:\n{}", show(&answer))),
            Err(error) => Some(format!("HEAD: {error}")),
        }
    }
}

/// Proves every claim of a preset.
#[track_caller]
pub(crate) fn prove(world: &World, to: SocketAddr, preset: &str, claims: &[Claim]) {
    let mut failed = Vec::new();
    for claim in claims {
        let (complaints, came) = match claim.ask(&world.shelf, to, &[]) {
            Ok(answer) => (claim.complaints(&world.shelf, to, &answer), show(&answer)),
            Err(error) => (vec![error.to_string()], "    nothing".to_owned()),
        };
        if !complaints.is_empty() {
            let target = world.shelf.fill(&claim.target);
            failed.push(format!(
                "{preset}, {}: {}\n  {} {target} {:?}\n  {}\n  came\n{came}",
                claim.section,
                claim.says,
                claim.method,
                claim.headers,
                complaints.join("\n  ")
            ));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} claims do not hold\n\n{}\n\n{}",
        failed.len(),
        claims.len(),
        failed.join("\n\n"),
        world.fleet.logs()
    );
}
