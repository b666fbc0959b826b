//! The page around the rows of a folder, which is drawn before they are known.
//!
//! The template says where the rows go by a mark that no text can hold, and the page is cut there.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};
use serde::Serialize;

use crate::render::page::Look;

/// Stand for the rows and for the way to the next page. Text cannot hold them, as its angle brackets
/// are escaped.
const ROWS: &str = "<!--rows-->";
const NEXT: &str = "<!--next-->";

/// What the template is told; `crumbs`, `rows` and `next` are HTML.
#[derive(Serialize)]
pub(super) struct Frame<'a> {
    path: &'a str,
    cid: &'a str,
    crumbs: Value,
    /// The folder above, on a page of one that has one.
    parent: Option<String>,
    page: u64,
    rows: Value,
    next: Value,
}

/// What follows the rows, and what follows the way to the next page.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) rows: String,
    pub(super) page: String,
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        path: &'a str,
        cid: &'a str,
        crumbs: String,
        parent: Option<String>,
        page: u64,
    ) -> Self {
        let crumbs = Value::from_safe_string(crumbs);
        let rows = Value::from_safe_string(ROWS.to_owned());
        let next = Value::from_safe_string(NEXT.to_owned());
        Self { path, cid, crumbs, parent, page, rows, next }
    }

    /// What stands before the rows, and what follows them.
    pub(super) fn draw(self, look: &Look, on_gateway: bool) -> Result<(String, Ends), Error> {
        let page = look.draw("listing.html", on_gateway, self)?;
        let lacks = |name: &str| {
            let why =
                format!("listing.html must have {{{{ rows }}}} and then {{{{ next }}}}: no {name}");
            Error::new(ErrorKind::InvalidOperation, why)
        };
        let (head, rest) = page.split_once(ROWS).ok_or_else(|| lacks("rows"))?;
        let (rows, page) = rest.split_once(NEXT).ok_or_else(|| lacks("next"))?;
        Ok((head.to_owned(), Ends { rows: rows.to_owned(), page: page.to_owned() }))
    }
}

/// Draws a folder that has nothing in it.
pub(in crate::render) fn try_draw(look: &Look) -> Result<(), Error> {
    Frame::new("-", "-", String::new(), Some("-".to_owned()), 2).draw(look, true)?;
    Frame::new("-", "-", String::new(), None, 1).draw(look, false).map(drop)
}
