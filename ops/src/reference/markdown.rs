//! Pieces of Markdown: the head of a page, tables, and text that means nothing in them.

/// The head of a page: its title, what it is, and that nobody writes it.
pub(super) fn head(title: &str, intro: &str) -> String {
    format!(
        "# {title}\n\n<!-- Made by `bifrost reference`; changes here are overwritten. -->\n\n{}\n",
        intro.trim_end()
    )
}

/// A table.
pub(super) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| {
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut text = line(&mut columns.iter().map(|&cell| cell.to_owned()));
    text.push_str(&format!("|{}\n", "---|".repeat(columns.len())));
    for row in rows {
        text.push_str(&line(&mut row.iter().map(|cell| cell.replace('|', "\\|"))));
    }
    text
}

/// Text in the type of code; nothing where there is none.
pub(super) fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// A block of code that is as it is.
pub(super) fn block(text: &str) -> String {
    format!("```text\n{}\n```\n", text.trim_end())
}

/// The comment of a declaration in one line, with links between declarations as their last word.
pub(super) fn plain(comment: &str) -> String {
    let mut text = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some(at) = text.find("[`") {
        let Some(end) = text[at..].find("`]") else { break };
        let name = text[at + 2..at + end].rsplit("::").next().unwrap_or_default().to_owned();
        text.replace_range(at..at + end + 2, &format!("`{name}`"));
    }
    text
}

/// Text as a cell: what a browser would take for a tag is none.
pub(super) fn cell(text: &str) -> String {
    plain(text).replace('<', "&lt;")
}

/// Notes the names whose meaning is missing.
pub(super) fn explained(name: &str, meaning: &str, unexplained: &mut Vec<String>) {
    if meaning.trim().is_empty() {
        unexplained.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_break_their_table() {
        let rows = [vec!["a|b".to_owned(), code("x")]];
        assert_eq!(table(&["One", "Two"], &rows), "| One | Two |\n|---|---|\n| a\\|b | `x` |\n");
    }

    #[test]
    fn comments_become_one_line_without_paths_of_code() {
        assert_eq!(plain("As [`Config::window_start`]\nfor zero."), "As `window_start` for zero.");
        assert_eq!(plain("open [`x"), "open [`x");
    }
}
