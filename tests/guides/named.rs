//! What prose names: files that it links to, keys of configuration, metrics, and commands of ours.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use harness::fleet;

use crate::elsewhere;
use crate::page::Page;

/// Names that a guide may use.
pub(crate) struct Known {
    /// `section.key`, and the sections alone.
    keys: BTreeSet<String>,
    /// The code of all processes.
    code: String,
}

impl Known {
    /// Asks the programs and the code of the project.
    pub(crate) fn new(root: &Path) -> Self {
        let mut keys = BTreeSet::new();
        let folder = tempfile::tempdir().expect("a folder can be made");
        for (program, needed) in
            [("bifrost-gateway", "server: {}\n"), ("bifrost-node", "swarm: {}\n")]
        {
            let config = folder.path().join(program);
            fs::write(&config, needed).expect("it can be written");
            let output = Command::new(fleet::program(program).expect("it is built"))
                .args(["--check-config", "--config"])
                .arg(&config)
                .output()
                .expect("it runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            keys.extend(keys_of(&String::from_utf8_lossy(&output.stdout)));
        }
        let mut code = String::new();
        for member in ["gateway", "node", "telemetry"] {
            read_below(&root.join(member).join("src"), &mut code);
        }
        Self { keys, code }
    }

    /// What a guide names that is not there.
    pub(crate) fn faults(&self, page: &Page, folder: &Path) -> Vec<String> {
        let mut faults = elsewhere::faults_of_prose(&page.prose);
        let links = page.prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let path = link.split('#').next().unwrap_or(link);
            if !folder.join(path).exists() {
                faults.push(format!("{link} is not there"));
            }
        }
        for span in page.prose.split('`').skip(1).step_by(2) {
            let section = span.split_once('.').map(|(section, _)| section);
            let is_key =
                span.chars().all(|letter| letter.is_ascii_lowercase() || "._".contains(letter));
            if is_key
                && section.is_some_and(|name| self.keys.contains(name))
                && !self.keys.contains(span)
            {
                faults.push(format!("no process has the key {span}"));
            }
        }
        let blocks = page.blocks.iter().map(|block| block.text.as_str());
        let all = blocks.chain([page.prose.as_str()]).collect::<Vec<_>>().join("\n");
        let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        for word in all.split(|letter| !is_name(letter)) {
            let is_ours =
                ["bifrost_gateway_", "bifrost_node_"].iter().any(|own| word.starts_with(own));
            if is_ours && !self.code.contains(word) {
                faults.push(format!("no process has the metric {word}"));
            }
        }
        faults.iter().map(|fault| format!("{}.md: {fault}", page.name)).collect()
    }
}

/// The sections of a file in effect, and `section.key` for what is in them.
fn keys_of(text: &str) -> Vec<String> {
    let mut section = "";
    let mut keys = Vec::new();
    for line in text.lines() {
        let Some((key, _)) = line.split_once(':') else { continue };
        match key.strip_prefix("  ") {
            None => {
                section = key;
                keys.push(key.to_owned());
            }
            Some(key) if !key.starts_with([' ', '-']) => keys.push(format!("{section}.{key}")),
            Some(_) => {}
        }
    }
    keys
}

fn read_below(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("code can be listed") {
        let path = entry.expect("code can be listed").path();
        if path.is_dir() {
            read_below(&path, text);
        } else {
            text.push_str(&fs::read_to_string(&path).expect("code is text"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_sections() {
        let keys = keys_of("dir: a\nhosts:\n  table:\n  - name: x\n    class: y\n  any: z\n");
        assert_eq!(keys, ["dir", "hosts", "hosts.table", "hosts.any"]);
    }

    #[test]
    fn names_that_are_not_there_are_found() {
        let known =
            Known { keys: keys_of("hosts:\n  any: z\n").into_iter().collect(), code: "x".into() };
        let text = "---\ntitle: T\nsummary: S\nminutes: 5\nneeds: n\n---\n`hosts.any`, `hosts.all`, \
                    `a.b`, `bifrost_node_x`, [a](a.md)\n";
        let page = Page::read("g", text).expect("it is read");
        let faults = known.faults(&page, Path::new("/nowhere"));
        let named = ["a.md", "hosts.all", "bifrost_node_x"]
            .map(|name| faults.iter().filter(|fault| fault.contains(&format!(" {name}"))).count());
        assert_eq!((named, faults.len()), ([1; 3], 3), "{faults:?}");
    }
}
