//! SQLite's one writer. It takes whatever queued while the last commit ran, runs
//! each piece in a savepoint of one shared transaction, commits, and only then
//! answers all of them. There is no timer: the commit is the window.
//!
//! When anything but a piece's own work fails, or SQLite ends the transaction by
//! itself, nobody knows any more what the connection is in the middle of. Then the
//! whole group is answered with an error, and the connection is closed, which
//! undoes whatever is left, and opened anew.
//!
//! A script that is alone in its group is spared all that: it begins and commits by
//! itself, in one trip.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use sea_orm::{ConnectionTrait as _, DbErr};
use tokio::sync::{mpsc, oneshot};

use super::held::Held;
use super::sqlite::Opener;
use super::witness::{Witness, Witnessed};
use super::writer::{caught, scripted};
use super::{Outcome, Script, Tx, Work};
use crate::error::{Error, Result};

/// Pieces of work that share a transaction at the most.
const GROUP: usize = 512;

/// What the writer is sent.
#[derive(Debug)]
pub(super) enum Message {
    Write(Queued),
    Script(Script, Answer),
    /// Close the connection after all that was sent before, and say so.
    Close(oneshot::Sender<()>),
}

/// Who waits for what work answers.
type Answer = oneshot::Sender<Result<Outcome>>;

/// Why a group as a whole was not committed.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    Failed(Arc<DbErr>),
    /// The database ended the transaction by itself, or did not really commit.
    Lost,
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        Self::Failed(Arc::new(error))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Failed(error) => error.into(),
            Fault::Lost => Error::unavailable("The database cannot be reached at the moment")
                .caused_by("the transaction of the group was lost"),
        }
    }
}

/// A piece of work and who waits for it.
pub(super) struct Queued {
    pub(super) work: Work,
    pub(super) answer: Answer,
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queued")
    }
}

/// A piece that was run, until it is known what became of its group.
struct Finished {
    result: Result<Outcome>,
    answer: Answer,
}

impl Queued {
    /// Runs inside the group's transaction.
    async fn run(self, shared: &mut Shared<'_>) -> Finished {
        Finished {
            result: shared.run(self.work).await,
            answer: self.answer,
        }
    }

    /// Answers that it was not begun.
    fn refuse(self, fault: Fault) {
        let _ = self.answer.send(Err(fault.into()));
    }
}

impl Finished {
    /// Answers the caller.
    fn tell(self, ended: Result<(), Fault>) {
        let outcome = self.result.and_then(|value| match ended {
            Ok(()) => Ok(value),
            Err(fault) => Err(fault.into()),
        });
        // A caller that went away has no use for the answer.
        let _ = self.answer.send(outcome);
    }
}

/// Whether a piece shares its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Alone,
    Several,
}

/// The transaction of a group. It begins with the first statement of its pieces, in one
/// trip; a piece that writes nothing costs nothing.
///
/// In company a piece has a savepoint, which begins with its first statement too. The one
/// before is released in the same trip, under another name: what cannot be released must
/// not be taken back in its stead.
struct Shared<'w> {
    tx: Tx,
    company: Company,
    state: State,
    witness: &'w Witness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was written.
    New,
    /// It was begun, and no savepoint is open.
    Begun,
    /// This savepoint is open.
    Odd,
    Even,
}

impl Shared<'_> {
    /// Runs a piece.
    async fn run(&mut self, work: Work) -> Result<Outcome> {
        let (begin, undo, next) = match (self.company, self.state) {
            (Company::Alone, _) => ("BEGIN IMMEDIATE", None, State::Begun),
            (_, State::New) => ("BEGIN IMMEDIATE; SAVEPOINT odd", Some(UNDO_ODD), State::Odd),
            (_, State::Begun) => ("SAVEPOINT odd", Some(UNDO_ODD), State::Odd),
            (_, State::Even) => ("RELEASE even; SAVEPOINT odd", Some(UNDO_ODD), State::Odd),
            (_, State::Odd) => ("RELEASE odd; SAVEPOINT even", Some(UNDO_EVEN), State::Even),
        };
        self.tx.before_next(begin);
        let result = caught(&self.tx, work).await;
        if self.tx.was_idle() {
            return result;
        }
        self.state = next;
        if let (Some(undo), Err(_)) = (undo, &result) {
            self.state = State::Begun;
            // What a savepoint that fails leaves behind is anybody's guess.
            if self.tx.execute_unprepared(undo).await.is_err() {
                self.witness.give_up();
            }
        }
        result
    }

    /// Ends it; answers the connection. That it was committed is believed when SQLite
    /// says so twice: by the answer, and by its hook.
    async fn end(self, commit: bool) -> Result<Option<Held>, Fault> {
        if self.state == State::New {
            return Ok(self.tx.back());
        }
        if self.witness.is_lost() {
            return Err(Fault::Lost);
        }
        if !commit {
            return Ok(self.tx.end(false).await?);
        }
        self.witness.expect_commit();
        let held = self.tx.end(true).await?;
        match self.witness.saw_commit() {
            true => Ok(held),
            false => Err(Fault::Lost),
        }
    }
}

const UNDO_ODD: &str = "ROLLBACK TO odd; RELEASE odd";
const UNDO_EVEN: &str = "ROLLBACK TO even; RELEASE even";

