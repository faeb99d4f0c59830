//! From what callers send to events of the log.

use crate::api::apex::metrics::v1 as pb;
use crate::auth::ProjectId;
use crate::clock::DAY;
use crate::error::{Error, Result};
use crate::events::{Audience, Money, NewEvent, Original, Page, Visitor};
use crate::products::micros;
use crate::server::Call;
use crate::server::check::check;
use crate::transcode::json::{DEPTH, raw};

use super::ingest::own_id;
use super::{Metrics, money};

/// The name purchases are stored under.
pub(super) const PURCHASE: &str = "revenue:purchased";
/// Names that count as page views.
pub(super) const PAGE_VIEWS: [&str; 2] = ["page_view", "pageview"];

/// Longest id, URL or user agent read out of the metadata, in bytes.
const MAX_ID: usize = 255;

/// Members of the metadata that mean something.
#[derive(Debug, Default)]
struct Known {
    event_id: Option<String>,
    url: Option<String>,
    referrer: Option<String>,
    user_agent: Option<String>,
}

/// What was paid, told by the metadata of an event that is named like a purchase.
#[derive(Debug)]
struct Paid {
    money: Money,
    product: Option<String>,
}

/// What events and purchases have in common.
struct Common<'a> {
    metadata: String,
    visitor_id: &'a str,
    timestamp: Option<&'a prost_types::Timestamp>,
    event_id: &'a str,
}

impl Metrics {
    /// An event as it is stored.
    pub(super) async fn new_event(
        &self,
        call: &Call,
        project: ProjectId,
        request: pb::SendEventRequest,
    ) -> Result<NewEvent> {
        let common = Common {
            metadata: request.metadata,
            visitor_id: &request.visitor_id,
            timestamp: request.timestamp.as_ref(),
            event_id: &request.event_id,
        };
        let mut event = self
            .common(call, project, request.event_name, common)
            .await?;
        if event.name == PURCHASE
            && let Some(metadata) = &event.properties
            && let Some(paid) = Paid::read(metadata)?
        {
            event.money = Some(paid.money);
            event.product = paid.product;
        }
        Ok(event)
    }

    /// A purchase as it is stored.
    pub(super) async fn new_purchase(
        &self,
        call: &Call,
        project: ProjectId,
        request: pb::SendPurchaseRequest,
    ) -> Result<NewEvent> {
        let price = request.price.unwrap_or_default();
        let paid = money::money(price, &request.currency, request.quantity.unwrap_or(1))?;
        let common = Common {
            metadata: request.metadata,
            visitor_id: &request.visitor_id,
            timestamp: request.timestamp.as_ref(),
            event_id: &request.event_id,
        };
        let mut event = self
            .common(call, project, PURCHASE.to_owned(), common)
            .await?;
        event.money = Some(paid);
        event.product = Some(request.product_name).filter(|name| !name.is_empty());
        Ok(event)
    }

    /// An item of a batch or a stream. Only the operator, who imports what was
    /// exported, says of a visitor with an id that it had none of its own, and of an
    /// event where it is stored already.
    pub(super) async fn new_item(
        &self,
        call: &Call,
        project: ProjectId,
        item: pb::EventItem,
    ) -> Result<NewEvent> {
        let is_operator = call.principal().is_operator();
        let cookieless = item.cookieless() && is_operator;
        let position = item.log_position.filter(|_| is_operator);
        let mut event = self.checked_item(call, project, item).await?;
        event.copy_of = position.map(|seq| Original {
            seq,
            id: event.client_id.as_deref().and_then(own_id),
        });
        if cookieless && let Visitor::Known(id) = event.visitor {
            event.visitor = Visitor::Cookieless(id);
        }
        Ok(event)
    }

    /// An item: a purchase if it has a price, else an event. It is checked as the
    /// request of its own method would be.
    async fn checked_item(
        &self,
        call: &Call,
        project: ProjectId,
        item: pb::EventItem,
    ) -> Result<NewEvent> {
        if !item.parse_error.is_empty() {
            return Err(Error::invalid(item.parse_error));
        }
        if item.price.is_some() && (item.event_name.is_empty() || item.event_name == PURCHASE) {
            let request = pb::SendPurchaseRequest {
                price: item.price,
                currency: item.currency,
                product_name: item.product_name,
                quantity: item.quantity,
                metadata: item.metadata,
                visitor_id: item.visitor_id,
                timestamp: item.timestamp,
                event_id: item.event_id,
            };
            check(&request)?;
            return self.new_purchase(call, project, request).await;
        }
        if item.price.is_some() {
            return Err(Error::invalid_field(
                "event_name",
                "event_name is left out of a purchase: an item has a name or a price",
            ));
        }
        let request = pb::SendEventRequest {
            event_name: item.event_name,
            metadata: item.metadata,
            visitor_id: item.visitor_id,
            timestamp: item.timestamp,
            event_id: item.event_id,
        };
        check(&request)?;
        self.new_event(call, project, request).await
    }

