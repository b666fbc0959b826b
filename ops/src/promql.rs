//! Expressions of PromQL as syntax trees: what they select, how far back, and when two are one.
//!
//! Two expressions are the same when their canonical forms are equal. The form forgets what does not
//! change a value: whitespace, parentheses, the order of matchers, labels and operands of sums and
//! products. It forgets nothing else, so that equal forms always mean equal numbers.

use std::collections::BTreeSet;
use std::time::Duration;

use promql_parser::label::{MatchOp, Matcher, Matchers};
use promql_parser::parser::{
    AggregateExpr, AtModifier, BinaryExpr, Expr, LabelModifier, MatrixSelector, Offset,
    SubqueryExpr, VectorSelector, token,
};
use promql_parser::util::visitor::{ExprVisitorMut, walk_expr_mut};

/// Longest expression that is read.
const EXPRESSION_BYTES_MAX: usize = 4096;
/// Most operators and parentheses of an expression. Trees are walked by recursion, and no tree is
/// deeper than it has of these.
const STEPS_MAX: usize = 256;

/// Why a text is no expression.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromqlError {
    /// It is longer than anybody would read.
    #[error("it is longer than {EXPRESSION_BYTES_MAX} bytes")]
    TooLong,
    /// It has more operators than anybody would read.
    #[error("it has more than {STEPS_MAX} operators and parentheses")]
    TooDeep,
    /// It does not parse.
    #[error("it is not PromQL: {0}")]
    Parse(String),
}

/// Reads an expression.
///
/// # Errors
/// As the variants of [`PromqlError`] say.
pub(crate) fn parse(text: &str) -> Result<Expr, PromqlError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(PromqlError::TooLong);
    }
    let signs = text.matches(['(', '+', '-', '*', '/', '%', '^', '<', '>', '=', '!']).count();
    let words = text.split_whitespace().filter(|word| ["and", "or", "unless"].contains(word));
    if signs + words.count() > STEPS_MAX {
        return Err(PromqlError::TooDeep);
    }
    promql_parser::parser::parse(text).map_err(PromqlError::Parse)
}

/// The parts of an expression, one step down, the parameter of an aggregation among them.
pub(crate) fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Aggregate(AggregateExpr { expr, param, .. }) => {
            param.iter().map(|param| &**param).chain([&**expr]).collect()
        }
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(BinaryExpr { lhs, rhs, .. }) => vec![lhs, rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(|arg| &**arg).collect(),
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => Vec::new(),
    }
}

/// Shows every part of an expression, with the parts around it, outermost first.
pub(crate) fn walk<'a>(expression: &'a Expr, seen: &mut dyn FnMut(&'a Expr, &[&'a Expr])) {
    fn step<'a>(
        part: &'a Expr,
        around: &mut Vec<&'a Expr>,
        seen: &mut dyn FnMut(&'a Expr, &[&'a Expr]),
    ) {
        seen(part, around);
        around.push(part);
        for child in children(part) {
            step(child, around, seen);
        }
        around.pop();
    }
    step(expression, &mut Vec::new(), seen);
}

/// The selector of a part that is one, with its range.
pub(crate) fn selector(part: &Expr) -> Option<(&VectorSelector, Option<Duration>)> {
    if let Expr::VectorSelector(selector) = part {
        return Some((selector, None));
    }
    if let Expr::MatrixSelector(MatrixSelector { vs, range }) = part {
        return Some((vs, Some(*range)));
    }
    None
}

/// The function that a part calls, when it is a call.
pub(crate) fn function(part: &Expr) -> Option<&'static str> {
    if let Expr::Call(call) = part { Some(call.func.name) } else { None }
}

/// All selectors of an expression.
pub(crate) fn selectors(expression: &Expr) -> Vec<&VectorSelector> {
    let mut all = Vec::new();
    walk(expression, &mut |part, _| all.extend(selector(part).map(|(selector, _)| selector)));
    all
}

/// All matchers of a selector, those of alternatives among them.
pub(crate) fn matchers(selector: &VectorSelector) -> impl Iterator<Item = &Matcher> {
    let Matchers { matchers, or_matchers } = &selector.matchers;
    matchers.iter().chain(or_matchers.iter().flatten())
}

/// The metric that a selector names, when it names one.
pub(crate) fn metric(selector: &VectorSelector) -> Option<&str> {
    let named = || {
        let found = matchers(selector)
            .find(|matcher| matcher.name == "__name__" && matcher.op == MatchOp::Equal);
        found.map(|matcher| &matcher.value[..])
    };
    selector.name.as_deref().or_else(named)
}

