//! Keeps connections of our own making on this machine when the operator says so.
//!
//! Sits below name resolution, so that a name cannot lead past it.

use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::Multiaddr;
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;

use super::config::Reach;

/// A transport that dials no further than its reach.
#[derive(Debug)]
pub(super) struct Gate<T> {
    inner: T,
    reach: Reach,
}

impl<T> Gate<T> {
    pub(super) fn new(inner: T, reach: Reach) -> Self {
        Self { inner, reach }
    }
}

/// Whether an address is on this machine by its number; names are not, whatever they resolve to.
pub(super) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

impl<T: Transport + Unpin> Transport for Gate<T> {
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = T::Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        if self.reach == Reach::Loopback && !is_loopback(&address) {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        self.inner.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_this_machine_are_loopback() {
        let cases = [
            ("/ip4/127.0.0.1/tcp/1", true),
            ("/ip4/127.255.0.1/udp/1/quic-v1", true),
            ("/ip6/::1/tcp/1", true),
            ("/ip4/0.0.0.0/tcp/1", false),
            ("/ip4/10.0.0.1/tcp/1", false),
            ("/ip4/192.0.2.1/tcp/1", false),
            ("/ip6/::ffff:10.0.0.1/tcp/1", false),
            ("/dns4/localhost/tcp/1", false),
        ];
        for (text, expected) in cases {
            let address: Multiaddr = text.parse().expect("an address");
            assert_eq!(is_loopback(&address), expected, "{text}");
        }
    }
}
