//! The headers of HTTP that a gateway reads and sends, and what each means.
//!
//! The reference is made from these tables, and a test holds them against the code: a header that is named there
//! stands here, and the other way round.

use telemetry::describe::{Header, Headers};

const fn header(name: &'static str, meaning: &'static str, spec: &'static str) -> Header {
    Header { name, meaning, spec }
}

/// What is read of requests.
pub const READ: Headers = Headers {
    of: "Requests to a gateway",
    headers: &[
        header(
            "accept",
            "The form of the answer, by media type and weight, where the URL has no `format`.",
            "RFC 9110 §12.5.1; Path Gateway, Request Headers",
        ),
        header(
            "authorization",
            "Not used; a request that has it is not copied to staging.",
            "RFC 9110 §11.6.2",
        ),
        header(
            "bifrost-mirror",
            "A copy of another gateway's request. Counted apart where `hosts.mirrors` has the sender; one that comes back gets 508.",
            "Bifrost",
        ),
        header(
            "bifrost-traffic",
            "`probe` counts the request apart where `hosts.probes` has the sender.",
            "Bifrost",
        ),
        header(
            "cache-control",
            "`only-if-cached` answers from what this fleet has, or with 412.",
            "RFC 9111 §5.2.1; Path Gateway, Request Headers",
        ),
        header("host", "Which host is meant; the table of hosts says as what.", "RFC 9110 §7.2"),
        header("if-none-match", "A copy that is still good gets 304.", "RFC 9110 §13.1.2"),
        header(
            "if-range",
            "The range counts only while the entity tag is this one.",
            "RFC 9110 §13.1.5",
        ),
        header(
            "proxy-authorization",
            "Not used; a request that has it is not copied to staging.",
            "RFC 9110 §11.7.2",
        ),
        header("range", "One range of bytes of a file or a block.", "RFC 9110 §14.2"),
        header(
            "referer",
            "Its host goes into the access record, nothing else of it.",
            "RFC 9110 §10.1.3",
        ),
        header(
            "service-worker",
            "`script` on a shared origin is refused with 400, since a worker there would rule the content of others.",
            "W3C Service Workers; Path Gateway, Request Headers",
        ),
        header(
            "traceparent",
            "The trace that the request belongs to; its flag to sample is not obeyed.",
            "W3C Trace Context",
        ),
        header(
            "user-agent",
            "Its family goes into the access record, not its text.",
            "RFC 9110 §10.1.5",
        ),
        header(
            "x-forwarded-for",
            "The client, where `hosts.trusted_proxies` has the sender.",
            "de facto",
        ),
        header(
            "x-forwarded-host",
            "The host that is meant, where `hosts.trusted_proxies` has the sender.",
            "de facto; Subdomain Gateway, Request Headers",
        ),
        header(
            "x-forwarded-proto",
            "Whether the client speaks `https`, where `hosts.trusted_proxies` has the sender, or `hosts.mirrors` that of a copy.",
            "de facto; Subdomain Gateway, Request Headers",
        ),
        header(
            "x-request-id",
            "The id of the request in records and on pages; one is made where none came.",
            "de facto",
        ),
    ],
};

