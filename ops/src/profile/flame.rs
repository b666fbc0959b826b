//! Flame graphs: who calls whom, the wider the more it takes, the callers above.
//!
//! A graph is drawn as SVG in percent of the page's width, so that it reads without a script and at every
//! width; a small script adds zoom and search. Names of functions are text of strangers, and stay text.

use std::collections::HashMap;
use std::fmt::Write as _;

use telemetry::profile::read::Stacks;

use super::functions::shown;
use crate::site::escape;

/// Frames narrower than this share of the page are left out, with what they call.
const SHARE_MIN: f64 = 0.000_5;
/// Most rows; what is deeper is left out.
const ROWS_MAX: usize = 200;
/// Most frames of a graph.
const FRAMES_MAX: usize = 500_000;
/// Height of a row.
const ROW: usize = 18;
/// Longest name that is shown.
const NAME_CHARS_MAX: usize = 300;

/// The looks of a graph, and what it does when it is touched.
pub(crate) const CSS: &str = include_str!("../../site/flame.css");
pub(crate) const SCRIPT: &str = include_str!("../../site/flame.js");

/// Calls of functions, of one profile or many, of one side or two that are compared.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    names: Vec<String>,
    known: HashMap<String, u32>,
    frames: Vec<Frame>,
    below: HashMap<(u32, u32), u32>,
    totals: [f64; 2],
}

#[derive(Debug, Default)]
struct Frame {
    name: u32,
    values: [f64; 2],
    calls: Vec<u32>,
}

/// Which side of a comparison a profile is of. A graph that compares nothing has the second only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// What is compared with.
    Before = 0,
    /// What is shown.
    After = 1,
}

impl Tree {
    /// Adds the stacks of a profile.
    pub(crate) fn add(&mut self, stacks: &Stacks, side: Side) {
        if self.frames.is_empty() {
            let name = self.name("all");
            self.frames.push(Frame { name, ..Frame::default() });
        }
        let names: Vec<u32> = stacks.functions.iter().map(|name| self.name(name)).collect();
        for stack in &stacks.stacks {
            // What was freed since is no width.
            let value = stack.values[stacks.shown].max(0) as f64;
            self.totals[side as usize] += value;
            self.frames[0].values[side as usize] += value;
            let mut at = 0;
            for frame in stack.frames.iter().rev().take(ROWS_MAX) {
                let Some(next) = self.call(at, names[*frame as usize]) else { break };
                at = next;
                self.frames[at as usize].values[side as usize] += value;
            }
        }
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(place) = self.known.get(name) {
            return *place;
        }
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.known.insert(name.to_owned(), place);
        place
    }

    /// The frame of a function below another; none when there are too many.
    fn call(&mut self, from: u32, name: u32) -> Option<u32> {
        if let Some(place) = self.below.get(&(from, name)) {
            return Some(*place);
        }
        let place = u32::try_from(self.frames.len()).ok()?;
        if self.frames.len() >= FRAMES_MAX {
            return None;
        }
        self.frames.push(Frame { name, ..Frame::default() });
        self.below.insert((from, name), place);
        self.frames[from as usize].calls.push(place);
        Some(place)
    }

    /// The graph. With two sides the width is of the second, and the colour says what changed of all.
    pub(crate) fn svg(&self, unit: &str, compares: bool) -> String {
        let total = self.totals[1];
        if self.frames.is_empty() || total <= 0.0 {
            return "<p class=\"note\">There are no samples in it.</p>\n".to_owned();
        }
        let mut drawn = String::new();
        let mut rows = 1;
        // Places of frames that are still to be drawn: frame, left edge, row.
        let mut open = vec![(0_u32, 0.0_f64, 0_usize)];
        while let Some((place, left, row)) = open.pop() {
            let frame = &self.frames[place as usize];
            let share = frame.values[1] / total;
            rows = rows.max(row + 1);
            self.draw(&mut drawn, frame, (left, share, row), unit, compares);
            let mut calls: Vec<u32> = frame.calls.clone();
            calls.sort_by(|a, b| self.text(*a).cmp(self.text(*b)));
            let mut left = left;
            for call in calls {
                let share = self.frames[call as usize].values[1] / total;
                if share >= SHARE_MIN {
                    open.push((call, left, row + 1));
                }
                left += share;
            }
        }
        let height = rows * ROW;
        format!(
            "<div class=\"flame\"><svg class=\"graph\" width=\"100%\" height=\"{height}\" role=\"img\" \
             aria-label=\"Flame graph; the table has the same figures\">\n{drawn}</svg></div>\n"
        )
    }

    fn text(&self, place: u32) -> &str {
        &self.names[self.frames[place as usize].name as usize]
    }

