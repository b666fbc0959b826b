//! What other gateways do without any setting, and a gateway here does not: named whatever they were told.

use std::path::PathBuf;

use serde_json::json;

use super::draft::Draft;
use super::setting::{Row, Said};

fn row(setting: &str, theirs: String, ours: &str, said: Said, note: String) -> Row {
    Row { setting: setting.to_owned(), theirs, ours: ours.to_owned(), said, note }
}

/// Whom they believe, and how much one client may have.
pub(super) fn proxies(draft: &mut Draft) -> [Row; 3] {
    draft.remark(
        "hosts.trusted_proxies",
        json!(["10.0.0.0/8"]),
        "behind proxies: the addresses of all of them, and of nothing else",
    );
    [
        row(
            "(X-Forwarded-Host, X-Forwarded-Proto)",
            "believed from anybody (its default)".to_owned(),
            "hosts.trusted_proxies",
            Said::Differs,
            "believed, as X-Forwarded-For is, from proxies that are named, and from nobody else: name yours, or hosts \
             and schemes are those of the proxy, and all clients have its address"
                .to_owned(),
        ),
        row(
            "(requests of one client)",
            "no bound (its default)".to_owned(),
            "limit.per_client_max",
            Said::Differs,
            "128 at a time of one address, then 429: of a proxy that is not in hosts.trusted_proxies, all its clients \
             together, unless it is on this machine"
                .to_owned(),
        ),
        row(
            "(CARs and TARs at a time)",
            "no bound (its default)".to_owned(),
            "limit.cars_max",
            Said::Differs,
            "256, then 503".to_owned(),
        ),
    ]
}

/// Hosts that nobody named, which are served there, and their DNSLink too unless `websites` are named.
pub(super) fn other_hosts(websites: bool) -> Row {
    let (theirs, said) = match websites {
        true => ("/ipfs and /ipns (its default)", Said::Differs),
        false => ("/ipfs and /ipns, and their DNSLink (its default)", Said::Unsupported),
    };
    row(
        "(hosts that are not named)",
        theirs.to_owned(),
        "hosts.table, hosts.any",
        said,
        "a host that is not in the table gets 421: name each website, or *.its.parent; hosts.any: always gives all \
         others /ipfs and /ipns, and loopback, the default, on a listener that only this machine reaches"
            .to_owned(),
    )
}

/// Lists in folders, which they read without being told: those that are here, and those that are not.
pub(super) fn denylists(folders: &[(PathBuf, &str)], draft: &mut Draft) -> Vec<Row> {
    let mut rows = Vec::new();
    for (folder, name) in folders {
        // Whichever folder the gateway is started in.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        let theirs = format!("every *.deny in {name} (its default)");
        let setting = "(denylists on disk)";
        let (said, note) = if folder.is_dir() {
            let file = json!({"file": folder.display().to_string()});
            draft.set("gateway denylist.lists[]", file, "denylists on disk");
            (Said::Same, format!("a row `file` with {}; files may come and go", folder.display()))
        } else {
            let note = format!(
                "{} is no folder here: where there is one, add a row `file` with it, or what it denies is served",
                folder.display()
            );
            (Said::Differs, note)
        };
        rows.push(row(setting, theirs, "denylist.lists", said, note));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_denylists_are_taken_or_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("none");
        let mut draft = Draft::default();
        let folders = [(folder.path().to_owned(), "$HERE"), (missing.clone(), "$THERE")];
        let rows = denylists(&folders, &mut draft);
        let said: Vec<Said> = rows.iter().map(|row| row.said).collect();
        assert_eq!(said, [Said::Same, Said::Differs]);
        assert!(rows[1].note.starts_with(&missing.display().to_string()), "{rows:?}");
        let (_, text) = &draft.files()[0];
        assert!(text.contains(&format!("{{\"file\":\"{}\"}}", folder.path().display())), "{text}");
        assert!(!text.contains("none"), "{text}");
    }
}
