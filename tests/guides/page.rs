//! Reads a guide: what stands in its head, and its blocks in order, each with what it is for.
//!
//! A block whose purpose is not said is refused, so that no line of a guide escapes its test by accident.

use std::collections::BTreeMap;

/// A guide.
#[derive(Debug)]
pub(crate) struct Page {
    /// The name of its file, without `.md`.
    pub(crate) name: String,
    /// What stands between the first two lines of `---`.
    pub(crate) head: BTreeMap<String, String>,
    /// Its fenced blocks, in order.
    pub(crate) blocks: Vec<Block>,
    /// Its text without blocks.
    pub(crate) prose: String,
}

/// A fenced block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The line of its first fence, from 1.
    pub(crate) line: usize,
    /// What is in it.
    pub(crate) text: String,
    /// What is done with it.
    pub(crate) kind: Kind,
    /// Whether it is the first one of another terminal, which knows nothing of the one before.
    pub(crate) fresh: bool,
}

/// What is done with a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Commands that have to succeed.
    Run,
    /// Commands that end in this code.
    Fails(i32),
    /// Commands that are given again until they succeed and say what they should, for so many seconds.
    Within(u64),
    /// A command that goes on; what follows begins when it has said this.
    Background(String),
    /// Commands that need what a test has not, and what that is.
    Elsewhere(String),
    /// Commands in whose place the test gives others.
    Instead(Box<Kind>, String),
    /// What the block of commands before it prints.
    Output,
    /// A file that the reader writes.
    File(String),
    /// Records that the reader makes at whoever serves their domain.
    Dns,
    /// A key for the command that was started last and goes on.
    Keys,
}

/// What a head has to say.
pub(crate) const HEAD: [&str; 4] = ["title", "summary", "minutes", "needs"];

/// How a guide says that another terminal is opened.
const NEW_TERMINAL: [&str; 2] = ["In a second ", "In a third "];

impl Page {
    /// Reads a guide.
    ///
    /// # Errors
    /// A text that names the line and what is wrong with it.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let head = head(&mut lines).map_err(|error| format!("{name}.md: {error}"))?;
        let (mut blocks, mut prose) = (Vec::<Block>::new(), String::new());
        let mut told = 0;
        while let Some((line, text)) = lines.next() {
            let Some(info) = text.trim_start().strip_prefix("```") else {
                prose.push_str(text);
                prose.push('\n');
                continue;
            };
            let indent = text.len() - text.trim_start().len();
            let wrong = |what: &str| format!("{name}.md:{line}: {what}");
            let kind = kind(info).map_err(|error| wrong(&error))?;
            let mut text = String::new();
            loop {
                let (_, line) = lines.next().ok_or_else(|| wrong("this block has no end"))?;
                if line.trim() == "```" {
                    break;
                }
                text.push_str(line.get(indent..).unwrap_or(line.trim_start()));
                text.push('\n');
            }
            if kind == Kind::Output && !blocks.last().is_some_and(Block::prints) {
                return Err(wrong("output without commands before it"));
            }
            let since = prose.get(told..).unwrap_or_default();
            let fresh = NEW_TERMINAL.iter().any(|words| since.contains(words));
            told = prose.len();
            blocks.push(Block { line, text, kind, fresh });
        }
        Ok(Self { name: name.to_owned(), head, blocks, prose })
    }

    /// What the block at this place has to print, if the guide says it.
    pub(crate) fn output_of(&self, index: usize) -> Option<&Block> {
        self.blocks.get(index + 1).filter(|next| next.kind == Kind::Output)
    }
}

impl Block {
    fn prints(&self) -> bool {
        match &self.kind {
            Kind::Run | Kind::Fails(_) | Kind::Within(_) | Kind::Background(_) => true,
            Kind::Instead(..) | Kind::Elsewhere(_) => true,
            Kind::Output | Kind::File(_) | Kind::Dns | Kind::Keys => false,
        }
    }
}

fn head<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<BTreeMap<String, String>, String> {
    if lines.next().is_none_or(|(_, line)| line != "---") {
        return Err("it begins with ---".to_owned());
    }
    let mut head = BTreeMap::new();
    for (number, line) in lines {
        if line == "---" {
            let missing = HEAD.iter().find(|key| !head.contains_key(**key));
            return missing.map_or(Ok(head.clone()), |key| Err(format!("its head lacks {key}")));
        }
        let (key, value) = line.split_once(": ").ok_or(format!("{number}: not `key: value`"))?;
        if !HEAD.contains(&key) {
            return Err(format!("{number}: a head has no {key}"));
        }
        head.insert(key.to_owned(), value.trim().to_owned());
    }
    Err("its head has no end".to_owned())
}