    fn draw(
        &self,
        into: &mut String,
        frame: &Frame,
        (left, share, row): (f64, f64, usize),
        unit: &str,
        compares: bool,
    ) {
        let full = &self.names[frame.name as usize];
        let name: String = full.chars().take(NAME_CHARS_MAX).collect();
        let mut title =
            format!("{name}\n{} ({:.2} %)", shown(frame.values[1], unit), share * 100.0);
        let class = if compares {
            let before = if self.totals[0] > 0.0 { frame.values[0] / self.totals[0] } else { 0.0 };
            write!(title, ", before {:.2} %", before * 100.0).expect("a string takes all");
            changed(share - before)
        } else {
            coloured(&name)
        };
        // Within a frame of its own, a name that is too long is cut at the frame's edge.
        writeln!(
            into,
            "<svg class=\"frame {class}\" x=\"{:.4}%\" y=\"{}\" width=\"{:.4}%\" height=\"{}\"><title>{}</title>\
             <rect width=\"100%\" height=\"100%\"/><text x=\"3\" y=\"12\">{}</text></svg>",
            left * 100.0,
            row * ROW,
            share * 100.0,
            ROW - 1,
            escape(&plain(&title)),
            if share >= 0.01 { escape(&plain(short(&name))) } else { String::new() },
        )
        .expect("a string takes all");
    }
}

/// A name without what a document may not hold, nor what turns the direction of text.
pub(crate) fn plain(text: &str) -> String {
    let odd = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if odd(c) { '\u{fffd}' } else { c }).collect()
}

/// The last two parts of a name, which is what fits.
fn short(name: &str) -> &str {
    let mut parts = name.rmatch_indices("::");
    parts.next();
    parts.next().map_or(name, |(at, _)| &name[at + 2..])
}

/// One of a few colours: functions of one package have the same.
fn coloured(name: &str) -> &'static str {
    const CLASSES: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
    let package = name.split("::").next().unwrap_or_default();
    let hash =
        package.bytes().fold(5_381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    CLASSES[hash as usize % CLASSES.len()]
}

/// The colour of a change of the share of all.
fn changed(by: f64) -> &'static str {
    match by {
        by if by > 0.05 => "more3",
        by if by > 0.01 => "more2",
        by if by > 0.001 => "more1",
        by if by < -0.05 => "less3",
        by if by < -0.01 => "less2",
        by if by < -0.001 => "less1",
        _ => "same",
    }
}

#[cfg(test)]
mod tests {
    use telemetry::profile::read::read;

    use super::*;
    use crate::profile::fixture;

    fn tree(before: &[(&str, u64)], after: &[(&str, u64)]) -> Tree {
        let mut tree = Tree::default();
        for (stacks, side) in [(before, Side::Before), (after, Side::After)] {
            tree.add(&read(&fixture::profile(stacks)).expect("it is a profile"), side);
        }
        tree
    }

    #[test]
    fn width_is_share_and_callers_stand_above() {
        let svg = tree(&[], &[("main;work", 75), ("main;idle", 25)]).svg("nanoseconds", false);
        for frame in [
            "x=\"0.0000%\" y=\"18\" width=\"100.0000%\" height=\"17\"><title>main\n100 ns (100.00 %)",
            "x=\"0.0000%\" y=\"36\" width=\"25.0000%\" height=\"17\"><title>idle",
            "x=\"25.0000%\" y=\"36\" width=\"75.0000%\" height=\"17\"><title>work",
        ] {
            assert!(svg.contains(&frame.replace("100 ns", "100.00 ns")), "{frame} in {svg}");
        }
        assert!(svg.contains("height=\"54\""), "three rows: {svg}");
    }

    #[test]
    fn names_of_functions_are_never_markup() {
        let hostile = "<script>alert('1')</script>&\"\u{202e}\u{1}::x";
        let svg = tree(&[], &[(hostile, 1)]).svg("nanoseconds", false);
        assert!(!svg.contains("<script") && !svg.contains('\u{202e}') && !svg.contains('\u{1}'));
        assert!(svg.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{svg}");
    }

    #[test]
    fn changes_are_coloured_by_their_share_of_all() {
        let tree = tree(&[("main;a", 50), ("main;b", 50)], &[("main;a", 80), ("main;b", 20)]);
        let svg = tree.svg("nanoseconds", true);
        let of = |name: &str| {
            let end = format!("<title>{name}");
            svg.lines().find(|line| line.ends_with(&end)).expect("it is drawn")
        };
        assert!(of("a").contains("more3") && of("b").contains("less3"), "{svg}");
        assert!(of("main").contains("same"), "{svg}");
        assert!(svg.contains("80.00 ns (80.00 %), before 50.00 %"), "{svg}");
    }

    #[test]
    fn depth_and_small_frames_are_bounded() {
        let deep = vec!["f"; 1000].join(";");
        let svg = tree(&[], &[(&deep, 10_000), ("tiny", 1)]).svg("nanoseconds", false);
        assert_eq!(svg.matches("class=\"frame").count(), ROWS_MAX + 1);
        assert!(!svg.contains("tiny"));
        assert!(Tree::default().svg("bytes", false).contains("no samples"));
    }
}
