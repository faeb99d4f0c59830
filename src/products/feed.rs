//! An ingestion stream: what the products that take events have in common. Every
//! message is acknowledged once it is durable. Of a stream with a name it is
//! remembered how far it got, so that its client may go on there after a crash, its
//! own or the server's.

use futures_util::{Stream, StreamExt as _, stream as streams};
use tonic::Status;

use crate::auth::ProjectId;
use crate::error::{Error, Result};
use crate::events::{Appended, EventLog, NewEvent, STREAM_MOVED, StreamPosition};
use crate::server::{Call, Requests};

/// What a product makes of the messages of a stream.
pub(crate) trait Feed: Send + Sync + 'static {
    /// A message.
    type Step: Send;
    /// What is known of its items before they are stored.
    type Draft: Default + Send;
    /// An acknowledgement.
    type Answer: Send;

    /// How the names begin that its streams are kept under: products do not meet.
    const KEPT_AS: &'static str;

    /// What every product's messages say.
    fn head(step: &Self::Step) -> Head<'_>;

    /// The events of a message, and what becomes of its other items.
    fn read(
        &self,
        call: &Call,
        project: ProjectId,
        step: Self::Step,
    ) -> impl Future<Output = Result<(Vec<NewEvent>, Self::Draft)>> + Send;

    /// Says that everything up to a position is durable, and what became of the items
    /// of a message that was stored.
    fn answer(position: i64, draft: Self::Draft, appended: &[Appended]) -> Self::Answer;
}

/// What every product's messages say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    /// Name of the stream, in its first message.
    pub(crate) stream: &'a str,
    /// Position of the message's last item in the client's own counting.
    pub(crate) position: i64,
    /// Whether it has no items.
    pub(crate) is_empty: bool,
}

/// Where a stream stands.
struct State<F: Feed> {
    feed: F,
    events: EventLog,
    call: Call,
    project: ProjectId,
    requests: Requests<F::Step>,
    /// What the stream is kept under, once the first message has come.
    name: Option<Option<String>>,
    durable: i64,
    /// The position of the last message with events.
    sent: i64,
    over: bool,
}

/// Acknowledges the messages of a stream, each once it is durable.
pub(crate) fn stream<F: Feed>(
    feed: F,
    events: EventLog,
    call: Call,
    project: ProjectId,
    requests: Requests<F::Step>,
) -> impl Stream<Item = Result<F::Answer, Status>> {
    let state = State {
        feed,
        events,
        call,
        project,
        requests,
        name: None,
        durable: 0,
        sent: 0,
        over: false,
    };
    streams::unfold(state, |mut state| async move {
        if state.over {
            return None;
        }
        match state.next().await {
            Ok(Some(answer)) => Some((Ok(answer), state)),
            Ok(None) => None,
            Err(error) => {
                state.over = true;
                let status = state.call.status_of(error);
                Some((Err(status), state))
            }
        }
    })
}

impl<F: Feed> State<F> {
    async fn next(&mut self) -> Result<Option<F::Answer>> {
        let Some(step) = self.requests.next().await else {
            return Ok(None);
        };
        let step = step?;
        let head = F::head(&step);
        let (position, is_empty) = (head.position, head.is_empty);
        let name = match &self.name {
            Some(name) => name.clone(),
            None => {
                let named = Some(head.stream).filter(|name| !name.is_empty());
                let name = named.map(|name| format!("{}{name}", F::KEPT_AS));
                if let Some(name) = &name {
                    self.durable = self.events.stream_position(self.project, name).await?;
                    self.sent = self.durable;
                }
                self.name = Some(name.clone());
                if is_empty {
                    // It only opens the stream: say how far it got.
                    return Ok(Some(F::answer(self.durable, F::Draft::default(), &[])));
                }
                name
            }
        };
        let (durable, answer) = match name {
            Some(name) => self.named_step(&name, (position, is_empty), step).await?,
            None => {
                let (events, draft) = self.feed.read(&self.call, self.project, step).await?;
                let appended = self.events.append(events).await?;
                (position, F::answer(position, draft, &appended))
            }
        };
        self.durable = durable;
        if !is_empty {
            self.sent = position;
        }
        Ok(Some(answer))
    }

    /// Stores a message of a named stream, unless it is stored already. Answers the
    /// durable position, too.
    async fn named_step(
        &mut self,
        name: &str,
        (position, is_empty): (i64, bool),
        step: F::Step,
    ) -> Result<(i64, F::Answer)> {
        let stored_already = |durable| Ok((durable, F::answer(durable, F::Draft::default(), &[])));
        if position == 0 && !is_empty {
            return Err(Error::invalid_field(
                "position",
                "position of events in a named stream must be at least 1",
            ));
        }
        if position <= self.durable {
            // Sent before the last acknowledgement was seen: it is there already.
            return stored_already(self.durable);
        }
        let (events, draft) = self.feed.read(&self.call, self.project, step).await?;
        let stream = StreamPosition {
            project: self.project,
            name: name.to_owned(),
            after: self.sent,
            position,
        };
        match self.events.append_stream(events, stream).await {
            Ok(appended) => Ok((position, F::answer(position, draft, &appended))),
            Err(error) if error.specific_reason() == Some(STREAM_MOVED) => {
                let durable = self.events.stream_position(self.project, name).await?;
                match position <= durable {
                    true => stored_already(durable),
                    false => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}