    async fn common(
        &self,
        call: &Call,
        project: ProjectId,
        name: String,
        common: Common<'_>,
    ) -> Result<NewEvent> {
        let known = Known::read(&common.metadata)?;
        // All that are blank would be one event.
        if !common.event_id.is_empty() && common.event_id.trim().is_empty() {
            return Err(blank("event_id"));
        }
        let user_agent = known.user_agent.as_deref().or(call.user_agent());
        let visitor = match common.visitor_id.trim() {
            "" => {
                let address = call.client().address.to_string();
                let agent = user_agent.unwrap_or_default();
                self.events.cookieless(project, &address, agent).await?
            }
            id => Visitor::Known(id.to_owned()),
        };
        let own_id = Some(common.event_id.to_owned()).filter(|id| !id.is_empty());
        let properties = Some(common.metadata).filter(|text| !text.is_empty());
        Ok(NewEvent {
            project,
            time: self.time(common.timestamp)?,
            name,
            visitor,
            client_id: own_id.or(known.event_id),
            audience: Audience::default(),
            page: Page::new(
                known.url.as_deref().unwrap_or_default(),
                known.referrer.as_deref().unwrap_or_default(),
            ),
            money: None,
            product: None,
            properties,
            person: None,
            device: None,
            copy_of: None,
        })
    }

    /// When it happened: not more than a day ahead; the past has no bound.
    fn time(&self, timestamp: Option<&prost_types::Timestamp>) -> Result<i64> {
        let now = self.clock.micros();
        let Some(timestamp) = timestamp else {
            return Ok(now);
        };
        match micros(timestamp) {
            None => Err(Error::invalid_field(
                "timestamp",
                "timestamp is out of range",
            )),
            Some(time) if time > now + DAY => Err(Error::invalid_field(
                "timestamp",
                "timestamp must not be more than 24 hours in the future",
            )),
            Some(time) => Ok(time),
        }
    }
}

impl Known {
    fn read(metadata: &str) -> Result<Self> {
        let mut known = Self::default();
        if metadata.is_empty() {
            return Ok(known);
        }
        let members = raw::members(metadata, DEPTH);
        for (name, value) in members.unwrap_or_default() {
            let slot = match name.as_ref() {
                "event_id" => &mut known.event_id,
                "url" => &mut known.url,
                "referrer" => &mut known.referrer,
                "user_agent" => &mut known.user_agent,
                _ => continue,
            };
            // Free properties: what is no text is nothing to us.
            *slot = raw::text(value).filter(|text| !text.is_empty());
        }
        if known
            .event_id
            .as_ref()
            .is_some_and(|id| id.trim().is_empty())
        {
            return Err(blank("metadata.event_id"));
        }
        if let Some(id) = &known.event_id
            && (id.len() > MAX_ID || id.contains('\0'))
        {
            return Err(Error::invalid_field(
                "metadata.event_id",
                format!("metadata.event_id must have at most {MAX_ID} bytes"),
            ));
        }
        Ok(known)
    }
}

impl Paid {
    /// Reads `price`, `currency` (USD unless told), `quantity` (1 unless told) and
    /// `product_name` or `product`. Without a price nothing was paid.
    fn read(metadata: &str) -> Result<Option<Self>> {
        let members = raw::members(metadata, DEPTH).unwrap_or_default();
        let find = |name: &str| {
            // Of members with one name the last counts.
            let own = members.iter().rev().find(|(own, _)| own == name)?;
            Some(own.1.trim()).filter(|value| *value != "null")
        };
        let Some(price) = find("price") else {
            return Ok(None);
        };
        let quantity = find("quantity").map_or(Ok(1), |value| positive("quantity", value))?;
        let currency = match find("currency") {
            None => Some("USD".to_owned()),
            Some(value) => raw::text(value),
        };
        let price = positive("price", price)?;
        let money = money::money(price, &currency.unwrap_or_default(), quantity)?;
        let product = find("product_name").or_else(|| find("product"));
        let product = product.and_then(raw::text);
        let product = product.filter(|name| !name.is_empty() && name.len() <= MAX_ID);
        Ok(Some(Self { money, product }))
    }
}

fn blank(field: &str) -> Error {
    Error::invalid_field(field, format!("{field} must not be blank"))
}

/// An integer above zero; also one that a page's attribute gave as text.
fn positive(name: &str, value: &str) -> Result<i64> {
    let text = raw::text(value);
    let number = text.as_deref().unwrap_or(value).parse::<i64>();
    number.ok().filter(|number| *number > 0).ok_or_else(|| {
        Error::invalid_field(
            format!("metadata.{name}"),
            format!("metadata.{name} must be a positive integer"),
        )
    })
}
