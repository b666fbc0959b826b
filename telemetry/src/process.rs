//! Which program this is.

crate::label! {
    /// A program of Bifrost, as it names itself in metrics, logs and traces.
    pub enum Process: "process" {
        /// The stateless frontend.
        Gateway = "gateway",
        /// The store and its network.
        Node = "node",
        /// The operator's command.
        Ops = "ops",
    }
}

impl Process {
    /// Its word in metrics, logs and traces.
    #[must_use]
    pub fn text(self) -> &'static str {
        crate::metrics::Label::text(self)
    }
}
