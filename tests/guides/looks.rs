//! Compares what was printed with what a guide shows of it: `…` in a line stands for any text, a line of
//! `…` alone for any lines.

/// Whether this output looks as it is shown; blank lines around it and blanks at ends of lines do not count.
pub(crate) fn like(shown: &str, printed: &str) -> bool {
    let lines = |text: &str| text.trim().lines().map(str::trim_end).map(str::to_owned).collect();
    let (shown, printed): (Vec<String>, Vec<String>) = (lines(shown), lines(printed));
    wild(&shown, &printed, &|part| part.trim() == "…", &|shown, printed| line(shown, printed))
}

fn line(shown: &str, printed: &str) -> bool {
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    wild(&chars(shown), &chars(printed), &|part| *part == '…', &|a, b| a == b)
}

/// Whether parts agree one by one, where some of those that are shown stand for any number. Each of these
/// takes as few as it can, and more when what follows does not fit: the last of them alone has to give way.
fn wild<T>(
    shown: &[T],
    printed: &[T],
    any: &dyn Fn(&T) -> bool,
    agree: &dyn Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut from, mut back) = (0, 0, None);
    while from < printed.len() {
        if shown.get(at).is_some_and(any) {
            at += 1;
            back = Some((at, from));
        } else if shown.get(at).is_some_and(|part| agree(part, &printed[from])) {
            (at, from) = (at + 1, from + 1);
        } else if let Some((after, taken)) = back {
            (at, from, back) = (after, taken + 1, Some((after, taken + 1)));
        } else {
            return false;
        }
    }
    shown[at..].iter().all(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_looks_as_shown_or_it_does_not() {
        for (shown, printed) in [
            ("a\nb", "a\nb\n"),
            ("a  \n", "\na\n\n"),
            ("a … c", "a b b c"),
            ("a…", "a"),
            ("…\nb\n…", "a\na\nb"),
            ("…", ""),
            ("a\n…\nb … b\n…\nc", "a\nb\nb x b\nc\nc"),
        ] {
            assert!(like(shown, printed), "{shown:?} is like {printed:?}");
        }
        for (shown, printed) in
            [("a", "a\nb"), ("a\nb", "a"), ("a…c", "ab"), ("…\nb", "b\na"), ("", "a"), ("a", "")]
        {
            assert!(!like(shown, printed), "{shown:?} is not like {printed:?}");
        }
    }
}
