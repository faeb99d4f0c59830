//! Who a visitor is, and what the visitor did.

use sea_orm::ConnectionTrait;

use super::lead;
use crate::api::apex::growth::v1 as pb;
use crate::auth::{ProjectId, ProjectRef};
use crate::db::sql::rows;
use crate::error::{Error, Result};
use crate::events::{Journey, Source, Step};
use crate::products::growth::Growth;
use crate::products::growth::channels::{Channel, referrer_name};
use crate::products::timestamp;
use crate::server::Call;

/// Events of a page when nobody says how many.
const EVENTS: i32 = 1000;

/// The leads a visitor is linked to.
struct Links {
    /// Their ids, the one the visitor's history belongs to first.
    ids: Vec<String>,
    /// Whether the first one is that.
    own: bool,
    /// When the visitor was first linked.
    since: Option<i64>,
}

impl Growth {
    /// Everything that is known of a visitor, with a page of events.
    pub(super) async fn identity(
        &self,
        call: &Call,
        request: &pb::GetIdentityRequest,
    ) -> Result<pb::GetIdentityResponse> {
        let project = call.project()?;
        let before = match request.cursor.as_str() {
            "" => None,
            text => Some(place(text)?),
        };
        let limit = request.limit.unwrap_or(EVENTS).unsigned_abs() as usize;
        let (visitor, deadline) = (&request.visitor_id, call.deadline());
        let journey = self
            .events()
            .journey(&project, visitor, before, limit, deadline);
        let journey = journey.await?;
        let known = self.known(&project, visitor, journey.as_ref()).await?;
        let steps = journey.map(|journey| journey.steps).unwrap_or_default();
        let next = steps.last().filter(|_| steps.len() == limit);
        let next_cursor = next.map(|step| format!("{}-{}", step.time, step.seq));
        Ok(pb::GetIdentityResponse {
            visitor_id: known.visitor_id,
            lead_id: known.lead_id,
            lead_ids: known.lead_ids,
            first_seen: known.first_seen,
            last_seen: known.last_seen,
            attribution: known.attribution,
            events: steps.into_iter().map(event).collect(),
            next_cursor,
        })
    }

    /// The same without events.
    pub(super) async fn who(&self, call: &Call, visitor: &str) -> Result<pb::Identity> {
        let project = call.project()?;
        let journey = self
            .events()
            .journey(&project, visitor, None, 1, call.deadline());
        let journey = journey.await?;
        self.known(&project, visitor, journey.as_ref()).await
    }

    async fn known(
        &self,
        project: &ProjectRef,
        visitor: &str,
        journey: Option<&Journey>,
    ) -> Result<pb::Identity> {
        let read = self.db().read(None).await?;
        let links = links(&read, project.id, visitor).await?;
        let seen = journey.map(|journey| (journey.first.time, journey.last));
        let seen = seen.or(links.since.map(|at| (at, at)));
        let (first, last) = seen.ok_or_else(|| Error::not_found("Visitor not found"))?;
        Ok(pb::Identity {
            visitor_id: visitor.to_owned(),
            lead_id: links.ids.first().filter(|_| links.own).cloned(),
            lead_ids: links.ids,
            first_seen: Some(timestamp(first)),
            last_seen: Some(timestamp(last)),
            attribution: journey.map(|journey| attribution(&journey.first)),
        })
    }
}

/// Where a visitor came from, by the first step.
fn attribution(first: &Step) -> pb::IdentityAttribution {
    let page = &first.page;
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let source = Source {
        referrer: text(&page.referrer),
        utm_source: text(&page.utm_source),
        utm_medium: text(&page.utm_medium),
        utm_campaign: text(&page.utm_campaign),
        click: text(&page.click),
    };
    pb::IdentityAttribution {
        channel: Channel::of(&source).word().to_owned(),
        source: page
            .utm_source
            .clone()
            .or_else(|| page.referrer.as_deref().map(referrer_name)),
        landing_page: page.path.clone(),
    }
}

async fn links(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    visitor: &str,
) -> Result<Links> {
    let sql = "SELECT lead, own, linked_at, undone_at FROM growth_link \
               WHERE project = $1 AND visitor = $2 ORDER BY own DESC, linked_at DESC, lead";
    let mut links = Links {
        ids: Vec::new(),
        own: false,
        since: None,
    };
    for found in rows(connection, sql, [project.into(), visitor.into()]).await? {
        let at: i64 = found.try_get("", "linked_at")?;
        // That there was a link is known also once it is undone.
        links.since = Some(links.since.map_or(at, |since| since.min(at)));
        if found.try_get::<Option<i64>>("", "undone_at")?.is_some() {
            continue;
        }
        let linked = lead::numbered(connection, project, found.try_get("", "lead")?).await?;
        let id = lead::root(connection, project, linked).await?.id;
        links.own |= found.try_get::<i16>("", "own")? == 1;
        if !links.ids.contains(&id) {
            links.ids.push(id);
        }
    }
    Ok(links)
}

fn event(step: Step) -> pb::JourneyEvent {
    pb::JourneyEvent {
        url: step.page.url(),
        r#type: step.name,
        timestamp: Some(timestamp(step.time)),
        data: step.properties,
    }
}

/// Where the next page begins.
fn place(text: &str) -> Result<(i64, i64)> {
    let (time, seq) = text.rsplit_once('-').unwrap_or_default();
    let place = time.parse().ok().zip(seq.parse().ok());
    place.ok_or_else(|| Error::invalid_field("cursor", "cursor is not valid"))
}
