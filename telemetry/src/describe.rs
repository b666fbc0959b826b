//! What a process says of its own interface, as JSON, for `--describe`.
//!
//! The reference is made from these answers and from nothing else, so that it cannot say what the process does
//! not know.

use serde::Serialize;
use serde_json::{Value, json};

use crate::metrics::Label;

/// What a process can be asked to describe.
pub const SUBJECTS: [&str; 3] = ["config", "headers", "outcomes"];

/// A header of requests or answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Header {
    /// Its name, in lower case.
    pub name: &'static str,
    /// What it says, or what is done with it.
    pub meaning: &'static str,
    /// Where it is specified.
    pub spec: &'static str,
}

/// Headers that go one way.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Headers {
    /// Whose they are, as the title of a table.
    pub of: &'static str,
    /// The headers, by name.
    pub headers: &'static [Header],
}

/// The outcomes of requests, with the statuses that an answer with each may have.
pub fn outcomes<L: Label>(statuses: impl Fn(L) -> &'static [u16]) -> Value {
    let one = |outcome: &L| {
        json!({
            "outcome": outcome.text(),
            "meaning": outcome.meaning(),
            "statuses": statuses(*outcome),
        })
    };
    L::ALL.iter().map(one).collect()
}

/// Headers of listeners for the operator, as every process reads them.
pub const ADMIN_READ: Headers = Headers {
    of: "Requests to admin listeners",
    headers: &[
        Header {
            name: "authorization",
            meaning: "`Bearer` and the token of `admin.token`; asked of every call but `/livez` and `/readyz`, where a token is set.",
            spec: "RFC 6750 §2.1",
        },
        Header {
            name: "content-type",
            meaning: "Whether `POST /import` brings a CAR (`application/vnd.ipld.car`) or the bytes of one file.",
            spec: "RFC 9110 §8.3",
        },
        Header {
            name: "host",
            meaning: "Has to be an address or a name of this machine, so that no page in a browser reaches a listener by a name of its own.",
            spec: "RFC 9110 §7.2",
        },
        Header {
            name: "origin",
            meaning: "A request that a page makes is refused.",
            spec: "RFC 6454 §7",
        },
        Header {
            name: "sec-fetch-site",
            meaning: "A request that a page makes is refused.",
            spec: "W3C Fetch Metadata",
        },
    ],
};

/// What answers of those listeners have.
pub const ADMIN_SENT: Headers = Headers {
    of: "Answers of admin listeners",
    headers: &[
        Header {
            name: "allow",
            meaning: "The methods that the call takes, with 405.",
            spec: "RFC 9110 §10.2.1",
        },
        Header { name: "cache-control", meaning: "Always `no-store`.", spec: "RFC 9111 §5.2" },
        Header {
            name: "connection",
            meaning: "`close` to who does not show the token.",
            spec: "RFC 9110 §7.6.1",
        },
        Header { name: "content-type", meaning: "The form of the answer.", spec: "RFC 9110 §8.3" },
        Header {
            name: "retry-after",
            meaning: "Seconds until another profile can be taken, with 429.",
            spec: "RFC 9110 §10.2.3",
        },
        Header {
            name: "www-authenticate",
            meaning: "`Bearer`, with 401: the token is missing or wrong.",
            spec: "RFC 9110 §11.6.1",
        },
        Header {
            name: "x-content-type-options",
            meaning: "Always `nosniff`.",
            spec: "WHATWG Fetch §3.6",
        },
        Header {
            name: "x-go-pprof",
            meaning: "A failure whose text `go tool pprof` shows.",
            spec: "net/http/pprof",
        },
        Header {
            name: "x-profile-sampled-seconds",
            meaning: "How long the allocator had sampled when a heap profile was taken.",
            spec: "Bifrost",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    crate::label! {
        /// How it went.
        enum Went: "went" {
            /// As it should,
            /// and in time.
            Well = "well",
            /// Otherwise.
            Badly = "badly",
        }
    }

    #[test]
    fn outcomes_say_what_their_declarations_say() {
        let said = outcomes(|went: Went| match went {
            Went::Well => &[200, 206],
            Went::Badly => &[500],
        });
        assert_eq!(said[0]["outcome"], "well");
        assert_eq!(said[0]["meaning"], "As it should, and in time.");
        assert_eq!(said[0]["statuses"], json!([200, 206]));
        assert_eq!(said[1]["meaning"], "Otherwise.");
    }
}
