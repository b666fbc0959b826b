//! What two gateways' answers to one request have to agree on.
//!
//! The request names the answer's hash, so that bytes need no third answer to tell who is wrong: a
//! block, the blocks of a CAR and a file that is one block are proven, whatever the other gateway
//! said. Nothing of a body is held: it is hashed as it streams, and dropped.

use crate::cid::Cid;

mod archive;
mod body;
mod links;
mod told;

pub use body::{Digest, Seen, Shape};
pub use told::{BUILD_HEADER, TIMING_HEADER, Told, timing};

/// How far two answers can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What the path names never changes: a difference is a fault of one of the two.
    Verifiable,
    /// A page that is drawn of content, such as the listing of a folder: a build may draw another.
    Rendered,
    /// A name leads there: compared where both followed it to the same roots.
    Mutable,
    /// A failure that depends on peers and on time: only rates can be compared.
    Network,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 4] = [Self::Verifiable, Self::Rendered, Self::Mutable, Self::Network];

    /// Its word in records and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Class::Verifiable => "verifiable",
            Class::Rendered => "rendered",
            Class::Mutable => "mutable",
            Class::Network => "network",
        }
    }
}

/// What two answers can differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The status.
    Status,
    /// A header of [`HEADERS`], by its place there: another value, or there in one answer only.
    Header(usize),
    /// How long the body is.
    Length,
    /// The bytes of the body.
    Body,
    /// Bytes of the second answer are not what their CID names.
    Unverified,
    /// Bytes of the first answer are not what their CID names.
    ProductionUnverified,
    /// Which blocks an archive holds.
    Blocks,
    /// The order of an archive's blocks, which are the same.
    Order,
    /// What a page links to.
    Links,
}

impl Difference {
    /// Those that are not of a header.
    pub const OF_BODY: [Self; 8] = [
        Self::Status,
        Self::Length,
        Self::Body,
        Self::Unverified,
        Self::ProductionUnverified,
        Self::Blocks,
        Self::Order,
        Self::Links,
    ];

    /// Whether it is of the bytes that were sent, other than their order: in what never changes one side is wrong.
    #[must_use]
    pub fn is_of_bytes(self) -> bool {
        match self {
            Difference::Length | Difference::Body | Difference::Unverified | Difference::Blocks => {
                true
            }
            Difference::Status
            | Difference::Header(_)
            | Difference::ProductionUnverified
            | Difference::Order
            | Difference::Links => false,
        }
    }

    /// Its word in records; that of a header is `header:` and the name.
    #[must_use]
    pub fn text(self) -> String {
        if let Difference::Header(place) = self {
            return format!("header:{}", HEADERS[place]);
        }
        self.word().to_owned()
    }

    /// Its word in metrics, where all headers are one.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Difference::Status => "status",
            Difference::Header(_) => "header",
            Difference::Length => "length",
            Difference::Body => "body",
            Difference::Unverified => "unverified",
            Difference::ProductionUnverified => "production-unverified",
            Difference::Blocks => "blocks",
            Difference::Order => "order",
            Difference::Links => "links",
        }
    }
}

/// The headers that are compared, in lower case. All others may differ.
pub const HEADERS: [&str; 18] = [
    "content-type",
    "cache-control",
    "etag",
    "x-ipfs-path",
    "x-ipfs-roots",
    "content-range",
    "location",
    "content-disposition",
    "content-location",
    "content-encoding",
    "accept-ranges",
    "x-content-type-options",
    "link",
    "last-modified",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
];

const CACHE_CONTROL: usize = 1;
const ETAG: usize = 2;
const ROOTS: usize = 4;

/// The headers of a request that its answer can depend on: all that a copy of one brings.
pub const ASKED_HEADERS: [&str; 6] =
    ["accept", "range", "if-range", "if-none-match", "if-modified-since", "cache-control"];

/// Longest value of a header that is compared; of a longer one, this much.
pub const VALUE_BYTES_MAX: usize = 2048;

/// One answer, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The values of [`HEADERS`], in that order.
    pub headers: [Option<Box<str>>; HEADERS.len()],
    /// The length that was announced.
    pub length: Option<u64>,
    /// What was seen of the body.
    pub body: Seen,
}

impl Answer {
    /// An answer without a body, by its status and what `header` gives for a name. Of a header that is
    /// there several times, all values are one list.
    pub fn new<'a, V: Iterator<Item = &'a [u8]>>(
        status: u16,
        length: Option<u64>,
        header: impl Fn(&str) -> V,
    ) -> Self {
        let headers = HEADERS.map(|name| {
            let mut joined = String::new();
            let mut values = header(name).peekable();
            values.peek()?;
            for (place, value) in values.enumerate() {
                if place > 0 {
                    joined.push_str(", ");
                }
                let left = VALUE_BYTES_MAX.saturating_sub(joined.len()).min(value.len());
                joined.push_str(&String::from_utf8_lossy(&value[..left]));
            }
            Some(joined.into_boxed_str())
        });
        Self { status, headers, length, body: Seen { whole: true, ..Seen::default() } }
    }

