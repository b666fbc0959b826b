//! The usage policy of the fleet, as its gateways have it.
//!
//! A gateway knows its policy (`/policy.json`) and so does its program without one running; nothing
//! about limits or logs is written here.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use telemetry::Tasks;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

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
                (of_file(path).await.map_err(PublishError::Policy)?, note)
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
async fn of_file(path: &Path) -> Result<String, String> {
    let program = program("bifrost-gateway").map_err(|error| error.to_string())?;
    let mut command = Command::new(&program);
    command.arg("--config").arg(path).arg("--print-policy");
    let said = said(command, WITHIN).await;
    said.map_err(|error| format!("{}: {error}", program.display()))
}

/// What a program prints, within a time and no more than a policy may have; why not, where it fails.
async fn said(mut command: Command, within: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("could not be started: {error}"))?;
    let (out, complaints) = (child.stdout.take(), child.stderr.take());
    let answer = async {
        let (out, complaints) = tokio::try_join!(bounded(out), bounded(complaints))?;
        let ended = child.wait().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((out, complaints, ended))
    };
    let answer = tokio::time::timeout(within, answer).await;
    let (out, complaints, ended) = answer
        .map_err(|_| format!("has not said it within {}", humantime::format_duration(within)))??;
    if !ended.success() {
        let complaints = String::from_utf8_lossy(&complaints);
        return Err(match complaints.trim() {
            "" => format!("ends with {ended}"),
            complaints => complaints.to_owned(),
        });
    }
    String::from_utf8(out).map_err(|_| "says no text".to_owned())
}

async fn bounded(pipe: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let pipe = pipe.ok_or_else(|| "has no output".to_owned())?;
    // One byte more than there may be, so that more is seen to be more.
    let read = pipe.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await;
    read.map_err(|error| error.to_string())?;
    match bytes.len() > BYTES_MAX {
        true => Err(format!("says more than {BYTES_MAX} bytes")),
        false => Ok(bytes),
    }
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

    fn shell(words: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", words]);
        command
    }

    #[tokio::test]
    async fn a_program_is_heard_for_so_long_and_so_much() {
        let long = Duration::from_secs(30);
        assert_eq!(said(shell("printf well"), long).await, Ok("well".to_owned()));
        for (words, within, why) in [
            ("exec sleep 60", Duration::from_millis(50), "has not said it within 50ms"),
            ("exec yes", long, "says more than 65536 bytes"),
            ("exec yes >&2", long, "says more than 65536 bytes"),
            ("echo no such file >&2; exit 3", long, "no such file"),
            ("exit 3", long, "ends with exit status: 3"),
        ] {
            assert_eq!(said(shell(words), within).await, Err(why.to_owned()), "{words}");
        }
        let none = said(Command::new("no-such-program"), long).await;
        assert!(none.is_err_and(|why| why.starts_with("could not be started")));
    }
}
