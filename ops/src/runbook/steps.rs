//! The steps of the first five minutes: what is asked, what is expected, and where else to go.
//!
//! A step is an item of the ordered list. Its first line asks; a block of `promql`, or a `curl` that
//! only reads, is how; what follows `Expected:` is the answer of a fleet that is well; its list says
//! what another answer means. What is none of these is for the person to do.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::page::FIRST;

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// The line at which it begins.
    pub(crate) line: usize,
    /// What is asked, in one line.
    pub(crate) asks: String,
    /// How it is asked.
    pub(crate) how: Vec<How>,
    /// What is written behind `Expected:`.
    pub(crate) expected: Option<String>,
    /// What other answers mean.
    pub(crate) branches: Vec<String>,
    /// The place in the text behind the first thing to do.
    pub(crate) ends_at: usize,
}

/// How a step is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    /// Prometheus is asked.
    Query {
        /// Its id.
        id: String,
        /// The expression.
        expression: String,
    },
    /// A command is run.
    Command(String),
}

/// What is being read.
#[derive(Default)]
struct Reader {
    steps: Vec<Step>,
    in_section: bool,
    /// Depth of lists.
    depth: usize,
    heading: Option<String>,
    block: Option<(String, String)>,
}

/// The steps of a text whose first line has this number.
pub(super) fn read(body: &str, first_line: usize) -> Vec<Step> {
    let mut reader = Reader::default();
    for (event, range) in Parser::new(body).into_offset_iter() {
        let line = first_line + body[..range.start].matches('\n').count();
        match event {
            Event::Start(Tag::Heading { .. }) => reader.heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                reader.in_section = reader.heading.take().is_some_and(|text| text == FIRST);
            }
            Event::Start(Tag::List(_)) => reader.depth += 1,
            Event::End(TagEnd::List(_)) => reader.depth = reader.depth.saturating_sub(1),
            Event::Start(Tag::Item) => reader.item(line, range.end),
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                reader.block = Some((info, String::new()));
            }
            Event::End(TagEnd::CodeBlock) => reader.block_ends(range.end),
            Event::Text(text) => reader.text(&text),
            Event::Code(text) => reader.code(&text),
            Event::SoftBreak | Event::HardBreak => reader.text(" "),
            // Emphasis and links are read by their text.
            Event::Start(_)
            | Event::End(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
    reader.steps.into_iter().map(finished).collect()
}

impl Reader {
    fn item(&mut self, line: usize, end: usize) {
        if !self.in_section {
            return;
        }
        if self.depth == 1 {
            self.steps.push(Step {
                line,
                asks: String::new(),
                how: Vec::new(),
                expected: None,
                branches: Vec::new(),
                ends_at: end,
            });
        } else if let Some(step) = self.steps.last_mut() {
            step.branches.push(String::new());
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(heading) = &mut self.heading {
            heading.push_str(text);
        } else if let Some((_, code)) = &mut self.block {
            code.push_str(text);
        } else if self.in_section && self.depth > 0 {
            let Some(step) = self.steps.last_mut() else { return };
            match step.branches.last_mut().filter(|_| self.depth > 1) {
                Some(branch) => branch.push_str(text),
                None => step.asks.push_str(text),
            }
        }
    }

    fn code(&mut self, text: &str) {
        let is_of_step = self.in_section && self.depth == 1;
        if let Some(step) = self.steps.last_mut().filter(|_| is_of_step) {
            if step.asks.trim_end().ends_with("Expected:") && step.expected.is_none() {
                step.expected = Some(text.to_owned());
            } else if text.contains(' ') {
                step.how.push(How::Command(text.to_owned()));
            }
        }
        self.text(text);
    }

    fn block_ends(&mut self, end: usize) {
        let Some((info, code)) = self.block.take() else { return };
        let Some(step) = self.steps.last_mut().filter(|_| self.in_section) else { return };
        if step.how.is_empty() {
            step.ends_at = end;
        }
        match info.strip_prefix("promql") {
            Some(id) => step
                .how
                .push(How::Query { id: id.trim().to_owned(), expression: code.trim().to_owned() }),
            None => step.how.extend(code.lines().map(|line| How::Command(line.to_owned()))),
        }
    }
}

/// The question without what is expected of its answer.
fn finished(mut step: Step) -> Step {
    let asks = step.asks.split("Expected:").next().unwrap_or_default();
    step.asks = asks.split_whitespace().collect::<Vec<_>>().join(" ");
    for branch in &mut step.branches {
        *branch = branch.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    step
}

/// What the answer of a fleet that is well looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Expectation {
    /// No series at all.
    Empty,
    /// Every value compares so to the number.
    All(Comparison, f64),
    /// The status of an HTTP answer.
    Status(u16),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    More,
    /// `>=`
    MoreOrEqual,
}

impl Expectation {
    /// Reads `empty`, `200`, or a comparison such as `< 0.1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "empty" {
            return Some(Self::Empty);
        }
        let signs = [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::MoreOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::More),
        ];
        for (sign, comparison) in signs {
            if let Some(number) = text.strip_prefix(sign) {
                return number.trim().parse().ok().map(|number| Self::All(comparison, number));
            }
        }
        text.parse().ok().filter(|status| (100..600).contains(status)).map(Self::Status)
    }

    /// Whether a value is as expected.
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::Empty => false,
            Self::Status(status) => value == f64::from(status),
            Self::All(comparison, number) => match comparison {
                Comparison::Equal => value == number,
                Comparison::Unequal => value != number,
                Comparison::Less => value < number,
                Comparison::LessOrEqual => value <= number,
                Comparison::More => value > number,
                Comparison::MoreOrEqual => value >= number,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A\n\n## First five minutes\n\n1. Is it *there*? Expected: `== 1`\n\n   \
                        ```promql up\n   up\n   ```\n\n   - `0`: go on.\n\n2. Ask it. Expected: \
                        `200`\n\n   ```sh\n   curl -s http://a/\n   ```\n\n3. Run `df -h .`.\n\n## \
                        Diagnosis\n\n1. no step\n";

    #[test]
    fn steps_are_read_as_they_are_written() {
        let steps = read(TEXT, 10);
        assert_eq!(steps.len(), 3);
        assert_eq!((steps[0].line, &steps[0].asks[..]), (14, "Is it there?"));
        assert_eq!(steps[0].expected.as_deref(), Some("== 1"));
        let query = How::Query { id: "up".to_owned(), expression: "up".to_owned() };
        assert_eq!(steps[0].how, [query]);
        assert_eq!(steps[0].branches, ["0: go on."]);
        assert_eq!(steps[1].how, [How::Command("curl -s http://a/".to_owned())]);
        assert_eq!(steps[2].how, [How::Command("df -h .".to_owned())]);
        assert!(TEXT[..steps[0].ends_at].trim_end().ends_with("```"));
    }

    #[test]
    fn expectations_compare_values() {
        for (text, value, holds) in [
            ("== 0", 0.0, true),
            ("== 0", 0.5, false),
            ("< 0.1", 0.05, true),
            (">= 1", 1.0, true),
            ("!= 1", 1.0, false),
            ("> 0", f64::NAN, false),
            ("200", 503.0, false),
        ] {
            let expected = Expectation::parse(text).expect("it is one");
            assert_eq!(expected.holds(value), holds, "{text} of {value}");
        }
        assert_eq!(Expectation::parse("empty"), Some(Expectation::Empty));
        assert_eq!(Expectation::parse("little"), None);
        assert_eq!(Expectation::parse("< much"), None);
    }
}
