//! What every page of the project has in common: its look, escaping, and Markdown.

use pulldown_cmark::{Options, Parser, html};

/// The look.
pub(crate) const STYLE: &str = include_str!("../site/style.css");

/// Markdown as HTML.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, Parser::new_ext(text, Options::ENABLE_TABLES));
    out
}

/// Text that means nothing in HTML, nor within either kind of quotes there.
pub(crate) fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