/// The purpose of a block by what stands behind its first fence: a language, then `key="value"`.
fn kind(info: &str) -> Result<Kind, String> {
    let (language, mut rest) = info.trim().split_once(' ').unwrap_or((info.trim(), ""));
    let mut words = BTreeMap::new();
    while !rest.trim().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(after) => after.split_once('"').ok_or("a quote has no end")?,
            None => {
                let after = after.strip_prefix('=').unwrap_or(after);
                after.split_once(' ').unwrap_or((after, ""))
            }
        };
        words.insert(key, value);
        rest = after;
    }
    let mut take = |key: &str| words.remove(key).map(str::to_owned);
    let kind = match language {
        "sh" => {
            let instead = take("instead");
            let number =
                |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
            let kind = match (take("elsewhere"), take("background"), take("fails"), take("within"))
            {
                (Some(why), None, None, None) => Kind::Elsewhere(why),
                (None, Some(_), None, None) => {
                    Kind::Background(take("until").ok_or("what does it say when it is ready?")?)
                }
                (None, None, Some(code), None) => {
                    Kind::Fails(i32::try_from(number(code)?).map_err(|error| error.to_string())?)
                }
                (None, None, None, Some(seconds)) => Kind::Within(number(seconds)?),
                (None, None, None, None) => Kind::Run,
                (..) => return Err("a block is for one thing".to_owned()),
            };
            match instead {
                Some(instead) => Kind::Instead(Box::new(kind), instead),
                None => kind,
            }
        }
        "text" => Kind::Output,
        "keys" => Kind::Keys,
        "dns" => Kind::Dns,
        other => Kind::File(take("file").ok_or(format!("what is a block of {other:?} for?"))?),
    };
    match words.keys().next() {
        Some(key) => Err(format!("{key} says nothing here")),
        None => Ok(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "---\ntitle: T\nsummary: S\nminutes: 5\nneeds: nothing\n---\n";

    fn read(text: &str) -> Result<Page, String> {
        Page::read("a", &format!("{HEAD}{text}"))
    }

    #[test]
    fn blocks_have_the_purpose_that_they_say() {
        for (info, kind) in [
            ("sh", Kind::Run),
            ("sh fails=5", Kind::Fails(5)),
            ("sh within=20", Kind::Within(20)),
            ("sh background until=\"all is well\"", Kind::Background("all is well".into())),
            ("sh elsewhere=\"a cluster\"", Kind::Elsewhere("a cluster".into())),
            ("yaml file=a/b.yaml", Kind::File("a/b.yaml".into())),
            ("dns", Kind::Dns),
            ("keys", Kind::Keys),
            ("sh instead=\"true\"", Kind::Instead(Box::new(Kind::Run), "true".into())),
        ] {
            let page = read(&format!("```{info}\na\n  b\n```\n")).expect(info);
            assert_eq!((&page.blocks[0].kind, &*page.blocks[0].text), (&kind, "a\n  b\n"));
            assert_eq!(page.blocks[0].line, 7);
        }
    }

    #[test]
    fn block_without_a_purpose_is_refused() {
        for (text, why) in [
            ("```yaml\na: b\n```\n", "what is a block of \"yaml\" for?"),
            ("```sh until=\"x\"\na\n```\n", "until says nothing here"),
            ("```sh background\na\n```\n", "what does it say"),
            ("```sh fails=1 within=3\na\n```\n", "one thing"),
            ("```text\na\n```\n", "output without commands"),
            ("```sh\na\n", "no end"),
            ("```sh fails=x\na\n```\n", "no number"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.contains(why) && said.contains(":7:"), "{said}");
        }
        assert!(Page::read("a", "# Title").expect_err("no head").contains("---"));
        assert!(Page::read("a", "---\ntitle: T\n---\n").expect_err("too short").contains("lacks"));
    }

    #[test]
    fn indented_block_loses_its_indent() {
        let page = read("1. Do:\n\n   ```sh\n   a\n     b\n   ```\n").expect("it is read");
        assert_eq!(page.blocks[0].text, "a\n  b\n");
        assert_eq!(page.prose, "1. Do:\n\n");
    }
}