/// How far back from its own time an expression reads.
pub(crate) fn reach(expression: &Expr) -> Duration {
    let back = |offset: &Option<Offset>| match offset {
        Some(Offset::Pos(by)) => *by,
        Some(Offset::Neg(_)) | None => Duration::ZERO,
    };
    let own = if let Expr::Subquery(subquery) = expression {
        subquery.range + back(&subquery.offset)
    } else if let Some((selector, range)) = selector(expression) {
        range.unwrap_or_default() + back(&selector.offset)
    } else {
        Duration::ZERO
    };
    own + children(expression).into_iter().map(reach).max().unwrap_or_default()
}

/// The expression with these labels matched by these regular expressions, in every selector for
/// which `wanted` holds and that does not have the same matcher yet.
pub(crate) fn matching(
    mut expression: Expr,
    labels: &[(&str, &str)],
    wanted: impl Fn(&VectorSelector) -> bool,
) -> Expr {
    struct Add<'a, W>(&'a [(&'a str, &'a str)], W);
    impl<W: Fn(&VectorSelector) -> bool> Add<'_, W> {
        fn to(&self, selector: &mut VectorSelector) {
            if !self.1(selector) {
                return;
            }
            for (label, value) in self.0 {
                let there = |one: &Matcher| one.name == *label && one.value == *value;
                if !matchers(selector).any(there) {
                    let id = token::T_EQL_REGEX;
                    let made = Matcher::new_matcher(id, (*label).to_owned(), (*value).to_owned());
                    selector.matchers.matchers.extend(made);
                }
            }
        }
    }
    impl<W: Fn(&VectorSelector) -> bool> ExprVisitorMut for Add<'_, W> {
        type Error = std::convert::Infallible;
        fn pre_visit(&mut self, part: &mut Expr) -> Result<bool, Self::Error> {
            if let Expr::VectorSelector(selector) = part {
                self.to(selector);
            } else if let Expr::MatrixSelector(matrix) = part {
                self.to(&mut matrix.vs);
            }
            Ok(true)
        }
    }
    walk_expr_mut(&mut Add(labels, wanted), &mut expression).ok();
    expression
}

/// Whether a text holds no character that means something in a regular expression.
pub(crate) fn is_literal(regexp: &str) -> bool {
    !regexp.contains(['.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$', '\\'])
}

/// The canonical form of an expression.
pub(crate) fn canonical(expression: &Expr) -> String {
    let mut text = String::new();
    write_canonical(expression, &mut text);
    text
}

fn write_canonical(expression: &Expr, out: &mut String) {
    match expression {
        Expr::Aggregate(aggregate) => write_aggregate(aggregate, out),
        Expr::Unary(unary) => out.push_str(&format!("-({})", canonical(&unary.expr))),
        Expr::Binary(binary) => write_binary(binary, out),
        Expr::Paren(paren) => write_canonical(&paren.expr, out),
        Expr::Subquery(subquery) => write_subquery(subquery, out),
        Expr::NumberLiteral(number) => out.push_str(&number.to_string()),
        Expr::StringLiteral(text) => out.push_str(&text.to_string()),
        Expr::VectorSelector(selector) => write_selector(selector, None, out),
        Expr::MatrixSelector(matrix) => write_selector(&matrix.vs, Some(matrix.range), out),
        Expr::Call(call) => {
            let args: Vec<String> = call.args.args.iter().map(|arg| canonical(arg)).collect();
            out.push_str(&format!("{}({})", call.func.name, args.join(",")));
        }
        Expr::Extension(extension) => out.push_str(&format!("{extension:?}")),
    }
}

fn write_aggregate(aggregate: &AggregateExpr, out: &mut String) {
    let AggregateExpr { op, expr, param, modifier } = aggregate;
    out.push_str(&op.to_string());
    match modifier {
        Some(LabelModifier::Include(labels)) if !labels.labels.is_empty() => {
            out.push_str(&format!(" by({})", sorted(&labels.labels)));
        }
        Some(LabelModifier::Exclude(labels)) => {
            out.push_str(&format!(" without({})", sorted(&labels.labels)));
        }
        Some(LabelModifier::Include(_)) | None => {}
    }
    let param = param.as_ref().map(|param| canonical(param) + ",").unwrap_or_default();
    out.push_str(&format!("({param}{})", canonical(expr)));
}

