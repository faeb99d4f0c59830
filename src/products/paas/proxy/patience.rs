//! The body of a request, on its way to a container. It can be begun once more as long as
//! nothing of it was taken, and is given up when nothing of it comes for too long: until
//! the container answers, for what both say afterwards may have its pauses.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use tower::BoxError;

/// A body that several may ask for, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Patient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    patience: Duration,
    is_answered: AtomicBool,
}

#[derive(Debug)]
struct State {
    body: Incoming,
    late: Pin<Box<Sleep>>,
    is_begun: bool,
}

impl Patient {
    pub(super) fn new(body: Incoming, patience: Duration) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State {
                body,
                late: Box::pin(sleep(patience)),
                is_begun: false,
            }),
            patience,
            is_answered: AtomicBool::new(false),
        }))
    }

    /// Whether something of it was taken.
    pub(super) fn is_begun(&self) -> bool {
        self.state().is_begun
    }

    /// From now on it may take as long as it likes.
    pub(super) fn answered(&self) {
        self.0.is_answered.store(true, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.state();
        if let Poll::Ready(frame) = Pin::new(&mut state.body).poll_frame(context) {
            state.is_begun = true;
            let late = Instant::now() + self.0.patience;
            state.late.as_mut().reset(late);
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let is_answered = self.0.is_answered.load(Ordering::Relaxed);
        if !is_answered && state.late.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err("nothing of the body came".into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.state().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.state().body.size_hint()
    }
}
