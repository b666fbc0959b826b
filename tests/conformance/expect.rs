//! What claims expect of answers, and how an answer is shown that is not so.

use std::fmt::Write as _;

use harness::Answer;

use crate::archives;
use crate::shelf::Shelf;

/// What is expected of an answer beside its status; texts may hold words of the shelf.
pub(crate) enum Expect {
    Header(&'static str, String),
    Contains(&'static str, String),
    Lacks(&'static str, String),
    Body(Vec<u8>),
    Block(&'static str),
    Text(String),
    NoText(String),
    Blocks(Vec<&'static str>),
    Check(&'static str, fn(&Shelf, &Answer) -> bool),
}

impl Expect {
    /// What is wrong with an answer, if it is not as expected.
    pub(crate) fn complaint(&self, shelf: &Shelf, answer: &Answer) -> Option<String> {
        let value = |name: &str| {
            let values = answer.head.headers.iter().filter(|(known, _)| known == name);
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        let (holds, due) = match self {
            Self::Header(name, due) => {
                let due = shelf.fill(due);
                (value(name).as_ref() == Some(&due), format!("{name}: {due} is due"))
            }
            Self::Contains(name, part) => {
                let part = shelf.fill(part);
                let holds = value(name).is_some_and(|value| value.contains(&part));
                (holds, format!("{name} with {part:?} is due"))
            }
            Self::Lacks(name, part) => {
                let holds = value(name).is_none_or(|value| !value.contains(part.as_str()));
                (holds, format!("{name} without {part:?} is due"))
            }
            Self::Body(due) => {
                let text = String::from_utf8_lossy(due);
                (answer.body == *due, format!("the body due has {} bytes: {text:.200}", due.len()))
            }
            Self::Block(word) => {
                (answer.body == *shelf.block(word), format!("block {word} is due"))
            }
            Self::Text(part) => {
                let part = shelf.fill(part);
                (answer.text().contains(&part), format!("a body with {part:?} is due"))
            }
            Self::NoText(part) => {
                let part = shelf.fill(part);
                (!answer.text().contains(&part), format!("a body without {part:?} is due"))
            }
            Self::Blocks(words) => {
                let due: Vec<&str> = words.iter().map(|word| shelf.word(word)).collect();
                let got = archives::blocks(&answer.body);
                let due_text = format!("a CAR of {words:?} is due, and it has {got:?}");
                (got.is_ok_and(|got| got == due), due_text)
            }
            Self::Check(what, holds) => (holds(shelf, answer), format!("{what} is due")),
        };
        (!holds).then_some(due)
    }
}

/// An answer as a failure shows it.
pub(crate) fn show(answer: &Answer) -> String {
    let mut shown = format!("    {}\n", answer.status());
    for (name, value) in &answer.head.headers {
        writeln!(shown, "    {name}: {value}").expect("a string takes every write");
    }
    let text: String = answer.text().chars().take(600).collect();
    write!(shown, "    {} bytes: {text:?}", answer.body.len()).expect("a string takes every write");
    shown
}
