//! Names of functions as a profile shows them.
//!
//! Line tables name a function without its module and with all its type arguments. Both are mended:
//! the module is taken from the path of the source file, and type arguments are left out, since a
//! profile that is compared with another's needs names that stay.

/// The name of a function with its module.
pub(super) fn qualified(name: &str, file: &str) -> String {
    let plain = match name.strip_prefix('<').and_then(split_qualified) {
        // `<Type as Trait>::function` is a function of the type.
        Some((kind, rest)) => without_arguments(kind) + &without_arguments(rest),
        None => without_arguments(name),
    };
    match module(file) {
        Some(module) if !plain.contains("::") => format!("{module}::{plain}"),
        Some(_) | None => plain,
    }
}

/// Splits what follows the first bracket of `<Type as Trait>::function` into the type and the rest.
fn split_qualified(inside: &str) -> Option<(&str, &str)> {
    let (bytes, mut depth, mut kind) = (inside.as_bytes(), 1_usize, None);
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if place == 0 || bytes[place - 1] != b'-' => depth -= 1,
            b' ' if depth == 1 && kind.is_none() && bytes[place..].starts_with(b" as ") => {
                kind = Some(&inside[..place]);
            }
            _ => {}
        }
        if depth == 0 {
            return Some((kind.unwrap_or(&inside[..place]), &inside[place + 1..]));
        }
    }
    None
}

/// The name without what stands between angle brackets.
fn without_arguments(name: &str) -> String {
    let (mut plain, mut depth, mut before) = (String::new(), 0_usize, ' ');
    for letter in name.chars() {
        match letter {
            '<' => depth += 1,
            // The arrow of a function type closes nothing.
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
        before = letter;
    }
    plain.truncate(plain.trim_end_matches("::").len());
    plain
}

/// The module of a source file: `/…/tokio-1.54.1/src/runtime/park.rs` is `tokio::runtime::park`.
fn module(file: &str) -> Option<String> {
    let (package, path) = file.rsplit_once("/src/")?;
    let package = package.rsplit('/').next()?;
    let name = match package.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|first: char| first.is_ascii_digit()) => name,
        Some(_) | None => package,
    };
    let path = path.strip_suffix(".rs")?;
    let mut module = name.replace('-', "_");
    for part in path.split('/').filter(|part| !matches!(*part, "lib" | "main" | "mod")) {
        module.push_str("::");
        module.push_str(part);
    }
    Some(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_comes_from_the_source_file() {
        for (name, file, expected) in [
            ("lookup", "/build/gateway/src/cache.rs", "gateway::cache::lookup"),
            ("main", "/build/gateway/src/main.rs", "gateway::main"),
            ("{closure#0}", "/build/node/src/swarm/host.rs", "node::swarm::host::{closure#0}"),
            (
                "poll<core::future::Ready<()>>",
                "/deps/registry/src/index-1/tokio-1.54.1/src/runtime/task/mod.rs",
                "tokio::runtime::task::poll",
            ),
            ("do_call<u8>", "/rustc/5980/library/std/src/panicking.rs", "std::panicking::do_call"),
            ("new", "/r/opentelemetry-otlp-0.33.1/src/span.rs", "opentelemetry_otlp::span::new"),
            ("memcpy", "", "memcpy"),
            ("memcpy", "./string/memmove.S", "memcpy"),
        ] {
            assert_eq!(qualified(name, file), expected);
        }
    }

    #[test]
    fn name_that_has_a_module_keeps_it() {
        let file = "/build/gateway/src/cache.rs";
        let generic = "ipfs::car::Reader<fn(u8) -> u8, [B; 2]>::push<C>";
        assert_eq!(qualified(generic, file), "ipfs::car::Reader::push");
        assert_eq!(qualified("ipfs::car::read", file), "ipfs::car::read");
    }

    #[test]
    fn function_of_a_trait_is_shown_as_one_of_its_type() {
        for (name, expected) in [
            ("<ipfs::Block as core::fmt::Debug>::fmt", "ipfs::Block::fmt"),
            ("<std::thread::Thread>::new::start", "std::thread::Thread::new::start"),
            ("<a::Box<dyn b::F<(), O = ()>> as b::F<()>>::call::<u8>", "a::Box::call"),
            ("<a::B<fn() -> u8>>::call", "a::B::call"),
            ("<a::B as c::D<<e::F as g::H>::I>>::call", "a::B::call"),
            ("<unfinished", ""),
        ] {
            assert_eq!(qualified(name, ""), expected);
        }
    }
}
