//! The usage policy of the fleet, as its gateways have it.
//!
//! A gateway knows its policy (`/policy.json`) and so does its program without one running; nothing
//! about limits or logs is written here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use telemetry::Tasks;

use super::PublishError;
use super::page::{Page, Section};
use crate::site::escape;
use crate::up::program;
use crate::web::Web;

/// The policy of a gateway that nobody configured.
const DEFAULTS: &str = include_str!("../../site/policy.json");
/// Longest policy that is read.
const BYTES_MAX: usize = 64 * 1024;
/// Longest wait for it.
const WITHIN: Duration = Duration::from_secs(10);

/// Where the policy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A gateway's `/policy.json`.
    Gateway(String),
    /// A gateway's configuration.
    File(PathBuf),
    /// Nobody's.
    Defaults,
}

/// A policy, and where it was found.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// As it was found.
    pub(super) json: String,
    policy: Written,
    note: &'static str,
}

#[derive(Debug, Clone, Deserialize)]
struct Written {
    operator: String,
    abuse: Option<String>,
    acceptable: Vec<String>,
    unacceptable: Vec<String>,
    said: Vec<Said>,
    privacy: Privacy,
}

#[derive(Debug, Clone, Deserialize)]
struct Said {
    says: String,
    text: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Privacy {
    logged: Vec<String>,
    kept: Vec<Said>,
    notes: Vec<String>,
}

impl Source {
    /// Reads it.
    ///
    /// # Errors
    /// [`PublishError::Policy`].
    pub(super) async fn read(&self, tasks: &Tasks) -> Result<Policy, PublishError> {
        let (json, note) = match self {
            Source::Gateway(url) => {
                let note = "These numbers were read from a gateway that runs.";
                (of_gateway(url, tasks).await.map_err(PublishError::Policy)?, note)
            }
            Source::File(path) => {
                let note = "These numbers are those of the gateways' configuration.";
                (of_file(path).map_err(PublishError::Policy)?, note)
            }
            Source::Defaults => {
                let note = "These numbers are those of a gateway that nobody configured: whoever runs one \
                            may have set others, and its own page /policy has them.";
                (DEFAULTS.to_owned(), note)
            }
        };
        let policy = serde_json::from_str(&json).map_err(|error| {
            let text = format!("this is no policy of a gateway of this release: {error}");
            PublishError::Policy(text)
        })?;
        Ok(Policy { json, policy, note })
    }
}

async fn of_gateway(url: &str, tasks: &Tasks) -> Result<String, String> {
    let url = match url.ends_with(".json") {
        true => url.to_owned(),
        false => format!("{}/policy.json", url.trim_end_matches('/')),
    };
    let web = Web::new(tasks, WITHIN, BYTES_MAX).map_err(|error| error.to_string())?;
    let page = web.get(&url).await.map_err(|error| error.to_string())?;
    if !page.status.is_success() {
        return Err(format!("{url} answers {}: name a host of the gateway itself", page.status));
    }
    String::from_utf8(page.body.to_vec()).map_err(|_| format!("{url} answers with no text"))
}

/// What the gateway's program says of a configuration.
fn of_file(path: &Path) -> Result<String, String> {
    let program = program("bifrost-gateway").map_err(|error| error.to_string())?;
    let asked = Command::new(&program).arg("--config").arg(path).arg("--print-policy").output();
    let said = asked.map_err(|error| format!("could not start {}: {error}", program.display()))?;
    if !said.status.success() {
        return Err(String::from_utf8_lossy(&said.stderr).trim().to_owned());
    }
    String::from_utf8(said.stdout).map_err(|_| format!("{} says no text", program.display()))
}

impl Policy {
    /// The page.
    pub(super) fn page(&self) -> Page {
        let Written { operator, abuse, acceptable, unacceptable, said, privacy } = &self.policy;
        let whose = match &operator[..] {
            "" => "A gateway".to_owned(),
            operator => format!("A gateway of {}", escape(operator)),
        };
        let rows: String = said
            .iter()
            .map(|Said { says, text }| {
                format!(
                    "<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n",
                    escape(says),
                    escape(text)
                )
            })
            .collect();
        let logged = match privacy.logged.is_empty() {
            true => "<p>No log of requests is kept.</p>\n".to_owned(),
            false => format!("<p>Of each request is noted:</p>\n{}", items(&privacy.logged)),
        };
        let kept = privacy.kept.iter().map(|Said { says, text }| format!("{says}: {text}."));
        let notes: String = kept
            .chain(privacy.notes.iter().cloned())
            .map(|note| format!("<p>{}</p>\n", escape(&note)))
            .collect();
        let main = format!(
            "<h1>Usage policy</h1>\n<p class=\"lead\">{whose} is a window: it shows content that others store on the \
             IPFS network. It is no host, and content is not kept because somebody looked at it here.</p>\n\
             <h2 id=\"acceptable\">What it may be used for</h2>\n{}\
             <h2 id=\"unacceptable\">What it may not be used for</h2>\n{}\
             <h2 id=\"limits\">Limits</h2>\n<p class=\"note\">{}</p>\n<p>Who has more requests in flight than one \
             client may have is answered 429, and everybody is answered 503 while a gateway is full: both say in \
             <code>Retry-After</code> when to come back.</p>\n\
             <div class=\"scroll\" tabindex=\"0\"><table>\n<caption>Limits of one gateway process</caption>\n\
             <thead><tr><th scope=\"col\">What is bounded</th><th scope=\"col\">Limit</th></tr></thead>\n\
             <tbody>\n{rows}</tbody>\n</table></div>\n\
             <h2 id=\"promised\">What is promised</h2>\n<p>That every byte is checked. Nothing else: this is a best \
             effort, without a service level agreement, and limits may change. What we aim at, and how near we are, \
             is on <a href=\"status.html\">status</a>.</p>\n\
             <h2 id=\"privacy\">Privacy</h2>\n{logged}{notes}\
             <h2 id=\"abuse\">Abuse, and content that must not be shown</h2>\n{}\
             <p class=\"quiet\">For programs: <a href=\"policy.json\">policy.json</a>, which every gateway has too.</p>\n",
            items(acceptable),
            items(unacceptable),
            self.note,
            contact(abuse.as_deref()),
        );
        let summary = "What a gateway may be used for, its limits, what is noted of requests, and whom to write to.";
        Page::new(Section::Policy, ("policy.html", "Usage policy"), summary, main)
    }
}

fn items(lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("<li>{}</li>\n", escape(line))).collect();
    format!("<ul>\n{lines}</ul>\n")
}

