//! Channels: what kind of place a visitor came from, by public lists of hosts.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::events::Source;

/// A kind of place visitors come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Channel {
    Direct,
    Referral,
    OrganicSearch,
    PaidSearch,
    OrganicSocial,
    PaidSocial,
    Email,
    AiAssistant,
    Spam,
}

impl Channel {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Referral => "referral",
            Self::OrganicSearch => "organic_search",
            Self::PaidSearch => "paid_search",
            Self::OrganicSocial => "organic_social",
            Self::PaidSocial => "paid_social",
            Self::Email => "email",
            Self::AiAssistant => "ai_assistant",
            Self::Spam => "spam",
        }
    }

    /// The channel of a source. Campaigns name themselves; only where there is none
    /// does the referrer decide.
    pub(super) fn of(source: &Source) -> Self {
        let lists = &*LISTS;
        let medium = source.utm_medium.to_lowercase();
        let name = source.utm_source.to_lowercase();
        let tagged = !(medium.is_empty() && name.is_empty() && source.utm_campaign.is_empty());
        let is =
            |list: &Hosts| list.has_name(&name) || list.has(&name) || list.has(&source.referrer);
        if !tagged && source.click.is_empty() {
            return Self::of_referrer(&source.referrer);
        }
        let social = medium.contains("social") || is(&lists.socials);
        let paid = paid(&medium);
        match source.click.as_str() {
            "gclid" | "msclkid" => return Self::PaidSearch,
            "li_fat_id" => return Self::PaidSocial,
            // Facebook marks every link that leads away from it, paid for or not.
            "fbclid" if paid => return Self::PaidSocial,
            "fbclid" if !tagged => return Self::OrganicSocial,
            _ => {}
        }
        match () {
            () if paid && social => Self::PaidSocial,
            () if paid => Self::PaidSearch,
            () if EMAIL.iter().any(|word| medium == *word || name == *word) => Self::Email,
            () if medium == "referral" || medium == "affiliate" => Self::Referral,
            () if is(&lists.assistants) => Self::AiAssistant,
            () if social || medium == "sm" => Self::OrganicSocial,
            () if medium == "organic" => Self::OrganicSearch,
            () if is(&lists.engines) => Self::OrganicSearch,
            () => Self::Referral,
        }
    }

    fn of_referrer(host: &str) -> Self {
        let lists = &*LISTS;
        let mail = ["mail.", "webmail.", "outlook."];
        match host {
            "" => Self::Direct,
            _ if lists.spammers.has(host) => Self::Spam,
            _ if mail.iter().any(|start| host.starts_with(start)) => Self::Email,
            _ if lists.assistants.has(host) => Self::AiAssistant,
            // Some that people search are no search engines.
            _ if lists.socials.has(host) => Self::OrganicSocial,
            _ if lists.engines.has(host) => Self::OrganicSearch,
            _ => Self::Referral,
        }
    }
}

/// What a host that refers visitors is called: the search engine, network or assistant
/// whose it is, in lower case, or else the host.
pub(super) fn referrer_name(host: &str) -> String {
    let lists = &*LISTS;
    let known = [&lists.assistants, &lists.socials, &lists.engines];
    let name = known.into_iter().find_map(|list| list.name(host));
    match name.filter(|name| !name.is_empty()) {
        Some(name) => name.to_lowercase(),
        None => host.to_owned(),
    }
}

/// Words that say a link stood in a mail.
const EMAIL: [&str; 5] = ["email", "e-mail", "e_mail", "mail", "newsletter"];

/// Whether a medium says that somebody paid for the visit.
fn paid(medium: &str) -> bool {
    let words = ["cpc", "ppc", "cpm", "cpv", "cpa", "retargeting", "sem"];
    words.contains(&medium) || medium.contains("paid") && !medium.contains("unpaid")
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| Lists {
    engines: Hosts::new(include_str!("search_engines.txt"), false),
    socials: Hosts::new(include_str!("socials.txt"), true),
    assistants: Hosts::new(include_str!("ai_assistants.txt"), true),
    spammers: Hosts::new(include_str!("spammers.txt"), true),
});

struct Lists {
    engines: Hosts,
    socials: Hosts,
    assistants: Hosts,
    spammers: Hosts,
}

/// A list of hosts. Each line is a host, or a name and a host.
struct Hosts {
    /// Hosts, and whose they are.
    hosts: HashMap<&'static str, &'static str>,
    /// Hosts with a part that varies, by what stands before it: what stands behind it,
    /// and whose they are.
    varying: HashMap<&'static str, Vec<(&'static str, &'static str)>>,
    names: HashSet<String>,
    /// Whether what is below a host belongs to it.
    below: bool,
}

