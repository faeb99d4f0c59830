//! An event, and what is derived from it when it arrives.

use std::borrow::Cow;

use sea_orm::QueryResult;
use uuid::Uuid;

use super::moments::{SOURCE, Source};
use crate::auth::ProjectId;
use crate::db::sql::column;
use crate::error::Result;
use crate::transcode::percent;

/// Longest value of a breakdown, in bytes.
const MAX_VALUE: usize = 1024;

/// Visitors without an id of their own are numbered from here, so that a set of
/// visitors tells how many of them there are.
pub const COOKIELESS: u32 = 1 << 31;

/// An event to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The project it belongs to.
    pub project: ProjectId,
    /// When it happened, in microseconds since 1970.
    pub time: i64,
    /// What happened.
    pub name: String,
    /// Who caused it.
    pub visitor: Visitor,
    /// The caller's id for deduplication.
    pub client_id: Option<String>,
    /// Kind of traffic.
    pub audience: Audience,
    /// Where it happened.
    pub page: Page,
    /// What was paid.
    pub money: Option<Money>,
    /// What was bought.
    pub product: Option<String>,
    /// Free properties, as JSON text.
    pub properties: Option<String>,
    /// Who the visitor is known to be, as the sender says: an id or an e-mail.
    pub person: Option<String>,
    /// Kind of device, such as `mobile`.
    pub device: Option<String>,
    /// What it is a copy of, when it was exported.
    pub copy_of: Option<Original>,
}

/// Kind of traffic an event is. As a number, which rollups are kept by, the lowest
/// bit says bot, the next two the environment and the one above whether the sender
/// said so itself; zero is a human on the production site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audience {
    /// Whether a machine looked rather than a human.
    pub bot: bool,
    /// Where.
    pub environment: Environment,
    /// Whether the sender named the environment, rather than its host.
    pub stated: bool,
}

/// Which installation of a site or an application an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Environment {
    /// What the public uses.
    #[default]
    Production = 0,
    /// What is shown before it is released.
    Preview = 1,
    /// A developer's machine.
    Localhost = 2,
    /// Nobody said.
    Unknown = 3,
}

impl Audience {
    /// The largest number there is.
    pub(super) const LAST: i16 = 15;

    /// As it is kept.
    pub fn number(self) -> i16 {
        i16::from(self.bot) | (self.environment as i16) << 1 | i16::from(self.stated) << 3
    }

    /// From what [`Audience::number`] made.
    pub fn from_number(number: i16) -> Self {
        let environment = match number >> 1 & 3 {
            0 => Environment::Production,
            1 => Environment::Preview,
            2 => Environment::Localhost,
            _ => Environment::Unknown,
        };
        Self {
            bot: number & 1 != 0,
            environment,
            stated: number & 8 != 0,
        }
    }
}

/// An event that was exported. It is found by its position alone, also when its id
/// is forgotten, or was never remembered because the server gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// Its position in the log.
    pub seq: i64,
    /// The id the server gave it.
    pub id: Option<Uuid>,
}

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Visitor {
    /// Somebody with an id.
    Known(String),
    /// Somebody recognised for a day only.
    Cookieless(String),
    /// Nobody who is known: the event counts, and no visitor does.
    Nobody,
}

impl Visitor {
    /// The id it is kept under.
    pub fn id(&self) -> &str {
        match self {
            Self::Known(id) | Self::Cookieless(id) => id,
            Self::Nobody => "",
        }
    }
}

/// An amount in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// ISO 4217 code.
    pub currency: String,
    /// Millionths of the major unit, all units together.
    pub amount: i64,
    /// How many units.
    pub units: i64,
}

impl Money {
    /// What was paid, as a stored event says.
    pub(super) fn of(row: &QueryResult) -> Result<Option<Self>> {
        let Some(currency) = column(row, "currency")? else {
            return Ok(None);
        };
        Ok(Some(Self {
            currency,
            amount: column(row, "amount")?,
            units: column(row, "units")?,
        }))
    }
}

/// Where an event happened and where the visitor came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Scheme and host, such as `https://example.com`.
    pub origin: Option<String>,
    /// Path as it was sent, without query and fragment.
    pub path: Option<String>,
    /// Host of the referrer, unless it is the page's own.
    pub referrer: Option<String>,
    /// `utm_source` of the page's query.
    pub utm_source: Option<String>,
    /// `utm_medium` of the page's query.
    pub utm_medium: Option<String>,
    /// `utm_campaign` of the page's query.
    pub utm_campaign: Option<String>,
    /// `utm_term` of the page's query.
    pub utm_term: Option<String>,
    /// `utm_content` of the page's query.
    pub utm_content: Option<String>,
    /// Name of the parameter that tells of a click on an ad, such as `gclid`.
    pub click: Option<String>,
}

/// Parameters by which the networks of ads mark their clicks.
const CLICKS: [&str; 4] = ["gclid", "fbclid", "msclkid", "li_fat_id"];

