//! Variables of Grafana in expressions: found, and replaced as Grafana would replace them.
//!
//! Three ways of writing are known: `$name`, `${name:format}` and `[[name:format]]`.

use std::time::Duration;

/// Replaces every variable for which `value` has one; it is given the name, the format (or nothing),
/// and whether the variable stands within quotes.
pub(super) fn expand(text: &str, value: &dyn Fn(&str, &str, bool) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = None;
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        if let Some((name, format, length)) = variable(rest) {
            match value(name, format, quoted.is_some()) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[..length]),
            }
            rest = &rest[length..];
            continue;
        }
        let length = char.len_utf8();
        match (char, quoted) {
            ('\\', Some('"' | '\'')) => {
                let after = rest[length..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..length + after]);
                rest = &rest[length + after..];
                continue;
            }
            ('"' | '\'' | '`', None) => quoted = Some(char),
            (char, Some(quote)) if char == quote => quoted = None,
            _ => {}
        }
        out.push(char);
        rest = &rest[length..];
    }
    out
}

/// The variable that a text begins with: its name, its format and its length.
fn variable(text: &str) -> Option<(&str, &str, usize)> {
    let braced = |open: &str, close: &str| {
        let inner = text.strip_prefix(open)?;
        let end = inner.find(close)?;
        let (name, format) = inner[..end].split_once(':').unwrap_or((&inner[..end], ""));
        is_name(name).then_some((name, format, open.len() + end + close.len()))
    };
    if let Some(found) = braced("${", "}").or_else(|| braced("[[", "]]")) {
        return Some(found);
    }
    let name = text.strip_prefix('$')?;
    let end = name.find(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let name = &name[..end.unwrap_or(name.len())];
    is_name(name).then_some((name, "", name.len() + 1))
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Several values of a variable as one text, in a format of Grafana; without one as Prometheus's
/// data source writes them, which is a regular expression.
pub(super) fn joined(values: &[String], format: &str) -> String {
    let escaped = |value: &String| {
        let mut out = String::new();
        for char in value.chars() {
            // The expression's own quotes take one backslash away.
            if "\\^$.*+?()[]{}|/".contains(char) {
                out.push_str("\\\\");
            }
            out.push(char);
        }
        out
    };
    match format {
        "raw" | "csv" => values.join(","),
        "pipe" => values.join("|"),
        _ if values.len() == 1 => escaped(&values[0]),
        _ => format!("({})", values.iter().map(escaped).collect::<Vec<_>>().join("|")),
    }
}

/// A duration as PromQL writes it.
pub(super) fn duration(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_of_writing_a_variable_are_known() {
        let value = |name: &str, format: &str, quoted: bool| {
            (name != "other").then(|| format!("<{name}:{format}:{quoted}>"))
        };
        for (text, expanded) in [
            ("x[$__rate_interval]", "x[<__rate_interval::false>]"),
            ("x{a=~\"$job\"}", "x{a=~\"<job::true>\"}"),
            ("${job:regex}'\\'${a}'[[b]]", "<job:regex:false>'\\'<a::true>'<b::false>"),
            ("$other $1 $ ${} [[x", "$other $1 $ ${} [[x"),
            ("a\"é$", "a\"é$"),
        ] {
            assert_eq!(expand(text, &value), expanded);
        }
    }

    #[test]
    fn several_values_become_one_regular_expression() {
        let values = ["a.b:1".to_owned(), "c".to_owned()];
        assert_eq!(joined(&values, ""), "(a\\\\.b:1|c)");
        assert_eq!(joined(&values[1..], ""), "c");
        assert_eq!(joined(&values, "pipe"), "a.b:1|c");
    }
}
