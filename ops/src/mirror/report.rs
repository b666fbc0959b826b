//! What was mirrored and what it comes to, as text, JSON and, in `page`, as a page.
//!
//! One staging build at a time: pairs of others are counted and left out, since a verdict is about one
//! release.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::MirrorError;
use super::judge::{self, Criterion, Judgement, Standing, Verdict};
use super::observed::{Class, Compared, Lane};
use super::read::Pairs;
use super::records::{Record, Records};
use super::resources::Measured;
use super::tally::Tally;
use super::thresholds::Thresholds;
use crate::output::{Style, Table};

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What it comes to.
    pub(crate) verdict: Verdict,
    /// Why, in sentences.
    pub(crate) because: Vec<String>,
    /// Which thresholds, and the SHA-256 of their file.
    pub(crate) thresholds: [String; 2],
    /// The build that is judged.
    pub(crate) staging_build: String,
    /// Pairs by other builds of staging.
    pub(crate) other_builds: BTreeMap<String, u64>,
    /// Pairs by builds of production.
    pub(crate) production_builds: BTreeMap<String, u64>,
    /// How many gateways wrote pairs.
    pub(crate) gateways: usize,
    /// The first and the last pair, in milliseconds since 1970.
    pub(crate) span_ms: (u64, u64),
    /// Pairs that were there twice, and lines that are no pairs.
    pub(crate) duplicates: u64,
    /// See `duplicates`.
    pub(crate) bad_lines: u64,
    /// By lane and class.
    pub(crate) compared: Vec<Counts>,
    /// Pairs of staging by what differs, by form and by why there is no whole answer.
    pub(crate) differences: BTreeMap<String, u64>,
    /// See `differences`.
    pub(crate) forms: BTreeMap<String, u64>,
    /// See `differences`.
    pub(crate) failures: BTreeMap<String, u64>,
    /// The judgement of staging.
    pub(crate) staging: Judgement,
    /// That of production against itself, where there is one.
    pub(crate) again: Option<Judgement>,
    /// Records of mismatches, of every build, and the latest of them.
    pub(crate) records: u64,
    /// See `records`.
    pub(crate) latest: Vec<Record>,
    /// What a reader should know of the input.
    pub(crate) notes: Vec<String>,
}

/// Pairs of a class.
#[derive(Debug, Serialize)]
pub(crate) struct Counts {
    /// Of which lane.
    pub(crate) lane: Lane,
    /// Of which class.
    pub(crate) class: Class,
    /// By what the comparison came to: same, different, moved, rates.
    pub(crate) counts: [u64; 4],
}

impl Report {
    /// Judges what was read.
    ///
    /// # Errors
    /// `Build` when no pair is of a build that begins so.
    pub(crate) fn of(
        read: Pairs,
        records: Records,
        thresholds: &Thresholds,
        measured: Option<&Measured>,
        wanted: Option<&str>,
    ) -> Result<Self, MirrorError> {
        let build = choose(&read, wanted)?;
        let mut lanes = [Tally::new(thresholds), Tally::new(thresholds)];
        let mut other = BTreeMap::new();
        let [mut differences, mut forms, mut failures] = [const { BTreeMap::new() }; 3];
        for pair in &read.pairs {
            if pair.build != build {
                *other.entry(read.builds[usize::from(pair.build)].clone()).or_default() += 1;
                continue;
            }
            lanes[pair.lane as usize].push(pair);
            if pair.lane == Lane::Staging {
                *forms.entry(read.words.forms.at(pair.form).to_owned()).or_default() += 1;
                for word in read.words.differences.of(pair.differences) {
                    let named = format!("{} in {}", word, pair.class.word());
                    *differences.entry(named).or_default() += 1;
                }
                if let Some(place) = pair.failure {
                    let word = read.words.failures.at(place).to_owned();
                    *failures.entry(word).or_default() += 1;
                }
            }
        }
        let lost = &mut lanes[Lane::Staging as usize];
        lost.unasked = read.unasked.get(&build).copied().unwrap_or(0);
        lost.recorded = records.mismatches(&read.builds[usize::from(build)], thresholds);
        let cut_at = read.cut_at();
        let compared = counts(&lanes);
        let [staging, again] = &mut lanes;
        let mut again = (again.pairs > 0).then(|| judge::judge(again, thresholds, None));
        if let Some(again) = &mut again {
            again.criteria.retain(|one| one.standing != Standing::NotMeasured);
        }
        let span_ms = staging.span_ms.unwrap_or_default();
        let staging = judge::judge(staging, thresholds, measured);
        let (verdict, because) = with_again(&staging, again.as_ref(), thresholds);
        let mut report = Self {
            verdict,
            because,
            thresholds: [thresholds.name.clone(), thresholds.sha256.clone()],
            staging_build: read.builds[usize::from(build)].clone(),
            other_builds: other,
            production_builds: read.production,
            gateways: read.gateways.len(),
            span_ms,
            duplicates: read.duplicates,
            bad_lines: read.bad,
            compared,
            differences,
            forms,
            failures,
            staging,
            again,
            records: records.count,
            latest: records.latest,
            notes: read.told,
        };
        report.add_notes(cut_at);
        Ok(report)
    }