impl Page {
    /// Takes a URL, or a bare path, and a referrer apart.
    pub fn new(url: &str, referrer: &str) -> Self {
        let url = url.split('#').next().unwrap_or_default();
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (origin, path) = match place.split_once("://") {
            Some((scheme, rest)) => {
                let slash = rest.find('/').unwrap_or(rest.len());
                let origin = &place[..scheme.len() + 3 + slash];
                (origin, &rest[slash..])
            }
            None => ("", place),
        };
        let parameter = |name: &str| {
            let mut pairs = percent::pairs(query);
            let (_, value) = pairs.find(|(own, _)| *own == name)?;
            let value = percent::query(value).unwrap_or(Cow::Borrowed(value));
            kept(&value)
        };
        let own = host(origin);
        Self {
            utm_source: parameter("utm_source"),
            utm_medium: parameter("utm_medium"),
            utm_campaign: parameter("utm_campaign"),
            utm_term: parameter("utm_term"),
            utm_content: parameter("utm_content"),
            click: CLICKS
                .into_iter()
                .find(|name| parameter(name).is_some())
                .map(str::to_owned),
            referrer: host(referrer).filter(|host| Some(host) != own.as_ref()),
            origin: kept(origin),
            path: kept(path),
        }
    }

    /// Where a stored event happened.
    pub(super) fn of(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            origin: column(row, "origin")?,
            path: column(row, "path")?,
            referrer: column(row, "referrer")?,
            utm_source: column(row, "utm_source")?,
            utm_medium: column(row, "utm_medium")?,
            utm_campaign: column(row, "utm_campaign")?,
            utm_term: column(row, "utm_term")?,
            utm_content: column(row, "utm_content")?,
            click: column(row, "click")?,
        })
    }

    /// Scheme, host and path.
    pub fn url(&self) -> Option<String> {
        match (&self.origin, &self.path) {
            (None, None) => None,
            (origin, path) => Some(
                [origin.as_deref(), path.as_deref()]
                    .map(Option::unwrap_or_default)
                    .concat(),
            ),
        }
    }
}

/// A value as it is kept: not empty, without U+0000, and not endless.
fn kept(value: &str) -> Option<String> {
    let end = value.floor_char_boundary(MAX_VALUE.min(value.len()));
    let value = value[..end].replace('\0', "");
    (!value.is_empty()).then_some(value)
}

/// Host of a URL, in lower case, without user and port.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place);
    let host = match place.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    kept(&host.to_lowercase())
}

/// What events are broken down by, apart from their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Scheme, host and path.
    Url = 1,
    /// Path.
    Path = 2,
    /// Host of the referrer.
    Referrer = 3,
    /// `utm_source`.
    UtmSource = 4,
    /// `utm_medium`.
    UtmMedium = 5,
    /// `utm_campaign`.
    UtmCampaign = 6,
    /// Where the visitor came from, all in one: a [`Source`].
    Source = 7,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Url,
        Self::Path,
        Self::Referrer,
        Self::UtmSource,
        Self::UtmMedium,
        Self::UtmCampaign,
        Self::Source,
    ];

    /// The expression of its value over the columns of a stored event.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Url => "COALESCE(origin, '') || COALESCE(path, '')",
            Self::Path => "COALESCE(path, '')",
            Self::Referrer => "COALESCE(referrer, '')",
            Self::UtmSource => "COALESCE(utm_source, '')",
            Self::UtmMedium => "COALESCE(utm_medium, '')",
            Self::UtmCampaign => "COALESCE(utm_campaign, '')",
            Self::Source => SOURCE,
        }
    }

    /// Its value for a page.
    pub fn of(self, page: &Page) -> Option<Cow<'_, str>> {
        match self {
            Self::Url => page.url().map(Cow::Owned),
            Self::Path => page.path.as_deref().map(Cow::Borrowed),
            Self::Referrer => page.referrer.as_deref().map(Cow::Borrowed),
            Self::UtmSource => page.utm_source.as_deref().map(Cow::Borrowed),
            Self::UtmMedium => page.utm_medium.as_deref().map(Cow::Borrowed),
            Self::UtmCampaign => page.utm_campaign.as_deref().map(Cow::Borrowed),
            Self::Source => Source::text_of(page).map(Cow::Owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_taken_apart() {
        let page = Page::new(
            "https://Shop.example.com:8443/caf%C3%A9?utm_source=a+b&utm_medium=&x=1#top",
            "https://user@News.example.org:80/item?id=1",
        );
        assert_eq!(
            page.origin.as_deref(),
            Some("https://Shop.example.com:8443")
        );
        assert_eq!(page.path.as_deref(), Some("/caf%C3%A9"));
        assert_eq!(page.utm_source.as_deref(), Some("a b"));
        assert_eq!(page.utm_medium, None);
        assert_eq!(page.referrer.as_deref(), Some("news.example.org"));
        assert_eq!(
            page.url().as_deref(),
            Some("https://Shop.example.com:8443/caf%C3%A9")
        );
        let own = Page::new("https://shop.example.com/b", "https://SHOP.example.com/a");
        assert_eq!(own.referrer, None);
        assert_eq!(
            Page::new("/pricing?x", "").path.as_deref(),
            Some("/pricing")
        );
        assert_eq!(Page::new("", ""), Page::default());
        assert_eq!(Page::new("https://h", "").path, None);
    }
}
