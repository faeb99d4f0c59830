//! Where a request comes from. Forwarding headers are believed only of trusted
//! peers, and read from the right: what stands further left was written by
//! somebody who is not trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, ORIGIN, USER_AGENT};
use ipnet::IpNet;

use super::call::Client;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address; `None` on the operator's socket.
    pub address: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

impl Peer {
    /// Whether it is the operator, who could open the socket's file.
    pub fn is_operator(self) -> bool {
        self.address.is_none()
    }
}

/// The client of a request.
pub(super) fn client(
    peer: Peer,
    parts: &http::request::Parts,
    trusted_proxies: &[IpNet],
) -> Client {
    let headers = &parts.headers;
    let direct = peer
        .address
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |a| a.ip());
    let direct = direct.to_canonical();
    let is_trusted = |address: IpAddr| trusted_proxies.iter().any(|net| net.contains(&address));
    let (mut address, mut secure) = (direct, peer.secure || peer.is_operator());
    if is_trusted(direct) {
        address = forwarded_for(headers, direct, is_trusted);
        if let Some(proto) = last_value(headers, "x-forwarded-proto") {
            secure = proto.eq_ignore_ascii_case("https");
        }
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = parts
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or(host);
    let mut bearer = headers.get(AUTHORIZATION).cloned();
    if let Some(bearer) = &mut bearer {
        // It is not printed with the rest.
        bearer.set_sensitive(true);
    }
    Client {
        address,
        secure,
        user_agent: headers.get(USER_AGENT).cloned(),
        host: host.map(str::to_owned),
        origin: headers.get(ORIGIN).cloned(),
        bearer,
    }
}

impl Client {
    /// The name the caller knows this host by, without a port.
    pub(super) fn hostname(&self) -> Option<&str> {
        let host = self.host.as_deref()?;
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(name),
            Some(_) | None => Some(host),
        }
    }
}

fn forwarded_for(
    headers: &HeaderMap,
    direct: IpAddr,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let lines = headers.get_all("x-forwarded-for").iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let mut nearest = direct;
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = parse(entry.trim()) else {
            break;
        };
        nearest = address;
        if !is_trusted(address) {
            break;
        }
    }
    nearest
}

/// An address, with or without a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let plain = entry.parse().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|a| a.ip());
    plain
        .or_else(with_port)
        .map(|address: IpAddr| address.to_canonical())
}

/// The address, or the first one of its /64: who has one address there has all.
pub(super) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

fn last_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let mut request = http::Request::builder().uri("/");
        for line in forwarded {
            request = request.header("x-forwarded-for", *line);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let peer = Peer {
            address: Some(peer.parse().unwrap()),
            secure: false,
        };
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        client(peer, &parts, &trusted).address.to_string()
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        assert_eq!(address("1.2.3.4:5", &["9.9.9.9"]), "1.2.3.4");
        assert_eq!(address("10.0.0.1:5", &["9.9.9.9"]), "9.9.9.9");
        // What the client wrote itself stands to the left.
        assert_eq!(address("10.0.0.1:5", &["6.6.6.6, 9.9.9.9"]), "9.9.9.9");
        assert_eq!(
            address("10.0.0.1:5", &["6.6.6.6", "9.9.9.9, 10.0.0.2"]),
            "9.9.9.9"
        );
        assert_eq!(address("10.0.0.1:5", &["nonsense"]), "10.0.0.1");
        assert_eq!(
            address("[::ffff:10.0.0.1]:5", &["2001:db8::1"]),
            "2001:db8::1"
        );
    }
}