/// What answers have.
pub const SENT: Headers = Headers {
    of: "Answers of a gateway",
    headers: &[
        header(
            "accept-ranges",
            "`bytes` where ranges are served, `none` of archives.",
            "RFC 9110 §14.3",
        ),
        header(
            "access-control-allow-headers",
            "What scripts of other origins may send.",
            "WHATWG Fetch §3.3",
        ),
        header("access-control-allow-methods", "`GET, HEAD, OPTIONS`.", "WHATWG Fetch §3.3"),
        header(
            "access-control-allow-origin",
            "Always `*`: content is for everybody.",
            "WHATWG Fetch §3.3",
        ),
        header(
            "access-control-expose-headers",
            "What scripts of other origins may read.",
            "WHATWG Fetch §3.3",
        ),
        header(
            "access-control-max-age",
            "How long the answer to OPTIONS holds.",
            "WHATWG Fetch §3.3",
        ),
        header("allow", "The methods that are taken, with 405 and to OPTIONS.", "RFC 9110 §10.2.1"),
        header(
            "bifrost-build",
            "Which build answered; to mirrors that are believed only.",
            "Bifrost",
        ),
        header(
            "bifrost-mirror",
            "With 508: the copy came back to the gateway that made it.",
            "Bifrost",
        ),
        header(
            "bifrost-name-age",
            "Seconds since the name was last looked up, where a value serves beyond its time to live.",
            "Bifrost",
        ),
        header(
            "cache-control",
            "How long an answer may be kept: for ever by hash, as long as its name holds by name, `no-store` with failures.",
            "RFC 9111 §5.2; Path Gateway, Response Headers",
        ),
        header("cache-status", "Whether gateway and node had the content.", "RFC 9211"),
        header("connection", "`close` where the rest of a request is not read.", "RFC 9110 §7.6.1"),
        header(
            "content-disposition",
            "The name of a download, and whether it is one.",
            "RFC 6266; Path Gateway, Response Headers",
        ),
        header(
            "content-length",
            "Where the length is known before the first byte.",
            "RFC 9110 §8.6",
        ),
        header(
            "content-location",
            "The URL that gives this form without negotiation.",
            "RFC 9110 §8.7; Path Gateway, Response Headers",
        ),
        header("content-range", "Which bytes these are, and of how many.", "RFC 9110 §14.4"),
        header(
            "content-security-policy",
            "Pages of the gateway load nothing from elsewhere; content on a shared origin is sandboxed where `render.sandbox_paths` says so.",
            "W3C CSP 3",
        ),
        header(
            "content-type",
            "The form of the answer; of files by name, then by their first bytes.",
            "RFC 9110 §8.3",
        ),
        header(
            "etag",
            "The content and form, by its hash.",
            "RFC 9110 §8.8.3; Path Gateway, Response Headers",
        ),
        header("last-modified", "When the record of a name was last looked up.", "RFC 9110 §8.8.2"),
        header("link", "Where the policy is that refuses the content, with 451.", "RFC 7725 §4"),
        header("location", "The better address.", "RFC 9110 §10.2.2"),
        header("retry-after", "Seconds until another try may go better.", "RFC 9110 §10.2.3"),
        header(
            "server-timing",
            "The gateway's own time; to mirrors that are believed only.",
            "W3C Server Timing",
        ),
        header("traceparent", "The trace of the request.", "W3C Trace Context"),
        header("vary", "`Accept`, where that chose the form.", "RFC 9110 §12.5.5"),
        header("x-content-type-options", "Always `nosniff`.", "WHATWG Fetch §3.6"),
        header("x-ipfs-path", "The path as it was asked for.", "Path Gateway, Response Headers"),
        header(
            "x-ipfs-roots",
            "The CID of each segment of the path.",
            "Path Gateway, Response Headers",
        ),
        header("x-request-id", "The id of the request, for whoever reports a fault.", "de facto"),
    ],
};

/// What a gateway asks nodes with.
pub const ASKED: Headers = Headers {
    of: "Requests of a gateway to nodes",
    headers: &[
        header(
            "accept",
            "`application/vnd.ipld.raw`, or `application/vnd.ipfs.ipns-record` for a name.",
            "Trustless Gateway, Request Headers",
        ),
        header(
            "accept-encoding",
            "`identity`: hashes are of the bytes themselves.",
            "RFC 9110 §12.5.3",
        ),
        header(
            "bifrost-deadline",
            "Milliseconds that the gateway waits; a node may stop then.",
            "Bifrost",
        ),
        header(
            "bifrost-path",
            "The path below the root that leads to the block: who provides its parents may provide it.",
            "Bifrost",
        ),
        header("bifrost-root", "The root whose providers are to be searched.", "Bifrost"),
        header("bifrost-traffic", "`mirror` is for a copy, which can wait.", "Bifrost"),
        header("cache-control", "`only-if-cached` where the client said so.", "RFC 9111 §5.2.1"),
        header("traceparent", "The trace of the request.", "W3C Trace Context"),
        header("x-request-id", "The id of the request.", "de facto"),
    ],
};

/// What a gateway reads of nodes' answers.
pub const BELIEVED: Headers = Headers {
    of: "Answers of nodes, as a gateway reads them",
    headers: &[
        header(
            "bifrost-retrieval",
            "Why there is no block: decides between 502 and 504. Without it the status alone counts.",
            "Bifrost",
        ),
        header(
            "cache-status",
            "`fwd=` says that the node fetched the block; for metrics alone.",
            "RFC 9211",
        ),
        header(
            "content-encoding",
            "Any is refused: hashes are of the bytes themselves.",
            "RFC 9110 §8.4",
        ),
        header(
            "content-length",
            "How much room is made, within the bound of a block.",
            "RFC 9110 §8.6",
        ),
        header(
            "retry-after",
            "How long a busy node is left alone, with 429 and 503.",
            "RFC 9110 §10.2.3",
        ),
    ],
};
