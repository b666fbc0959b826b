//! Which processes there are and where they listen, before anything exists.
//!
//! All addresses follow from one port, so that a second fleet on a machine needs one flag.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// The gateway's port, unless told otherwise.
pub(crate) const BASE_PORT: u16 = 8080;
/// Least and greatest such port: those of nodes lie 3,900 below and 1,100 above it.
pub(crate) const BASE_PORT_RANGE: std::ops::RangeInclusive<u16> = 4924..=64_000;
/// Most processes of a kind.
pub(crate) const MEMBERS_MAX: u16 = 16;
/// Tries to find a port that is free for both TCP and UDP.
const BOTH_TRIES: usize = 32;

/// Where a gateway listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GatewayPlace {
    /// For everybody.
    pub(crate) http: SocketAddr,
    /// For the operator.
    pub(crate) admin: SocketAddr,
}

/// Where a node listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodePlace {
    /// For gateways.
    pub(crate) http: SocketAddr,
    /// For the operator.
    pub(crate) admin: SocketAddr,
    /// For peers, by TCP and QUIC.
    pub(crate) swarm: u16,
}

/// Where staging listens: a gateway and a node of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StagingPlace {
    /// The gateway that gets copies.
    pub(crate) gateway: GatewayPlace,
    /// Its node.
    pub(crate) node: NodePlace,
}

/// Where what watches the fleet listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObservePlace {
    /// Prometheus.
    pub(crate) prometheus: SocketAddr,
    /// Alertmanager.
    pub(crate) alertmanager: SocketAddr,
    /// The probe's own metrics and results.
    pub(crate) probe: SocketAddr,
}

/// Where everything listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// The gateways.
    pub(crate) gateways: Vec<GatewayPlace>,
    /// The nodes.
    pub(crate) nodes: Vec<NodePlace>,
    /// Staging.
    pub(crate) staging: StagingPlace,
    /// What watches them.
    pub(crate) observe: ObservePlace,
}

impl Places {
    /// Places that follow from one port; only gateways listen beyond loopback, and only if told to.
    pub(crate) fn fixed(base: u16, listen: IpAddr, gateways: u16, nodes: u16) -> Self {
        let gateway = |index: u16| {
            let offset = if index == 0 { 0 } else { index + 1 };
            let port = base + offset;
            GatewayPlace { http: (listen, port).into(), admin: loopback(port + 1000) }
        };
        let node = |index: u16| {
            let port = base + 100 + index;
            NodePlace { http: loopback(port), admin: loopback(port + 1000), swarm: port - 4000 }
        };
        let staging = GatewayPlace { http: loopback(base + 1), admin: loopback(base + 1001) };
        Self {
            gateways: (0..gateways).map(gateway).collect(),
            nodes: (0..nodes).map(node).collect(),
            staging: StagingPlace { gateway: staging, node: node(100) },
            observe: ObservePlace {
                prometheus: loopback(base + 1050),
                alertmanager: loopback(base + 1051),
                probe: loopback(base + 1052),
            },
        }
    }

    /// Places that are free at this moment, chosen by the kernel.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn free(listen: IpAddr, gateways: u16, nodes: u16) -> io::Result<Self> {
        // All are held until the last is found, or the kernel would give one out twice.
        let mut held = Vec::new();
        let mut tcp = |address: IpAddr| -> io::Result<SocketAddr> {
            let listener = TcpListener::bind((address, 0))?;
            let place = listener.local_addr()?;
            held.push(listener);
            Ok(place)
        };
        let home = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let observe =
            ObservePlace { prometheus: tcp(home)?, alertmanager: tcp(home)?, probe: tcp(home)? };
        let mut found = Vec::new();
        for _ in 0..gateways {
            found.push(GatewayPlace { http: tcp(listen)?, admin: tcp(home)? });
        }
        let gateway = GatewayPlace { http: tcp(home)?, admin: tcp(home)? };
        let mut node = || -> io::Result<NodePlace> {
            let (http, admin) = (tcp(home)?, tcp(home)?);
            let mut swarm = tcp(home)?;
            for _ in 0..BOTH_TRIES {
                if UdpSocket::bind(swarm).is_ok() {
                    break;
                }
                swarm = tcp(home)?;
            }
            Ok(NodePlace { http, admin, swarm: swarm.port() })
        };
        let staging = StagingPlace { gateway, node: node()? };
        let nodes = (0..nodes).map(|_| node()).collect::<io::Result<_>>()?;
        Ok(Self { gateways: found, nodes, staging, observe })
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_the_documents_name() {
        let places = Places::fixed(BASE_PORT, Ipv4Addr::LOCALHOST.into(), 2, 2);
        assert_eq!(places.gateways[0].http, loopback(8080));
        assert_eq!(places.gateways[0].admin, loopback(9080));
        assert_eq!(places.gateways[1].http, loopback(8082));
        assert_eq!(places.staging.gateway.http, loopback(8081));
        assert_eq!(places.staging.gateway.admin, loopback(9081));
        let node = NodePlace { http: loopback(8181), admin: loopback(9181), swarm: 4181 };
        assert_eq!(places.nodes[1], node);
    }

    #[test]
    fn no_port_is_used_twice_and_none_leaves_its_range() {
        for base in [*BASE_PORT_RANGE.start(), BASE_PORT, *BASE_PORT_RANGE.end()] {
            let places = Places::fixed(base, Ipv4Addr::LOCALHOST.into(), MEMBERS_MAX, MEMBERS_MAX);
            let mut ports: Vec<u16> = Vec::new();
            let StagingPlace { gateway, node } = places.staging;
            for place in places.gateways.iter().chain([&gateway]) {
                ports.extend([place.http.port(), place.admin.port()]);
            }
            for place in places.nodes.iter().chain([&node]) {
                ports.extend([place.http.port(), place.admin.port(), place.swarm]);
            }
            assert!(ports.iter().all(|port| *port >= 1024));
            let ObservePlace { prometheus, alertmanager, probe } = places.observe;
            ports.extend([prometheus, alertmanager, probe].map(|place| place.port()));
            let all = ports.len();
            ports.sort_unstable();
            ports.dedup();
            assert_eq!(ports.len(), all);
        }
    }

    #[test]
    fn only_gateways_listen_beyond_loopback() {
        let places = Places::fixed(BASE_PORT, Ipv4Addr::UNSPECIFIED.into(), 1, 1);
        assert!(!places.gateways[0].http.ip().is_loopback());
        assert!(places.gateways[0].admin.ip().is_loopback());
        assert!(places.nodes[0].http.ip().is_loopback());
    }

    #[test]
    fn free_places_are_all_different() {
        let places = Places::free(Ipv4Addr::LOCALHOST.into(), 2, 2).expect("ports are free");
        assert_ne!(places.gateways[0].http, places.gateways[1].http);
        assert_ne!(places.nodes[0].swarm, places.nodes[1].swarm);
    }
}
