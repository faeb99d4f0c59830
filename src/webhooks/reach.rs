//! Which addresses the server may be made to call. Whoever registers a webhook chooses
//! where this server connects to, from inside its network: by default that is HTTPS to
//! public addresses and nothing else. What is checked when an address is registered is
//! checked again on the address that is dialled, since a name may mean another by then.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

use crate::error::{Error, Result};

/// Networks that are not the public internet, or only seem to be.
const NOT_PUBLIC: [&str; 16] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001:db8::/32",
    "3fff::/20",
];

/// Parts of the IPv6 internet that carry IPv4 addresses inside or belong to protocols.
const TUNNELS: [&str; 2] = ["2001::/23", "2002::/16"];

/// The IPv6 internet: everything outside of it is local, mapped or translated.
const GLOBAL: &str = "2000::/3";

static REFUSED: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let all = NOT_PUBLIC.iter().chain(&TUNNELS);
    all.filter_map(|text| text.parse().ok()).collect()
});

static PUBLIC_V6: LazyLock<Option<IpNet>> = LazyLock::new(|| GLOBAL.parse().ok());

/// Ports of databases, caches and consoles, which speak something else than HTTP and
/// may take it for commands.
const OTHER_PORTS: [u16; 22] = [
    1433, 1521, 2049, 2375, 2376, 2379, 3306, 3389, 5432, 5672, 5900, 5984, 6000, 6379, 6443, 6667,
    9042, 9092, 9200, 10250, 11211, 27017,
];

/// Names that mean the machine itself or its network.
const LOCAL_NAMES: [&str; 5] = ["localhost", "local", "internal", "localdomain", "home.arpa"];

/// How long a name is looked up while somebody waits.
const LOOK_UP: Duration = Duration::from_secs(2);

/// What may be reached.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    /// Networks that may be reached though they are not public, also without TLS.
    pub(super) allowed: Vec<IpNet>,
}

impl Reach {
    /// Reads an address somebody wants to register. A name that cannot be resolved now
    /// is taken: what counts is what it means when it is called.
    pub(super) async fn check(&self, text: &str) -> Result<Url> {
        let url = parse(text)?;
        let port = url.port_or_known_default().unwrap_or_default();
        if !is_port(port) {
            return Err(refused("url must not name a port of another protocol"));
        }
        let addresses = match url.host() {
            Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
            Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
            Some(Host::Domain(name)) => {
                if self.allowed.is_empty() && is_local(name) {
                    return Err(no_public());
                }
                let found = tokio::net::lookup_host((name, port));
                match tokio::time::timeout(LOOK_UP, found).await {
                    Ok(Ok(all)) => all.map(|address| address.ip()).collect(),
                    Ok(Err(_)) | Err(_) => Vec::new(),
                }
            }
            None => return Err(refused("url must name a host")),
        };
        if !addresses.iter().all(|address| self.admits(*address)) {
            return Err(no_public());
        }
        let private = addresses.iter().all(|address| self.names(*address));
        if url.scheme() == "http" && (self.allowed.is_empty() || !private) {
            return Err(refused("url must be an HTTPS address"));
        }
        Ok(url)
    }

    /// Whether an address may be dialled.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.names(address) || is_public(address)
    }

    /// Whether the configuration names an address.
    pub(super) fn names(&self, address: IpAddr) -> bool {
        let plain = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(&plain))
    }
}

fn parse(text: &str) -> Result<Url> {
    let unreadable = |_| refused("url must be an HTTPS address such as https://example.com/hooks");
    let url = Url::parse(text).map_err(unreadable)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refused("url must be an HTTPS address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("url must not hold a user or a password"));
    }
    Ok(url)
}

/// Whether a port may speak HTTP.
pub(crate) fn is_port(port: u16) -> bool {
    matches!(port, 80 | 443) || port >= 1024 && !OTHER_PORTS.contains(&port)
}

/// Whether a name is one of the machine's own network.
pub(crate) fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let ends = |end: &&str| name == *end || name.ends_with(&format!(".{end}"));
    // A name without a dot is looked for in the machine's own domain.
    !name.contains('.') || LOCAL_NAMES.iter().any(ends)
}

/// Whether an address is one of the public internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let refused = REFUSED.iter().any(|network| network.contains(&address));
    let global = match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(_) => PUBLIC_V6.is_some_and(|network| network.contains(&address)),
    };
    global && !refused
}

fn refused(description: &'static str) -> Error {
    Error::invalid_field("url", description)
}

fn no_public() -> Error {
    refused("url must be a public address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_one() {
        assert_eq!(REFUSED.len(), NOT_PUBLIC.len() + TUNNELS.len());
        assert!(PUBLIC_V6.is_some());
    }

    #[tokio::test]
    async fn only_public_addresses_are_reached() {
        let reach = Reach {
            allowed: Vec::new(),
        };
        for wrong in [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://0.0.0.0/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://0x7f.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[64:ff9b:1::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[2001:0:7f00:1::]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[ff02::1]/",
            "https://10.1.2.3/",
            "https://172.31.0.1/",
            "https://192.168.1.1/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://metadata.google.internal/",
            "https://printer.local/",
            "https://intranet/",
            "https://example.com:22/",
            "https://example.com:6379/",
            "https://user@example.com/",
            "https://user:pass@example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "ftp://example.com/",
            "javascript:alert(1)",
            "data:text/plain,x",
            "//example.com/",
            "/hooks",
            "example.com",
            "https://",
            "",
        ] {
            assert!(reach.check(wrong).await.is_err(), "{wrong}");
        }
        for right in [
            "https://93.184.215.14/hook",
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8443/",
            "https://name.invalid/hook?a=b",
        ] {
            let answer = reach.check(right).await;
            assert!(answer.is_ok(), "{right}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn what_the_configuration_names_is_reached() {
        let allowed = vec!["127.0.0.0/8".parse().unwrap()];
        let reach = Reach { allowed };
        for right in ["http://127.0.0.1:8080/", "https://127.0.0.1:8443/"] {
            assert!(reach.check(right).await.is_ok(), "{right}");
        }
        for wrong in [
            "http://93.184.215.14/",
            "https://10.0.0.1/",
            "http://127.0.0.1:22/",
        ] {
            assert!(reach.check(wrong).await.is_err(), "{wrong}");
        }
    }
}
