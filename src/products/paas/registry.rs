//! Which registries images may come from. Whoever deploys chooses where the engine
//! connects to, from inside its network: that is public addresses and nothing else, but
//! for the registries the configuration names. What is refused when it is asked for is
//! looked at again before it is pulled, since a name may mean another address by then.

use std::net::IpAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::webhooks::{is_local, is_port, is_public};

/// How long a name is looked up.
const LOOK_UP: Duration = Duration::from_secs(5);

/// The registry an image is in, if it names one.
fn registry(image: &str) -> Option<&str> {
    let (first, _) = image.split_once('/')?;
    // No part of a name of Docker Hub has large letters.
    let is_host = first.contains(|one: char| matches!(one, '.' | ':') || one.is_uppercase());
    (is_host || first == "localhost").then_some(first)
}

/// The whole name of an image, which nothing else is called: short ones may be taken for
/// the ids of images as well.
pub(super) fn whole(image: &str) -> String {
    let named = match (registry(image), image.contains('/')) {
        (Some(_), _) => image.to_owned(),
        (None, true) => format!("docker.io/{image}"),
        (None, false) => format!("docker.io/library/{image}"),
    };
    let last = named.rsplit('/').next().unwrap_or_default();
    // Without a tag all of them would come.
    match last.contains([':', '@']) {
        true => named,
        false => format!("{named}:latest"),
    }
}

/// The host and the port of a registry.
fn parts(registry: &str) -> (&str, u16) {
    match registry.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or_default()),
        None => (registry, 443),
    }
}

/// Why an image may not be asked for, as far as its name tells.
pub(super) fn refusal(image: &str, allowed: &[String]) -> Option<&'static str> {
    let named = registry(image).filter(|own| !allowed.iter().any(|one| one == own))?;
    let (host, port) = parts(named);
    if !is_port(port) {
        return Some("its registry must not be a port of another protocol");
    }
    let is_public = match host.parse::<IpAddr>() {
        Ok(address) => is_public(address),
        // What else ends in a number is an address for some, if a strange one.
        Err(_) => !is_local(&host.to_lowercase()) && !ends_in_number(host),
    };
    (!is_public).then_some("its registry must have a public address")
}

fn ends_in_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next();
    last.is_some_and(|last| last.starts_with(|first: char| first.is_ascii_digit()))
}

/// Why an image may not be pulled now.
pub(super) async fn refused(image: &str, allowed: &[String]) -> Option<&'static str> {
    if let Some(why) = refusal(image, allowed) {
        return Some(why);
    }
    let named = registry(image).filter(|own| !allowed.iter().any(|one| one == own))?;
    let found = timeout(LOOK_UP, lookup_host(parts(named))).await;
    let Ok(Ok(mut found)) = found else {
        return Some("its registry is not found");
    };
    let is_public = found.all(|address| is_public(address.ip()));
    (!is_public).then_some("its registry must have a public address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole() {
        for (image, name) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:alpine", "docker.io/library/nginx:alpine"),
            ("24624b482110", "docker.io/library/24624b482110:latest"),
            ("me/app@sha256:00", "docker.io/me/app@sha256:00"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("localhost/a:1", "localhost/a:1"),
        ] {
            assert_eq!(whole(image), name);
        }
    }

    #[tokio::test]
    async fn only_public_registries_are_asked() {
        for image in [
            "127.0.0.1:5000/x",
            "10.0.0.1/x",
            "169.254.169.254/latest/meta-data",
            "0.0.0.0:8080/x",
            "2130706433:8080/x",
            "0x7f.1/x",
            "127.1/x",
            "localhost/x",
            "LOCALHOST/x",
            "localhost:5000/x",
            "registry:5000/x",
            "registry.internal/x",
            "ghcr.io:22/x",
            "ghcr.io:6379/x",
            "ghcr.io:0/x",
        ] {
            assert!(refusal(image, &[]).is_some(), "{image}");
        }
        for image in [
            "nginx",
            "nginx:alpine",
            "me/app:1",
            "ghcr.io/me/app",
            "9.9.9.9:5000/x",
        ] {
            assert_eq!(refusal(image, &[]), None, "{image}");
        }
        let allowed = ["localhost:5000".to_owned()];
        assert_eq!(refused("localhost:5000/x", &allowed).await, None);
        assert!(refused("localhost:5001/x", &allowed).await.is_some());
        assert_eq!(refused("nginx", &[]).await, None);
    }
}
