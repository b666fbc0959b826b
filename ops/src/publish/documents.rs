//! The texts that the site is made from, all inside this program, so that it can be published wherever
//! that runs.
//!
//! A document is Markdown at a path of the project; the path decides where its page is.

use std::borrow::Cow;

use crate::reference;

/// One text.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// Where it lies in the project.
    pub(super) path: Cow<'static, str>,
    /// What it says.
    pub(super) text: Cow<'static, str>,
}

macro_rules! documents {
    ($($path:literal),* $(,)?) => {
        &[$(Document {
            path: Cow::Borrowed($path),
            text: Cow::Borrowed(include_str!(concat!("../../../", $path))),
        }),*]
    };
}

/// How to do things, in the order of the list of them.
pub(super) const GUIDES: &[Document] = documents![
    "ops/guides/start.md",
    "ops/guides/website.md",
    "ops/guides/domain.md",
    "ops/guides/nodes.md",
    "ops/guides/release.md",
    "ops/guides/migrate.md",
    "ops/guides/local-or-public.md",
    "ops/guides/troubleshooting.md",
    "ops/guides/sizing.md",
];

/// What to do when something is wrong, in the order of the list of them.
pub(super) const RUNBOOKS: &[Document] = documents![
    "runbooks/GatewayAvailability.md",
    "runbooks/GatewayFirstByte.md",
    "runbooks/GatewayFirstByteNetwork.md",
    "runbooks/WebsiteAvailability.md",
    "runbooks/WebsiteFirstByte.md",
    "runbooks/WebsiteFirstByteNetwork.md",
    "runbooks/GatewayNotReady.md",
    "runbooks/NodeAvailability.md",
    "runbooks/NodeFirstByte.md",
    "runbooks/NodeUnreachable.md",
    "runbooks/NodeDiskFull.md",
    "runbooks/Overload.md",
    "runbooks/UnverifiedBytes.md",
    "runbooks/WrongBytes.md",
    "runbooks/ProbeSuccess.md",
    "runbooks/NamesFreshness.md",
    "runbooks/DenylistFreshness.md",
    "runbooks/TargetMissing.md",
    "runbooks/SignalMissing.md",
    "runbooks/LogLinesLost.md",
    "runbooks/ConfigRejected.md",
    "runbooks/MirrorDifferent.md",
    "runbooks/ProfilesMissing.md",
    "runbooks/TaskPanicked.md",
    "runbooks/BadRelease.md",
    "runbooks/Certificate.md",
    "runbooks/DhtTrouble.md",
    "runbooks/DomainBlocked.md",
    "runbooks/DrainAndRestart.md",
    "runbooks/NodeReturnsBadData.md",
    "runbooks/Takedown.md",
];

/// What profiles have shown.
pub(super) const FINDINGS: &[Document] = documents![
    "runbooks/findings/README.md",
    "runbooks/findings/missing-name.md",
    "runbooks/findings/names-are-kept.md",
    "runbooks/findings/small-archives.md",
];

/// The project's own texts, which others refer to.
pub(super) const PROJECT: &[Document] =
    documents!["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md"];

/// Reference pages, made from the code: and what is written beside them.
pub(super) fn reference() -> Vec<Document> {
    let document = |(name, text): (&'static str, &'static str)| Document {
        path: Cow::Owned(format!("ops/reference/{name}.md")),
        text: Cow::Borrowed(text),
    };
    reference::pages().map(document).into()
}

/// Where the page of a document is.
pub(super) fn place(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let name = file.strip_suffix(".md").unwrap_or(file);
    match (folder, name) {
        ("", name) => format!("project/{}.html", name.to_lowercase()),
        ("runbooks/findings", "README") => "findings/index.html".to_owned(),
        (folder, name) => {
            let last = folder.rsplit_once('/').map_or(folder, |(_, last)| last);
            format!("{last}/{name}.html")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_the_project_is_forgotten() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        for (folder, known) in
            [("ops/guides", GUIDES), ("runbooks", RUNBOOKS), ("runbooks/findings", FINDINGS)]
        {
            for entry in std::fs::read_dir(format!("{root}/{folder}")).expect("it is there") {
                let name = entry.expect("it can be listed").file_name();
                let path = format!("{folder}/{}", name.to_string_lossy());
                let is_known = known.iter().any(|document| document.path == path);
                assert!(is_known || !path.ends_with(".md"), "{path} is in no list");
            }
        }
    }

    #[test]
    fn a_page_is_where_its_path_says() {
        for (path, page) in [
            ("ops/guides/own-domain.md", "guides/own-domain.html"),
            ("runbooks/NodeDiskFull.md", "runbooks/NodeDiskFull.html"),
            ("runbooks/findings/README.md", "findings/index.html"),
            ("runbooks/findings/small-archives.md", "findings/small-archives.html"),
            ("reference/metrics.md", "reference/metrics.html"),
            ("ARCHITECTURE.md", "project/architecture.html"),
        ] {
            assert_eq!(place(path), page);
        }
    }
}
