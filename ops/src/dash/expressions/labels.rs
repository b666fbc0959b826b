//! Which labels the value of an expression has, as far as that can be told from its text.
//!
//! The answer is a set that is right or no answer at all: series that a rule records or nobody has
//! described may have any label.

use std::collections::BTreeSet;

use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};

use super::Said;
use crate::dash::exposed::Schema;
use crate::promql;

type Labels = BTreeSet<String>;

/// The labels of a value; `None` when they cannot be told.
pub(super) fn labels_of(expression: &Expr, schema: &Schema) -> Option<Labels> {
    match expression {
        Expr::Aggregate(aggregate) => of_aggregate(aggregate, schema),
        Expr::Unary(unary) => labels_of(&unary.expr, schema),
        Expr::Binary(binary) => of_binary(binary, schema),
        Expr::Paren(paren) => labels_of(&paren.expr, schema),
        Expr::Subquery(subquery) => labels_of(&subquery.expr, schema),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Some(Labels::new()),
        Expr::VectorSelector(selector) => of_selector(selector, schema),
        Expr::MatrixSelector(matrix) => of_selector(&matrix.vs, schema),
        Expr::Call(call) => of_call(call, schema),
        Expr::Extension(_) => None,
    }
}

fn of_selector(selector: &VectorSelector, schema: &Schema) -> Option<Labels> {
    let metric = promql::metric(selector)?;
    let own = match schema.get(metric) {
        Some(exposed) => exposed.labels.keys().cloned().collect(),
        None if metric == "up" => Labels::new(),
        None => return None,
    };
    Some(own.into_iter().chain(["job".to_owned(), "instance".to_owned()]).collect())
}

fn of_aggregate(aggregate: &AggregateExpr, schema: &Schema) -> Option<Labels> {
    let op = aggregate.op.to_string();
    if matches!(&op[..], "topk" | "bottomk" | "limitk" | "limit_ratio") {
        return labels_of(&aggregate.expr, schema);
    }
    let mut labels: Labels = match &aggregate.modifier {
        None => Labels::new(),
        Some(LabelModifier::Include(by)) => by.labels.iter().cloned().collect(),
        Some(LabelModifier::Exclude(without)) => {
            let mut labels = labels_of(&aggregate.expr, schema)?;
            labels.retain(|label| !without.labels.contains(label));
            labels
        }
    };
    if op == "count_values"
        && let Some(Expr::StringLiteral(label)) = aggregate.param.as_deref()
    {
        labels.insert(label.val.clone());
    }
    Some(labels)
}

fn of_call(call: &Call, schema: &Schema) -> Option<Labels> {
    let args = &call.args.args;
    match call.func.name {
        "absent" | "absent_over_time" | "info" => None,
        "label_replace" | "label_join" => {
            let mut labels = labels_of(args.first()?, schema)?;
            if let Expr::StringLiteral(made) = &**args.get(1)? {
                labels.insert(made.val.clone());
            }
            Some(labels)
        }
        "histogram_quantile" => {
            let mut labels = labels_of(args.get(1)?, schema)?;
            labels.remove("le");
            Some(labels)
        }
        _ => {
            let vectors = [ValueType::Vector, ValueType::Matrix];
            match args.iter().find(|arg| vectors.contains(&arg.value_type())) {
                Some(arg) => labels_of(arg, schema),
                None => Some(Labels::new()),
            }
        }
    }
}

fn of_binary(binary: &BinaryExpr, schema: &Schema) -> Option<Labels> {
    let scalar = |side: &Expr| side.value_type() == ValueType::Scalar;
    if scalar(&binary.lhs) {
        return labels_of(&binary.rhs, schema);
    }
    let left = labels_of(&binary.lhs, schema)?;
    if scalar(&binary.rhs) || binary.op.is_set_operator() {
        return Some(left);
    }
    let Some(modifier) = &binary.modifier else {
        return Some(left);
    };
    let matched = match &modifier.matching {
        Some(LabelModifier::Include(on)) => on.labels.iter().cloned().collect(),
        Some(LabelModifier::Exclude(ignored)) => {
            left.iter().filter(|label| !ignored.labels.contains(label)).cloned().collect()
        }
        None => left.clone(),
    };
    match &modifier.card {
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => Some(matched),
        VectorMatchCardinality::ManyToOne(more) => {
            Some(left.into_iter().chain(more.labels.iter().cloned()).collect())
        }
        VectorMatchCardinality::OneToMany(more) => {
            let right = labels_of(&binary.rhs, schema)?;
            Some(right.into_iter().chain(more.labels.iter().cloned()).collect())
        }
    }
}

/// Says what is wrong with the labels of one part of an expression.
pub(super) fn check(part: &Expr, schema: &Schema, said: &mut Vec<Said>) {
    if let Expr::Aggregate(aggregate) = part
        && let Some(LabelModifier::Include(by)) = &aggregate.modifier
        && let Some(inner) = labels_of(&aggregate.expr, schema)
    {
        for label in by.labels.iter().filter(|label| !inner.contains(*label)) {
            let text = format!("it is kept by {label}, which what is summed has not");
            said.push(("unknown-label", text));
        }
    }
    if let Expr::Binary(binary) = part {
        check_sides(binary, schema, said);
    }
}

fn check_sides(binary: &BinaryExpr, schema: &Schema, said: &mut Vec<Said>) {
    if binary.op.is_set_operator() {
        return;
    }
    let vector = |side: &Expr| side.value_type() == ValueType::Vector;
    if !vector(&binary.lhs) || !vector(&binary.rhs) {
        return;
    }
    let (left, right) = (labels_of(&binary.lhs, schema), labels_of(&binary.rhs, schema));
    let (Some(left), Some(right)) = (left, right) else {
        return;
    };
    let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
    match matching {
        Some(LabelModifier::Include(on)) => {
            for label in on.labels.iter().filter(|on| !left.contains(*on) || !right.contains(*on)) {
                let text = format!("its sides match on {label}, which one of them has not");
                said.push(("vector-matching", text));
            }
        }
        Some(LabelModifier::Exclude(ignored)) => {
            let kept = |labels: &Labels| -> Labels {
                labels.iter().filter(|label| !ignored.labels.contains(label)).cloned().collect()
            };
            differ(&kept(&left), &kept(&right), said);
        }
        None => differ(&left, &right, said),
    }
}

fn differ(left: &Labels, right: &Labels, said: &mut Vec<Said>) {
    if left != right {
        let named: Vec<&str> = left.symmetric_difference(right).map(String::as_str).collect();
        let text = format!(
            "its sides never match, since only one has {}: aggregate both alike, or say on()",
            named.join(", ")
        );
        said.push(("vector-matching", text));
    }
}
