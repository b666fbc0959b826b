//! Bitswap on one connection: one stream out, many streams in.
//!
//! Runs in the task of its connection, so that reading, hashing and writing of different peers go on
//! side by side and none of it in the swarm's task. Our stream stays open between messages, because a
//! fresh stream begins with a small window; peers may do the same or open a stream per message.

mod inbound;
mod outbound;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use libp2p::StreamProtocol;
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade};
use libp2p::swarm::handler::{
    ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound, ProtocolsChange,
};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, Stream, SubstreamProtocol};
use tokio::sync::Semaphore;

use self::inbound::{Limits, Read};
use self::outbound::{Outbound, Turn};
use super::config::Config;
use super::metrics::{Metrics, StreamEnd};
use crate::bitswap::{Message, ProtocolVersion, Received};

/// What the handlers of all connections share.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) inbound_streams_max: usize,
    pub(super) inbound_bytes_max: u64,
    /// What the connections share beyond their own bounds.
    pub(super) inbound_bytes: Semaphore,
    pub(super) message_read_max: Duration,
    pub(super) inbound_idle: Duration,
    pub(super) outbound_idle: Duration,
    pub(super) connection_idle: Duration,
    pub(super) metrics: Metrics,
}

impl Settings {
    pub(super) fn new(config: &Config, metrics: Metrics) -> Self {
        Self {
            inbound_streams_max: config.inbound_streams_max,
            inbound_bytes_max: config.inbound_bytes_max.as_u64(),
            inbound_bytes: inbound::budget(config.inbound_bytes_total.as_u64()),
            message_read_max: config.message_read_max,
            inbound_idle: config.inbound_idle,
            outbound_idle: config.outbound_idle,
            connection_idle: config.connection_idle,
            metrics,
        }
    }
}

/// What a handler tells its behaviour.
#[derive(Debug)]
pub(super) enum FromHandler {
    /// The peer speaks bitswap, at best this version.
    Speaks(ProtocolVersion),
    /// A message came, its blocks proven.
    Received(Box<Received>),
    /// Our stream took the message.
    Sent,
    /// The message is lost.
    SendFailed,
    /// Our stream broke after messages had left: the peer may never have read them.
    Lost,
}

/// Bitswap on one connection.
pub(super) struct Handler {
    settings: Arc<Settings>,
    limits: Arc<Limits>,
    /// Whether the connection is to stay however idle it is.
    keep: bool,
    active_until: Instant,
    remote: Option<ProtocolVersion>,
    events: VecDeque<FromHandler>,
    outbound: Outbound,
    inbound: FuturesUnordered<BoxFuture<'static, Read>>,
}

impl Handler {
    pub(super) fn new(settings: Arc<Settings>, keep: bool) -> Self {
        Self {
            limits: Arc::new(Limits::new(settings.clone())),
            active_until: Instant::now() + settings.connection_idle,
            outbound: Outbound::new(settings.outbound_idle),
            settings,
            keep,
            remote: None,
            events: VecDeque::new(),
            inbound: FuturesUnordered::new(),
        }
    }

    fn active(&mut self) {
        self.active_until = Instant::now() + self.settings.connection_idle;
    }

    fn speaks(&mut self, version: ProtocolVersion) {
        if self.remote.is_none_or(|known| known < version) {
            self.remote = Some(version);
            self.events.push_back(FromHandler::Speaks(version));
        }
    }

    fn take_inbound(&mut self, mut stream: Stream, version: ProtocolVersion) {
        stream.ignore_for_keep_alive();
        self.speaks(version);
        if self.inbound.len() >= self.settings.inbound_streams_max {
            self.settings.metrics.inbound_ends.at(StreamEnd::TooMany).inc();
            return;
        }
        self.inbound.push(inbound::read(stream, self.limits.clone()));
    }

    fn on_read(&mut self, read: Read) {
        match read {
            Read::Message(stream, message) => {
                self.active();
                self.inbound.push(inbound::read(stream, self.limits.clone()));
                self.events.push_back(FromHandler::Received(message));
            }
            Read::End(why) => self.settings.metrics.inbound_ends.at(why).inc(),
        }
    }

    fn open_request(&self) -> SubstreamProtocol<Offer, ()> {
        let offer = match self.remote {
            Some(version) => Offer(vec![version]),
            None => Offer(ProtocolVersion::ALL.to_vec()),
        };
        SubstreamProtocol::new(offer, ())
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Message;
    type ToBehaviour = FromHandler;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(Offer(ProtocolVersion::ALL.to_vec()), ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.keep || self.outbound.is_busy() || Instant::now() < self.active_until
    }

    fn on_behaviour_event(&mut self, message: Message) {
        self.active();
        if self.outbound.put(message).is_err() {
            self.events.push_back(FromHandler::SendFailed);
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer>) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
            protocol: (stream, version),
            ..
        }) = event
        {
            self.take_inbound(stream, version);
        } else if let ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
            protocol: (stream, version),
            ..
        }) = event
        {
            self.outbound.opened(stream, version);
        } else if let ConnectionEvent::DialUpgradeError(error) = event {
            tracing::debug!(error = ?error.error, "no bitswap stream could be opened");
            self.outbound.not_opened();
        } else if let ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(added)) = event
            && let Some(best) =
                added.filter_map(|name| ProtocolVersion::from_name(name.as_ref())).max()
        {
            self.speaks(best);
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Offer, (), FromHandler>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
            }
            match self.outbound.poll(cx) {
                Some(Turn::Open) => {
                    let protocol = self.open_request();
                    return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                        protocol,
                    });
                }
                Some(Turn::Sent) => self.events.push_back(FromHandler::Sent),
                Some(Turn::Failed) => self.events.push_back(FromHandler::SendFailed),
                Some(Turn::Lost) => self.events.push_back(FromHandler::Lost),
                None => match self.inbound.poll_next_unpin(cx) {
                    Poll::Ready(Some(read)) => self.on_read(read),
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}

/// The versions to agree on, the best first.
#[derive(Debug, Clone)]
pub(super) struct Offer(Vec<ProtocolVersion>);

/// One version in an [`Offer`].
#[derive(Debug, Clone)]
pub(super) struct Offered(ProtocolVersion, StreamProtocol);

impl AsRef<str> for Offered {
    fn as_ref(&self) -> &str {
        self.1.as_ref()
    }
}

impl UpgradeInfo for Offer {
    type Info = Offered;
    type InfoIter = Vec<Offered>;

    fn protocol_info(&self) -> Vec<Offered> {
        let offered =
            |version: &ProtocolVersion| Offered(*version, StreamProtocol::new(version.name()));
        self.0.iter().map(offered).collect()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (Stream, ProtocolVersion);
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, chosen: Offered) -> Self::Future {
        std::future::ready(Ok((stream, chosen.0)))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = (Stream, ProtocolVersion);
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, chosen: Offered) -> Self::Future {
        std::future::ready(Ok((stream, chosen.0)))
    }
}
