//! Follows a guide from its first block to its last, and says at which line it is wrong.

use crate::elsewhere;
use crate::looks::like;
use crate::names::Zone;
use crate::page::{Block, Kind, Page};
use crate::shell::{Done, Shell};

/// Follows a guide; nothing of it runs afterwards.
///
/// # Errors
/// A text that begins with file and line.
pub(crate) fn follow(page: &Page) -> Result<(), String> {
    let mut shell = Shell::start()?;
    let mut zone = Zone::default();
    for (index, block) in page.blocks.iter().enumerate() {
        let output = page.output_of(index);
        // What goes on has a shell of its own anyway.
        if block.fresh && !matches!(block.kind, Kind::Background(_)) {
            shell.forget()?;
        }
        step(&block.kind, &block.text, output, &mut shell, &mut zone)
            .map_err(|error| format!("ops/guides/{}.md:{}: {error}", page.name, block.line))?;
    }
    match &shell.left()[..] {
        [] => Ok(()),
        left => Err(format!("ops/guides/{}.md leaves {left:?} behind", page.name)),
    }
}

fn step(
    kind: &Kind,
    text: &str,
    output: Option<&Block>,
    shell: &mut Shell,
    zone: &mut Zone,
) -> Result<(), String> {
    match kind {
        Kind::Run => looks(output, &shell.run(text)?),
        Kind::Fails(code) => {
            let done = shell.attempt(text, true)?;
            if done.code != *code {
                return Err(format!("it ended with {}: {}", done.code, done.out));
            }
            looks(output, &done)
        }
        Kind::Within(seconds) => within(*seconds, text, output, shell),
        Kind::Background(until) => {
            let step = shell.background(text, until)?;
            // What follows the words may come a moment later.
            let shown = output.map_or("…", |output| &output.text);
            while !like(shown, &shell.said(step)) {
                let said = shell.said(step);
                shell.poll().map_err(|error| format!("{error}: {}", unlike(shown, &said)))?;
            }
            Ok(())
        }
        Kind::Elsewhere(_) => match &elsewhere::faults(text)[..] {
            [] => Ok(()),
            faults => Err(faults.join("\n")),
        },
        Kind::Instead(kind, instead) => step(kind, instead, output, shell, zone),
        Kind::Output => Ok(()),
        Kind::File(name) => {
            let commands = format!(
                "mkdir -p \"$(dirname '{name}')\"\ncat >'{name}' <<'END_OF_FILE'\n{text}END_OF_FILE\n"
            );
            shell.run(&commands).map(drop)
        }
        Kind::Dns => zone.make(text, shell),
        Kind::Keys if text.trim() == "Ctrl-C" => shell.interrupt().map(drop),
        Kind::Keys => Err(format!("there is no key {}", text.trim())),
    }
}

fn within(
    seconds: u64,
    text: &str,
    output: Option<&Block>,
    shell: &mut Shell,
) -> Result<(), String> {
    let began = std::time::Instant::now();
    loop {
        let done = shell.attempt(text, false)?;
        let result = match done.code {
            0 => looks(output, &done),
            code => Err(format!("it ended with {code}: {}{}", done.out, done.err)),
        };
        if result.is_ok() || began.elapsed().as_secs() >= seconds {
            return result;
        }
        shell.poll()?;
    }
}

fn looks(output: Option<&Block>, done: &Done) -> Result<(), String> {
    match output {
        Some(output) if !like(&output.text, &done.out) => {
            Err(format!("{}--- errors ---\n{}", unlike(&output.text, &done.out), done.err))
        }
        Some(_) | None => Ok(()),
    }
}

fn unlike(shown: &str, printed: &str) -> String {
    format!("it does not print what is shown\n--- shown ---\n{shown}--- printed ---\n{printed}")
}
