//! Analytics: counts, visitors and revenue of a period, whole, as a series, and
//! broken down.

use std::collections::{BTreeMap, HashSet};

use super::item::PAGE_VIEWS;
use super::{Metrics, money};
use crate::api::apex::metrics::v1 as pb;
use crate::auth::ProjectRef;
use crate::error::{Error, Result};
use crate::events::{Answer, Dimension, Figures, Group, Question, Traffic, Wants};
use crate::products::period::{Interval, Mark, Period};
use crate::products::timestamp;
use crate::server::Call;

/// Groups answered unless more are asked for.
const DEFAULT_GROUPS: usize = 10;

/// Which metrics were asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    page_views: bool,
    unique_visitors: bool,
    events: bool,
    revenue: bool,
    cookieless_visitors: bool,
}

impl Asked {
    fn parse(list: &str) -> Result<Self> {
        let mut asked = Self::default();
        let list = if list.trim().is_empty() {
            "page_views,unique_visitors,events"
        } else {
            list
        };
        for name in list.split(',').map(str::trim) {
            match name {
                "page_views" => asked.page_views = true,
                "unique_visitors" => asked.unique_visitors = true,
                "events" => asked.events = true,
                "revenue" => asked.revenue = true,
                "cookieless_visitors" => asked.cookieless_visitors = true,
                _ => {
                    return Err(Error::invalid_field(
                        "metrics",
                        "metrics must be a comma list of page_views, unique_visitors, events, \
                         revenue, cookieless_visitors",
                    ));
                }
            }
        }
        Ok(asked)
    }

    /// The names, in the order they are shown.
    fn names(self) -> Vec<String> {
        let all = [
            ("page_views", self.page_views),
            ("unique_visitors", self.unique_visitors),
            ("events", self.events),
            ("revenue", self.revenue),
            ("cookieless_visitors", self.cookieless_visitors),
        ];
        let asked = all.into_iter().filter(|(_, asked)| *asked);
        asked.map(|(name, _)| name.to_owned()).collect()
    }

    fn wants(self) -> Wants {
        Wants {
            visitors: self.unique_visitors || self.cookieless_visitors,
            revenue: self.revenue,
        }
    }
}

/// Figures of all events and of the page views among them.
#[derive(Debug, Default)]
struct Both {
    all: Figures,
    page_views: i64,
}

impl Both {
    fn message(&self, asked: Asked) -> pb::Figures {
        let Self { all, page_views } = self;
        pb::Figures {
            page_views: asked.page_views.then_some(*page_views),
            unique_visitors: asked.unique_visitors.then_some(all.visitors.len() as i64),
            events: asked.events.then_some(all.events - page_views),
            revenue: match asked.revenue {
                true => revenue(all),
                false => Vec::new(),
            },
            cookieless_visitors: asked.cookieless_visitors.then_some(all.cookieless() as i64),
            // An empty list that was asked for is shown.
            shown: match asked.revenue && all.revenue.is_empty() {
                true => asked.names(),
                false => Vec::new(),
            },
        }
    }
}

fn revenue(figures: &Figures) -> Vec<pb::Revenue> {
    let message = |(currency, revenue): (&String, &crate::events::Revenue)| pb::Revenue {
        currency: currency.clone(),
        purchases: revenue.purchases,
        units: revenue.units,
        amount: money::text(currency, revenue),
    };
    figures.revenue.iter().map(message).collect()
}

impl Metrics {
    pub(super) async fn analytics(
        &self,
        call: &Call,
        request: &pb::GetAnalyticsRequest,
    ) -> Result<pb::GetAnalyticsResponse> {
        let asked = Asked::parse(&request.metrics)?;
        let interval = Interval::parse(&request.interval)?;
        let group = group(&request.group_by)?;
        let project = call.project()?;
        let zone = match request.timezone.as_str() {
            "" => &project.timezone,
            named => named,
        };
        let (start, end) = (&request.start_date, &request.end_date);
        let period = Period::parse(start, end, zone, self.clock.micros())?;
        let (from, to) = period.bounds()?;
        let whole = question(&project, request, vec![from, to], asked.wants());
        let data = self.both(call, &whole).await?;
        let data = data.into_values().next().unwrap_or_default().message(asked);
        let series = match interval {
            Some(interval) => {
                let marks = period.marks(interval)?;
                let mut boundaries: Vec<i64> = marks.iter().map(|mark| mark.start).collect();
                boundaries.push(to);
                let question = question(&project, request, boundaries, asked.wants());
                let both = self.both(call, &question).await?;
                points(&marks, &both, asked)
            }
            None => Vec::new(),
        };
        let groups = match group {
            Group::None => Vec::new(),
            Group::Name | Group::By(_) => {
                let limit = request.limit.map_or(DEFAULT_GROUPS, |limit| limit as usize);
                self.groups(call, whole, group, limit, asked).await?
            }
        };
        Ok(pb::GetAnalyticsResponse {
            data: Some(data),
            period: Some(pb::Period {
                start: period.start.to_string(),
                end: period.end.to_string(),
            }),
            series,
            groups,
        })
    }

