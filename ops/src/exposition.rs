//! Samples of the text in which processes expose metrics.
//!
//! What to do with a line that is none is up to the reader.

/// Names and values, in the order of the line.
type Labels = Vec<(String, String)>;

/// The name and the labels of a line, when it is a sample.
pub(crate) fn sample(line: &str) -> Option<(&str, Labels)> {
    valued(line).map(|(name, labels, _)| (name, labels))
}

/// The same with the value.
pub(crate) fn valued(line: &str) -> Option<(&str, Labels, f64)> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = value.split_whitespace().next()?;
    let value = value.parse().ok()?;
    (!name.is_empty()).then_some((name, labels, value))
}

/// Labels up to the closing brace, and what follows.
fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (mut value, mut escaped, mut end) = (String::new(), false, None);
        for (at, c) in quoted.char_indices() {
            match c {
                'n' if escaped => value.push('\n'),
                _ if escaped => value.push(c),
                '\\' => {}
                '"' => {
                    end = Some(at + 1);
                    break;
                }
                _ => value.push(c),
            }
            escaped = c == '\\' && !escaped;
        }
        labels.push((name.trim().to_owned(), value));
        rest = &quoted[end?..];
    }
}
