//! Rainbow's four lists of domains: each name has the one class that it has there, and what no class holds is named.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::migrate::draft::Draft;
use crate::migrate::setting::{Row, Said, shown};
use crate::migrate::way::{Named, named};

const KEY: &str = "gateway hosts.table[]";
const WEBSITES: &str = "RAINBOW_DNSLINK_GATEWAY_DOMAINS";
const ORIGINS: &str = "RAINBOW_SUBDOMAIN_GATEWAY_DOMAINS";

/// The lists, the strongest first: a name in several of them is there what the first one says.
const LISTS: [(&str, &str, &str); 4] = [
    ("RAINBOW_TRUSTLESS_GATEWAY_DOMAINS", "trustless", ""),
    (ORIGINS, "subdomain", "localhost"),
    ("RAINBOW_GATEWAY_DOMAINS", "path", "127.0.0.1"),
    (WEBSITES, "dnslink", ""),
];

/// One list.
struct List {
    setting: &'static str,
    class: &'static str,
    names: Vec<String>,
    theirs: String,
    is_set: bool,
}

/// All of them.
struct Lists(Vec<List>);

/// Puts the lists into the draft, and says so.
pub(super) fn read(variable: impl Fn(&str) -> Option<String>, draft: &mut Draft) -> Vec<Row> {
    let list = |(setting, class, implied): (&'static str, &'static str, &str)| {
        let value = variable(setting);
        let (is_set, text) = (value.is_some(), value.unwrap_or_else(|| implied.to_owned()));
        let items = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names = items.map(str::to_lowercase).collect();
        let shown = shown(&Value::String(text.clone()), false);
        let theirs = if is_set { shown } else { format!("{shown} (its default)") };
        List { setting, class, names, theirs, is_set }
    };
    let mut lists = Lists(LISTS.into_iter().map(list).collect());
    // It is there whatever the lists say.
    if lists.class("localhost").is_none_or(|class| class == "dnslink") {
        lists.0[1].names.push("localhost".to_owned());
    }
    let mut rows = Vec::new();
    // In the order of Rainbow's documentation.
    for list in [2, 1, 0, 3].map(|place| &lists.0[place]) {
        if list.is_set || !list.names.is_empty() {
            rows.extend(lists.taken(list, draft));
        }
    }
    rows.extend(lists.lost());
    rows
}

impl Lists {
    fn class(&self, name: &str) -> Option<&'static str> {
        let mut lists = self.0.iter();
        lists.find(|list| list.names.iter().any(|known| known == name)).map(|list| list.class)
    }

    /// Rows of the table from one list.
    fn taken(&self, list: &List, draft: &mut Draft) -> Vec<Row> {
        let (mut notes, mut rows) = (Vec::new(), Vec::new());
        let is_websites = list.class == "dnslink";
        for name in &list.names {
            let class = self.class(name).unwrap_or(list.class);
            let mut mine = vec![name.clone()];
            if class != list.class {
                notes.push(format!("{name} is {class}, as it is there"));
                mine.clear();
            }
            let below = format!("*.{name}");
            if is_websites && !name.starts_with("*.") && self.class(&below).is_none() {
                mine.push(below);
            }
            for name in mine {
                match named(&name) {
                    Ok(Named { name, note }) => {
                        draft.set(KEY, json!({"name": name, "class": list.class}), list.setting);
                        // Those below a website are any number of labels there, too.
                        notes.extend(note.filter(|_| !is_websites));
                    }
                    Err(why) => rows.push(list.lost(why)),
                }
            }
        }
        let (ours, said) = ("hosts.table".to_owned(), Said::Same);
        rows.insert(0, Row { ours, said, ..list.lost(notes.join("; ")) });
        rows
    }

    /// What a name can do there beyond its class.
    fn lost(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let names = |class: &'static str| self.0.iter().filter(move |list| list.class == class);
        let [mut origins, mut websites] = [names("subdomain"), names("dnslink")];
        let (Some(origins), Some(websites)) = (origins.next(), websites.next()) else {
            return rows;
        };
        for name in origins.names.iter().filter(|name| self.class(name) == Some("trustless")) {
            let note = format!(
                "{name}: {{cid}}.ipfs.{name} gets 421, as a trustless host has no origins: a host of class subdomain \
                 has them, with pages"
            );
            rows.push(origins.lost(note));
        }
        let of_paths = names("path").chain(names("subdomain")).flat_map(|list| &list.names);
        let mut told: Vec<&String> = Vec::new();
        for name in of_paths {
            let Some(class @ ("path" | "subdomain")) = self.class(name) else { continue };
            if told.contains(&name) || !self.has_dnslink(name) {
                continue;
            }
            told.push(name);
            let theirs = if websites.is_set { websites.theirs.clone() } else { every_host() };
            let note = format!(
                "{name}: a DNSLink of it at /: a host of class {class} has the gateway's own pages there"
            );
            rows.push(Row { theirs, ..websites.lost(note) });
        }
        for name in websites.names.iter().filter(|name| self.class(name) == Some("dnslink")) {
            let note =
                format!("{name}: /ipfs/… and /ipns/… on it: a website has its own paths only");
            rows.push(websites.lost(note));
        }
        rows
    }

    /// Whether the DNSLink of a host is looked up there.
    fn has_dnslink(&self, name: &str) -> bool {
        if name.parse::<IpAddr>().is_ok() || name == "localhost" {
            return false;
        }
        let mut websites = self.0.iter().filter(|list| list.class == "dnslink");
        let is_of = |website: &String| {
            name.strip_suffix(website).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        websites.all(|list| list.names.is_empty() || list.names.iter().any(is_of))
    }
}

