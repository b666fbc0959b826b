//! Which build this is: version, commit and profile, fixed when it was compiled.

use std::sync::LazyLock;

/// The version of the workspace.
#[must_use]
pub const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The commit it was built from, `unknown` when the sources were no checkout.
#[must_use]
pub const fn commit() -> &'static str {
    match option_env!("BIFROST_BUILD_COMMIT") {
        Some(commit) => commit,
        None => "unknown",
    }
}

/// `debug` or `release`.
#[must_use]
pub const fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// Version and commit as one word, as in `0.1.0+3f2a…`.
#[must_use]
pub fn whole() -> &'static str {
    static WHOLE: LazyLock<String> = LazyLock::new(|| format!("{}+{}", version(), commit()));
    &WHOLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_is_a_hash_or_said_to_be_unknown() {
        let hash = commit().len() >= 40 && commit().bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(hash || commit() == "unknown", "{}", commit());
    }

    #[test]
    fn version_is_that_of_the_package() {
        assert_eq!(version().split('.').count(), 3);
    }
}
