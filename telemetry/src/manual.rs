//! What a program says of itself beside `--help`: its pages of the manual, and completions for shells.
//!
//! Both are drawn from the command line that the program parses, so that they cannot say anything else.

use std::io::{self, Write};

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// The name of the manual, at the top of its pages.
const TITLE: &str = "Bifrost";

/// A form that a program can be described in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Its page of the manual, for man(1).
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for fish.
    Fish,
    /// Completions for zsh.
    Zsh,
}

/// What a command line does not say of its program: names, and what each is for.
#[derive(Debug, Clone, Copy)]
pub struct Beyond {
    /// Files.
    pub files: &'static [(&'static str, &'static str)],
    /// Variables that no argument has.
    pub variables: &'static [(&'static str, &'static str)],
}

/// Writes a program's own page or completions.
///
/// # Errors
/// Of writing.
pub fn write(
    form: Form,
    mut command: Command,
    beyond: &Beyond,
    to: &mut dyn Write,
) -> io::Result<()> {
    let shell = match form {
        Form::Man => {
            command.build();
            return page(&command, beyond, to);
        }
        Form::Bash => Shell::Bash,
        Form::Fish => Shell::Fish,
        Form::Zsh => Shell::Zsh,
    };
    let name = command.get_name().to_owned();
    // The generator takes no failure of writing, which a vector does not have.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    to.write_all(&text)
}

/// The pages of a program and of all its visible subcommands: names of files, and their text.
///
/// # Errors
/// Of writing, which memory does not have.
pub fn pages(command: Command, beyond: &Beyond) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut drawn = Vec::new();
    let mut waiting = vec![command];
    while let Some(command) = waiting.pop() {
        let mut text = Vec::new();
        page(&command, beyond, &mut text)?;
        drawn.push((format!("{}.1", name(&command)), text));
        waiting.extend(command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned());
    }
    drawn.sort();
    Ok(drawn)
}

/// `bifrost-mirror-verdict` of `bifrost mirror verdict`.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// One page. What stands below `--help` is its last sections, under their own headings.
fn page(command: &Command, beyond: &Beyond, to: &mut dyn Write) -> io::Result<()> {
    let source = format!("{TITLE} {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).manual(TITLE).source(source);
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(to)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(to)?;
    }
    let mut rest = Roff::new();
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for (heading, text) in sections(&after) {
        rest.control("SH", [heading.as_str()]).control("nf", []);
        for line in text.lines() {
            rest.text([roman(line)]);
        }
        rest.control("fi", []);
    }
    listed(&mut rest, "FILES", beyond.files);
    listed(&mut rest, "ENVIRONMENT", &[]);
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        if let (Some(variable), Some(long)) = (argument.get_env(), argument.get_long()) {
            let variable = variable.to_string_lossy().into_owned();
            rest.control("TP", []).text([bold(variable)]).text([roman(format!("As --{long}."))]);
        }
    }
    for (variable, meaning) in beyond.variables {
        rest.control("TP", []).text([bold(*variable)]).text([roman(*meaning)]);
    }
    rest.to_writer(to)
}

fn listed(page: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    page.control("SH", [heading]);
    for (name, meaning) in rows {
        page.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
    }
}

/// The paragraphs of a text by their headings, which end in a colon: `Exit codes: 0 …`.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let headed = paragraph.split_once(':').filter(|(heading, _)| {
            // One or two words; a longer beginning is that of a sentence.
            heading.split(' ').count() <= 2
                && heading.chars().all(|c| c.is_alphabetic() || c == ' ')
        });
        match (headed, found.last_mut()) {
            (Some((heading, rest)), _) => {
                let heading = match heading {
                    // Where man(7) has a name of its own.
                    "Exit codes" => "EXIT STATUS".to_owned(),
                    other => other.to_uppercase(),
                };
                found.push((
                    heading,
                    rest.strip_prefix('\n').unwrap_or(rest.trim_start()).to_owned(),
                ));
            }
            (None, Some((_, before))) => {
                before.push_str("\n\n");
                before.push_str(paragraph);
            }
            (None, None) => found.push(("NOTES".to_owned(), paragraph.to_owned())),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    const BEYOND: Beyond =
        Beyond { files: &[("/etc/thing.yaml", "What it is told.")], variables: &[("WHO", "Who.")] };

    fn thing() -> Command {
        let flag = Arg::new("config").long("config").env("THING_CONFIG").help("The file.");
        let hidden = Command::new("hidden").hide(true);
        let sub = Command::new("make").about("Makes.").after_help("Examples:\n  thing make -x");
        let after = "Examples:\n  thing --config a.yaml\n\nExit codes: 0 made, 1 not.";
        Command::new("thing")
            .about("A thing.")
            .version("1")
            .after_help(after)
            .arg(flag)
            .subcommand(sub.subcommand(Command::new("twice").about("Makes two.")))
            .subcommand(hidden)
    }

    #[test]
    fn page_has_what_the_command_line_and_its_author_say() {
        let mut page = Vec::new();
        write(Form::Man, thing(), &BEYOND, &mut page).expect("memory takes it");
        let page = String::from_utf8(page).expect("it is text");
        for wanted in [
            ".SH NAME\nthing \\- A thing.",
            ".SH EXAMPLES\n.nf\n",
            "\n  thing \\-\\-config a.yaml",
            ".SH \"EXIT STATUS\"\n.nf\n0 made, 1 not.",
            ".SH FILES\n.TP\n\\fB/etc/thing.yaml\\fR",
            ".SH ENVIRONMENT\n.TP\n\\fBTHING_CONFIG\\fR\nAs \\-\\-config.",
            "\\fBWHO\\fR",
        ] {
            assert!(page.contains(wanted), "{wanted} is not in\n{page}");
        }
    }

    #[test]
    fn every_visible_subcommand_has_a_page() {
        let pages = pages(thing(), &BEYOND).expect("memory takes them");
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["thing-make-twice.1", "thing-make.1", "thing.1"]);
    }

    #[test]
    fn completions_are_of_the_program() {
        for (form, wanted) in
            [(Form::Bash, "_thing"), (Form::Fish, "-c thing"), (Form::Zsh, "#compdef thing")]
        {
            let mut text = Vec::new();
            write(form, thing(), &BEYOND, &mut text).expect("memory takes it");
            let text = String::from_utf8(text).expect("it is text");
            assert!(text.contains(wanted) && text.contains("config"), "{form:?}\n{text}");
        }
    }

    #[test]
    fn text_without_a_heading_is_kept() {
        let found = sections("Just so.\n\nMore of it: with a colon, in a long sentence.");
        assert_eq!(found.len(), 1);
        assert!(found[0].0 == "NOTES" && found[0].1.ends_with("sentence."));
    }
}
