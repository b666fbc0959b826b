//! How a request ended, and the few closed words that describe it.
//!
//! One outcome per request: it is the metric label, the field in the access log and, through the
//! objectives, the class of the request. Content that nobody provides is not a fault of ours.

use http::StatusCode;
use telemetry::access::Detail;
use telemetry::label;

label! {
    /// How a request ended.
    pub(crate) enum Outcome: "outcome" {
        /// Answered as asked, redirects included.
        Ok = "ok",
        /// The client's copy is still good.
        NotModified = "not_modified",
        /// The request cannot be answered as it stands.
        ClientError = "client_error",
        /// A verified parent has no such name.
        NotFound = "not_found",
        /// Denied by a list.
        Blocked = "blocked",
        /// This client is over its share.
        Limited = "limited",
        /// The client left.
        ClientAbort = "client_abort",
        /// The search finished and nobody has it.
        NoProviders = "no_providers",
        /// Providers are known, and none delivered in time.
        Unreachable = "unreachable",
        /// No valid record for a name.
        NameUnresolved = "name_unresolved",
        /// Malformed below a correct hash.
        BadContent = "bad_content",
        /// Our nodes or this gateway were too slow.
        Timeout = "timeout",
        /// Our nodes are down or gave bytes that are not the content.
        UpstreamFault = "upstream_fault",
        /// This gateway is full or draining.
        Overload = "overload",
        /// The stream was aborted behind its headers, not by the client.
        Truncated = "truncated",
        /// A fault of this gateway.
        Internal = "internal",
    }
}

label! {
    /// Whose traffic a request is.
    pub(crate) enum Traffic: "traffic" {
        /// A website on a host of its own.
        Website = "website",
        /// Everything else that is public.
        Gateway = "gateway",
        /// A copy of another gateway's request.
        Mirror = "mirror",
        /// A probe of ours.
        Probe = "probe",
    }
}

label! {
    /// The form in which content was asked for.
    pub(crate) enum Form: "form" {
        /// `/ipfs/…` on a host of the gateway.
        Path = "path",
        /// A CID in the host name.
        Subdomain = "subdomain",
        /// A host that stands for a root.
        Dnslink = "dnslink",
        /// Raw blocks and CARs, to be verified by the client.
        Trustless = "trustless",
        /// Pages that the gateway serves of itself.
        Own = "own",
    }
}

label! {
    /// Where the bytes of an answer came from; the farthest place counts.
    pub(crate) enum Source: "cache" {
        /// No content was needed.
        None = "none",
        /// All of it was in this gateway's memory.
        Hit = "hit",
        /// A node had it.
        Pool = "pool",
        /// A node fetched it from the network.
        Network = "network",
    }
}

impl Source {
    /// The place with this number; the farthest of several counts, and has the largest number.
    pub(crate) fn from_index(index: u8) -> Self {
        match index {
            0 => Source::None,
            1 => Source::Hit,
            2 => Source::Pool,
            _ => Source::Network,
        }
    }
}

impl Outcome {
    /// The outcome of an answer that was sent whole, by its status.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_MODIFIED => Outcome::NotModified,
            StatusCode::NOT_FOUND => Outcome::NotFound,
            status if status.is_client_error() => Outcome::ClientError,
            status if status.is_server_error() => Outcome::Internal,
            _ => Outcome::Ok,
        }
    }

    /// How much of a request that ended so is recorded.
    pub(crate) fn detail(self) -> Detail {
        match self {
            Outcome::Ok | Outcome::NotModified => Detail::Sampled,
            Outcome::ClientError
            | Outcome::NotFound
            | Outcome::Limited
            | Outcome::ClientAbort
            | Outcome::Overload => Detail::Whole,
            Outcome::Blocked
            | Outcome::NoProviders
            | Outcome::Unreachable
            | Outcome::NameUnresolved
            | Outcome::BadContent
            | Outcome::Timeout
            | Outcome::UpstreamFault
            | Outcome::Truncated
            | Outcome::Internal => Detail::Clear,
        }
    }

    /// The statuses of answers that ended so. One that was cut had that of a whole one.
    pub(crate) fn statuses(self) -> &'static [u16] {
        match self {
            Outcome::Ok | Outcome::ClientAbort | Outcome::Truncated => {
                &[200, 204, 206, 301, 302, 303, 307, 308]
            }
            Outcome::NotModified => &[304],
            Outcome::ClientError => {
                &[400, 405, 406, 410, 412, 414, 416, 421, 431, 451, 501, 505, 508]
            }
            Outcome::NotFound => &[404],
            Outcome::Blocked => &[410, 451],
            Outcome::Limited => &[429],
            Outcome::NoProviders => &[502],
            Outcome::Unreachable | Outcome::Timeout => &[504],
            Outcome::NameUnresolved => &[502, 504],
            Outcome::BadContent | Outcome::Internal => &[500],
            Outcome::UpstreamFault => &[502, 503],
            Outcome::Overload => &[503],
        }
    }

    /// Whether the content was looked for and not delivered, so that others may know more of it.
    pub(crate) fn is_of_network(self) -> bool {
        matches!(self, Outcome::NoProviders | Outcome::Unreachable | Outcome::Timeout)
    }

    /// Whether a later try may go better, so that the answer says when.
    pub(crate) fn is_passing(self) -> bool {
        match self {
            Outcome::Limited
            | Outcome::NoProviders
            | Outcome::Unreachable
            | Outcome::NameUnresolved
            | Outcome::Timeout
            | Outcome::UpstreamFault
            | Outcome::Overload => true,
            Outcome::Ok
            | Outcome::NotModified
            | Outcome::ClientError
            | Outcome::NotFound
            | Outcome::Blocked
            | Outcome::ClientAbort
            | Outcome::BadContent
            | Outcome::Truncated
            | Outcome::Internal => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use telemetry::metrics::Label;

    use super::*;

    #[test]
    fn words_are_those_of_the_signal_contract() {
        let outcomes: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.text()).collect();
        assert_eq!(
            outcomes,
            [
                "ok",
                "not_modified",
                "client_error",
                "not_found",
                "blocked",
                "limited",
                "client_abort",
                "no_providers",
                "unreachable",
                "name_unresolved",
                "bad_content",
                "timeout",
                "upstream_fault",
                "overload",
                "truncated",
                "internal"
            ]
        );
        for (index, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(outcome.index(), index);
        }
    }

    #[test]
    fn sources_are_in_order_of_distance() {
        for source in Source::ALL {
            assert_eq!(Source::from_index(*source as u8), *source);
        }
    }
}
