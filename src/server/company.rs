//! Makes the answers of one HTTP/2 connection leave together. Every request runs as
//! a task of its own and wakes its connection when it has an answer; the scheduler
//! would run the connection at once, and each answer would be a write of its own.
//! A connection that steps back once finds the answers of all that were ready.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// A connection, polled after the tasks that are ready when it is woken.
    pub(super) struct Company<F> {
        #[pin]
        connection: F,
        carries_several: Arc<AtomicBool>,
        stepped_back: bool,
    }
}

impl<F> Company<F> {
    /// `carries_several` is true once the connection may carry several requests.
    pub(super) fn new(connection: F, carries_several: Arc<AtomicBool>) -> Self {
        Self {
            connection,
            carries_several,
            stepped_back: false,
        }
    }

    /// The connection itself.
    pub(super) fn connection(self: Pin<&mut Self>) -> Pin<&mut F> {
        self.project().connection
    }
}

impl<F: Future> Future for Company<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.carries_several.load(Ordering::Relaxed) && !*this.stepped_back {
            *this.stepped_back = true;
            // Waking oneself while running queues behind everybody else.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        *this.stepped_back = false;
        this.connection.poll(context)
    }
}
