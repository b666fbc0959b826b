//! What is said to people about each way in which a request can fail.
//!
//! Words say what happened, whose side it is on and what to do, in that order, and never guess: what
//! only the cause can tell is left to it.

use http::StatusCode;

use crate::outcome::Outcome;

/// What is said about an outcome.
pub(super) struct Words {
    pub(super) title: &'static str,
    /// What happened; empty where only the cause can say.
    pub(super) what: &'static str,
    pub(super) side: &'static str,
    pub(super) steps: &'static [&'static str],
}

const CLIENT: &str = "the request";
const NETWORK: &str = "the network: this gateway works, the content is not to be had";
const OURS: &str = "this gateway's side";
const CONTENT: &str = "the content itself";

const TRY_AGAIN: &[&str] = &["Try again.", "If it lasts, tell the operator the request's id."];

/// The search finished without a provider.
const NO_PROVIDERS: Words = Words {
    title: "Nobody has this content",
    what: "The search finished, and nobody on the network offers this content.",
    side: NETWORK,
    steps: &[
        "Check the address: a single wrong letter names other content.",
        "If it is yours, see that your node is online and announces it.",
        "Try again later: whoever has it may come back.",
    ],
};

/// Providers are known.
const UNREACHABLE: Words = Words {
    title: "Nobody delivered this content",
    what: "Somebody is known to have this content, and nobody delivered it in time.",
    side: NETWORK,
    steps: &[
        "Try again: the search goes on from where it was.",
        "If it is yours, see that your node can be reached from outside.",
        "With a node or gateway of your own you can wait for longer than here.",
    ],
};

/// The bytes are right, and make no sense.
const BAD_CONTENT: Words = Words {
    title: "The content is malformed",
    what: "The bytes are what the address names, but they are not well formed.",
    side: CONTENT,
    steps: &["?format=raw gives the block as it is.", "Tell whoever made it."],
};

/// A client over its share.
const LIMITED: Words = Words {
    title: "Too many requests",
    what: "There are as many requests from your address as one client may have.",
    side: CLIENT,
    steps: &[
        "Ask for fewer things at a time.",
        "Wait as long as Retry-After says.",
        "For more than this, use a node or gateway of your own.",
    ],
};

pub(super) fn words(outcome: Outcome, status: StatusCode) -> Words {
    match outcome {
        Outcome::NotFound => Words {
            title: "Not found",
            what: "There is nothing at this address.",
            side: CLIENT,
            steps: &["Check the path: names are case-sensitive.", "Go up to the folder and look."],
        },
        Outcome::Blocked => blocked(status),
        Outcome::Limited => LIMITED,
        Outcome::NoProviders => NO_PROVIDERS,
        Outcome::Unreachable => UNREACHABLE,
        Outcome::NameUnresolved => name_unresolved(status),
        Outcome::BadContent => BAD_CONTENT,
        Outcome::Timeout => Words {
            title: "It took too long",
            what: "Our nodes did not answer in the time that a request has.",
            side: OURS,
            steps: TRY_AGAIN,
        },
        Outcome::UpstreamFault => upstream_fault(status),
        Outcome::Overload => Words {
            title: "Too busy",
            what: "This gateway is serving as many requests as it can.",
            side: OURS,
            steps: &["Wait as long as Retry-After says, and try again."],
        },
        Outcome::ClientError => refused(status),
        Outcome::Internal
        | Outcome::Truncated
        | Outcome::Ok
        | Outcome::NotModified
        | Outcome::ClientAbort => Words {
            title: "Something broke",
            what: "This gateway met a fault of its own.",
            side: OURS,
            steps: TRY_AGAIN,
        },
    }
}

fn blocked(status: StatusCode) -> Words {
    let is_legal = status == StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS;
    let (title, what, side) = if is_legal {
        (
            "Blocked for legal reasons",
            "This content must not be shown here, for legal reasons.",
            "the law, as this gateway's operator was told of it",
        )
    } else {
        ("Blocked", "This content is not served here.", "the policy of this gateway")
    };
    let steps = &["Write to the operator if you think that this is a mistake."];
    Words { title, what, side, steps }
}

