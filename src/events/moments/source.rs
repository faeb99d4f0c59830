//! Where a visitor came from, as one text.

use super::super::model::Page;

/// The expression of [`Source::text_of`] over the columns of a stored event. A part that
/// is too long is cut by characters, which matters to nobody.
pub(in crate::events) const SOURCE: &str = "CASE WHEN \
    COALESCE(referrer, utm_source, utm_medium, utm_campaign, click) IS NULL THEN '' ELSE \
    SUBSTR(REPLACE(COALESCE(referrer, ''), '\u{1f}', ' '), 1, 255) || '\u{1f}' || \
    SUBSTR(REPLACE(COALESCE(utm_source, ''), '\u{1f}', ' '), 1, 255) || '\u{1f}' || \
    SUBSTR(REPLACE(COALESCE(utm_medium, ''), '\u{1f}', ' '), 1, 255) || '\u{1f}' || \
    SUBSTR(REPLACE(COALESCE(utm_campaign, ''), '\u{1f}', ' '), 1, 255) || '\u{1f}' || \
    COALESCE(click, '') END";

/// Most bytes of a part; what is longer is told apart by its beginning.
const LONGEST: usize = 255;
/// Stands between the parts.
const BETWEEN: char = '\u{1f}';

/// Where a page view came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Host of the referrer, unless it is the page's own.
    pub referrer: String,
    /// `utm_source` of the page's query.
    pub utm_source: String,
    /// `utm_medium` of the page's query.
    pub utm_medium: String,
    /// `utm_campaign` of the page's query.
    pub utm_campaign: String,
    /// Name of the parameter that tells of a click on an ad.
    pub click: String,
}

impl Source {
    /// The text of a page's source; `None` when it has none.
    pub(in crate::events) fn text_of(page: &Page) -> Option<String> {
        let parts = [
            &page.referrer,
            &page.utm_source,
            &page.utm_medium,
            &page.utm_campaign,
            &page.click,
        ];
        if parts.iter().all(|part| part.is_none()) {
            return None;
        }
        let parts = parts.map(|part| {
            let part = part.as_deref().unwrap_or_default();
            let end = part.floor_char_boundary(LONGEST.min(part.len()));
            part[..end].replace(BETWEEN, " ")
        });
        Some(parts.join(&BETWEEN.to_string()))
    }

    /// The source of a text; of an empty one, none.
    pub fn read(text: &str) -> Self {
        let mut parts = text.split(BETWEEN).map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self {
            referrer: next(),
            utm_source: next(),
            utm_medium: next(),
            utm_campaign: next(),
            click: next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_survive_being_a_text() {
        let url = "https://a.example/?utm_source=x%1Fy&utm_campaign=c&gclid=1";
        let page = Page::new(url, "https://b.example/");
        let text = Source::text_of(&page).unwrap();
        let source = Source {
            referrer: "b.example".to_owned(),
            utm_source: "x y".to_owned(),
            utm_medium: String::new(),
            utm_campaign: "c".to_owned(),
            click: "gclid".to_owned(),
        };
        assert_eq!(Source::read(&text), source);
        assert_eq!(Source::text_of(&Page::default()), None);
        assert_eq!(Source::read(""), Source::default());
    }
}
