//! The headers of HTTP that a node reads and sends, and what each means.
//!
//! The reference is made from these tables, and a test holds them against the code: a header that is named there
//! stands here, and the other way round.

use telemetry::describe::{Header, Headers};

const fn header(name: &'static str, meaning: &'static str, spec: &'static str) -> Header {
    Header { name, meaning, spec }
}

/// What is read of requests.
pub const READ: Headers = Headers {
    of: "Requests to a node",
    headers: &[
        header(
            "accept",
            "The form of the answer, where the URL has no `format`: a block, a CAR or the record of a name.",
            "Trustless Gateway, Request Headers",
        ),
        header(
            "bifrost-deadline",
            "Milliseconds that the asker waits for the first block, at most `serve.first_block_timeout`.",
            "Bifrost",
        ),
        header("bifrost-root", "The root whose providers are asked first.", "Bifrost"),
        header("bifrost-traffic", "`mirror` gives way to what people ask.", "Bifrost"),
        header(
            "cache-control",
            "`only-if-cached` answers from the store, or with 412.",
            "RFC 9111 §5.2.1; Trustless Gateway, Request Headers",
        ),
        header("if-none-match", "A copy that is still good gets 304.", "RFC 9110 §13.1.2"),
        header(
            "if-range",
            "The range counts only while the entity tag is this one.",
            "RFC 9110 §13.1.5",
        ),
        header("range", "One range of bytes of a block.", "RFC 9110 §14.2"),
        header("traceparent", "The trace that the request belongs to.", "W3C Trace Context"),
        header(
            "user-agent",
            "Its family goes into the access record, not its text.",
            "RFC 9110 §10.1.5",
        ),
        header("x-request-id", "The id of the request; one is made where none came.", "de facto"),
    ],
};

/// What answers have.
pub const SENT: Headers = Headers {
    of: "Answers of a node",
    headers: &[
        header("accept-ranges", "`bytes` of blocks, `none` of CARs.", "RFC 9110 §14.3"),
        header(
            "access-control-allow-headers",
            "What scripts of other origins may send.",
            "WHATWG Fetch §3.3",
        ),
        header("access-control-allow-methods", "`GET, HEAD, OPTIONS`.", "WHATWG Fetch §3.3"),
        header("access-control-allow-origin", "Always `*`.", "WHATWG Fetch §3.3"),
        header("allow", "The methods that are taken, with 405 and to OPTIONS.", "RFC 9110 §10.2.1"),
        header(
            "bifrost-retrieval",
            "How far the search for a block came, with its failures.",
            "Bifrost",
        ),
        header(
            "cache-control",
            "For ever by hash, as long as its record holds by name, `no-store` with failures.",
            "RFC 9111 §5.2; Trustless Gateway, Response Headers",
        ),
        header("cache-status", "Whether the blocks were stored here, or fetched.", "RFC 9211"),
        header(
            "content-disposition",
            "The name of the download.",
            "RFC 6266; Trustless Gateway, Response Headers",
        ),
        header("content-length", "Of blocks and records.", "RFC 9110 §8.6"),
        header(
            "content-location",
            "The URL that gives this form without negotiation.",
            "RFC 9110 §8.7",
        ),
        header("content-range", "Which bytes of a block these are.", "RFC 9110 §14.4"),
        header(
            "content-type",
            "The form, of a CAR with its parameters.",
            "Trustless Gateway, Response Headers",
        ),
        header("etag", "The content and form, by its hash.", "RFC 9110 §8.8.3"),
        header("retry-after", "Seconds until another try may go better.", "RFC 9110 §10.2.3"),
        header("vary", "`Accept`.", "RFC 9110 §12.5.5"),
        header("x-content-type-options", "Always `nosniff`.", "WHATWG Fetch §3.6"),
        header(
            "x-ipfs-path",
            "The path as it was asked for.",
            "Trustless Gateway, Response Headers",
        ),
        header(
            "x-ipfs-roots",
            "The CID of each segment of the path.",
            "Path Gateway, Response Headers",
        ),
        header("x-request-id", "The id of the request.", "de facto"),
    ],
};
