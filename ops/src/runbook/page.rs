//! A runbook as a program reads it: front matter, sections, code, links, and the first steps.
//!
//! Everything keeps the line at which it stands. The text is the one source: what `triage` asks is
//! what a person reads.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde::Deserialize;

use super::steps::{self, Step};
use crate::findings::Finding;
use crate::locate::{self, Lines};

/// The sections of every runbook, in their order.
pub(crate) const SECTIONS: [&str; 7] =
    ["Meaning", "User impact", FIRST, "Diagnosis", "Mitigation", "Escalation", "Afterwards"];

/// The section of ordered steps.
pub(crate) const FIRST: &str = "First five minutes";

/// What stands above the text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Front {
    /// The alert that it is for; none of a procedure.
    #[serde(default)]
    pub(crate) alert: Option<String>,
    /// What kind of page it is.
    #[serde(default)]
    pub(crate) kind: Kind,
    /// The name of a procedure.
    #[serde(default)]
    pub(crate) title: Option<String>,
    /// What it is for, in one line.
    pub(crate) summary: String,
    /// The objective that the alert watches, or `none`.
    #[serde(default)]
    pub(crate) slo: Option<String>,
    /// How urgent its alerts may be.
    #[serde(default)]
    pub(crate) severity: Vec<Severity>,
    /// The schedule that answers for it.
    pub(crate) owner: String,
    /// The day of the last drill.
    pub(crate) last_drilled: Drilled,
    /// The day on which somebody has to have read it again.
    #[serde(deserialize_with = "date")]
    pub(crate) expires: Date,
    /// Dashboards that help.
    #[serde(default)]
    pub(crate) dashboards: Vec<String>,
    /// Ids of the queries in the text, in their order.
    #[serde(default)]
    pub(crate) queries: Vec<String>,
    /// Programs that the text runs, in alphabetic order.
    #[serde(default)]
    pub(crate) commands: Vec<String>,
    /// How the page is tried out.
    #[serde(default)]
    pub(crate) drill: Option<super::drill::Plan>,
    /// Why it is not, where `drill` is `none`.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// What a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// One alert.
    #[default]
    Alert,
    /// Work that no alert asks for by itself.
    Procedure,
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Somebody is woken.
    Page,
    /// Somebody looks within the working day.
    Ticket,
}

/// When a page was last drilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Drilled {
    /// Not yet.
    Never,
    /// On this day.
    On(Date),
}

impl TryFrom<String> for Drilled {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        text.parse().map(Self::On).map_err(|_| format!("{text:?} is neither `never` nor a day"))
    }
}

fn date<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is no day: 2027-01-31")))
}

/// Text of a kind, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The text.
    pub(crate) text: String,
}

/// A block of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its fence.
    pub(crate) line: usize,
    /// What follows the fence: `sh`, or `promql` and an id.
    pub(crate) info: String,
    /// The code.
    pub(crate) text: String,
}

impl Block {
    /// The id of a query.
    pub(crate) fn query(&self) -> Option<&str> {
        self.info.strip_prefix("promql").map(str::trim)
    }
}

