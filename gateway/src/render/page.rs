//! Pages of the gateway itself: what they have in common, and who says so.
//!
//! Everything that does not depend on the request is drawn when the configuration is read, so that
//! an answer costs no drawing and a template at fault is refused before anybody sees it.

use std::borrow::Cow;

use http::HeaderValue;
use minijinja::value::{Serde, Value};
use serde::Serialize;
use sha2::Digest;

mod config;
mod failure;
mod own;
mod policy;
mod privacy;
mod templates;
mod words;

pub use config::Config;
pub(crate) use failure::{Explained, failure};
pub(crate) use own::options;

use own::Bodies;
use templates::Templates;

use crate::classify::OwnPages;
use crate::denylist::Denied;

/// What our own pages may do: show themselves.
pub(crate) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
);

/// Why content is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Blocked<'a> {
    /// The list that has it.
    pub(crate) list: &'a str,
    /// What the list says of it.
    pub(crate) reason: Option<&'a str>,
    /// Whether the law wants it (451) rather than the operator (410).
    pub(crate) legal: bool,
}

impl<'a> Blocked<'a> {
    /// What a page tells of the word of a list.
    pub(crate) fn by(denied: &'a Denied) -> Self {
        Self { list: &denied.list, reason: denied.reason.as_deref(), legal: denied.legal }
    }
}

/// How pages look, and what they say of whoever runs this gateway.
#[derive(Debug)]
pub(crate) struct Look {
    templates: Templates,
    config: Config,
}

/// What every page can tell of the gateway.
#[derive(Serialize)]
struct About<'a> {
    version: &'a str,
    operator: &'a str,
    abuse: Option<&'a str>,
    /// The contact as it reads.
    abuse_text: Option<&'a str>,
    /// Where the gateway's own pages are, from where this page is.
    home: Option<&'a str>,
    help: Option<&'a str>,
    policy: Option<Cow<'a, str>>,
}

impl Look {
    /// Draws a page. On other hosts than the gateway's own, paths are content, so that nothing may
    /// link to the gateway's own pages there.
    pub(crate) fn draw(
        &self,
        name: &str,
        on_gateway: bool,
        page: impl Serialize,
    ) -> Result<String, minijinja::Error> {
        let own = if on_gateway { OwnPages::Here } else { OwnPages::Nowhere };
        self.draw_from(name, &own, page)
    }

    /// The same from a host whose gateway may be another host.
    fn draw_from(
        &self,
        name: &str,
        own: &OwnPages,
        page: impl Serialize,
    ) -> Result<String, minijinja::Error> {
        let on_gateway = *own == OwnPages::Here;
        let Config { operator, abuse, .. } = &self.config;
        let abuse = abuse.as_deref();
        let about = About {
            version: telemetry::build_info::version(),
            operator,
            abuse,
            abuse_text: abuse.map(|url| {
                let text = url.strip_prefix("mailto:").unwrap_or(url);
                text.split('?').next().unwrap_or(text)
            }),
            home: on_gateway.then_some("/"),
            help: on_gateway.then_some("/help"),
            policy: self.policy(own),
        };
        let gateway = Value::from(Serde(about));
        self.templates.draw(name, minijinja::context! { gateway, ..Value::from(Serde(page)) })
    }

    /// Where the usage policy is, from a host of this kind.
    fn policy(&self, own: &OwnPages) -> Option<Cow<'_, str>> {
        if let Some(url) = &self.config.policy_url {
            return Some(url.into());
        }
        match own {
            OwnPages::Here => Some("/policy".into()),
            OwnPages::At(gateway) => Some(format!("{gateway}/policy").into()),
            OwnPages::Nowhere => None,
        }
    }
}

/// The pages of a configuration.
#[derive(Debug)]
pub(crate) struct Pages {
    look: Look,
    own: Bodies,
    drawn: String,
}

impl Pages {
    /// The pages that `config` wants, of a gateway that runs with `running`: what takes effect at
    /// start-up only is told as it is.
    ///
    /// # Errors
    /// A text that names the key or the template at fault.
    pub(crate) fn new(config: &Config, running: &crate::config::Config) -> Result<Self, String> {
        config.check()?;
        let templates = Templates::load(config.templates.as_deref())?;
        let drawn = word_of(&[
            templates.text(),
            &format!("{config:?}"),
            telemetry::build_info::version(),
            include_str!("listing/row.rs"),
            include_str!("html.rs"),
            include_str!("preview.rs"),
        ]);
        let look = Look { templates, config: config.clone() };
        let wrong = |error: minijinja::Error| format!("pages.templates: {error}");
        failure::try_draw(&look).map_err(wrong)?;
        super::listing::try_draw(&look).map_err(wrong)?;
        super::preview::try_draw(&look).map_err(wrong)?;
        let own = Bodies::draw(&look, running).map_err(wrong)?;
        Ok(Self { look, own, drawn })
    }

    /// How pages look.
    pub(crate) fn look(&self) -> &Look {
        &self.look
    }

    /// A word for how pages are drawn, so that tags change with them.
    pub(crate) fn drawn(&self) -> &str {
        &self.drawn
    }
}

/// The usage policy for machines, of a gateway that runs with this configuration.
pub(crate) fn policy_json(running: &crate::config::Config) -> String {
    policy::Policy::of(running).json_text(&running.pages)
}

/// A short word that changes with any of the texts.
fn word_of(texts: &[&str]) -> String {
    let mut hash = sha2::Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
