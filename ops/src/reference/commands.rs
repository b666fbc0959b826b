//! The pages of commands: `bifrost` from its own tree, the processes from their `--help`.

use clap::{Arg, Command};

use super::facts::Facts;
use super::markdown::{block, cell, code, explained, head, table};

const INTRO: &str = "\
Results are on stdout, everything else on stderr. `--help` of each command says the same as this page.
Commands that measure a fleet, judge releases and ship them have [a page of their own](commands-measure.md).
";

const MEASURING_INTRO: &str = "\
Objectives, dashboards, mirrored releases, profiles, the chart, packages and this reference. What runs a fleet is on
[the page before](commands.md).
";

/// Those that are not needed to run a fleet; a page with all of them would be too long to load.
const MEASURING: [&str; 7] = ["slo", "dash", "mirror", "profile", "chart", "reference", "package"];

/// Commands that run a fleet.
pub(super) fn page(facts: &Facts, unexplained: &mut Vec<String>) -> String {
    let mut text = head("Commands", INTRO);
    let mut tree = crate::described();
    tree.build();
    alone(&tree, "bifrost", &mut text, unexplained);
    below(&tree, "bifrost", &mut text, unexplained, |name| !MEASURING.contains(&name));
    for said in &facts.said {
        text.push_str(&format!("\n## {}\n\n{}", said.program, block(&said.help)));
    }
    text
}

/// Commands that measure, judge and ship.
pub(super) fn measuring(unexplained: &mut Vec<String>) -> String {
    let mut text = head("Commands that measure and ship", MEASURING_INTRO);
    let mut tree = crate::described();
    tree.build();
    below(&tree, "bifrost", &mut text, unexplained, |name| MEASURING.contains(&name));
    text
}

/// The commands below another that are wanted, each with all below it.
fn below(
    command: &Command,
    path: &str,
    text: &mut String,
    unexplained: &mut Vec<String>,
    is_wanted: fn(&str) -> bool,
) {
    for one in command.get_subcommands() {
        if !one.is_hide_set() && one.get_name() != "help" && is_wanted(one.get_name()) {
            let path = format!("{path} {}", one.get_name());
            alone(one, &path, text, unexplained);
            below(one, &path, text, unexplained, |_| true);
        }
    }
}

/// A command with its flags.
fn alone(command: &Command, path: &str, text: &mut String, unexplained: &mut Vec<String>) {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    explained(path, &about, unexplained);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    text.push_str(&format!("\n## {path}\n\n{}\n\n{}", cell(&about), block(usage)));
    let rows: Vec<_> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
        .map(|arg| row(arg, path, unexplained))
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(&["Argument", "Default", "Meaning"], &rows));
    }
    let after = command.get_after_long_help().or(command.get_after_help());
    if let Some(after) = after {
        text.push('\n');
        text.push_str(&block(&after.to_string()));
    }
}

fn row(arg: &Arg, path: &str, unexplained: &mut Vec<String>) -> Vec<String> {
    let help = arg.get_long_help().or(arg.get_help());
    let mut meaning = cell(&help.map(ToString::to_string).unwrap_or_default());
    let name = arg.to_string();
    explained(&format!("{path} {name}"), &meaning, unexplained);
    let values: Vec<_> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| code(value.get_name()))
        .collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        meaning.push_str(&format!(" One of {}.", values.join(", ")));
    }
    if let Some(variable) = arg.get_env() {
        meaning.push_str(&format!(" Variable `{}`.", variable.to_string_lossy()));
    }
    let defaults: Vec<_> = match arg.get_action().takes_values() {
        true => arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect(),
        false => Vec::new(),
    };
    vec![code(&name), code(&defaults.join(" ")), meaning]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_flag_is_explained() {
        let facts = Facts { said: Vec::new(), metrics: Vec::new() };
        let mut unexplained = Vec::new();
        let text = page(&facts, &mut unexplained) + &measuring(&mut unexplained);
        assert_eq!(unexplained, Vec::<String>::new());
        assert!(text.contains("\n## bifrost ipns sign\n"), "{text}");
        assert!(text.contains("`--base-port <"), "{text}");
        for name in MEASURING {
            assert_eq!(text.matches(&format!("\n## bifrost {name}\n")).count(), 1, "{name}");
        }
        assert!(!text.contains("bifrost site build"), "what is hidden is not told");
    }
}
