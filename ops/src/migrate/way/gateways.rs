//! Kubo's map of hosts: each becomes a row of one class, and what a class cannot say of it is named.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::lists::{Named, named};
use super::{Taken, plain};

/// What a host may do there.
#[derive(Debug, Default)]
struct Host<'a> {
    name: &'a str,
    /// Whether content is at `/ipfs` and at `/ipns`.
    ipfs: bool,
    ipns: bool,
    /// Other paths.
    others: Vec<String>,
    /// Whether a root has an origin of its own.
    subdomains: bool,
    /// Whether its DNSLink is at `/`, or where none of its paths is.
    dnslink: bool,
    /// Whether names are always one label, over plain HTTP too.
    inline: bool,
    trustless: bool,
    /// Settings that nobody documents.
    unknown: Vec<String>,
}

/// Rows of the table of hosts.
///
/// # Errors
/// It is no map.
pub(super) fn read(value: &Value) -> Result<Taken, String> {
    let hosts = value.as_object().ok_or("it is no map of hosts")?;
    let mut taken = Taken::default();
    // Theirs has these unless somebody says otherwise.
    let implied = BTreeMap::from([
        (
            "localhost",
            json!({"Paths": ["/ipfs", "/ipns"], "UseSubdomains": true, "InlineDNSLink": true}),
        ),
        ("127.0.0.1", json!({"Paths": ["/ipfs", "/ipns"]})),
    ]);
    let mut all: BTreeMap<&str, &Value> =
        implied.iter().map(|(name, host)| (*name, host)).collect();
    all.extend(hosts.iter().map(|(name, host)| (&name[..], host)));
    for (name, host) in all {
        match host.as_object() {
            Some(host) => match Host::read(name, host) {
                Ok(host) => host.take(&mut taken),
                Err(why) => taken.left.push(format!("{name}: {why}: there is no row of it")),
            },
            // So a host of the defaults is taken away.
            None if host.is_null() => {}
            None => taken.left.push(format!("{name}: it is no host: there is no row of it")),
        }
    }
    Ok(taken)
}

impl<'a> Host<'a> {
    fn read(name: &'a str, settings: &Map<String, Value>) -> Result<Self, String> {
        let mut host = Self { name, dnslink: true, ..Self::default() };
        let switch = |key: &str, value: &Value| {
            value.as_bool().ok_or_else(|| format!("{key} is neither true nor false"))
        };
        // What is null is not said.
        for (key, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
            match &key[..] {
                "Paths" => {
                    for path in value.as_array().ok_or("Paths is no list")?.iter().map(plain) {
                        match path.trim_end_matches('/') {
                            "/ipfs" => host.ipfs = true,
                            "/ipns" => host.ipns = true,
                            _ => host.others.push(path),
                        }
                    }
                }
                "UseSubdomains" => host.subdomains = switch(key, value)?,
                "NoDNSLink" => host.dnslink = !switch(key, value)?,
                "InlineDNSLink" => host.inline = switch(key, value)?,
                "DeserializedResponses" => host.trustless = !switch(key, value)?,
                _ => host.unknown.push(key.clone()),
            }
        }
        // Kubo refuses such a host, and serves it as any other.
        let is_address = name.parse::<IpAddr>().is_ok();
        if is_address && host.subdomains {
            (host.ipfs, host.ipns, host.subdomains) = (true, true, false);
        }
        // An address has no DNSLink, nor has this machine's own name.
        host.dnslink &= !is_address && name != "localhost";
        Ok(host)
    }

