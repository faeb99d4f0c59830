//! Patterns of pages: a path in which `*` stands for anything. Protocol, host, query,
//! fragment and slashes at the end do not matter.

/// Whether a page's path is like a pattern.
pub(super) fn is_like(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (plain(pattern), plain(path));
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The path of a URL, or of one without its protocol.
fn plain(url: &str) -> &str {
    let from_slash = |text: &str| text.find('/').unwrap_or(text.len());
    let path = match url.split_once("://") {
        Some((_, rest)) => &rest[from_slash(rest)..],
        None if url.starts_with('*') => url,
        None => &url[from_slash(url)..],
    };
    let end = path.find(['?', '#']).unwrap_or(path.len());
    path[..end].trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_of_paths() {
        for (pattern, path) in [
            ("/thanks", "/thanks"),
            ("/thanks/", "/thanks"),
            ("/thanks", "/thanks/"),
            ("/thanks?x=1", "/thanks"),
            ("https://shop.example/thanks", "/thanks/"),
            ("www.shop.example/thanks", "/thanks"),
            ("https://shop.example", "/"),
            ("/", ""),
            ("/orders/*", "/orders/12"),
            ("/thanks*", "/thanks/again"),
            ("/*/done", "/a/b/done"),
            ("*", "/anything"),
            ("*/done", "/a/done"),
            ("/a*b*c", "/a-b-b-c"),
        ] {
            assert!(is_like(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/thanks", "/thanks/you"),
            ("/thanks", "/"),
            ("/orders/*/done", "/orders/12"),
            ("/*/done", "/a/b/done/not"),
            ("/a*a", "/a"),
        ] {
            assert!(!is_like(pattern, path), "{pattern} {path}");
        }
    }
}