fn contact(abuse: Option<&str>) -> String {
    let taken = "What is denied is answered 410, or 451 where the law wants it, with the list and its reason. \
                 Others who store it are not in the operator's hand.";
    // Who runs a gateway writes this address; it is a link only where it can be one.
    match abuse.filter(|url| url.starts_with("mailto:") || url.starts_with("https://")) {
        Some(url) => {
            let text = url.strip_prefix("mailto:").unwrap_or(url);
            let (url, text) = (escape(url), escape(text.split('?').next().unwrap_or(text)));
            format!(
                "<p>Write to <a href=\"{url}\">{text}</a> with the full address of what you saw. {taken}</p>\n"
            )
        }
        None => format!("<p>The operator has named no contact for abuse. {taken}</p>\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_has_every_number_of_its_source() {
        let policy = Source::Defaults.read(&Tasks::new()).await.expect("it is read");
        let main = policy.page().main;
        for Said { says, text } in &policy.policy.said {
            let row = format!("<th scope=\"row\">{}</th><td>{}</td>", escape(says), escape(text));
            assert!(main.contains(&row), "{row}");
        }
        assert!(
            main.contains("nobody configured")
                && main.contains("without a service level agreement")
        );
    }

    #[tokio::test]
    async fn a_gateway_that_is_gone_is_an_error() {
        let source = Source::Gateway("http://127.0.0.1:1".to_owned());
        let error = source.read(&Tasks::new()).await.expect_err("nobody is there");
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    }
}