    fn class(&self) -> &'static str {
        match () {
            () if !self.ipfs && !self.ipns && self.dnslink && !self.trustless => "dnslink",
            () if !self.ipfs && !self.ipns => "pages",
            () if self.trustless => "trustless",
            () if self.subdomains => "subdomain",
            () => "path",
        }
    }

    fn take(&self, taken: &mut Taken) {
        let class = self.class();
        match named(self.name) {
            Ok(Named { name, note }) => {
                taken.values.push(json!({"name": name, "class": class}));
                taken.otherwise.extend(note);
            }
            Err(why) => return taken.left.push(why),
        }
        let of = |what: String| format!("{}: {what}", self.name);
        if class == "subdomain" && !self.inline {
            taken
                .otherwise
                .push(of("InlineDNSLink: names are one label over plain HTTP, too".into()));
        }
        let lost = self.lost(class);
        let unknown = self.unknown.iter().map(|key| format!("{key} is no setting of a host"));
        taken.left.extend(lost.into_iter().chain(unknown).map(of));
    }

    /// What it can do there and not with its class, or the other way round.
    fn lost(&self, class: &str) -> Vec<String> {
        let (has_paths, name) = (self.ipfs || self.ipns, self.name);
        let mut lost = Vec::new();
        if has_paths && self.ipfs != self.ipns {
            let more = if self.ipfs { "/ipns" } else { "/ipfs" };
            lost.push(format!("it gets {more} too: a host of class {class} has both"));
        }
        if self.trustless && self.subdomains && has_paths {
            lost.push(format!("{{cid}}.ipfs.{name} gets 421, as a trustless host has no origins"));
        }
        if self.dnslink && class != "dnslink" {
            lost.push(format!(
                "a DNSLink of it at /: a host of class {class} has the gateway's own pages there"
            ));
        }
        lost.extend(self.others.iter().map(|path| format!("{path} is not served")));
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(host: Value) -> (String, Vec<String>) {
        let hosts = json!({"a.example": host, "localhost": null, "127.0.0.1": null});
        let taken = read(&hosts).expect("it is read");
        let class = taken.values.first().map_or_else(String::new, |row| plain(&row["class"]));
        assert!(taken.values.len() <= 1, "{taken:?}");
        (class, taken.left)
    }

    #[test]
    fn class_of_a_host_follows_from_what_it_may() {
        let both = ["/ipfs", "/ipns/"];
        for (host, class) in [
            (json!({"UseSubdomains": true, "Paths": both, "NoDNSLink": true}), "subdomain"),
            (json!({"Paths": both, "NoDNSLink": true}), "path"),
            (
                json!({"Paths": both, "NoDNSLink": true, "DeserializedResponses": false}),
                "trustless",
            ),
            (json!({"Paths": both, "NoDNSLink": true, "DeserializedResponses": null}), "path"),
            (json!({"Paths": []}), "dnslink"),
            (json!({"Paths": [], "UseSubdomains": true}), "dnslink"),
            (json!({"Paths": [], "UseSubdomains": true, "NoDNSLink": true}), "pages"),
            (json!({"Paths": null, "NoDNSLink": true}), "pages"),
        ] {
            assert_eq!(taken(host.clone()), (class.to_owned(), Vec::new()), "{host}");
        }
    }

    #[test]
    fn what_a_class_cannot_say_is_named() {
        let both = ["/ipfs", "/ipns"];
        for (host, class, words) in [
            (json!({"Paths": ["/ipfs"], "NoDNSLink": true}), "path", vec!["it gets /ipns too"]),
            (
                json!({"Paths": ["/ipns"], "DeserializedResponses": false}),
                "trustless",
                vec!["it gets /ipfs too", "a DNSLink of it at /"],
            ),
            (json!({"DeserializedResponses": false}), "pages", vec!["a DNSLink of it at /"]),
            (
                json!({"Paths": both, "UseSubdomains": true, "DeserializedResponses": false, "NoDNSLink": true}),
                "trustless",
                vec!["{cid}.ipfs.a.example gets 421"],
            ),
            (
                json!({"Paths": both, "UseSubdomains": true}),
                "subdomain",
                vec!["a DNSLink of it at /"],
            ),
            (
                json!({"Paths": ["/ipfs", "/ipns", "/version"], "NoDNSLink": true, "Speed": 1}),
                "path",
                vec!["/version is not served", "Speed is no setting"],
            ),
            (json!({"Paths": both, "NoDNSLink": "yes"}), "", vec!["NoDNSLink is neither"]),
            (json!([]), "", vec!["it is no host"]),
        ] {
            let (found, lost) = taken(host.clone());
            assert_eq!((&found[..], lost.len()), (class, words.len()), "{host}: {lost:?}");
            for (lost, word) in lost.iter().zip(words) {
                assert!(lost.starts_with("a.example: ") && lost.contains(word), "{word} in {lost}");
            }
        }
    }

    #[test]
    fn hosts_of_the_defaults_stay_unless_they_are_taken_away() {
        let names = |hosts: Value| -> Vec<String> {
            let taken = read(&hosts).expect("it is read");
            assert!(taken.left.is_empty() && taken.otherwise.is_empty(), "{taken:?}");
            taken.values.iter().map(|row| plain(&row["name"])).collect()
        };
        assert_eq!(names(json!({})), ["127.0.0.1", "localhost"]);
        assert_eq!(names(json!({"localhost": null})), ["127.0.0.1"]);
        assert_eq!(
            names(json!({"127.0.0.1": {"UseSubdomains": true}})),
            ["127.0.0.1", "localhost"]
        );
    }

    #[test]
    fn wildcards_and_names_of_one_label_mean_something_else() {
        let host = json!({"Paths": ["/ipfs", "/ipns"], "UseSubdomains": true, "NoDNSLink": true});
        let taken = read(&json!({"*.a.example": host, "b-*.example": {}})).expect("it is read");
        assert_eq!(taken.otherwise.len(), 2, "{taken:?}");
        assert_eq!(taken.left.len(), 1, "{taken:?}");
    }
}
