//! What a connection has been doing, so that one that is idle, whose client takes
//! nothing, or that is old is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::config::Transport;

/// How long a connection that carries no request is still heard while the server
/// goes: a request may be on its way.
const PARTING: Duration = Duration::from_secs(1);

/// What a connection has been doing.
pub(crate) struct Activity {
    opened: Instant,
    /// When it is told to go, so that connections of one moment do not all
    /// come back in one moment.
    old_after: Duration,
    running: AtomicUsize,
    requests: AtomicUsize,
    /// Milliseconds after opening at which the last request ended.
    last: AtomicI64,
    /// Answers of which a part was given and the next was not asked for.
    untaken: AtomicUsize,
    /// Milliseconds after opening at which a part was given or asked for.
    moved: AtomicI64,
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Drain,
    End,
}

impl Activity {
    /// A connection that was opened now. `salt` differs between connections.
    pub(crate) fn new(bounds: &Transport, salt: u16) -> Self {
        // Between nine and eleven tenths of the age that is set.
        let share = 0.9 + 0.2 * f64::from(salt % 256) / 256.0;
        Self {
            opened: Instant::now(),
            old_after: bounds.max_age.0.mul_f64(share),
            running: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            last: AtomicI64::new(0),
            untaken: AtomicUsize::new(0),
            moved: AtomicI64::new(0),
        }
    }

    /// A request begins; it ends with the turn.
    pub(crate) fn begin(self: &Arc<Self>) -> Turn {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        Turn {
            activity: self.clone(),
            untaken: false,
        }
    }

    fn age(&self) -> i64 {
        self.opened.elapsed().as_millis() as i64
    }

    fn since(&self, moment: &AtomicI64) -> Duration {
        let moment = Duration::from_millis(moment.load(Ordering::Relaxed).max(0) as u64);
        self.opened.elapsed().saturating_sub(moment)
    }

    fn idle(&self) -> Duration {
        match self.running.load(Ordering::Relaxed) {
            0 => self.since(&self.last),
            _ => Duration::ZERO,
        }
    }

    /// How long the client has taken nothing of what is there for it.
    fn stalled(&self) -> Duration {
        match self.untaken.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            _ => self.since(&self.moved),
        }
    }

    /// A connection that has asked nothing yet is given as long as its headers.
    fn patience(&self, bounds: &Transport) -> Duration {
        match self.requests.load(Ordering::Relaxed) {
            0 => bounds.header_timeout.0,
            _ => bounds.idle_timeout.0,
        }
    }

    /// How long to wait before the next look.
    pub(crate) fn quiet_for(&self, bounds: &Transport) -> Duration {
        let idle = self.patience(bounds).saturating_sub(self.idle());
        let stalled = bounds.write_timeout.0.saturating_sub(self.stalled());
        idle.min(stalled).max(Duration::from_millis(100))
    }

    /// What becomes of it while the server stays.
    pub(crate) fn verdict(&self, bounds: &Transport) -> Verdict {
        if self.stalled() >= bounds.write_timeout.0 || self.idle() >= self.patience(bounds) {
            Verdict::End
        } else if self.opened.elapsed() >= self.old_after {
            Verdict::Drain
        } else {
            Verdict::Keep
        }
    }

    /// Whether there is nothing to wait for, on a server that has been going for
    /// so long.
    pub(super) fn is_over(&self, going: Duration) -> bool {
        self.idle().min(going) >= PARTING
    }
}

/// A request on a connection, until its answer has been sent or given up.
pub(crate) struct Turn {
    activity: Arc<Activity>,
    untaken: bool,
}

impl Turn {
    /// There is something for the client to take: after what there was before, which
    /// it took.
    pub(super) fn given(&mut self) {
        let activity = &self.activity;
        activity.moved.store(activity.age(), Ordering::Relaxed);
        if !std::mem::replace(&mut self.untaken, true) {
            activity.untaken.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The client took what there was, and there is no more.
    pub(super) fn taken(&mut self) {
        self.taken_at(self.activity.age());
    }

    fn taken_at(&mut self, age: i64) {
        if std::mem::replace(&mut self.untaken, false) {
            self.activity.moved.store(age, Ordering::Relaxed);
            self.activity.untaken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let age = self.activity.age();
        self.taken_at(age);
        let activity = &self.activity;
        activity.last.store(age, Ordering::Relaxed);
        activity.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layers, Span};

    fn bounds(span: Duration) -> Transport {
        let mut bounds = Layers::new().unwrap().build().unwrap().transport;
        bounds.write_timeout = Span(span);
        bounds
    }

    #[test]
    fn only_what_is_there_to_be_taken_stalls() {
        let activity = Arc::new(Activity::new(&bounds(Duration::ZERO), 0));
        let mut turn = activity.begin();
        // The handler is at work: the client cannot take anything.
        assert_eq!(activity.stalled(), Duration::ZERO);
        turn.given();
        assert_eq!(activity.verdict(&bounds(Duration::ZERO)), Verdict::End);
        assert_eq!(
            activity.verdict(&bounds(Duration::from_secs(9))),
            Verdict::Keep
        );
        turn.taken();
        assert_eq!(activity.stalled(), Duration::ZERO);
        turn.given();
        drop(turn);
        assert_eq!(activity.stalled(), Duration::ZERO);
    }

    #[test]
    fn connections_of_one_moment_grow_old_one_by_one() {
        let bounds = bounds(Duration::ZERO);
        let old = |salt| Activity::new(&bounds, salt).old_after;
        assert_eq!(old(0), bounds.max_age.0.mul_f64(0.9));
        assert!(old(255) > old(1) && old(255) < bounds.max_age.0.mul_f64(1.1));
    }
}
