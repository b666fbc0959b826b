//! The templates of every page: built in, overridden by an operator's files, compiled once.
//!
//! A template is drawn once with a sample before it is taken, so that a name that it misspells is
//! found when it is loaded rather than by the first reader.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior};

use crate::render::html::Text;

/// The templates that pages are drawn from, and their built-in text.
const BUILT_IN: [(&str, &str); 7] = [
    ("base.html", include_str!("../../../templates/base.html")),
    ("error.html", include_str!("../../../templates/error.html")),
    ("start.html", include_str!("../../../templates/start.html")),
    ("help.html", include_str!("../../../templates/help.html")),
    ("policy.html", include_str!("../../../templates/policy.html")),
    ("listing.html", include_str!("../../../templates/listing.html")),
    ("preview.html", include_str!("../../../templates/preview.html")),
];

/// Largest template file. The largest that is built in has 4 KiB.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most instructions that drawing one page may take; those that are built in take some hundreds.
const FUEL: u64 = 100_000;

/// Compiled templates.
#[derive(Debug)]
pub(super) struct Templates {
    environment: Environment<'static>,
    /// All of their text, in order.
    text: String,
}

impl Templates {
    /// The built-in templates, and in their place those of this folder that have the same names.
    ///
    /// # Errors
    /// A text that names the file: it cannot be read, does not parse, or is none of ours.
    pub(super) fn load(folder: Option<&Path>) -> Result<Self, String> {
        if let Some(folder) = folder {
            check_names(folder)?;
        }
        let wrong = |error: Error| format!("pages.templates: {error}");
        let mut environment = Environment::new();
        // A tag on a line of its own leaves no empty line.
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build().map_err(wrong)?);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_formatter(put);
        environment.set_fuel(Some(FUEL));
        let mut text = String::new();
        for (name, built_in) in BUILT_IN {
            let own = folder.map(|folder| read(&folder.join(name))).transpose()?.flatten();
            let source = own.unwrap_or_else(|| built_in.to_owned());
            text.push_str(&source);
            environment.add_template_owned(name, source).map_err(wrong)?;
        }
        Ok(Self { environment, text })
    }

    /// All of the templates' text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Draws a page with what it is told.
    pub(super) fn draw(&self, name: &str, page: Value) -> Result<String, Error> {
        self.environment.get_template(name)?.render(page)
    }
}

/// Writes a value; text is escaped as in the rows of listings, which leaves slashes readable.
fn put(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html) => {
            Ok(write!(out, "{}", Text(text))?)
        }
        Some(_) | None => minijinja::escape_formatter(out, state, value),
    }
}

/// A template that has the name of no page would never be drawn: it is misspelt.
fn check_names(folder: &Path) -> Result<(), String> {
    let wrong = |error| format!("pages.templates: cannot read {}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let name = entry.map_err(wrong)?.file_name();
        let is_template = Path::new(&name).extension().is_some_and(|extension| extension == "html");
        if is_template && !BUILT_IN.iter().any(|(known, _)| name == *known) {
            let known = BUILT_IN.map(|(name, _)| name).join(", ");
            return Err(format!("pages.templates: {name:?} is no page; pages are {known}"));
        }
    }
    Ok(())
}

/// The text of a file, if there is one.
fn read(path: &Path) -> Result<Option<String>, String> {
    let wrong = |why: String| format!("pages.templates: {}: {why}", path.display());
    let size = match std::fs::metadata(path) {
        Ok(file) => file.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("{size} bytes are more than {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| wrong(error.to_string()))
}
