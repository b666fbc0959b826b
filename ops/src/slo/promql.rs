//! Expressions as syntax trees: whether they can be read, what they select, whether two are the same.

use std::collections::BTreeSet;
use std::convert::Infallible;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, VectorSelector};

use crate::promql;

/// What Sloth writes where a window belongs, with the spaces that Go's templates allow.
const WINDOWS: [&str; 3] = ["{{.window}}", "{{ .window }}", "{{.window }}"];

/// One selection of series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Selector {
    /// The metric, or nothing when it is chosen by its labels only.
    pub(crate) metric: String,
    /// Labels that must have one of some values: `=` and plain alternatives of `=~`.
    pub(crate) values: Vec<(String, Vec<String>)>,
}

/// A template with its window.
pub(crate) fn at_window(template: &str, window: &str) -> String {
    let mut text = template.trim().to_owned();
    for hole in WINDOWS {
        text = text.replace(hole, window);
    }
    text
}

/// Whether a template has a place for a window.
pub(crate) fn has_window(template: &str) -> bool {
    WINDOWS.iter().any(|hole| template.contains(hole))
}

/// Reads an expression.
///
/// # Errors
/// What is wrong with it, in one line.
pub(crate) fn parse(text: &str) -> Result<Expr, String> {
    parser::parse(text).map_err(|error| error.lines().next().unwrap_or_default().to_owned())
}

/// Whether two expressions are the same but for spaces, line ends and the order of matchers.
pub(crate) fn same(one: &str, other: &str) -> bool {
    match (parse(one), parse(other)) {
        (Ok(one), Ok(other)) => canonical(one) == canonical(other),
        (Ok(_) | Err(_), _) => one == other,
    }
}

/// The selections of an expression, sorted, each once.
pub(crate) fn selectors(expr: &Expr) -> Vec<Selector> {
    let each: BTreeSet<Selector> = promql::selectors(expr).into_iter().map(selector).collect();
    each.into_iter().collect()
}

fn selector(selected: &VectorSelector) -> Selector {
    let values = selected.matchers.matchers.iter().filter(|matcher| matcher.name != "__name__");
    Selector {
        metric: promql::metric(selected).unwrap_or_default().to_owned(),
        values: values.filter_map(|one| Some((one.name.clone(), required(one)?))).collect(),
    }
}

/// The values of which a matcher asks one, when they can be listed.
fn required(matcher: &Matcher) -> Option<Vec<String>> {
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    if matcher.op == MatchOp::Equal {
        return (!matcher.value.is_empty()).then(|| vec![matcher.value.clone()]);
    }
    let MatchOp::Re(_) = matcher.op else {
        return None;
    };
    // `30(\.0)?` is how a whole bound is asked of two versions of Prometheus.
    let text = matcher.value.strip_suffix("(\\.0)?").unwrap_or(&matcher.value);
    let values: Vec<String> = text.split('|').map(str::to_owned).collect();
    values.iter().all(|value| plain(value) && !value.contains("..")).then_some(values)
}

/// A tree without parentheses around the whole, whose printed form is compared.
fn canonical(expr: Expr) -> String {
    struct Sorted;
    impl promql_parser::util::visitor::ExprVisitorMut for Sorted {
        type Error = Infallible;
        fn pre_visit(&mut self, expr: &mut Expr) -> Result<bool, Infallible> {
            if let Expr::VectorSelector(one) = expr {
                sort(&mut one.matchers.matchers);
            } else if let Expr::MatrixSelector(one) = expr {
                sort(&mut one.vs.matchers.matchers);
            }
            Ok(true)
        }
    }
    fn sort(matchers: &mut [Matcher]) {
        matchers.sort_by_cached_key(ToString::to_string);
    }
    let mut expr = expr;
    while let Expr::Paren(inner) = expr {
        expr = *inner.expr;
    }
    let Ok(_) = promql_parser::util::visitor::walk_expr_mut(&mut Sorted, &mut expr);
    expr.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_found_wherever_they_stand() {
        let text = r#"sum(rate(a_total{x="1",y=~"p|q",z!="w"}[5m])) / (b > bool 3) or absent(c)"#;
        let found = selectors(&parse(text).expect("it is an expression"));
        let names: Vec<_> = found.iter().map(|one| one.metric.as_str()).collect();
        assert_eq!(names, ["a_total", "b", "c"]);
        let values = &found[0].values;
        assert!(values.contains(&("x".to_owned(), vec!["1".to_owned()])), "{values:?}");
        assert!(values.contains(&("y".to_owned(), vec!["p".to_owned(), "q".to_owned()])));
        assert_eq!(values.len(), 2, "what must not be is not asked for");
    }

    #[test]
    fn a_bound_in_two_spellings_is_one_value() {
        let found = selectors(&parse(r#"m_bucket{le=~"30(\\.0)?"}"#).expect("an expression"));
        assert_eq!(found[0].values, [("le".to_owned(), vec!["30".to_owned()])]);
        let free = selectors(&parse(r#"m{code=~"5.."}"#).expect("an expression"));
        assert!(free[0].values.is_empty(), "a pattern lists no values: {free:?}");
    }

    #[test]
    fn spaces_and_the_order_of_matchers_make_no_difference() {
        assert!(same(
            "sum( rate(a{x=\"1\",y=\"2\"}[5m]) )",
            "(sum(rate(a{y=\"2\", x=\"1\"}[5m])))"
        ));
        assert!(!same("sum(rate(a[5m]))", "sum(rate(a[1h]))"));
        assert!(!same("sum(", "sum(rate(a[1h]))"));
    }

    #[test]
    fn windows_go_where_sloth_puts_them() {
        assert_eq!(at_window("rate(a[{{ .window }}]) \n", "5m"), "rate(a[5m])");
        assert!(has_window("rate(a[{{.window}}])") && !has_window("rate(a[5m])"));
        assert!(parse("sum(rate(a[5m])").is_err());
    }
}