/// Stands for a country's ending, or a language.
const VARIES: &str = "{}";

impl Hosts {
    fn new(text: &'static str, below: bool) -> Self {
        let mut own = Self {
            hosts: HashMap::new(),
            varying: HashMap::new(),
            names: HashSet::new(),
            below,
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, host) = line.split_once('\t').unwrap_or(("", line));
            let host = host.strip_prefix("www.").unwrap_or(host);
            own.names.insert(name.to_lowercase());
            match host.split_once(VARIES) {
                Some((before, after)) => {
                    let varying = own.varying.entry(before).or_default();
                    varying.push((after, name));
                }
                None => {
                    own.hosts.insert(host, name);
                }
            }
        }
        own.names.remove("");
        own
    }

    fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn has(&self, host: &str) -> bool {
        self.name(host).is_some()
    }

    /// Whose host it is, if it is on the list.
    fn name(&self, host: &str) -> Option<&'static str> {
        let host = host.strip_prefix("www.").unwrap_or(host);
        if let Some(name) = self.hosts.get(host) {
            return Some(name);
        }
        let mut rest = host;
        while self.below
            && let Some((_, parent)) = rest.split_once('.')
        {
            if let Some(name) = self.hosts.get(parent) {
                return Some(name);
            }
            rest = parent;
        }
        // What varies comes first, or after a dot.
        let dots = host.match_indices('.').map(|(at, _)| at + 1);
        std::iter::once(0).chain(dots).find_map(|at| {
            let (before, rest) = host.split_at(at);
            let mut endings = self.varying.get(before)?.iter();
            let found = endings.find(|(after, _)| varies(rest, after));
            found.map(|(_, name)| *name)
        })
    }
}

/// Whether something short stands before an ending.
fn varies(text: &str, ending: &str) -> bool {
    let Some(middle) = text.strip_suffix(ending) else {
        return false;
    };
    let letters = middle.bytes().all(|b| b.is_ascii_lowercase() || b == b'.');
    (2..=6).contains(&middle.len()) && letters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(referrer: &str, source: &str, medium: &str, click: &str) -> &'static str {
        let source = Source {
            referrer: referrer.to_owned(),
            utm_source: source.to_owned(),
            utm_medium: medium.to_owned(),
            utm_campaign: String::new(),
            click: click.to_owned(),
        };
        Channel::of(&source).word()
    }

    #[test]
    fn places_have_names() {
        for (host, name) in [
            ("www.google.com", "google"),
            ("google.co.uk", "google"),
            ("l.facebook.com", "facebook"),
            ("chatgpt.com", "chatgpt"),
            ("partner.example.org", "partner.example.org"),
        ] {
            assert_eq!(referrer_name(host), name);
        }
    }

    #[test]
    fn places_have_channels() {
        for (referrer, source, medium, click, expected) in [
            ("", "", "", "", "direct"),
            ("www.google.com", "", "", "", "organic_search"),
            ("www.google.co.uk", "", "", "", "organic_search"),
            ("mail.google.com", "", "", "", "email"),
            ("docs.google.com", "", "", "", "referral"),
            ("de.search.yahoo.com", "", "", "", "organic_search"),
            ("duckduckgo.com", "", "", "", "organic_search"),
            ("www.google.com", "google", "cpc", "", "paid_search"),
            ("www.google.com", "", "", "gclid", "paid_search"),
            ("www.google.com", "google", "organic", "", "organic_search"),
            (
                "l.facebook.com",
                "facebook",
                "paid_social",
                "",
                "paid_social",
            ),
            ("l.facebook.com", "", "", "fbclid", "organic_social"),
            ("", "facebook", "cpc", "fbclid", "paid_social"),
            ("", "linkedin", "cpc", "li_fat_id", "paid_social"),
            ("", "LinkedIn", "", "", "organic_social"),
            ("t.co", "", "", "", "organic_social"),
            ("www.facebook.com", "", "", "", "organic_social"),
            ("", "newsletter", "email", "", "email"),
            ("", "spring", "E-Mail", "", "email"),
            ("chatgpt.com", "", "", "", "ai_assistant"),
            ("", "chatgpt.com", "", "", "ai_assistant"),
            ("github.com", "github", "referral", "", "referral"),
            ("partner.example.org", "", "", "", "referral"),
            ("www.007agent-i.fr", "", "", "", "spam"),
        ] {
            let own = channel(referrer, source, medium, click);
            assert_eq!(own, expected, "{referrer} {source} {medium} {click}");
        }
    }
}