fn write_binary(binary: &BinaryExpr, out: &mut String) {
    let op = binary.op.to_string();
    let modifier = modifier_of(binary);
    if modifier.is_empty() && (op == "+" || op == "*") {
        let mut operands = Vec::new();
        flatten(binary, &op, &mut operands);
        operands.sort();
        return out.push_str(&format!("({})", operands.join(&op)));
    }
    let (left, right) = (canonical(&binary.lhs), canonical(&binary.rhs));
    out.push_str(&format!("({left} {op}{modifier} {right})"));
}

/// The operands of nested sums, or of nested products, as one list.
fn flatten(binary: &BinaryExpr, op: &str, operands: &mut Vec<String>) {
    for side in [&binary.lhs, &binary.rhs] {
        let mut inner = &**side;
        while let Expr::Paren(paren) = inner {
            inner = &paren.expr;
        }
        if let Expr::Binary(nested) = inner
            && nested.op.to_string() == op
            && modifier_of(nested).is_empty()
        {
            flatten(nested, op, operands);
        } else {
            operands.push(canonical(inner));
        }
    }
}

/// How two sides are matched; empty when nothing is said.
fn modifier_of(binary: &BinaryExpr) -> String {
    use promql_parser::parser::VectorMatchCardinality::{
        ManyToMany, ManyToOne, OneToMany, OneToOne,
    };
    let Some(modifier) = &binary.modifier else {
        return String::new();
    };
    let mut text = String::new();
    if modifier.return_bool {
        text.push_str(" bool");
    }
    match &modifier.matching {
        Some(LabelModifier::Include(on)) => text.push_str(&format!(" on({})", sorted(&on.labels))),
        Some(LabelModifier::Exclude(labels)) if !labels.labels.is_empty() => {
            text.push_str(&format!(" ignoring({})", sorted(&labels.labels)));
        }
        Some(LabelModifier::Exclude(_)) | None => {}
    }
    match &modifier.card {
        ManyToOne(labels) => text.push_str(&format!(" group_left({})", sorted(&labels.labels))),
        OneToMany(labels) => text.push_str(&format!(" group_right({})", sorted(&labels.labels))),
        ManyToMany | OneToOne => {}
    }
    let fill = &modifier.fill_values;
    if fill.lhs.is_some() || fill.rhs.is_some() {
        text.push_str(&format!(" fill({:?},{:?})", fill.lhs, fill.rhs));
    }
    text
}

fn write_subquery(subquery: &SubqueryExpr, out: &mut String) {
    let step = subquery.step.map(|step| step.as_millis().to_string()).unwrap_or_default();
    let inner = canonical(&subquery.expr);
    out.push_str(&format!("({inner})[{}:{step}]", subquery.range.as_millis()));
    write_times(subquery.at.as_ref(), subquery.offset.as_ref(), out);
}

fn write_selector(selector: &VectorSelector, range: Option<Duration>, out: &mut String) {
    out.push_str(metric(selector).unwrap_or_default());
    let group = |matchers: &[Matcher]| {
        let named = matchers
            .iter()
            .filter(|matcher| matcher.name != "__name__" || matcher.op != MatchOp::Equal);
        let mut texts: Vec<String> = named.map(canonical_matcher).collect();
        texts.sort();
        texts.dedup();
        texts.join(",")
    };
    let Matchers { matchers, or_matchers } = &selector.matchers;
    let mut groups: Vec<String> = or_matchers.iter().map(|matchers| group(matchers)).collect();
    groups.sort();
    groups.insert(0, group(matchers));
    groups.retain(|group| !group.is_empty());
    out.push_str(&format!("{{{}}}", groups.join(" or ")));
    if let Some(range) = range {
        out.push_str(&format!("[{}]", range.as_millis()));
    }
    write_times(selector.at.as_ref(), selector.offset.as_ref(), out);
}

fn canonical_matcher(matcher: &Matcher) -> String {
    let Matcher { op, name, value } = matcher;
    let mut words: Vec<&str> = value.split('|').collect();
    let plain = words.iter().all(|word| is_literal(word));
    words.sort_unstable();
    words.dedup();
    let single = words.len() == 1;
    match op {
        MatchOp::Re(_) if plain && single => format!("{name}={:?}", words[0]),
        MatchOp::NotRe(_) if plain && single => format!("{name}!={:?}", words[0]),
        MatchOp::Re(_) | MatchOp::NotRe(_) if plain => format!("{name}{op}{:?}", words.join("|")),
        MatchOp::Equal | MatchOp::NotEqual | MatchOp::Re(_) | MatchOp::NotRe(_) => {
            format!("{name}{op}{value:?}")
        }
    }
}

