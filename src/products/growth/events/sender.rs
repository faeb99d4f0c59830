//! From what is sent to events of the log. A sender is what the events of one
//! request have in common.

use prost_types::Timestamp;

use super::super::Growth;
use super::super::ids::means_nobody;
use super::agent::{Agent, Agents};
use super::data::Known;
use super::environment;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::clock::{DAY, MICROS};
use crate::error::{Error, Result};
use crate::events::{Audience, Environment, NewEvent, Page, Visitor};
use crate::products::growth::names::PURCHASE;
use crate::products::micros;
use crate::server::Call;
use crate::server::check::check;

/// Most characters of a name.
const MAX_NAME: usize = 200;
/// A clock that is wrong by no more than this is left alone: a request takes a while.
const TOLERANCE: i64 = 30 * MICROS;

/// Who sends, and what all events of the request have in common.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    project: ProjectId,
    now: i64,
    /// What the sender's times are moved by.
    shift: i64,
    agents: &'a Agents,
    /// What the request's own user agent tells of the visitor.
    agent: Agent,
    origin: Option<&'a str>,
    visitor: &'a str,
    user: &'a str,
    environment: Option<Environment>,
    /// Whether every event names its page.
    is_page: bool,
}

impl<'a> Sender<'a> {
    /// A page, or a sender that calls like one.
    pub(super) fn page(growth: &'a Growth, call: &'a Call, project: ProjectId) -> Self {
        let origin = call.client().origin.as_ref();
        Self {
            agent: growth.0.agents.of_request(call.user_agent()),
            origin: origin.and_then(|origin| origin.to_str().ok()),
            is_page: true,
            ..Self::server(growth, project)
        }
    }

    /// Somebody who tells of others: its own address and user agent say nothing.
    pub(super) fn server(growth: &'a Growth, project: ProjectId) -> Self {
        Self {
            project,
            now: growth.0.clock.micros(),
            shift: 0,
            agents: &growth.0.agents,
            agent: Agent::default(),
            origin: None,
            visitor: "",
            user: "",
            environment: None,
            is_page: false,
        }
    }

    /// What the sender's clock showed as it sent.
    pub(super) fn sent_at(mut self, sent_at: Option<&Timestamp>) -> Result<Self> {
        if let Some(sent_at) = sent_at {
            let sent = micros(sent_at);
            let sent =
                sent.ok_or_else(|| Error::invalid_field("sentAt", "sentAt is out of range"))?;
            let wrong = self.now.saturating_sub(sent);
            let believed = TOLERANCE < wrong.saturating_abs() && wrong.saturating_abs() <= DAY;
            self.shift = if believed { wrong } else { 0 };
        }
        Ok(self)
    }

    /// Who the events are of that do not say it themselves.
    pub(super) fn of(mut self, visitor: &'a str, user: &'a str) -> Self {
        self.visitor = visitor;
        self.user = user;
        self
    }

    /// Where the events come from that do not say it themselves.
    pub(super) fn environment(mut self, word: &str) -> Result<Self> {
        self.environment = stated(word)?;
        Ok(self)
    }

    /// An item as it is stored, once it is checked.
    pub(super) fn item(&self, item: pb::EventItem) -> Result<NewEvent> {
        if !item.parse_error.is_empty() {
            return Err(Error::invalid(item.parse_error));
        }
        check(&item)?;
        if self.is_page && item.url.trim().is_empty() {
            return Err(Error::invalid_field("url", "url is required"));
        }
        self.event(item)
    }

    /// A checked event as it is stored.
    pub(super) fn event(&self, item: pb::EventItem) -> Result<NewEvent> {
        // Bytes are counted faster, and are never fewer.
        if item.r#type.len() > MAX_NAME && item.r#type.chars().count() > MAX_NAME {
            let words = format!("type must have at most {MAX_NAME} characters");
            return Err(Error::invalid_field("type", words));
        }
        let known = Known::read(&item.data)?;
        let is_purchase = item.r#type == PURCHASE;
        let order = if is_purchase { known.order_id()? } else { None };
        let client_id = match order {
            // However often an order is told, and under whichever ids.
            Some(order) => Some(format!("{PURCHASE}:{order}")),
            None if item.event_id.trim().is_empty() => known.event_id()?,
            None => Some(item.event_id),
        };
        let agent = match known.user_agent() {
            Some(text) => self.agents.of(&text),
            None => self.agent,
        };
        let referrer = match item.referrer.as_str() {
            "" => known.referrer().unwrap_or_default(),
            own => own.into(),
        };
        let page = Page::new(&item.url, &referrer);
        let told = stated(&item.environment)?;
        let said = || environment::named(&known.environment()?);
        let told = told.or_else(said).or(self.environment);
        let origin = || page.origin.as_deref().or(self.origin).unwrap_or_default();
        let audience = Audience {
            bot: agent.bot,
            environment: told.unwrap_or_else(|| environment::of_origin(origin())),
            stated: told.is_some(),
        };
        let person = somebody([&item.user_id, self.user]);
        let visitor = match somebody([&item.visitor_id, self.visitor]).or(person.clone()) {
            Some(id) => Visitor::Known(id),
            None => Visitor::Nobody,
        };
        let (money, product) = match is_purchase {
            true => (known.price.paid()?, known.product()),
            false => (None, None),
        };
        Ok(NewEvent {
            project: self.project,
            time: self.time(item.timestamp.as_ref())?,
            name: item.r#type,
            visitor,
            client_id,
            audience,
            page,
            money,
            product,
            person,
            device: agent.device.map(str::to_owned),
            copy_of: None,
            properties: Some(item.data).filter(|data| !data.is_empty()),
        })
    }

    /// When it happened, by the server's clock: not more than a day ahead.
    fn time(&self, timestamp: Option<&Timestamp>) -> Result<i64> {
        let Some(timestamp) = timestamp else {
            return Ok(self.now);
        };
        let refused = |words: &str| Error::invalid_field("timestamp", words);
        let time = micros(timestamp).and_then(|time| time.checked_add(self.shift));
        let time = time.ok_or_else(|| refused("timestamp is out of range"))?;
        if time > self.now + DAY {
            return Err(refused(
                "timestamp must not be more than 24 hours in the future",
            ));
        }
        Ok(time)
    }
}

/// The environment a sender names.
fn stated(word: &str) -> Result<Option<Environment>> {
    if word.is_empty() {
        return Ok(None);
    }
    let known = environment::named(word);
    known.map(Some).ok_or_else(|| {
        let words = "environment must be one of production, preview, beta, localhost, dev";
        Error::invalid_field("environment", words)
    })
}

/// The first of the ids that stands for somebody.
fn somebody(ids: [&str; 2]) -> Option<String> {
    let mut ids = ids.into_iter().filter(|id| !means_nobody(id));
    ids.next().map(str::to_owned)
}
