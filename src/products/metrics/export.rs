//! Reading stored events back.

use futures_util::{Stream, stream as streams};
use tonic::Status;

use super::ingest::event_id;
use super::money;
use crate::api::apex::metrics::v1 as pb;
use crate::auth::ProjectRef;
use crate::events::{EventLog, Stored, Visitor};
use crate::products::{micros, timestamp};
use crate::server::Call;

/// Events per message.
const PAGE: i64 = 1000;

/// All stored events of a project, in the order they happened.
pub(super) fn stream(
    events: EventLog,
    call: Call,
    project: ProjectRef,
    request: &pb::ExportEventsRequest,
) -> impl Stream<Item = Result<pb::ExportEventsResponse, Status>> + use<> {
    let range = (
        request.from.as_ref().and_then(micros),
        request.to.as_ref().and_then(micros),
    );
    streams::unfold(Some(None), move |after| {
        let (events, call, project) = (events.clone(), call.clone(), project.clone());
        async move {
            match events.export(&project, range, after?, PAGE).await {
                Ok((page, _)) if page.is_empty() => None,
                Ok((page, place)) => {
                    let is_operator = call.principal().is_operator();
                    let message = |stored| message(stored, is_operator);
                    let events = page.into_iter().map(message).collect();
                    Some((Ok(pb::ExportEventsResponse { events }), Some(Some(place))))
                }
                Err(error) => Some((Err(call.status_of(error)), None)),
            }
        }
    })
}

/// Positions tell how much other projects store: only the operator is told them.
fn message(stored: Stored, is_operator: bool) -> pb::StoredEvent {
    let event = stored.event;
    let cookieless = matches!(event.visitor, Visitor::Cookieless(_));
    pb::StoredEvent {
        event_id: event_id(&stored.id),
        event_name: event.name,
        metadata: event.properties.unwrap_or_default(),
        visitor_id: event.visitor.id().to_owned(),
        timestamp: Some(timestamp(event.time)),
        received_at: Some(timestamp(stored.received)),
        price: event.money.as_ref().and_then(money::price),
        currency: event.money.as_ref().map(|money| money.currency.clone()),
        quantity: event.money.as_ref().map(|money| money.units),
        product_name: event.product,
        cookieless: cookieless.then_some(true),
        client_id: event.client_id,
        log_position: is_operator.then_some(stored.seq),
    }
}