    fn add_notes(&mut self, cut_at: Option<u64>) {
        let told = self.notes.len() as u64;
        if self.bad_lines > told {
            self.notes.push(format!("{} more lines are no pairs", self.bad_lines - told));
        }
        if self.duplicates > 0 {
            self.notes.push(format!("{} pairs were there twice, and count once", self.duplicates));
        }
        if let Some(at_ms) = cut_at {
            let at = instant(at_ms);
            self.notes.push(format!(
                "pairs begin at {at}: older ones are deleted, see mirror.keep_bytes"
            ));
        }
        for (build, count) in &self.other_builds {
            let build = build.escape_debug();
            let note =
                format!("{count} pairs of staging {build} are left out: see --staging-build");
            self.notes.push(note);
        }
    }

    /// The verdict, and why.
    pub(crate) fn verdict_text(&self, style: Style) -> String {
        let word = self.verdict.word();
        let shown = match self.verdict {
            Verdict::Promote => style.strong(word),
            Verdict::Reject => style.failure(word),
            Verdict::Hold | Verdict::Insufficient => style.warning(word),
        };
        let mut out = format!("{shown}: {}\n", self.subject());
        let [name, hash] = &self.thresholds;
        writeln!(out, "thresholds {name}, sha256 {hash}").expect(TAKES);
        for why in &self.because {
            writeln!(out, "  {why}").expect(TAKES);
        }
        if self.verdict == Verdict::Reject && !self.latest.is_empty() {
            out.push_str("\nlatest mismatches\n");
            out.push_str(&self.records_text(5));
        }
        out.push('\n');
        out.push_str(&criteria_text(&self.staging, style));
        if let Some(again) = &self.again {
            let word = again.verdict.word();
            write!(out, "\nproduction against itself, {} pairs: {word}\n", again.pairs)
                .expect(TAKES);
            out.push_str(&criteria_text(again, style));
        }
        out
    }

    /// Everything but why.
    pub(crate) fn text(&self, style: Style) -> String {
        let mut out = format!("{}\n\n", self.subject());
        let mut table = Table::default();
        table.row(["lane", "class", "same", "different", "moved", "rates"]);
        for one in &self.compared {
            let [same, different, moved, rates] = one.counts.map(|count| count.to_string());
            let (lane, class) = (one.lane.word(), one.class.word());
            table.row([lane, class, &same, &different, &moved, &rates]);
        }
        out.push_str(&table.render("", style));
        for (title, list) in self.lists() {
            if !list.is_empty() {
                write!(out, "\n{title}\n{}", ranked(list, style)).expect(TAKES);
            }
        }
        writeln!(
            out,
            "\ncriteria; the times of {} pairs are left out, whose caches differ or are not known{}",
            self.staging.apart,
            self.staging.hidden()
        )
        .expect(TAKES);
        out.push_str(&criteria_text(&self.staging, style));
        if self.records > 0 {
            writeln!(out, "\n{} records of mismatches, the latest first", self.records)
                .expect(TAKES);
            out.push_str(&self.records_text(self.latest.len()));
        }
        let word = style.strong(self.verdict.word());
        writeln!(out, "\nverdict: {word}; `bifrost mirror verdict` says why").expect(TAKES);
        out
    }

