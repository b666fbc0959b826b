//! The closed words of the mirror's metrics.

use ipfs::answer;
use telemetry::label;

label! {
    /// What a pair of answers came to.
    pub(crate) enum Compared: "result" {
        /// They agree.
        Same = "same",
        /// They differ.
        Different = "different",
        /// A name led elsewhere.
        Moved = "moved",
        /// Only rates of outcomes can be compared.
        Rates = "rates",
    }
}

impl From<&answer::Agreement> for Compared {
    fn from(agreement: &answer::Agreement) -> Self {
        match agreement {
            answer::Agreement::Same => Compared::Same,
            answer::Agreement::Different(_) => Compared::Different,
            answer::Agreement::Moved => Compared::Moved,
            answer::Agreement::Rates => Compared::Rates,
        }
    }
}

label! {
    /// Whose second answer it is.
    pub(crate) enum Lane: "lane" {
        /// Staging's.
        Staging = "staging",
        /// Production's own, asked again: what differs there differs without any change of build.
        Again = "again",
    }
}

label! {
    /// Whose time it is.
    pub(crate) enum By: "by" {
        /// Production's.
        Production = "production",
        /// Staging's.
        Staging = "staging",
    }
}

label! {
    /// Why a request that was chosen is not compared.
    pub(crate) enum Dropped: "reason" {
        /// Staging is left alone.
        Unhealthy = "unhealthy",
        /// Too many requests this second.
        Requests = "requests",
        /// Too many bytes this second.
        Bytes = "bytes",
        /// Too much is looked for in the network.
        Fetches = "fetches",
        /// Too many wait.
        Queue = "queue",
        /// The client left before production's answer ended.
        ClientLeft = "client_left",
        /// The request has credentials, or its answer is denied.
        Private = "private",
        /// Its host cannot be told, so that staging could not be asked for the same.
        Host = "host",
        /// What production answered says nothing of the content: it is full, or draining.
        Overload = "overload",
        /// The mirror was stopped, or given another staging, while it waited.
        Stopped = "stopped",
    }
}

label! {
    /// Why staging gave no whole answer.
    pub(crate) enum Failure: "failure" {
        /// No connection, or none that lasts to the head.
        Connect = "connect",
        /// No head, or no end, in time.
        Timeout = "timeout",
        /// Silence within the body.
        Stall = "stall",
        /// The body was cut.
        Reset = "reset",
        /// The body is longer than production's, however long that goes on.
        Long = "long",
        /// It is no staging: it mirrors for the same environment, or is this gateway itself.
        Loop = "loop",
    }
}

label! {
    /// How far two answers can be compared.
    pub(crate) enum Class: "class" {
        /// Bytes never change.
        Verifiable = "verifiable",
        /// A page that is drawn.
        Rendered = "rendered",
        /// Behind a name.
        Mutable = "mutable",
        /// A failure that depends on peers.
        Network = "network",
    }
}

impl From<answer::Class> for Class {
    fn from(class: answer::Class) -> Self {
        match class {
            answer::Class::Verifiable => Class::Verifiable,
            answer::Class::Rendered => Class::Rendered,
            answer::Class::Mutable => Class::Mutable,
            answer::Class::Network => Class::Network,
        }
    }
}

label! {
    /// What two answers differ in.
    pub(crate) enum Difference: "difference" {
        /// The status.
        Status = "status",
        /// A header.
        Header = "header",
        /// The length.
        Length = "length",
        /// The bytes.
        Body = "body",
        /// Staging's bytes are not what they are named.
        Unverified = "unverified",
        /// Production's bytes are not what they are named.
        ProductionUnverified = "production-unverified",
        /// The blocks of an archive.
        Blocks = "blocks",
        /// Their order.
        Order = "order",
        /// What a page links to.
        Links = "links",
    }
}

impl From<answer::Difference> for Difference {
    fn from(difference: answer::Difference) -> Self {
        match difference {
            answer::Difference::Status => Difference::Status,
            answer::Difference::Header(_) => Difference::Header,
            answer::Difference::Length => Difference::Length,
            answer::Difference::Body => Difference::Body,
            answer::Difference::Unverified => Difference::Unverified,
            answer::Difference::ProductionUnverified => Difference::ProductionUnverified,
            answer::Difference::Blocks => Difference::Blocks,
            answer::Difference::Order => Difference::Order,
            answer::Difference::Links => Difference::Links,
        }
    }
}

#[cfg(test)]
mod tests {
    use telemetry::metrics::Label;

    use super::*;

    #[test]
    fn metrics_and_records_say_the_same_words() {
        for class in answer::Class::ALL {
            assert_eq!(Class::from(class).text(), class.word());
        }
        for difference in answer::Difference::OF_BODY {
            assert_eq!(Difference::from(difference).text(), difference.word());
        }
        assert_eq!(Difference::ALL.len(), answer::Difference::OF_BODY.len() + 1);
    }
}
