//! The dashboard's figures of a period.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::window::{Window, asked};
use super::{Growth, conversions, people};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::error::Result;
use crate::events::{Dimension, Group, Question, Reading, Source, Wants};
use crate::products::growth::channels::Channel;
use crate::products::growth::names::PAGE_VIEWS;
use crate::server::Call;

impl Growth {
    pub(super) async fn summary(
        &self,
        call: &Call,
        request: &pb::GetSummaryRequest,
    ) -> Result<pb::GetSummaryResponse> {
        let project = call.project()?;
        let window = Window::of(asked!(request), &project, self.0.clock.micros())?;
        let mut reading = self.0.events.reading(&project, call.deadline()).await?;
        let whole = Question {
            wants: Wants {
                visitors: true,
                revenue: false,
            },
            ..question(project.id, &window)
        };
        let mut visitors = visitors(&reading, &whole).await?;
        let filters = filters(request);
        for filter in &filters {
            let of_page = Question {
                names: PAGE_VIEWS.map(str::to_owned).to_vec(),
                filters: vec![filter.clone()],
                ..whole.clone()
            };
            visitors &= self::visitors(&reading, &of_page).await?;
        }
        let span = (window.from, window.to);
        let of_leads = (!filters.is_empty()).then_some(&visitors);
        let leads = people::leads(reading.connection(), project.id, span, of_leads).await?;
        let found = conversions::find(&mut reading, project.id, &window, "").await?;
        let channels = channels(&reading, whole, &visitors).await?;
        let converted = conversions::by_visitor(&found);
        let counted = |(channel, own): (Channel, RoaringBitmap)| pb::ChannelSummary {
            channel: channel.word().to_owned(),
            visitors: own.len() as i64,
            conversions: of(&converted, &own),
        };
        let mut top_channels: Vec<_> = channels.into_iter().map(counted).collect();
        top_channels.sort_by(|a, b| {
            let by_visitors = b.visitors.cmp(&a.visitors);
            by_visitors.then_with(|| a.channel.cmp(&b.channel))
        });
        let all = visitors.len() as i64;
        let conversions = match filters.is_empty() {
            true => converted.iter().map(|(_, count)| count).sum(),
            false => of(&converted, &visitors),
        };
        Ok(pb::GetSummaryResponse {
            visitors: all,
            leads,
            conversions,
            conversion_rate: match all {
                0 => 0.0,
                _ => leads as f64 / all as f64,
            },
            top_channels,
            period: Some(window.message()),
        })
    }
}

/// How many conversions are some visitors'. Both are by visitor.
fn of(converted: &[(u32, i64)], visitors: &RoaringBitmap) -> i64 {
    let mut visitors = visitors.iter().peekable();
    let own = converted.iter().filter(|(visitor, _)| {
        while visitors.next_if(|other| other < visitor).is_some() {}
        visitors.peek() == Some(visitor)
    });
    own.map(|(_, count)| count).sum()
}

/// Who did something.
pub(super) async fn visitors(reading: &Reading, question: &Question) -> Result<RoaringBitmap> {
    let mut visitors = RoaringBitmap::new();
    for figures in reading.ask(question).await?.into_values() {
        visitors |= figures.visitors;
    }
    Ok(visitors)
}

/// All events of a window.
pub(super) fn question(project: ProjectId, window: &Window) -> Question {
    Question {
        project,
        boundaries: vec![window.from, window.to],
        names: Vec::new(),
        filters: Vec::new(),
        traffic: window.traffic,
        group: Group::None,
        only: None,
        top: None,
        wants: Wants::default(),
    }
}

/// What visitors are asked for.
fn filters(request: &pb::GetSummaryRequest) -> Vec<(Dimension, String)> {
    let filters = [
        (Dimension::Path, &request.path),
        (Dimension::Referrer, &request.referrer),
        (Dimension::UtmSource, &request.utm_source),
        (Dimension::UtmMedium, &request.utm_medium),
        (Dimension::UtmCampaign, &request.utm_campaign),
    ];
    let given = filters.into_iter().filter(|(_, value)| !value.is_empty());
    given
        .map(|(dimension, value)| (dimension, value.clone()))
        .collect()
}

/// The visitors of each channel: those who came to a page by it. Who did by none came
/// directly.
async fn channels(
    reading: &Reading,
    whole: Question,
    visitors: &RoaringBitmap,
) -> Result<HashMap<Channel, RoaringBitmap>> {
    let question = Question {
        names: PAGE_VIEWS.map(str::to_owned).to_vec(),
        group: Group::By(Dimension::Source),
        ..whole
    };
    let mut channels: HashMap<Channel, RoaringBitmap> = HashMap::new();
    for ((_, source), figures) in reading.ask(&question).await? {
        if !source.is_empty() {
            let channel = Channel::of(&Source::read(&source));
            *channels.entry(channel).or_default() |= figures.visitors;
        }
    }
    let mut direct = visitors.clone();
    for own in channels.values_mut() {
        *own &= visitors;
        direct -= &*own;
    }
    *channels.entry(Channel::Direct).or_default() |= direct;
    channels.retain(|_, own| !own.is_empty());
    Ok(channels)
}