fn write_times(at: Option<&AtModifier>, offset: Option<&Offset>, out: &mut String) {
    if let Some(at) = at {
        out.push_str(&format!(" {at}"));
    }
    if let Some(offset) = offset {
        out.push_str(&format!(" offset {offset}"));
    }
}

fn sorted(labels: &[String]) -> String {
    labels
        .iter()
        .map(String::as_str)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Expr {
        parse(text).expect("it is PromQL")
    }

    #[test]
    fn what_changes_no_value_changes_no_form() {
        for (one, other) in [
            ("sum by (b, a) (x{d=\"1\",c=\"2\"})", "sum by(a,b)(x{c=\"2\", d=\"1\"})"),
            ("rate(x[5m]) + on() group_left() y", "rate( x[300s] )+on()group_left() (y)"),
            ("a + b + c", "(c + (a + b))"),
            ("a * 2", "2 * a"),
            ("x{a=~\"q|p\"}", "{__name__=\"x\",a=~\"p|q\"}"),
            ("x{a=~\"p\"}", "x{a=\"p\"}"),
            ("sum(x)", "sum by () (x)"),
        ] {
            assert_eq!(canonical(&of(one)), canonical(&of(other)), "{one} is {other}");
        }
    }

    #[test]
    fn what_changes_a_value_changes_the_form() {
        for (one, other) in [
            ("a - b", "b - a"),
            ("a or b", "b or a"),
            ("a > b", "a > bool b"),
            ("rate(x[5m])", "rate(x[6m])"),
            ("x", "x offset 5m"),
            ("x", "x @ start()"),
            ("sum by (a) (x)", "sum without (a) (x)"),
            ("a + b * c", "(a + b) * c"),
            ("a * on(l) group_left(m) b", "a * on(l) group_left(n) b"),
            ("x{a=\"1\"}", "x{a!=\"1\"}"),
            ("topk(3, x)", "topk(4, x)"),
            ("max_over_time(x[1h:1m])", "max_over_time(x[1h:2m])"),
            ("-x", "x"),
        ] {
            assert_ne!(canonical(&of(one)), canonical(&of(other)), "{one} is not {other}");
        }
    }

    #[test]
    fn metrics_are_found_wherever_they_stand() {
        let text =
            "topk(scalar(k), sum(rate(x[5m])) / {__name__=\"y\"}) unless -(z[1h:] offset 1d)";
        let text = text.replace("-(z[1h:] offset 1d)", "-max_over_time(z[1h:] offset 1d)");
        let expression = of(&text);
        let mut all: Vec<_> = selectors(&expression).into_iter().filter_map(metric).collect();
        all.sort_unstable();
        assert_eq!(all, ["k", "x", "y", "z"]);
    }

    #[test]
    fn how_far_back_counts_ranges_offsets_and_subqueries() {
        let day = Duration::from_secs(86_400);
        assert_eq!(reach(&of("x")), Duration::ZERO);
        assert_eq!(reach(&of("rate(x[1d] offset 1d) + y")), day * 2);
        assert_eq!(reach(&of("max_over_time(rate(x[1d])[2d:1h])")), day * 3);
    }

    #[test]
    fn matchers_are_added_where_they_are_wanted_and_missing() {
        let wanted = |selector: &VectorSelector| metric(selector) != Some("recorded");
        let text = "sum(rate(x{job=~\"$job\"}[5m])) / recorded + y{job=\"a\"}";
        let added = matching(of(text), &[("job", "$job")], wanted).to_string();
        let right = "sum(rate(x{job=~\"$job\"}[5m])) / recorded + y{job=\"a\",job=~\"$job\"}";
        assert_eq!(canonical(&of(&added)), canonical(&of(right)));
    }

    #[test]
    fn long_deep_and_broken_texts_are_refused() {
        assert!(matches!(parse("sum("), Err(PromqlError::Parse(_))));
        assert!(matches!(parse("rate(x)"), Err(PromqlError::Parse(_))));
        assert!(matches!(parse(&"x".repeat(5000)), Err(PromqlError::TooLong)));
        for deep in ["(".repeat(300), "-".repeat(300), "x or ".repeat(300), "x - ".repeat(300)] {
            assert!(matches!(parse(&deep), Err(PromqlError::TooDeep)), "{deep}");
        }
        let deep = format!("{}x{}", "(".repeat(250), ")".repeat(250));
        assert_eq!(canonical(&of(&deep)), "x{}");
        let wide = format!("x{}", " - x".repeat(250));
        assert!(canonical(&of(&wide)).len() > wide.len());
    }
}
