//! What a user agent tells: whether a machine looked, and on what kind of device.
//! Reading one takes microseconds, so those seen lately are remembered.

use std::num::NonZeroUsize;
use std::sync::{LazyLock, Mutex, PoisonError};

use lru::LruCache;
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// Bytes of a user agent that are looked at.
const MOST: usize = 1024;
/// User agents that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// What a user agent tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Agent {
    /// Whether it is a machine's.
    pub(super) bot: bool,
    /// `desktop`, `mobile` or `tablet`, if that can be told.
    pub(super) device: Option<&'static str>,
}

/// Reads user agents, and remembers some.
#[derive(Debug)]
pub(in super::super) struct Agents(Mutex<LruCache<Box<str>, Agent>>);

impl Default for Agents {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Agents {
    /// What a user agent tells.
    pub(super) fn of(&self, text: &str) -> Agent {
        let text = &text[..text.floor_char_boundary(MOST)];
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(text) {
            return *known;
        }
        let agent = Agent::read(text);
        lock().put(text.into(), agent);
        agent
    }

    /// What the user agent of a request tells of the visitors its events are of. That
    /// of an HTTP library is its own: whoever calls by one sends on behalf of others.
    pub(super) fn of_request(&self, text: Option<&str>) -> Agent {
        match text {
            Some(text) if !is_library(text) => self.of(text),
            Some(_) | None => Agent::default(),
        }
    }
}

impl Agent {
    fn read(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        Self {
            bot: is_bot(lower.as_bytes()),
            device: device(&lower),
        }
    }
}

/// How the user agents of HTTP libraries and of commands begin, in lower case.
const LIBRARIES: [&str; 28] = [
    "aiohttp/",
    "apache-httpclient/",
    "axios/",
    "bun/",
    "curl/",
    "dart/",
    "deno/",
    "faraday",
    "go-http-client/",
    "got ",
    "guzzlehttp/",
    "httpie/",
    "hyper/",
    "insomnia/",
    "java/",
    "java-http-client/",
    "k6/",
    "libwww-perl/",
    "node",
    "okhttp/",
    "php",
    "postmanruntime/",
    "python",
    "reqwest/",
    "ruby",
    "undici",
    "wget/",
    "xh/",
];

fn is_library(text: &str) -> bool {
    LIBRARIES.iter().any(|library| {
        let start = text.as_bytes().get(..library.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(library.as_bytes()))
    })
}

/// Patterns of user agents of machines, one a line; see the folder's README.
const PATTERNS: &str = include_str!("isbot/patterns.txt");

/// A pattern that counts only where certain words do not stand beside it: what
/// others write with look-around.
struct Guarded {
    pattern: &'static str,
    not_after: &'static [&'static str],
    not_before: &'static [&'static str],
}

const GUARDED: [Guarded; 6] = [
    Guarded {
        pattern: "(?:^|[^g])news",
        not_after: &[],
        not_before: &["sapphire"],
    },
    Guarded {
        pattern: "google",
        not_after: &[" channel/", "google/"],
        not_before: &["wv", "app", "/google", " pixel"],
    },
    Guarded {
        pattern: r"bots?(?:\b|_)",
        not_after: &[" cu"],
        not_before: &[],
    },
    Guarded {
        pattern: "scan",
        not_after: &["cam"],
        not_before: &[],
    },
    Guarded {
        pattern: "http",
        not_after: &["lib"],
        not_before: &[],
    },
    Guarded {
        pattern: "java",
        not_after: &[],
        not_before: &[";"],
    },
];

/// The patterns, compiled. They are about bytes: nothing in them is beyond ASCII.
#[allow(clippy::expect_used)] // a test compiles them
static BOTS: LazyLock<(RegexSet, [Regex; 6])> = LazyLock::new(|| {
    let set = RegexSetBuilder::new(PATTERNS.lines())
        .unicode(false)
        .build();
    let guarded = GUARDED.map(|guarded| {
        let pattern = RegexBuilder::new(guarded.pattern).unicode(false).build();
        pattern.expect("a pattern")
    });
    (set.expect("patterns"), guarded)
});

/// Whether a user agent in lower case is a machine's.
fn is_bot(text: &[u8]) -> bool {
    let (set, guarded) = &*BOTS;
    let counts = |(regex, guarded): (&Regex, &Guarded)| {
        let Guarded {
            not_after,
            not_before,
            ..
        } = guarded;
        regex.find_iter(text).any(|found| {
            let (before, after) = (&text[..found.start()], &text[found.end()..]);
            !not_after
                .iter()
                .any(|word| before.ends_with(word.as_bytes()))
                && !not_before
                    .iter()
                    .any(|word| after.starts_with(word.as_bytes()))
        })
    };
    set.is_match(text) || guarded.iter().zip(&GUARDED).any(counts)
}

/// The kind of device of a user agent in lower case.
fn device(text: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let android = has(&["android"]);
    let mobile = has(&["mobi"]);
    if has(&["ipad", "tablet", "kindle", "playbook", "silk/"]) || android && !mobile {
        Some("tablet")
    } else if mobile
        || has(&[
            "iphone",
            "ipod",
            "windows phone",
            "opera mini",
            "blackberry",
        ])
    {
        Some("mobile")
    } else if has(&["windows nt", "macintosh", "x11", "linux", "cros"]) {
        Some("desktop")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of a file of lists: plain, or quoted as JSON is.
    fn texts(file: &str) -> Vec<String> {
        let lines = file.lines().filter_map(|line| line.strip_prefix("  - "));
        let text = |line: &str| match line.starts_with('"') {
            true => serde_json::from_str(line).unwrap(),
            false => line.to_owned(),
        };
        lines.map(text).collect()
    }

    #[test]
    fn machines_are_told_from_browsers() {
        let agents = Agents::default();
        let crawlers = texts(include_str!("../../../../tests/data/agents/crawlers.yml"));
        let missed: Vec<_> = crawlers
            .iter()
            .filter(|text| !agents.of(text).bot)
            .collect();
        assert_eq!((crawlers.len(), missed), (626, vec![]));
        let browsers = texts(include_str!("../../../../tests/data/agents/browsers.yml"));
        let taken: Vec<_> = browsers.iter().filter(|text| agents.of(text).bot).collect();
        assert_eq!((browsers.len(), taken), (555, vec![]));
    }

    #[test]
    fn devices_are_told() {
        let of = |text: &str| Agents::default().of(text).device;
        for (text, told) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/133.0.0.0",
                "desktop",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.3",
                "desktop",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3) Mobile/15E148",
                "mobile",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) Chrome/133 Mobile Safari/537.36",
                "mobile",
            ),
            ("Mozilla/5.0 (iPad; CPU OS 17_6) Mobile/15E148", "tablet"),
            (
                "Mozilla/5.0 (Linux; Android 12; SM-T970) Safari/537.36",
                "tablet",
            ),
        ] {
            assert_eq!(of(text), Some(told), "{text}");
        }
        assert_eq!(of("Googlebot/2.1 (+http://www.google.com/bot.html)"), None);
    }

    #[test]
    fn libraries_send_for_others() {
        let agents = Agents::default();
        for text in [
            "curl/8.5.0",
            "python-requests/2.32.3",
            "Go-http-client/1.1",
            "node",
        ] {
            assert!(agents.of(text).bot, "{text}");
            assert_eq!(agents.of_request(Some(text)), Agent::default(), "{text}");
        }
        assert!(agents.of_request(Some("Googlebot/2.1")).bot);
        assert!(!agents.of_request(None).bot);
    }
}
