//! How many visitors are how many persons.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::Growth;
use super::summary::{question, visitors};
use super::window::{Window, asked};
use crate::api::apex::growth::v1 as pb;
use crate::error::Result;
use crate::events::{Day, Question, Walk, Wants};
use crate::products::growth::identity::people;
use crate::server::Call;

/// The event by which a visitor says who it is.
const IDENTIFY: &str = "identify";

/// When visitors said first who they are.
#[derive(Default)]
struct Identified(HashMap<u32, i64>);

impl Walk for Identified {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        for row in day.rows {
            self.0.entry(row.visitor).or_insert(row.time);
        }
        Ok(())
    }
}

/// Events, and those since their visitor said who it is.
struct Events {
    identified: HashMap<u32, i64>,
    all: i64,
    since: i64,
}

impl Walk for Events {
    const PLACES: bool = false;
    const ORDERED: bool = false;

    fn day(&mut self, day: Day<'_>) -> Result<()> {
        for row in day.rows {
            let since = self.identified.get(&row.visitor);
            self.all += 1;
            self.since += i64::from(since.is_some_and(|since| row.time >= *since));
        }
        Ok(())
    }
}

impl Growth {
    pub(super) async fn persons(
        &self,
        call: &Call,
        request: &pb::GetPeopleRequest,
    ) -> Result<pb::GetPeopleResponse> {
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
        let visitors = visitors(&reading, &whole).await?;
        let people = people(reading.connection(), project.id).await?;
        let there = people
            .iter()
            .filter(|(visitor, _)| visitors.contains(**visitor));
        let mut leads: HashMap<u32, i64> = HashMap::new();
        let mut known: Vec<u32> = Vec::new();
        for (visitor, person) in there {
            *leads.entry(*person).or_default() += 1;
            known.push(*visitor);
        }
        let names = Some(vec![IDENTIFY.to_owned()]);
        let identified = reading
            .walk(&window.span(names), Identified::default())
            .await?;
        let count = known.len() as i64;
        reading.only(known.into_iter().collect::<RoaringBitmap>());
        let events = Events {
            identified: identified.0,
            all: 0,
            since: 0,
        };
        let events = reading.walk(&window.span(None), events).await?;
        let (all, leads_there) = (visitors.len() as i64, leads.len() as i64);
        Ok(pb::GetPeopleResponse {
            visitors: all,
            identified_visitors: count,
            leads: leads_there,
            leads_with_several_visitors: leads.values().filter(|own| **own > 1).count() as i64,
            people: all - count + leads_there,
            events_of_leads: events.all,
            events_since_identified: events.since,
            period: Some(window.message()),
        })
    }
}