/// A runbook.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// The file.
    pub(crate) path: PathBuf,
    /// The name of the file, without its ending.
    pub(crate) name: String,
    /// What stands above the text.
    pub(crate) front: Front,
    /// The text.
    pub(crate) body: String,
    /// The line of the first line of the text.
    pub(crate) first_line: usize,
    /// Headings of the first level.
    pub(crate) titles: Vec<Placed>,
    /// Headings of the second level.
    pub(crate) sections: Vec<Placed>,
    /// Code within lines.
    pub(crate) spans: Vec<Placed>,
    /// Code in blocks.
    pub(crate) blocks: Vec<Block>,
    /// Where links lead.
    pub(crate) links: Vec<Placed>,
    /// The steps of [`FIRST`].
    pub(crate) steps: Vec<Step>,
    /// Words that are read before something is done.
    pub(crate) words_before_action: usize,
    keys: Vec<Placed>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Finding> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let whole = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
        let Some((above, body)) = whole else {
            let text = "it does not begin with front matter between two lines of ---";
            return Err(Finding::at(path, 1, "front-matter", text));
        };
        let front: Front = serde_yaml::from_str(above).map_err(|error| {
            Finding::at(
                path,
                locate::of_error(&error, above) + 1,
                "front-matter",
                error.to_string(),
            )
        })?;
        let lines = Lines::of(above);
        let keys = [
            "alert",
            "title",
            "slo",
            "severity",
            "owner",
            "expires",
            "queries",
            "dashboards",
            "commands",
            "drill",
            "reason",
        ];
        let keys =
            keys.map(|key| Placed { line: lines.at(key) + 1, text: key.to_owned() }).to_vec();
        let first_line = above.lines().count() + 3;
        let mut page = Self {
            path: path.to_owned(),
            name,
            front,
            body: body.to_owned(),
            first_line,
            titles: Vec::new(),
            sections: Vec::new(),
            spans: Vec::new(),
            blocks: Vec::new(),
            links: Vec::new(),
            steps: Vec::new(),
            words_before_action: 0,
            keys,
        };
        page.read();
        Ok(page)
    }

    /// The line of a key above the text.
    pub(crate) fn key(&self, key: &str) -> usize {
        self.keys.iter().find(|placed| placed.text == key).map_or(1, |placed| placed.line)
    }

    /// The queries of the text.
    pub(crate) fn queries(&self) -> impl Iterator<Item = (&str, &Block)> {
        self.blocks.iter().filter_map(|block| Some((block.query()?, block)))
    }

    fn read(&mut self) {
        let first_line = self.first_line;
        let body = self.body.clone();
        let line_of = |at: usize| first_line + body[..at].matches('\n').count();
        let mut heading: Option<(HeadingLevel, Placed)> = None;
        let mut block: Option<Block> = None;
        for (event, range) in Parser::new_ext(&body, Options::ENABLE_TABLES).into_offset_iter() {
            let line = line_of(range.start);
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    heading = Some((level, Placed { line, text: String::new() }));
                }
                Event::End(TagEnd::Heading(_)) => match heading.take() {
                    Some((HeadingLevel::H1, placed)) => self.titles.push(placed),
                    Some((HeadingLevel::H2, placed)) => self.sections.push(placed),
                    Some(_) | None => {}
                },
                Event::Start(Tag::CodeBlock(kind)) => {
                    let info = match kind {
                        CodeBlockKind::Fenced(info) => info.into_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    block = Some(Block { line, info, text: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => self.blocks.extend(block.take()),
                Event::Start(Tag::Link { dest_url, .. }) => {
                    self.links.push(Placed { line, text: dest_url.into_string() });
                }
                Event::Code(text) => {
                    let text = text.into_string();
                    if let Some((_, placed)) = &mut heading {
                        placed.text.push_str(&text);
                    }
                    self.spans.push(Placed { line, text });
                }
                Event::Text(text) => match (&mut heading, &mut block) {
                    (Some((_, placed)), _) => placed.text.push_str(&text),
                    (None, Some(block)) => block.text.push_str(&text),
                    (None, None) => {}
                },
                // Nothing else carries what is checked.
                Event::Start(_)
                | Event::End(_)
                | Event::InlineMath(_)
                | Event::DisplayMath(_)
                | Event::Html(_)
                | Event::InlineHtml(_)
                | Event::FootnoteReference(_)
                | Event::SoftBreak
                | Event::HardBreak
                | Event::Rule
                | Event::TaskListMarker(_) => {}
            }
        }
        self.steps = steps::read(&body, first_line);
        let end = self.steps.first().map_or(body.len(), |step| step.ends_at);
        self.words_before_action = body[..end].split_whitespace().count();
    }
}

/// The anchor that a heading gets.
pub(crate) fn anchor(heading: &str) -> String {
    let word = |one: char| one.is_alphanumeric() || one == '-' || one == '_';
    let text = heading.to_lowercase().replace(' ', "-");
    text.chars().filter(|one| word(*one)).collect()
}
