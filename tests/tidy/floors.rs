//! The lock file holds no version below the first one without a known hole.
//!
//! The public advisory database does not carry all of libp2p's, so the floors are kept by hand.

use crate::tree::{assert_none, root};

/// Package, lowest version allowed.
const FLOORS: [(&str, [u64; 3]); 22] = [
    ("bytes", [1, 11, 1]),
    ("h2", [0, 4, 20]),
    ("hickory-proto", [0, 26, 1]),
    ("hickory-resolver", [0, 26, 1]),
    ("hyper", [1, 0, 0]),
    ("idna", [1, 0, 3]),
    ("libp2p", [0, 57, 0]),
    ("libp2p-gossipsub", [0, 49, 4]),
    ("libp2p-quic", [0, 13, 1]),
    ("lru", [0, 18, 2]),
    ("moka", [0, 12, 16]),
    ("pingora", [0, 8, 0]),
    ("protobuf", [3, 7, 2]),
    ("quinn-proto", [0, 11, 15]),
    ("ring", [0, 17, 12]),
    ("rustls", [0, 23, 18]),
    ("rustls-webpki", [0, 103, 13]),
    ("serde_yml", [u64::MAX, 0, 0]),
    ("snow", [0, 9, 5]),
    ("tokio", [1, 44, 2]),
    ("tracing-subscriber", [0, 3, 20]),
    ("yamux", [0, 13, 10]),
];

#[test]
fn locked_versions_are_at_or_above_their_floors() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed");
    let mut complaints = Vec::new();
    for (name, version) in packages(&lock) {
        let floor = FLOORS.iter().find(|(known, _)| *known == name);
        if let Some((_, floor)) = floor
            && version < *floor
        {
            complaints.push(format!("{name} {version:?} is below {floor:?}"));
        }
    }
    assert_none(&complaints);
}

#[test]
fn every_package_comes_from_the_one_registry() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed");
    let complaints: Vec<String> = lock
        .lines()
        .filter(|line| line.starts_with("source = ") && !line.starts_with("source = \"registry+"))
        .map(str::to_owned)
        .collect();
    assert_none(&complaints);
}

#[test]
fn the_npm_lock_names_no_host() {
    let lock = std::fs::read_to_string(root().join("tests/interop/package-lock.json"));
    let lock = lock.expect("the interop packages are locked");
    assert!(!lock.contains("\"resolved\""), "npm: set omit-lockfile-registry-resolved=true");
}

fn packages(lock: &str) -> Vec<(String, [u64; 3])> {
    lock.split("[[package]]")
        .filter_map(|entry| {
            let field = |name: &str| {
                let line = entry.lines().find_map(|line| line.strip_prefix(name))?;
                line.strip_prefix(" = \"")?.strip_suffix('"')
            };
            let version = field("version")?;
            let mut parts = version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
            let mut next = || parts.next().unwrap_or(0);
            Some((field("name")?.to_owned(), [next(), next(), next()]))
        })
        .collect()
}

#[test]
fn the_lock_is_read_entry_by_entry() {
    let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.2.3-rc.1\"\n";
    assert_eq!(packages(lock), [("a".to_owned(), [1, 2, 3])]);
}
