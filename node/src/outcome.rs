//! How a request to this node ended, and the few closed words that describe it.
//!
//! One outcome per request decides the status, the metric label and the field in the access log.
//! Content that nobody provides is not a fault of this node.

use http::StatusCode;
use telemetry::access::Detail;
use telemetry::label;

label! {
    /// How a request ended.
    pub enum Outcome: "outcome" {
        /// Answered as asked.
        Ok = "ok",
        /// The client's copy is still good.
        NotModified = "not_modified",
        /// The request cannot be answered as it stands.
        ClientError = "client_error",
        /// A verified parent has no such name, or a key has no record.
        NotFound = "not_found",
        /// Only what is stored was asked for, and it is not.
        NotLocal = "not_local",
        /// The search finished and nobody has it.
        NoProviders = "no_providers",
        /// Providers are known, and none delivered in time.
        Unreachable = "unreachable",
        /// This node was too slow.
        Timeout = "timeout",
        /// Malformed below a correct hash.
        BadContent = "bad_content",
        /// This node is full or on its way out.
        Overload = "overload",
        /// The client left before the end.
        ClientAbort = "client_abort",
        /// The answer was cut after its headers.
        Truncated = "truncated",
        /// A fault of this node.
        Internal = "internal",
    }
}

impl Outcome {
    /// How much of a request that ended so is recorded.
    pub fn detail(self) -> Detail {
        match self {
            Outcome::Ok | Outcome::NotModified | Outcome::NotLocal => Detail::Sampled,
            Outcome::ClientError | Outcome::NotFound | Outcome::Overload | Outcome::ClientAbort => {
                Detail::Whole
            }
            Outcome::NoProviders
            | Outcome::Unreachable
            | Outcome::Timeout
            | Outcome::BadContent
            | Outcome::Truncated
            | Outcome::Internal => Detail::Clear,
        }
    }

    /// The statuses of answers that ended so. One that was cut had that of a whole one.
    pub fn statuses(self) -> &'static [u16] {
        match self {
            Outcome::Ok | Outcome::ClientAbort | Outcome::Truncated => &[200, 204, 206],
            Outcome::NotModified => &[304],
            Outcome::ClientError => &[400, 405, 406, 414, 416, 501, 505],
            Outcome::NotFound => &[404],
            Outcome::NotLocal => &[412],
            Outcome::NoProviders => &[502],
            Outcome::Unreachable | Outcome::Timeout => &[504],
            Outcome::BadContent | Outcome::Internal => &[500],
            Outcome::Overload => &[503],
        }
    }

    /// The status of an answer with this outcome. Those that end an answer that has begun, and
    /// those that are answered with content, have none of their own and give 200.
    pub fn status(self) -> StatusCode {
        match self {
            Outcome::Ok | Outcome::ClientAbort | Outcome::Truncated => StatusCode::OK,
            Outcome::NotModified => StatusCode::NOT_MODIFIED,
            Outcome::ClientError => StatusCode::BAD_REQUEST,
            Outcome::NotFound => StatusCode::NOT_FOUND,
            Outcome::NotLocal => StatusCode::PRECONDITION_FAILED,
            Outcome::NoProviders => StatusCode::BAD_GATEWAY,
            Outcome::Unreachable | Outcome::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Outcome::BadContent | Outcome::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Outcome::Overload => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

label! {
    /// The form of an answer.
    pub enum Form: "format" {
        /// One block.
        Raw = "raw",
        /// A CAR.
        Car = "car",
        /// The signed record of a name.
        IpnsRecord = "ipns-record",
        /// Anything else: refusals and the node's own pages.
        Own = "own",
    }
}

label! {
    /// Where the blocks, or the record, of an answer came from.
    pub enum Cache: "cache" {
        /// All from this node's store.
        Hit = "hit",
        /// At least one from another peer.
        Network = "network",
        /// There were none.
        None = "none",
    }
}
