//! Which installation of a site an event comes from: what the sender says, else what
//! the name of the host tells.

use crate::events::Environment;

/// How names of hosts begin on which something is shown before it is released.
const PREVIEW: [&str; 4] = ["staging", "preview", "dev", "qa"];
/// Domains of services that show each change under a name of its own.
const PREVIEWS: [&str; 4] = [".vercel.app", ".netlify.app", ".fly.dev", ".pages.dev"];
/// Domains that lead to one's own machine, or network.
const LOCAL: [&str; 3] = [".localhost", ".local", ".test"];

/// The word for an environment.
pub(super) fn word(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Preview => "preview",
        Environment::Localhost => "localhost",
        Environment::Unknown => "unknown",
    }
}

/// The environment with this name.
pub(super) fn named(word: &str) -> Option<Environment> {
    Some(match word {
        "production" => Environment::Production,
        "preview" | "beta" => Environment::Preview,
        "localhost" | "dev" => Environment::Localhost,
        _ => return None,
    })
}

/// The environment of an origin, such as `https://shop.example.com:8443`.
pub(super) fn of_origin(origin: &str) -> Environment {
    let Some((_, place)) = origin.split_once("://") else {
        return Environment::Unknown;
    };
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let host = match place.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return Environment::Unknown;
    }
    let ends = |suffix: &str| {
        let at = host.len().checked_sub(suffix.len());
        let end = at.and_then(|at| host.as_bytes().get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
    };
    let local = ["localhost", "127.0.0.1", "::1"];
    if local.iter().any(|own| own.eq_ignore_ascii_case(host)) || LOCAL.iter().any(|s| ends(s)) {
        return Environment::Localhost;
    }
    let labels = host.split('.').count();
    let shown = host
        .split('.')
        .take(labels - 1)
        .enumerate()
        .any(|(at, label)| {
            let first = at == 0 && PREVIEW.iter().any(|own| own.eq_ignore_ascii_case(label));
            let end = label
                .len()
                .checked_sub(8)
                .and_then(|at| label.as_bytes().get(at..));
            first || end.is_some_and(|end| end.eq_ignore_ascii_case(b"-staging"))
        });
    match shown || PREVIEWS.iter().any(|suffix| ends(suffix)) {
        true => Environment::Preview,
        false => Environment::Production,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell() {
        for (origin, told) in [
            ("https://shop.example.com", Environment::Production),
            ("https://developer.example.com", Environment::Production),
            ("https://example.dev", Environment::Production),
            ("https://dev", Environment::Production),
            ("https://staging.example.com", Environment::Preview),
            ("https://QA.example.com:8443", Environment::Preview),
            ("https://shop-staging.example.com", Environment::Preview),
            ("https://my-app-git-main.vercel.app", Environment::Preview),
            ("https://x.pages.dev", Environment::Preview),
            ("http://localhost:3000", Environment::Localhost),
            ("http://127.0.0.1:8080", Environment::Localhost),
            ("http://[::1]:8080", Environment::Localhost),
            ("http://shop.test", Environment::Localhost),
            ("http://printer.local.", Environment::Localhost),
            ("", Environment::Unknown),
            ("null", Environment::Unknown),
            ("file://", Environment::Unknown),
        ] {
            assert_eq!(of_origin(origin), told, "{origin}");
        }
    }
}
