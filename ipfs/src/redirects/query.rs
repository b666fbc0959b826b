//! The query of a redirect: what the visitor asked with and what the site has written.
//!
//! A value of the visitor takes the place of the site's for the same name; the others of the site
//! stay in front, in their order.

use std::borrow::Cow;
use std::collections::HashSet;

use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};

/// What must be escaped in a pair that may have been escaped already.
const PAIR: &AsciiSet = &super::LITERAL.add(b'#');

/// The target of a redirect with the visitor's query merged into its own.
//= https://specs.ipfs.tech/http-gateways/web-redirects-file/#query-parameters
//# the user’s dynamic values take precedence, overriding static ones in case of a conflict.
pub fn merge_query(to: &str, query: Option<&str>) -> String {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return to.to_owned() };
    let (to, fragment) = to.split_at(to.find('#').unwrap_or(to.len()));
    let (path, own) = to.split_once('?').unwrap_or((to, ""));
    let asked: HashSet<Vec<u8>> = pairs(query).map(name).collect();
    let own = pairs(own).filter(|pair| !asked.contains(&name(pair)));
    let mut merged = path.to_owned();
    for (nth, pair) in own.chain(pairs(query)).enumerate() {
        merged.push(if nth == 0 { '?' } else { '&' });
        merged.extend(utf8_percent_encode(pair, PAIR));
    }
    merged.push_str(fragment);
    merged
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

/// The name of a pair, decoded as forms are.
fn name(pair: &str) -> Vec<u8> {
    let name = pair.split('=').next().unwrap_or_default();
    let name = if name.contains('+') { Cow::Owned(name.replace('+', " ")) } else { name.into() };
    percent_decode_str(&name).collect()
}
