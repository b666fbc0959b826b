//! The world's names, as far as a guide's reader makes records: a server of names on the guide's own network,
//! which is dnsmasq.

use std::collections::BTreeMap;
use std::fs;

use crate::shell::Shell;

/// The records that a reader has made, by name and type.
#[derive(Debug, Default)]
pub(crate) struct Zone {
    records: BTreeMap<(String, String), String>,
    ttl: u32,
}

impl Zone {
    /// Makes the records of a block, and serves them with those before; one of the same name and type
    /// takes its place.
    ///
    /// # Errors
    /// A line is no record, or they cannot be served.
    pub(crate) fn make(&mut self, text: &str, shell: &mut Shell) -> Result<(), String> {
        // Readers put their values in the place of variables, and so does the shell.
        let text = shell.run(&format!("cat <<END_OF_RECORDS\n{text}END_OF_RECORDS\n"))?.out;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.record(line)?;
        }
        fs::write(shell.path("dnsmasq.conf"), self.config()).map_err(|error| error.to_string())?;
        let (config, pid) = (shell.path("dnsmasq.conf"), shell.path("dnsmasq.pid"));
        let (config, pid) = (config.display(), pid.display());
        let served = shell.run(&format!(
            "if [ -e '{pid}' ]; then\n\
               kill \"$(cat '{pid}')\"\n\
               while kill -0 \"$(cat '{pid}')\" 2>/dev/null; do sleep 0.02; done\n\
             fi\n\
             dnsmasq --conf-file='{config}' --pid-file='{pid}' --user=\"$(id -un)\"\n"
        ));
        served.map(drop)
    }

    fn record(&mut self, line: &str) -> Result<(), String> {
        let wrong = || format!("{line:?} is not `NAME. TTL IN TYPE VALUE`");
        let fields: Vec<&str> = line.splitn(5, char::is_whitespace).collect();
        let [name, ttl, "IN", kind, value] = fields[..] else { return Err(wrong()) };
        let name = name.strip_suffix('.').ok_or_else(wrong)?;
        self.ttl = ttl.parse().map_err(|_| wrong())?;
        let value = value.trim().trim_matches('"').to_owned();
        self.records.insert((name.to_owned(), kind.to_owned()), value);
        Ok(())
    }

    fn config(&self) -> String {
        let mut config = format!(
            "no-resolv\nno-hosts\nbind-interfaces\nlisten-address=127.0.0.53\nlocal-ttl={}\n",
            self.ttl
        );
        for ((name, kind), value) in &self.records {
            config += &match (kind.as_str(), name.strip_prefix("*.")) {
                ("TXT", _) => format!("txt-record={name},\"{value}\"\n"),
                (_, Some(below)) => format!("address=/{below}/{value}\n"),
                (_, None) => format!("host-record={name},{value}\n"),
            };
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_record_takes_the_place_of_an_earlier_one() {
        let mut zone = Zone::default();
        for line in [
            "*.ipfs.dweb.example. 60 IN A 192.0.2.10",
            "_dnslink.docs.example. 60 IN TXT \"dnslink=/ipfs/a\"",
            "_dnslink.docs.example. 5 IN TXT \"dnslink=/ipfs/b\"",
        ] {
            zone.record(line).expect(line);
        }
        let config = zone.config();
        assert!(config.contains("address=/ipfs.dweb.example/192.0.2.10\n"), "{config}");
        assert!(config.contains("txt-record=_dnslink.docs.example,\"dnslink=/ipfs/b\"\n"));
        assert!(config.contains("local-ttl=5\n") && !config.contains("ipfs/a"), "{config}");
        assert!(zone.record("docs.example IN A 192.0.2.10").is_err());
    }
}
