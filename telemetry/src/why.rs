//! Why something failed, in one line.

use std::error::Error;

/// An error and its causes, each said once: most errors of ours already name their cause.
#[must_use]
pub fn why(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = next.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::why;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("cannot listen: {0}")]
        Names(#[source] io::Error),
        #[error("cannot listen")]
        Keeps(#[source] io::Error),
    }

    #[test]
    fn a_cause_is_said_once_whether_or_not_the_error_names_it() {
        let taken = || io::Error::other("address in use");
        assert_eq!(why(&Outer::Names(taken())), "cannot listen: address in use");
        assert_eq!(why(&Outer::Keeps(taken())), "cannot listen: address in use");
    }
}