fn every_host() -> String {
    "(every host, its default)".to_owned()
}

impl List {
    fn lost(&self, note: String) -> Row {
        let (setting, theirs) = (self.setting.to_owned(), self.theirs.clone());
        Row { setting, theirs, ours: String::new(), said: Said::Unsupported, note }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table that lists become, as `name=class`, and what is lost.
    fn table(lists: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let mut draft = Draft::default();
        let of = |name: &str| {
            lists.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let rows = read(of, &mut draft);
        let (_, text) = &draft.files()[0];
        let hosts = text.lines().filter_map(|line| {
            let row: Value = serde_json::from_str(line.trim().strip_prefix("- ")?).ok()?;
            Some(format!("{}={}", row["name"].as_str()?, row["class"].as_str()?))
        });
        let lost = rows.into_iter().filter(|row| row.said.is_lost()).map(|row| row.note);
        (hosts.collect(), lost.collect())
    }

    #[test]
    fn strongest_list_says_what_a_name_is() {
        let (hosts, lost) = table(&[
            ("RAINBOW_GATEWAY_DOMAINS", "a.example,b.example,c.example"),
            (ORIGINS, "b.example,c.example"),
            ("RAINBOW_TRUSTLESS_GATEWAY_DOMAINS", "c.example"),
            (WEBSITES, "a.example,b.example,c.example,d.example"),
        ]);
        for wanted in
            ["a.example=path", "b.example=subdomain", "c.example=trustless", "d.example=dnslink"]
        {
            assert!(hosts.iter().any(|host| host == wanted), "{wanted} in {hosts:?}");
        }
        for name in ["a.example", "b.example", "c.example", "d.example", "localhost"] {
            let of = |host: &&String| host.starts_with(&format!("{name}="));
            assert_eq!(hosts.iter().filter(of).count(), 1, "{name} in {hosts:?}");
        }
        let wanted = [
            "{cid}.ipfs.c.example",
            "a.example: a DNSLink",
            "b.example: a DNSLink",
            "d.example: /ipfs",
        ];
        assert_eq!(lost.len(), wanted.len(), "{lost:?}");
        for wanted in wanted {
            assert!(lost.iter().any(|note| note.contains(wanted)), "{wanted} in {lost:?}");
        }
    }

    #[test]
    fn list_of_websites_bounds_whose_dnslink_is_lost() {
        let lists = [("RAINBOW_GATEWAY_DOMAINS", "gw.example,www.site.example,127.0.0.1")];
        let (_, lost) = table(&lists);
        assert_eq!(lost.len(), 2, "without a list every host has one: {lost:?}");
        let (_, lost) = table(&[lists[0], (WEBSITES, "site.example")]);
        assert_eq!(lost.len(), 2, "{lost:?}");
        assert!(
            lost.iter().any(|note| note.starts_with("www.site.example: a DNSLink")),
            "{lost:?}"
        );
    }

    #[test]
    fn defaults_are_a_path_gateway_and_one_of_origins() {
        let (hosts, lost) = table(&[]);
        assert_eq!(hosts, ["127.0.0.1=path", "localhost=subdomain"]);
        assert!(lost.is_empty(), "{lost:?}");
    }
}
