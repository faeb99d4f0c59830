//! Who is there right now.

use std::collections::{BTreeMap, HashMap};

use super::Growth;
use super::window::traffic;
use crate::api::apex::growth::v1 as pb;
use crate::error::Result;
use crate::events::{Day, Span, Walk};
use crate::products::growth::names::PAGE_VIEWS;
use crate::products::timestamp;
use crate::server::Call;

/// A minute, in microseconds.
const MINUTE: i64 = 60 * 1_000_000;
/// Pages answered.
const PAGES: usize = 10;

/// What visitors did last.
#[derive(Default)]
struct Recent {
    views: [u32; 2],
    counted: i64,
    /// Time of the last event, and path of the last page view.
    last: HashMap<u32, (i64, Option<u32>)>,
}

impl Walk for Recent {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        for row in day.rows {
            let viewed = self.views.contains(&row.name);
            self.counted += i64::from(viewed);
            if row.visitor != 0 {
                let (time, page) = self.last.entry(row.visitor).or_insert((row.time, None));
                *time = row.time;
                if viewed {
                    *page = Some(row.path);
                }
            }
        }
        Ok(())
    }
}

impl Growth {
    pub(super) async fn realtime(
        &self,
        call: &Call,
        request: &pb::GetRealtimeRequest,
    ) -> Result<pb::GetRealtimeResponse> {
        let project = call.project()?;
        let traffic = traffic(&request.bots, &request.environment)?;
        let now = self.0.clock.micros();
        let mut reading = self.0.events.reading(&project, call.deadline()).await?;
        let mut recent = Recent::default();
        for (number, name) in recent.views.iter_mut().zip(PAGE_VIEWS) {
            *number = reading.number(name).await?;
        }
        let span = Span {
            from: now - 30 * MINUTE,
            to: now + 1,
            names: None,
            traffic,
        };
        let recent = reading.walk(&span, recent).await?;
        let mut pages: BTreeMap<u32, i64> = BTreeMap::new();
        for (_, page) in recent.last.values() {
            if let Some(page) = page {
                *pages.entry(*page).or_default() += 1;
            }
        }
        let texts = reading.texts(pages.keys().copied()).await?;
        let mut pages: Vec<pb::RealtimePage> = pages
            .into_iter()
            .filter_map(|(page, visitors)| {
                let path = texts.get(&page)?.clone();
                Some(pb::RealtimePage { path, visitors })
            })
            .collect();
        pages.sort_by(|a, b| {
            let by_visitors = b.visitors.cmp(&a.visitors);
            by_visitors.then_with(|| a.path.cmp(&b.path))
        });
        pages.truncate(PAGES);
        let times = recent.last.values().map(|(time, _)| *time);
        Ok(pb::GetRealtimeResponse {
            visitors_5_minutes: times.filter(|time| *time >= now - 5 * MINUTE).count() as i64,
            visitors_30_minutes: recent.last.len() as i64,
            page_views_30_minutes: recent.counted,
            pages,
            at: Some(timestamp(now)),
        })
    }
}