fn name_unresolved(status: StatusCode) -> Words {
    let what = if status == StatusCode::GATEWAY_TIMEOUT {
        "The name could not be looked up in the time that a request has."
    } else {
        "No valid record was found for this name."
    };
    let steps = &[
        "Check the name.",
        "If it is yours, publish it again, or look at its DNS records.",
        "Try again later.",
    ];
    Words { title: "The name leads nowhere", what, side: "the name's records", steps }
}

fn upstream_fault(status: StatusCode) -> Words {
    let what = if status == StatusCode::BAD_GATEWAY {
        "What this gateway's nodes gave is not this content, so it was thrown away."
    } else {
        "None of this gateway's nodes is able to answer."
    };
    Words { title: "Our nodes failed", what, side: OURS, steps: TRY_AGAIN }
}

/// A request that cannot be answered as it is.
fn refused(status: StatusCode) -> Words {
    let (title, what, steps): (_, _, &[&str]) = match status.as_u16() {
        405 => (
            "Method not allowed",
            "Content can be read here, and nothing else.",
            &["Use GET, HEAD or OPTIONS."],
        ),
        406 => (
            "Not in this form",
            "This content is not to be had in the form that was asked for.",
            &["Use ?format=raw or ?format=car.", "Leave out the format to have it as it is."],
        ),
        412 => (
            "Not at hand",
            "Neither this gateway nor its nodes have it, and the request forbids to fetch it.",
            &["Leave out only-if-cached to have it fetched."],
        ),
        414 => (
            "Address too long",
            "The address is longer than this gateway reads.",
            &["Ask with a shorter path or query."],
        ),
        416 => (
            "Range outside of the content",
            "The content has none of the bytes that were asked for.",
            &["Ask for a range within its size.", "Leave out the range to have all of it."],
        ),
        421 => (
            "This host is not served here",
            "This gateway has nothing under the name of this host.",
            &["Check the name of the host.", "If it is yours, ask the operator to add it."],
        ),
        431 => (
            "Header too large",
            "The request's header is larger than this gateway reads.",
            &["Send fewer or smaller header fields.", "Delete the cookies of this host."],
        ),
        // Only the cause can tell what: a path into content of some kind, a range of a large file.
        501 => ("Not supported", "", &["Use ?format=raw or ?format=car."]),
        505 => (
            "HTTP version too old",
            "This answer cannot be sent so that a client of this version sees whether it is whole.",
            &["Use HTTP/1.1 or HTTP/2."],
        ),
        _ => (
            "Bad request",
            "The request cannot be answered as it is.",
            &["Check the address, character by character."],
        ),
    };
    Words { title, what, side: CLIENT, steps }
}

#[cfg(test)]
mod tests {
    use telemetry::metrics::Label;

    use super::*;

    #[test]
    fn every_failure_is_explained_in_whole_sentences() {
        let statuses = [
            400, 404, 405, 406, 410, 412, 414, 416, 421, 429, 431, 451, 500, 501, 502, 503, 504,
            505,
        ];
        for outcome in Outcome::ALL {
            for status in statuses {
                let status = StatusCode::from_u16(status).expect("a status");
                let words = words(*outcome, status);
                let what = words.what;
                assert!(what.is_empty() || what.ends_with('.'), "{outcome:?} {status}: {what}");
                assert!(!words.title.is_empty() && !words.title.ends_with('.'), "{}", words.title);
                assert!(!words.side.is_empty() && !words.steps.is_empty(), "{outcome:?} {status}");
                assert!(words.steps.iter().all(|step| step.ends_with('.')), "{:?}", words.steps);
            }
        }
    }

    #[test]
    fn refusals_have_titles_of_their_own() {
        let statuses = [400, 405, 406, 412, 414, 416, 421, 431, 501, 505];
        let titles: std::collections::HashSet<_> = statuses
            .iter()
            .map(|status| StatusCode::from_u16(*status).expect("a status"))
            .map(|status| words(Outcome::ClientError, status).title)
            .collect();
        assert_eq!(titles.len(), statuses.len());
    }
}
