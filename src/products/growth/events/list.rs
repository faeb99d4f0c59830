//! Reading stored events back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http::{HeaderName, HeaderValue};

use super::super::Growth;
use super::environment;
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::events::{Mark, Recent, Stored, Visitor};
use crate::products::{micros, timestamp};
use crate::server::{Call, Reply};

/// Events of a page, unless the caller says how many.
const PAGE: i32 = 100;
/// Says where the next page begins.
const X_NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

impl Growth {
    /// A page of stored events.
    pub(super) async fn recent_events(
        &self,
        call: &Call,
        request: pb::ListEventsRequest,
    ) -> Result<Reply<pb::ListEventsResponse>> {
        let project = call.project()?;
        let unknown = || Error::invalid_field("cursor", "cursor is not known");
        let before = match request.cursor.as_str() {
            "" => None,
            cursor => Some(mark(cursor).ok_or_else(unknown)?),
        };
        let asked = Recent {
            from: time("from", request.from.as_ref())?,
            to: time("to", request.to.as_ref())?,
            name: Some(request.r#type).filter(|name| !name.is_empty()),
            visitor: Some(request.visitor_id).filter(|id| !id.is_empty()),
            before,
            limit: request.limit.unwrap_or(PAGE).into(),
        };
        let page = self.0.events.recent(&project, &asked, call.deadline());
        let (events, next) = page.await?.ok_or_else(unknown)?;
        let next_cursor = next.as_ref().map(cursor);
        let answer = Reply::from(pb::ListEventsResponse {
            events: events.into_iter().map(message).collect(),
            next_cursor: next_cursor.clone(),
        });
        match next_cursor.and_then(|cursor| HeaderValue::try_from(cursor).ok()) {
            Some(value) => Ok(answer.header(X_NEXT_CURSOR, value)),
            None => Ok(answer),
        }
    }
}

fn time(field: &str, time: Option<&prost_types::Timestamp>) -> Result<Option<i64>> {
    let Some(time) = time else {
        return Ok(None);
    };
    let out = || Error::invalid_field(field, format!("{field} is out of range"));
    micros(time).map(Some).ok_or_else(out)
}

/// A cursor names the last event of a page, which its reader knows.
fn cursor(mark: &Mark) -> String {
    BASE64.encode(format!("{} {}", mark.time, mark.id))
}

fn mark(cursor: &str) -> Option<Mark> {
    let text = String::from_utf8(BASE64.decode(cursor).ok()?).ok()?;
    let (time, id) = text.split_once(' ')?;
    let id = Some(id).filter(|id| !id.contains('\0'))?;
    Some(Mark {
        time: time.parse().ok()?,
        id: id.to_owned(),
    })
}

fn message(stored: Stored) -> pb::TrackedEvent {
    let event = stored.event;
    let source = if event.audience.stated {
        "override"
    } else {
        "auto"
    };
    let visitor_id = match event.visitor {
        Visitor::Known(id) | Visitor::Cookieless(id) => Some(id),
        Visitor::Nobody => None,
    };
    pb::TrackedEvent {
        id: format!(
            "evt_{}",
            stored.id.strip_prefix("evt_").unwrap_or(&stored.id)
        ),
        r#type: event.name,
        visitor_id,
        user_id: event.person,
        url: event.page.url(),
        referrer: event.page.referrer,
        timestamp: Some(timestamp(event.time)),
        received_at: Some(timestamp(stored.received)),
        data: event.properties,
        web_environment: environment::word(event.audience.environment).to_owned(),
        web_environment_source: source.to_owned(),
        bot: event.audience.bot,
        device: event.device,
        amount: event.money.as_ref().map(|money| decimal(money.amount)),
        currency: event.money.as_ref().map(|money| money.currency.clone()),
        quantity: event.money.map(|money| money.units),
    }
}

/// An amount as decimal text.
fn decimal(millionths: i64) -> String {
    let (whole, fraction) = (millionths / 1_000_000, millionths % 1_000_000);
    let text = format!("{whole}.{fraction:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
