//! How values of other gateways become values of ours.
//!
//! Nothing is guessed: what cannot be read is an error, and what a list has beyond us is named item by item.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytesize::ByteSize;
use serde_json::{Map, Value, json};

use super::setting::plain;

mod gateways;
mod lists;

pub(super) use lists::{Named, named};

/// Longest time, where theirs has no bound and ours needs one.
const LONGEST: &str = "24h";
/// Most requests, where theirs has no bound and ours needs one.
const MANY: u64 = 1_000_000;

/// How a value is read, and what it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It says nothing that has to be written.
    Nothing,
    /// An address to listen on, as `host:port` or a multiaddress.
    Listen,
    /// The same, on loopback whatever it says.
    Loopback,
    /// A duration.
    Duration,
    /// A duration of which zero bounds nothing, so that our own bound stays.
    Cap,
    /// A duration of which zero is no bound.
    Patience,
    /// A duration of which zero or less is an hour.
    AnHour,
    /// Bytes.
    Bytes,
    /// A whole number.
    Count,
    /// A whole number of which zero is no bound.
    Bound,
    /// A share from 0 to 1.
    Share,
    /// True or false.
    Switch,
    /// True is a time of zero.
    ZeroIfTrue,
    /// A folder of its own within this one.
    Folder,
    /// A page that checks a CID.
    Check,
    /// The base URL of an OpenTelemetry collector.
    Collector,
    /// A level of logs, with exceptions.
    Level,
    /// A form of logs.
    LogForm,
    /// Kubo's map of hosts.
    PublicGateways,
    /// DNS resolvers by suffix.
    Resolvers,
    /// URLs of denylists.
    Denylists,
    /// URLs of nodes.
    Nodes,
    /// Addresses of peers.
    Peers,
    /// Addresses to listen on for peers.
    Swarm,
    /// Names that are known without asking.
    Names,
}

/// What was taken of a value.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Taken {
    /// The values of the key, several where it is a list.
    pub(super) values: Vec<Value>,
    /// What was taken and means something else here, in words.
    pub(super) otherwise: Vec<String>,
    /// What was left out, in words.
    pub(super) left: Vec<String>,
}

impl Taken {
    fn one(value: impl Into<Value>) -> Self {
        Self { values: vec![value.into()], ..Self::default() }
    }

    fn add(&mut self, taken: Result<Value, String>) {
        match taken {
            Ok(value) => self.values.push(value),
            Err(why) => self.left.push(why),
        }
    }
}

impl Way {
    /// Reads a value.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn take(self, value: &Value) -> Result<Taken, String> {
        let text = plain(value);
        let text = text.trim();
        Ok(match self {
            Way::Nothing => Taken::default(),
            Way::Listen => listen(value)?,
            Way::Loopback => {
                let port = address(text)?.port();
                Taken::one(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string())
            }
            Way::Duration => Taken::one(written(duration(text)?)),
            Way::Cap => match duration(text)? {
                Duration::ZERO => Taken::default(),
                time => Taken::one(written(time)),
            },
            Way::Patience => match duration(text)? {
                Duration::ZERO => Taken::one(LONGEST),
                time => Taken::one(written(time)),
            },
            Way::AnHour => match text.strip_prefix('-') {
                Some(_) => Taken::one("1h"),
                None => match duration(text)? {
                    Duration::ZERO => Taken::one("1h"),
                    time => Taken::one(written(time)),
                },
            },
            Way::Bytes => Taken::one(bytes(text)?),
            Way::Count => Taken::one(count(text)?),
            Way::Bound => Taken::one(Some(count(text)?).filter(|count| *count > 0).unwrap_or(MANY)),
            Way::Share => Taken::one(share(text)?),
            Way::Switch => Taken::one(switch(text)?),
            Way::ZeroIfTrue if switch(text)? => Taken::one("0s"),
            Way::ZeroIfTrue => Taken::default(),
            // Without one it is the folder that they are started in.
            Way::Folder if text.is_empty() => Taken::one("bifrost"),
            Way::Folder => Taken::one(format!("{}/bifrost", text.trim_end_matches('/'))),
            Way::Check if text.is_empty() => Taken::default(),
            Way::Check => Taken::one(format!("{}?cid={{cid}}", text.trim_end_matches('/'))),
            Way::Collector if text.starts_with("http://") => {
                Taken::one(format!("{}/v1/traces", text.trim_end_matches('/')))
            }
            Way::Collector => return Err("collectors are spoken to by plain http only".to_owned()),
            Way::Level => level(text)?,
            Way::LogForm => Taken::one(match text {
                "color" | "nocolor" => "text",
                "json" => "json",
                _ => return Err("it is none of color, nocolor, json".to_owned()),
            }),
            Way::PublicGateways => gateways::read(value)?,
            Way::Resolvers => lists::resolvers(value)?,
            Way::Denylists => lists::denylists(value),
            Way::Nodes => lists::nodes(value),
            Way::Peers => lists::peers(value),
            Way::Swarm => lists::swarm(value),
            Way::Names => Taken::one(Value::Object(names(text)?)),
        })
    }
}

/// The first address, and others as what is left out.
fn listen(value: &Value) -> Result<Taken, String> {
    let mut items = lists::items(value).into_iter();
    let first = items.next().ok_or("it names no address")?;
    let mut taken = Taken::one(address(&first)?.to_string());
    taken.left = items.map(|more| format!("{more}: a gateway has one listener")).collect();
    Ok(taken)
}