    /// The largest groups. Which they are is told by their counts alone; sets of
    /// visitors are read only of those that are shown.
    async fn groups(
        &self,
        call: &Call,
        whole: Question,
        group: Group,
        limit: usize,
        asked: Asked,
    ) -> Result<Vec<pb::Group>> {
        let organization = call.project()?.organization;
        let counted = Question {
            group,
            wants: Wants::default(),
            top: Some(limit),
            ..whole
        };
        let answers = self
            .events
            .ask(
                organization,
                std::slice::from_ref(&counted),
                call.deadline(),
            )
            .await?;
        let mut sizes: Vec<(String, i64)> = answers
            .into_iter()
            .flatten()
            .map(|((_, key), figures)| (key, figures.events))
            .collect();
        sizes.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        sizes.truncate(limit);
        if sizes.is_empty() {
            return Ok(Vec::new());
        }
        let shown = Question {
            wants: asked.wants(),
            only: Some(
                sizes
                    .iter()
                    .map(|(key, _)| key.clone())
                    .collect::<HashSet<_>>(),
            ),
            top: None,
            ..counted
        };
        let both = self.both(call, &shown).await?;
        let message = |(key, _): (String, i64)| {
            let slot = (0, key);
            let data = both.get(&slot).map(|both| both.message(asked));
            pb::Group { key: slot.1, data }
        };
        Ok(sizes.into_iter().map(message).collect())
    }

    /// Asks for all events and for the page views among them, from one snapshot.
    async fn both(
        &self,
        call: &Call,
        question: &Question,
    ) -> Result<BTreeMap<(usize, String), Both>> {
        let names = match question.names.as_slice() {
            [] => PAGE_VIEWS.map(str::to_owned).to_vec(),
            own => own
                .iter()
                .filter(|name| PAGE_VIEWS.contains(&name.as_str()))
                .cloned()
                .collect(),
        };
        let mut questions = vec![question.clone()];
        if !names.is_empty() {
            questions.push(Question {
                names,
                wants: Wants::default(),
                ..question.clone()
            });
        }
        let mut answers = self
            .events
            .ask(call.project()?.organization, &questions, call.deadline())
            .await?
            .into_iter();
        let all: Answer = answers.next().unwrap_or_default();
        let views: Answer = answers.next().unwrap_or_default();
        let mut both: BTreeMap<(usize, String), Both> = BTreeMap::new();
        for (slot, figures) in all {
            both.entry(slot).or_default().all = figures;
        }
        for (slot, figures) in views {
            both.entry(slot).or_default().page_views = figures.events;
        }
        Ok(both)
    }
}

fn question(
    project: &ProjectRef,
    request: &pb::GetAnalyticsRequest,
    boundaries: Vec<i64>,
    wants: Wants,
) -> Question {
    let filters = [
        (Dimension::Url, &request.url),
        (Dimension::Path, &request.path),
        (Dimension::Referrer, &request.referrer),
        (Dimension::UtmSource, &request.utm_source),
        (Dimension::UtmMedium, &request.utm_medium),
        (Dimension::UtmCampaign, &request.utm_campaign),
    ];
    let set = filters.into_iter().filter(|(_, value)| !value.is_empty());
    let name = Some(request.event_name.clone()).filter(|name| !name.is_empty());
    Question {
        project: project.id,
        boundaries,
        names: name.into_iter().collect(),
        filters: set
            .map(|(dimension, value)| (dimension, value.clone()))
            .collect(),
        traffic: Traffic::ALL,
        group: Group::None,
        only: None,
        top: None,
        wants,
    }
}

fn group(word: &str) -> Result<Group> {
    Ok(match word {
        "" => Group::None,
        "event_name" => Group::Name,
        "url" => Group::By(Dimension::Url),
        "path" => Group::By(Dimension::Path),
        "referrer" => Group::By(Dimension::Referrer),
        "utm_source" => Group::By(Dimension::UtmSource),
        "utm_medium" => Group::By(Dimension::UtmMedium),
        "utm_campaign" => Group::By(Dimension::UtmCampaign),
        _ => {
            return Err(Error::invalid_field(
                "group_by",
                "group_by must be event_name, url, path, referrer, utm_source, utm_medium or \
                 utm_campaign",
            ));
        }
    })
}

fn points(marks: &[Mark], both: &BTreeMap<(usize, String), Both>, asked: Asked) -> Vec<pb::Point> {
    let nothing = Both::default();
    let point = |(at, mark): (usize, &Mark)| {
        let figures = both.get(&(at, String::new())).unwrap_or(&nothing);
        pb::Point {
            date: mark.label.clone(),
            start: Some(timestamp(mark.start)),
            data: Some(figures.message(asked)),
        }
    };
    marks.iter().enumerate().map(point).collect()
}