    /// Whether it failed in a way that depends on peers and on time; one that was cut did.
    fn is_failure(&self) -> bool {
        self.status >= 500 || self.status == 429 || !self.body.whole
    }

    /// Whether the body is content: bodies of errors and redirects are drawn by each build as it
    /// likes.
    fn has_content(&self) -> bool {
        matches!(self.status, 200 | 203 | 206)
    }
}

/// How two answers compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// They agree in all that was compared.
    Same,
    /// They differ.
    Different(Vec<Difference>),
    /// A name led them to different roots.
    Moved,
    /// Only rates of outcomes can be compared.
    Rates,
}

impl Agreement {
    /// Its word in records.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Agreement::Same => "same",
            Agreement::Different(_) => "different",
            Agreement::Moved => "moved",
            Agreement::Rates => "rates",
        }
    }

    /// In what they differ, if they do.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        match self {
            Agreement::Different(differences) => differences,
            Agreement::Same | Agreement::Moved | Agreement::Rates => &[],
        }
    }
}

/// The form of what was asked for, as far as comparing depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Question {
    /// Whether a name led there.
    pub is_named: bool,
    /// Whether the body is drawn by the gateway.
    pub is_rendered: bool,
    /// Whether only the headers were asked for.
    pub is_head: bool,
    /// The block that the whole body has to be, if it is one.
    pub block: Option<Cid>,
}

/// Compares production's answer with another gateway's.
///
/// Where one of them failed in a way that depends on peers and on time, their bytes tell nothing.
#[must_use]
pub fn compare(question: &Question, production: &Answer, other: &Answer) -> (Class, Agreement) {
    if production.is_failure() || other.is_failure() {
        return (Class::Network, Agreement::Rates);
    }
    let class = match question {
        Question { is_named: true, .. } => Class::Mutable,
        Question { is_rendered: true, .. } => Class::Rendered,
        Question { .. } => Class::Verifiable,
    };
    let roots = (&production.headers[ROOTS], &other.headers[ROOTS]);
    if let (Class::Mutable, (Some(one), Some(two))) = (class, roots)
        && one != two
    {
        return (class, Agreement::Moved);
    }
    let mut differences = heads(class, question, production, other);
    if !question.is_head && production.has_content() && other.has_content() {
        differences.extend(bodies(question, production, other));
    }
    match differences.is_empty() {
        true => (class, Agreement::Same),
        false => (class, Agreement::Different(differences)),
    }
}

/// In what the heads differ.
fn heads(
    class: Class,
    question: &Question,
    production: &Answer,
    other: &Answer,
) -> Vec<Difference> {
    if production.status != other.status {
        // What else differs follows from that.
        return vec![Difference::Status];
    }
    let differs = |place: usize| {
        let (one, two) = (&production.headers[place], &other.headers[place]);
        match place {
            // A name's answer may be kept for as long as its record has left.
            CACHE_CONTROL if class == Class::Mutable => directives(one) != directives(two),
            // The tag of a drawn page names its drawing.
            ETAG if question.is_rendered => one.is_some() != two.is_some(),
            _ => one != two,
        }
    };
    let places = (0..HEADERS.len()).filter(|place| differs(*place));
    let mut differences: Vec<_> = places.map(Difference::Header).collect();
    let lengths = (production.length, other.length);
    if let (Some(one), Some(two)) = lengths
        && one != two
        && production.has_content()
        && !question.is_rendered
    {
        differences.push(Difference::Length);
    }
    differences
}

/// In what the bodies differ.
fn bodies(question: &Question, production: &Answer, other: &Answer) -> Vec<Difference> {
    let (one, two) = (&production.body, &other.body);
    let mut differences = Vec::new();
    if two.is_proven_wrong(question.block.as_ref()) {
        differences.push(Difference::Unverified);
    }
    if one.is_proven_wrong(question.block.as_ref()) {
        differences.push(Difference::ProductionUnverified);
    }
    if !differences.is_empty() || one.is_same(two) {
        return differences;
    }
    match (&one.blocks, &two.blocks, one.links, two.links) {
        (Some(one), Some(two), _, _) if one.set == two.set && one.count == two.count => {
            differences.push(Difference::Order);
        }
        (Some(_), Some(_), _, _) => differences.push(Difference::Blocks),
        (_, _, Some(one), Some(two)) if one != two => differences.push(Difference::Links),
        (_, _, Some(_), Some(_)) => differences.push(Difference::Body),
        _ if one.bytes != two.bytes => differences.push(Difference::Length),
        _ => differences.push(Difference::Body),
    }
    differences
}

/// The directives of a `Cache-Control` without their numbers.
fn directives(value: &Option<Box<str>>) -> Vec<&str> {
    let list = value.as_deref().unwrap_or_default().split(',');
    list.map(|directive| directive.split('=').next().unwrap_or_default().trim()).collect()
}

#[cfg(test)]
mod tests;