/// Writes until nobody can send any more, or until it is told to close.
pub(super) async fn serve(
    opener: Opener,
    connection: Witnessed,
    mut queue: mpsc::Receiver<Message>,
    faulty: Arc<AtomicBool>,
) {
    let mut connection = Some(connection);
    let mut received = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut received, GROUP).await > 0 {
        let mut group = Vec::with_capacity(received.len());
        let mut alone = None;
        let mut closing = None;
        let several = received.len() > 1;
        for message in received.drain(..) {
            match message {
                Message::Write(piece) => group.push(piece),
                Message::Script(script, answer) if several => group.push(Queued {
                    work: scripted(script),
                    answer,
                }),
                Message::Script(script, answer) => alone = Some((script, answer)),
                Message::Close(done) => closing = Some(done),
            }
        }
        if !group.is_empty() {
            turn(&opener, &mut connection, Turn::Group(group), &faulty).await;
        }
        if let Some((script, answer)) = alone {
            turn(
                &opener,
                &mut connection,
                Turn::Script(script, answer),
                &faulty,
            )
            .await;
        }
        if let Some(done) = closing {
            if let Some(connection) = connection {
                connection.finish().await;
            }
            let _ = done.send(());
            return;
        }
    }
}

/// What shares a transaction.
enum Turn {
    Group(Vec<Queued>),
    Script(Script, Answer),
}

impl Turn {
    async fn commit(self, connection: &mut Witnessed, faulty: &AtomicBool) -> Result<(), Fault> {
        match self {
            Self::Group(group) => commit(connection, group, faulty).await,
            Self::Script(script, answer) => {
                let ended = alone(connection, script).await;
                faulty.store(ended.is_err(), Ordering::Relaxed);
                let outcome = ended.clone().map(|()| Box::new(()) as Outcome);
                let _ = answer.send(outcome.map_err(Error::from));
                ended
            }
        }
    }

    /// Answers that it was not begun.
    fn refuse(self, fault: Fault) {
        match self {
            Self::Group(group) => refuse(group, &fault),
            Self::Script(_, answer) => {
                let _ = answer.send(Err(fault.into()));
            }
        }
    }
}

/// Runs a script by itself. It is believed to be committed on the same evidence as
/// a group.
async fn alone(connection: &mut Witnessed, script: Script) -> Result<(), Fault> {
    connection.witness.begin();
    connection.transact(script).await?;
    match connection.witness.saw_commit() {
        true => Ok(()),
        false => Err(Fault::Lost),
    }
}

/// Writes a group, on a connection that is known to be sound. Notes whether the
/// database did its part before anybody is answered.
async fn turn(
    opener: &Opener,
    connection: &mut Option<Witnessed>,
    group: Turn,
    faulty: &AtomicBool,
) {
    let mut open = match connection.take() {
        Some(open) => open,
        None => match opener.open().await {
            Ok(open) => {
                tracing::info!("opened the database for writing again");
                open
            }
            Err(error) => {
                faulty.store(true, Ordering::Relaxed);
                return group.refuse(error.into());
            }
        },
    };
    // Outside of the pieces' own work nothing panics. If it does, the callers are
    // told by the loss of their answers.
    let committed = AssertUnwindSafe(group.commit(&mut open, faulty))
        .catch_unwind()
        .await;
    match committed {
        Ok(Ok(())) => *connection = Some(open),
        Ok(Err(fault)) => {
            let cause = Error::from(fault).log_cause();
            tracing::error!(cause, "lost a group of writes; will open the database anew");
            open.discard().await;
        }
        Err(_) => {
            tracing::error!("the writer panicked; will open the database anew");
            faulty.store(true, Ordering::Relaxed);
            open.discard().await;
        }
    }
}

fn refuse(group: impl IntoIterator<Item = Queued>, fault: &Fault) {
    for piece in group {
        piece.refuse(fault.clone());
    }
}

/// Runs a group in one transaction and answers its callers. Alone in its group, a
/// piece that fails takes the whole transaction back.
async fn commit(
    connection: &mut Witnessed,
    group: Vec<Queued>,
    faulty: &AtomicBool,
) -> Result<(), Fault> {
    let company = match group.len() {
        1 => Company::Alone,
        _ => Company::Several,
    };
    let witness = &connection.witness.clone();
    witness.begin();
    let held = match connection.take().await {
        Ok(held) => held,
        Err(error) => {
            let fault = Fault::from(error);
            faulty.store(true, Ordering::Relaxed);
            refuse(group, &fault);
            return Err(fault);
        }
    };
    let mut shared = Shared {
        tx: Tx::own(held),
        company,
        state: State::New,
        witness,
    };
    let mut finished = Vec::with_capacity(group.len());
    let mut failed = false;
    let mut group = group.into_iter();
    while !witness.is_lost()
        && let Some(piece) = group.next()
    {
        let piece = piece.run(&mut shared).await;
        failed |= piece.result.is_err();
        finished.push(piece);
    }
    let ended = shared.end(company == Company::Several || !failed).await;
    let ended = ended.map(|held| connection.put(held));
    faulty.store(ended.is_err(), Ordering::Relaxed);
    for piece in finished {
        piece.tell(ended.clone());
    }
    if let Err(fault) = &ended {
        refuse(group, fault);
    }
    ended
}

#[cfg(test)]
mod tests;
