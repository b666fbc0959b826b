//! Who runs this gateway, where to write to them, and whose templates draw its pages.
//!
//! Every address is checked before it is shown: it becomes a link in pages and a value in headers.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the gateway's own pages say and how they look. All of it can be reloaded.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of templates; a file of the same name wins over the built-in one. Default none: all
    /// pages are built in. A template that cannot be drawn is refused at start-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<PathBuf>,
    /// Who runs this gateway, as people know them. Default empty: pages name nobody.
    pub operator: String,
    /// Where to report abuse, as `mailto:` or `https:` URL. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abuse: Option<String>,
    /// Where to report holes, as `mailto:` or `https:` URL; with it there is a
    /// `/.well-known/security.txt`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_contact: Option<String>,
    /// Where the usage policy is, as `https:` URL. Default none: hosts of the gateway link to their
    /// own `/policy`, and other hosts, whose paths are content, to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_url: Option<String>,
    /// Where a CID can be checked, as `https:` URL that has `{cid}` in its place; pages about
    /// content that cannot be had link to it. Default none: nobody else learns what is read here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_url: Option<String>,
    /// What `/robots.txt` says. Default none: crawlers are asked to leave `/ipfs/` and `/ipns/`
    /// alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robots: Option<String>,
}

impl Config {
    /// Says what is wrong with these keys, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        let contacts = [("abuse", &self.abuse), ("security_contact", &self.security_contact)];
        for (key, url) in contacts {
            if let Some(url) = url
                && !is_link(url, &["mailto:", "https://"])
            {
                return Err(format!("pages.{key}: {url:?} is no mailto: or https: URL"));
            }
        }
        for (key, url) in [("policy_url", &self.policy_url), ("check_url", &self.check_url)] {
            let plain = url.as_ref().map(|url| url.replace("{cid}", "cid"));
            if let Some(url) = plain
                && !is_link(&url, &["https://", "http://"])
            {
                return Err(format!("pages.{key}: {url:?} is no https: URL"));
            }
        }
        if self.check_url.as_ref().is_some_and(|url| !url.contains("{cid}")) {
            return Err("pages.check_url must have {cid} where the CID is to stand".to_owned());
        }
        Ok(())
    }
}

/// Whether this is a URL of one of these schemes that can stand in a header and between angle
/// brackets.
fn is_link(url: &str, schemes: &[&str]) -> bool {
    let known = schemes.iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme));
    known && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_no_links_are_refused() {
        for url in
            ["javascript:alert(1)", "abuse@gw.example", "mailto:", "https://a b", "https://a>"]
        {
            for config in [
                Config { abuse: Some(url.to_owned()), ..Config::default() },
                Config { security_contact: Some(url.to_owned()), ..Config::default() },
                Config { policy_url: Some(url.to_owned()), ..Config::default() },
                Config { check_url: Some(format!("{url}{{cid}}")), ..Config::default() },
            ] {
                // With the CID in its place this one has an address.
                let is_mail = url == "mailto:" && config.check_url.is_some();
                assert!(config.check().is_err() || is_mail, "{config:?}");
            }
        }
        let check_url = Some("https://check.example/".to_owned());
        assert!(Config { check_url, ..Config::default() }.check().is_err(), "no {{cid}}");
    }

    #[test]
    fn addresses_that_are_links_are_taken() {
        let config = Config {
            abuse: Some("mailto:abuse@gw.example?subject=abuse".to_owned()),
            security_contact: Some("https://gw.example/security".to_owned()),
            policy_url: Some("https://gw.example/policy".to_owned()),
            check_url: Some("https://check.example/?cid={cid}".to_owned()),
            ..Config::default()
        };
        assert_eq!(config.check(), Ok(()));
        assert_eq!(Config::default().check(), Ok(()));
    }
}