    /// What it is about, in a line.
    pub(crate) fn subject(&self) -> String {
        let production: Vec<String> =
            self.production_builds.keys().map(|build| build.escape_debug().to_string()).collect();
        let (from, to) = self.span_ms;
        format!(
            "staging {} against production {}: {} pairs of {} gateways, {} to {}",
            self.staging_build.escape_debug(),
            production.join(", "),
            self.staging.pairs,
            self.gateways,
            instant(from),
            instant(to)
        )
    }

    /// Counts by word, with what they are of.
    pub(crate) fn lists(&self) -> [(&'static str, &BTreeMap<String, u64>); 3] {
        [
            ("differences", &self.differences),
            ("no whole answer of staging", &self.failures),
            ("forms", &self.forms),
        ]
    }

    fn records_text(&self, most: usize) -> String {
        let mut out = String::new();
        for record in self.latest.iter().take(most) {
            let differences = record.differences.join(", ");
            let (at, request) = (instant(record.at_ms), &record.request);
            writeln!(out, "  {at} {}: {request}: {differences}", record.gateway).expect(TAKES);
            if !record.replay.is_empty() {
                writeln!(out, "    again: {}", record.replay).expect(TAKES);
            }
        }
        out
    }
}

const TAKES: &str = "a string takes all text";

/// The build that is judged: the one that is asked for, or that of the latest pair.
fn choose(read: &Pairs, wanted: Option<&str>) -> Result<u16, MirrorError> {
    let Some(wanted) = wanted else {
        return Ok(read.latest());
    };
    let exact = read.builds.iter().position(|build| build == wanted);
    let begins = || read.builds.iter().position(|build| build.starts_with(wanted));
    let place = exact.or_else(begins).and_then(|place| u16::try_from(place).ok());
    place.ok_or_else(|| {
        let known: Vec<String> =
            read.builds.iter().map(|build| build.escape_debug().to_string()).collect();
        MirrorError::Build { build: wanted.to_owned(), known: known.join(", ") }
    })
}

fn counts(lanes: &[Tally; 2]) -> Vec<Counts> {
    let mut all = Vec::new();
    for (lane, tally) in Lane::ALL.iter().zip(lanes) {
        for class in Class::ALL {
            let counts = [Compared::Same, Compared::Different, Compared::Moved, Compared::Rates];
            let counts = counts.map(|compared| tally.count(*class, compared));
            if counts.iter().any(|count| *count > 0) {
                all.push(Counts { lane: *lane, class: *class, counts });
            }
        }
    }
    all
}

/// The verdict, where production against itself may be in the way of a promotion.
fn with_again(
    staging: &Judgement,
    again: Option<&Judgement>,
    thresholds: &Thresholds,
) -> (Verdict, Vec<String>) {
    let failing = again.filter(|again| again.verdict == Verdict::Reject);
    match failing {
        Some(again) if thresholds.again.blocks && staging.verdict == Verdict::Promote => {
            let because = again.because.iter().map(|why| {
                format!("production differs from itself, so that nothing can be promoted: {why}")
            });
            (Verdict::Hold, because.collect())
        }
        Some(_) | None => (staging.verdict, staging.because.clone()),
    }
}

/// The criteria; those that nothing depends on and that cannot be judged yet, as a number.
fn criteria_text(judgement: &Judgement, style: Style) -> String {
    let mut table = Table::default();
    let mut few = 0;
    for Criterion { name, standing, required, text, .. } in &judgement.criteria {
        if *standing == Standing::TooFew && !required {
            few += 1;
            continue;
        }
        let required = if *required { "" } else { " (not required)" };
        table.row([standing.word(), &format!("{name}{required}"), text]);
    }
    let mut out = table.render("  ", style);
    if few > 0 {
        writeln!(out, "  {few} more, not required, have too few pairs").expect(TAKES);
    }
    out
}

fn ranked(list: &BTreeMap<String, u64>, style: Style) -> String {
    let mut rows: Vec<_> = list.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut table = Table::default();
    rows.iter().for_each(|(word, count)| {
        table.row([&count.to_string(), &word.escape_debug().to_string()]);
    });
    table.render("  ", style)
}

/// An instant of milliseconds since 1970.
pub(crate) fn instant(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| "?".to_owned(), |at| at.strftime("%F %H:%M:%S UTC").to_string())
}
