//! What was found out about one process: an answer to each question.

use serde_json::{Value, json};

use super::QUESTIONS;
use crate::inventory::schema::Kind;

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is as it should be.
    Yes(String),
    /// It is not, and why.
    No(String),
    /// It was not asked, or does not concern this process.
    None,
}

impl Answer {
    /// An answer that nothing is wanting in.
    pub(super) fn yes(text: impl Into<String>) -> Self {
        Answer::Yes(text.into())
    }

    /// What is wanting.
    pub(super) fn no(text: impl Into<String>) -> Self {
        Answer::No(text.into())
    }

    /// For a table.
    pub(super) fn shown(&self) -> &str {
        match self {
            Answer::Yes(text) => text,
            Answer::No(_) => "no",
            Answer::None => "-",
        }
    }

    /// For a program.
    pub(super) fn document(&self) -> Value {
        match self {
            Answer::Yes(text) => json!({ "answer": "yes", "said": text }),
            Answer::No(why) => json!({ "answer": "no", "said": why }),
            Answer::None => json!({ "answer": "not_asked" }),
        }
    }
}

/// What was found out about one process.
#[derive(Debug)]
pub(super) struct Row {
    /// The process.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: Kind,
    /// Where it is.
    pub(super) env: String,
    /// One for each question.
    pub(super) answers: [Answer; QUESTIONS.len()],
}

impl Row {
    /// What is wanting, a line each.
    pub(super) fn lacks(&self) -> impl Iterator<Item = String> {
        QUESTIONS.iter().zip(&self.answers).filter_map(|(question, answer)| match answer {
            Answer::No(why) => Some(format!("{}: {question}: {why}", self.name)),
            Answer::Yes(_) | Answer::None => None,
        })
    }

    /// Whether nothing is wanting.
    pub(super) fn is_managed(&self) -> bool {
        self.lacks().next().is_none()
    }

    /// For a program.
    pub(super) fn document(&self) -> Value {
        let answers: serde_json::Map<String, Value> = QUESTIONS
            .iter()
            .zip(&self.answers)
            .map(|(question, answer)| ((*question).to_owned(), answer.document()))
            .collect();
        let managed = self.is_managed();
        json!({
            "name": self.name, "kind": self.kind, "env": self.env, "managed": managed,
            "answers": answers,
        })
    }
}
