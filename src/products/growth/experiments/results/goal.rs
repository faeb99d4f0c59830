//! Which events are conversions.

use std::collections::HashSet;

use crate::api::apex::growth::v1 as pb;
use crate::error::Result;
use crate::events::{Day, Moment, Reading, Span, Walk};

/// The event snippets and SDKs send when a goal is met.
const CONVERTED: &str = "goal_conversion";
/// The event of a purchase.
pub(super) const PURCHASE: &str = "purchase";
/// The events of a page that was shown.
const VIEWS: [&str; 2] = ["pageview", "page_view"];

/// What counts as a conversion: the numbers of a reading's texts.
#[derive(Debug, Default)]
pub(super) struct Conversions {
    /// Events of these names.
    names: Vec<u32>,
    /// Page views, of these paths.
    views: Vec<u32>,
    paths: HashSet<u32>,
    /// Events that tell which goal was met, if it is this one.
    told: Option<(u32, u32)>,
}

/// Names of the events that can be conversions of an experiment. `goal` is the one
/// asked for.
pub(super) fn names(experiment: &pb::Experiment, goal: &str) -> Vec<String> {
    let mut names = vec![CONVERTED.to_owned(), PURCHASE.to_owned()];
    if let Some(own) = experiment.goal.as_ref().filter(|_| goal.is_empty()) {
        match own.r#type.as_str() {
            "custom_event" => names.extend(own.event_name.clone()),
            "form_submit" => names.push("form_submit".to_owned()),
            "page_visit" => names.extend(VIEWS.map(str::to_owned)),
            _ => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

impl Conversions {
    /// The conversions of an experiment, in a reading. `goal` is the one asked for.
    pub(super) async fn of(
        experiment: &pb::Experiment,
        goal: &str,
        reading: &mut Reading,
        span: &Span,
    ) -> Result<Self> {
        let mut own = Self::default();
        let converted = reading.number(CONVERTED).await?;
        if !goal.is_empty() {
            own.told = Some((converted, reading.number(goal).await?));
            return Ok(own);
        }
        let Some(goal) = &experiment.goal else {
            own.names = vec![converted, reading.number(PURCHASE).await?];
            return Ok(own);
        };
        own.told = Some((converted, reading.number(&experiment.id).await?));
        match goal.r#type.as_str() {
            "custom_event" => {
                let name = goal.event_name.as_deref().unwrap_or_default();
                own.names = vec![reading.number(name).await?];
            }
            // Which form it was, pages tell by the event of the goal.
            "form_submit" if goal.form_selector.is_none() => {
                own.names = vec![reading.number("form_submit").await?];
            }
            "page_visit" => {
                let pattern = goal.url_pattern.as_deref().unwrap_or_default();
                own.paths = matching(reading, span, pattern).await?;
                for view in VIEWS {
                    own.views.push(reading.number(view).await?);
                }
            }
            _ => {}
        }
        Ok(own)
    }

    /// Whether an event is one.
    pub(super) fn has(&self, moment: &Moment, goal: u32) -> bool {
        self.names.contains(&moment.name)
            || self.told == Some((moment.name, goal))
            || self.views.contains(&moment.name) && self.paths.contains(&moment.path)
    }
}

/// Numbers of the paths in a span that a pattern fits.
async fn matching(reading: &mut Reading, span: &Span, pattern: &str) -> Result<HashSet<u32>> {
    let views = Span {
        names: Some(VIEWS.map(str::to_owned).to_vec()),
        ..span.clone()
    };
    let Paths(seen) = reading.walk(&views, Paths::default()).await?;
    let pattern = plain(pattern);
    let texts = reading.texts(seen).await?;
    let fitting = texts
        .into_iter()
        .filter(|(_, path)| fits(&pattern, &plain(path)));
    Ok(fitting.map(|(number, _)| number).collect())
}

/// The paths there are.
#[derive(Debug, Default)]
struct Paths(HashSet<u32>);

impl Walk for Paths {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        self.0.extend(day.rows.iter().map(|row| row.path));
        Ok(())
    }
}

/// A path or the path of a URL, without what follows it and without slashes at its end.
fn plain(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    let end = path.find(['?', '#']).unwrap_or(path.len());
    path[..end].trim_end_matches('/').to_owned()
}

/// Whether a path fits a pattern, in which `*` stands for anything.
fn fits(pattern: &str, path: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_paths() {
        for (pattern, path, expected) in [
            ("/thanks", "/thanks/", true),
            ("https://www.example.com/thanks", "/thanks", true),
            ("/thanks", "/thanks/again", false),
            ("/thanks*", "/thanks/again", true),
            ("/*/done", "/a/b/done", true),
            ("/*/done", "/a/b/done/not", false),
            ("/a*a", "/a", false),
            ("/thanks?x=1", "/thanks", true),
            ("/", "", true),
        ] {
            assert_eq!(
                fits(&plain(pattern), &plain(path)),
                expected,
                "{pattern} {path}"
            );
        }
    }
}