/// `host:port`, `:port`, or `/ip4/…/tcp/…`.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some(rest) = text.strip_prefix('/') {
        let parts: Vec<&str> = rest.split('/').collect();
        if let ["ip4" | "ip6", ip, "tcp", port] | ["ip4" | "ip6", ip, "tcp", port, "http"] =
            parts[..]
            && let (Ok(ip), Ok(port)) = (ip.parse::<IpAddr>(), port.parse())
        {
            return Ok(SocketAddr::new(ip, port));
        }
        return Err(format!("{text} is no /ip4/…/tcp/… or /ip6/…/tcp/…"));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("{text} has no port"))?;
    let port = port.parse().map_err(|_| format!("{text} has no port"))?;
    match host {
        // Of both families, as Go and our listeners take it.
        "" => Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
        "localhost" => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => Err(format!("{text} is a name: listeners have addresses")),
    }
}

/// A duration of Go, such as `1h2m3.5s`; `0` has no unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration such as 30s or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, 0.0_f64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(wrong()),
        };
        total += number.parse::<f64>().map_err(|_| wrong())? * seconds;
        rest = after;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

fn written(time: Duration) -> String {
    // Finer than a microsecond nothing here is timed, and sums of fractions are not exact.
    let time = Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    humantime::format_duration(time).to_string()
}

fn bytes(text: &str) -> Result<u64, String> {
    let size = text.parse::<ByteSize>().map_err(|_| format!("{text:?} is no number of bytes"))?;
    Ok(size.as_u64())
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number"))
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is no share from 0 to 1"))
}

fn switch(text: &str) -> Result<bool, String> {
    match &text.to_ascii_lowercase()[..] {
        "true" | "1" | "t" => Ok(true),
        "false" | "0" | "f" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// The level for everything; levels of single parts are theirs alone.
fn level(text: &str) -> Result<Taken, String> {
    let mut taken = Taken::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part.contains('=') {
            taken.left.push(format!("{part}: parts of this program have other names"));
            continue;
        }
        taken.values = vec![json!(match &part.to_ascii_lowercase()[..] {
            "debug" => "debug",
            "info" => "info",
            "warn" => "warn",
            "error" | "dpanic" | "panic" | "fatal" => "error",
            _ => return Err(format!("{part:?} is no level")),
        })];
    }
    Ok(taken)
}

fn names(text: &str) -> Result<Map<String, Value>, String> {
    let mut names = Map::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, path) =
            pair.split_once(':').ok_or_else(|| format!("{pair:?} is no name:path"))?;
        names.insert(name.to_owned(), path.into());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go_are_read() {
        for (theirs, ours) in [
            ("30s", "30s"),
            ("1h2m3s", "1h 2m 3s"),
            ("1.5h", "1h 30m"),
            ("60m", "1h"),
            ("250ms", "250ms"),
            ("1d2h4m40.01s", "1day 2h 4m 40s 10ms"),
        ] {
            assert_eq!(written(duration(theirs).expect(theirs)), ours);
        }
        for wrong in ["", "30", "s", "-5s", "1y", "1..2s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        let taken = Way::AnHour.take(&json!("-5s")).expect("it is taken");
        assert_eq!(taken, Taken::one("1h"));
        assert_eq!(Way::Patience.take(&json!("0")).expect("it is taken"), Taken::one("24h"));
    }

    #[test]
    fn addresses_of_both_kinds_are_read() {
        for (theirs, ours) in [
            ("127.0.0.1:8090", "127.0.0.1:8090"),
            (":80", "[::]:80"),
            ("localhost:1", "127.0.0.1:1"),
            ("[::1]:9", "[::1]:9"),
            ("/ip4/127.0.0.1/tcp/8080", "127.0.0.1:8080"),
            ("/ip6/::/tcp/8080", "[::]:8080"),
        ] {
            assert_eq!(address(theirs).expect(theirs).to_string(), ours);
        }
        for wrong in ["gateway:80", "80", "/unix/run/x.sock", "/ip4/127.0.0.1/udp/1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        let several = json!(["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"]);
        assert_eq!(Way::Listen.take(&several).expect("the first one").left.len(), 1);
    }

    #[test]
    fn no_bound_is_a_large_one_where_ours_would_refuse_all() {
        assert_eq!(Way::Bound.take(&json!(0)).expect("it is taken"), Taken::one(MANY));
        assert_eq!(Way::Bound.take(&json!("5")).expect("it is taken"), Taken::one(5));
    }

    #[test]
    fn no_folder_is_the_one_that_they_are_started_in() {
        assert_eq!(Way::Folder.take(&json!("")).expect("it is taken"), Taken::one("bifrost"));
        assert_eq!(Way::Folder.take(&json!("/x/")).expect("it is taken"), Taken::one("/x/bifrost"));
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (theirs, ours) in [("5368709120", 5 << 30), ("10GB", 10_000_000_000), ("5GiB", 5 << 30)]
        {
            assert_eq!(bytes(theirs), Ok(ours));
        }
        assert!(bytes("much").is_err());
    }

    #[test]
    fn levels_of_parts_are_named() {
        let taken = Way::Level.take(&json!("error,rainbow=debug")).expect("it is taken");
        assert_eq!((taken.values, taken.left.len()), (vec![json!("error")], 1));
    }
}
