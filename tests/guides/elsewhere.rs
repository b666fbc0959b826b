//! Commands that are not run: whether they are shell, and whether our programs take their flags.
//!
//! A program of ours is asked with the words of the guide and `--help` behind them: it says what is wrong
//! with the words before it, and does nothing.

use std::process::{Command, Stdio};

use harness::fleet;

const OURS: [&str; 3] = ["bifrost", "bifrost-gateway", "bifrost-node"];

/// What is wrong with commands that are not run.
pub(crate) fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let shell = Command::new("bash").args(["-n", "-c", text]).output().expect("there is a bash");
    if !shell.status.success() {
        faults.push(String::from_utf8_lossy(&shell.stderr).into_owned());
    }
    faults.extend(commands(text).iter().filter_map(|words| refused(words)));
    faults
}

/// What is wrong with the commands of ours that prose names in backticks.
pub(crate) fn faults_of_prose(prose: &str) -> Vec<String> {
    let spans = prose.split('`').skip(1).step_by(2);
    spans.flat_map(commands).filter_map(|words| refused(&words)).collect()
}

fn refused(words: &[String]) -> Option<String> {
    let (program, words) = words.split_first()?;
    let output = Command::new(fleet::program(program).expect("it is built"))
        .args(words)
        .arg("--help")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then(|| format!("{program} {}: {said}", words.join(" ")))
}

/// The commands of ours in a text, word by word.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let single = text.split(['\n', '|', ';', '&', '(', ')']);
    single
        .filter_map(|command| {
            let words: Vec<String> = words(command);
            let at = words.iter().position(|word| {
                let name = word.rsplit('/').next().unwrap_or(word);
                OURS.contains(&name)
            })?;
            // What stands before it is a variable or a program that runs another one.
            let led = words[..at].iter().all(|word| word.contains('=') || word == "sudo");
            let mut words = words[at..].to_vec();
            words[0] = words[0].rsplit('/').next().unwrap_or_default().to_owned();
            led.then_some(words)
        })
        .collect()
}

fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, '<' | '>') => break,
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            (..) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_ours_are_found_word_by_word() {
        let text =
            "cd x && A=1 bifrost up \\\n  --data '/a b' > log # why\nls | bin/bifrost-node -V";
        let found = commands(text);
        assert_eq!(found[0], ["bifrost", "up", "--data", "/a b"]);
        assert_eq!(found[1], ["bifrost-node", "-V"]);
        assert_eq!(commands("echo bifrost up"), Vec::<Vec<String>>::new());
    }

    #[test]
    fn unknown_flags_and_broken_shell_are_found() {
        assert_eq!(faults("helm install x\nbifrost up --nodes 3 --data DIR"), Vec::<String>::new());
        assert!(faults("bifrost up --nods 3")[0].contains("--nods"));
        assert!(faults("bifrost upp")[0].contains("upp"));
        assert!(faults("if true; then")[0].contains("unexpected end"));
        assert!(faults_of_prose("say `bifrost up --nods 3`, or `nothing`")[0].contains("--nods"));
    }
}
