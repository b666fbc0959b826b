//! As much of LogQL as two rules need: whether a query can be one, and over which range it looks.
//!
//! This is no parser: it finds what is broken in its brackets and quotes, and lets the rest pass.

/// Says what is wrong with a query, when something is.
pub(super) fn check(query: &str) -> Result<(), String> {
    let mut open = Vec::new();
    let mut streams = 0;
    for (char, quoted) in characters(query) {
        if quoted {
            continue;
        }
        match char {
            '(' | '[' | '{' => {
                streams += usize::from(char == '{');
                open.push(char);
            }
            ')' | ']' | '}' => {
                let opener = open.pop();
                if !matches!((opener, char), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}'))
                {
                    return Err(format!("a {char} closes nothing"));
                }
            }
            _ => {}
        }
    }
    if let Some(left) = open.pop() {
        return Err(format!("a {left} is never closed"));
    }
    if characters(query).last().is_some_and(|(char, quoted)| quoted && !"\"`".contains(char)) {
        return Err("a quote is never closed".to_owned());
    }
    if streams == 0 {
        return Err("it selects no stream: it needs {label=\"value\"}".to_owned());
    }
    Ok(())
}

/// Whether it looks over a range that its reader did not choose.
pub(super) fn fixed_range(query: &str) -> bool {
    let plain: String =
        characters(query).filter(|(_, quoted)| !quoted).map(|(char, _)| char).collect();
    let mut ranges = plain.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    ranges.any(|(range, _)| !range.contains("$__auto"))
}

/// The characters of a query, and whether each stands within quotes.
fn characters(query: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut quote, mut escaped) = (None, false);
    query.chars().map(move |char| {
        let within = quote.is_some();
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if char == '\\' => escaped = true,
            Some(open) if open == char => quote = None,
            None if char == '"' || char == '`' => quote = Some(char),
            Some(_) | None => {}
        }
        (char, within)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_queries_are_told_and_good_ones_pass() {
        for good in ["{a=\"b\"} |= \"}\"", "sum(rate({a=`[`}[$__auto]))", "{a=\"\\\"\"}"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "rate(x[5m])", "{a=\"b\"", "{a=\"b\"})", "{a=\"b\"} |= \"c"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_are_the_readers() {
        assert!(!fixed_range("{a=\"[5m]\"}") && !fixed_range("rate({a=\"b\"}[$__auto])"));
        assert!(fixed_range("rate({a=\"b\"}[5m])"));
    }
}
