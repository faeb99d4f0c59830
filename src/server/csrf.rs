//! Cross-site request forgery: a request that a browser authenticates on its own
//! must come from a page of this server, or of an origin that was let in. Browsers
//! say where a request comes from in `Sec-Fetch-Site` and `Origin`; whoever sends
//! neither is no browser and holds its cookie on purpose.

use http::HeaderMap;
use http::header::ORIGIN;

use crate::error::{Error, Result};

/// Refuses a request that another site's page made.
pub(super) fn check(headers: &HeaderMap, host: Option<&str>, allowed: &[String]) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = headers
        .get(ORIGIN)
        .map(|origin| origin.to_str().unwrap_or("null"));
    if origin.is_some_and(|origin| allowed.iter().any(|own| own == origin)) {
        return Ok(());
    }
    let same = match (text("sec-fetch-site"), origin) {
        (Some("same-origin" | "none"), _) => true,
        (Some(_), _) => false,
        (None, None) => true,
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == host
        }
    };
    if same {
        return Ok(());
    }
    Err(Error::forbidden("Requests of other sites are refused").reason("CROSS_SITE_REQUEST"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sites_are_refused() {
        let allowed = ["https://app.example.com".to_owned()];
        let ask = |site: Option<&str>, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            check(&headers, Some("apex.example.com"), &allowed).is_ok()
        };
        assert!(ask(None, None));
        assert!(ask(Some("same-origin"), Some("https://apex.example.com")));
        assert!(ask(Some("none"), None));
        assert!(ask(None, Some("https://apex.example.com")));
        assert!(ask(Some("cross-site"), Some("https://app.example.com")));
        assert!(!ask(Some("cross-site"), Some("https://evil.example")));
        assert!(!ask(Some("same-site"), Some("https://other.example.com")));
        assert!(!ask(None, Some("null")));
        assert!(!ask(None, Some("https://apex.example.com.evil.io")));
        assert!(!ask(Some("cross-site"), None));
    }
}
