//! What is said to people about each way in which a request can fail.
//!
//! Words say what happened, whose side it is on and what to do, in that order, and never guess: where
//! only the cause can tell what happened, the text is left to it.

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
    ],
};

/// A name has no valid record.
const NAME_UNRESOLVED: Words = Words {
    title: "The name leads nowhere",
    what: "No valid record was found for this name.",
    side: "the name's records",
    steps: &["Publish the name again.", "Try again later."],
};

pub(super) fn words(outcome: Outcome, status: StatusCode) -> Words {
    match outcome {
        Outcome::NotFound => Words {
            title: "Not found",
            what: "",
            side: CLIENT,
            steps: &["Check the path: names are case-sensitive.", "Go up to the folder and look."],
        },
        Outcome::Blocked => Words {
            title: "Blocked",
            what: "This content is blocked here.",
            side: "the policy of this gateway",
            steps: &["Write to the operator if you think that this is a mistake."],
        },
        Outcome::Limited => Words {
            title: "Too many requests",
            what: "There are as many requests from your address as one client may have.",
            side: CLIENT,
            steps: &["Ask for fewer things at a time.", "Wait as long as Retry-After says."],
        },
        Outcome::NoProviders => NO_PROVIDERS,
        Outcome::Unreachable => UNREACHABLE,
        Outcome::NameUnresolved => NAME_UNRESOLVED,
        Outcome::BadContent => Words {
            title: "The content is malformed",
            what: "The bytes are what the address names, but they are not well formed.",
            side: CONTENT,
            steps: &["?format=raw gives the block as it is.", "Tell whoever made it."],
        },
        Outcome::Timeout => Words {
            title: "It took too long",
            what: "Our nodes did not answer in the time that a request has.",
            side: OURS,
            steps: &["Try again.", "If it lasts, tell the operator the request's id."],
        },
        Outcome::UpstreamFault => Words {
            title: "Our nodes failed",
            what: "None of this gateway's nodes could give this content, or what they gave was not it.",
            side: OURS,
            steps: &["Try again.", "If it lasts, tell the operator the request's id."],
        },
        Outcome::Overload => Words {
            title: "Too busy",
            what: "This gateway is serving as many requests as it can.",
            side: OURS,
            steps: &["Wait as long as Retry-After says, and try again."],
        },
        Outcome::ClientError => client_words(status),
        Outcome::Internal
        | Outcome::Truncated
        | Outcome::Ok
        | Outcome::NotModified
        | Outcome::ClientAbort => Words {
            title: "Something broke",
            what: "This gateway met a fault of its own.",
            side: OURS,
            steps: &["Try again.", "If it lasts, tell the operator the request's id."],
        },
    }
}

fn client_words(status: StatusCode) -> Words {
    let (title, steps): (_, &[&str]) = match status.as_u16() {
        405 => ("Method not allowed", &["Use GET, HEAD or OPTIONS."]),
        406 => ("Not in this form", &["Use ?format=raw or ?format=car."]),
        412 => ("Not at hand", &["Leave out only-if-cached to have it fetched."]),
        414 => ("Address too long", &["Ask with a shorter path or query."]),
        416 => ("Range outside of the content", &["Ask for a range within its size."]),
        421 => ("This host is not served here", &["Check the name of the host."]),
        431 => ("Header too large", &["Send fewer or smaller header fields."]),
        501 => ("Not supported", &["Use ?format=raw or ?format=car."]),
        _ => ("Bad request", &["Check the address: it is not one that can be asked."]),
    };
    Words { title, what: "", side: CLIENT, steps }
}
