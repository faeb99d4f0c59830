//! A body that keeps a request's turn until it has been sent, or given up, and
//! that is handed on in parts: whether a client takes its answer shows in whether
//! the next part is asked for.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::activity::Turn;

/// Bytes that are handed on at once. HTTP/2 asks for the next ones only when the
/// client's window has room.
const PART: usize = 64 * 1024;

pin_project! {
    /// A body, and what is dropped with it.
    pub(crate) struct Held<B> {
        #[pin]
        body: B,
        rest: Bytes,
        turn: Turn,
    }
}

impl<B> Held<B> {
    pub(crate) fn new(body: B, mut turn: Turn) -> Self {
        // The head is there to be taken.
        turn.given();
        Self {
            body,
            rest: Bytes::new(),
            turn,
        }
    }
}

impl<B: Body<Data = Bytes>> Body for Held<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let own = self.project();
        // That it is asked for more says that the client took what there was.
        let frame = match own.rest.is_empty() {
            true => own.body.poll_frame(context),
            false => Poll::Ready(Some(Ok(Frame::data(std::mem::take(own.rest))))),
        };
        let Poll::Ready(Some(Ok(frame))) = frame else {
            own.turn.taken();
            return frame;
        };
        own.turn.given();
        let frame = match frame.into_data() {
            Ok(mut data) => {
                if data.len() > PART {
                    *own.rest = data.split_off(PART);
                }
                Frame::data(data)
            }
            Err(frame) => frame,
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, own) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(own.lower() + rest);
        if let Some(upper) = own.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
