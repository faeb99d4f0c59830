//! The bytes of a connection: those that come are metered, those that go must be
//! taken in time, and after the last answer what the client still sends is read and
//! thrown away for a moment. A socket that is closed with bytes unread takes its
//! answer back, so that whoever sends too much would never learn why it was refused.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::meter::Meter;
use crate::config::Transport;

/// How long a client may go on sending after its answer.
const LINGER: Duration = Duration::from_secs(5);
/// A client that has sent nothing for so long will not.
const QUIET: Duration = Duration::from_millis(500);

/// A connection's bytes.
pub(super) struct Wire<I> {
    inner: I,
    meter: Meter,
    write_timeout: Duration,
    /// Set while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    parting: Option<Parting>,
}

/// The server has said its last word.
struct Parting {
    end: Instant,
    quiet: Pin<Box<Sleep>>,
}

impl<I> Wire<I> {
    pub(super) fn new(inner: I, bounds: &Transport) -> Self {
        Self {
            inner,
            meter: Meter::new(bounds.max_idle_frames),
            write_timeout: bounds.write_timeout.0,
            stalled: None,
            parting: None,
        }
    }

    /// Looks at how a write went; one that waits too long fails.
    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.stalled = None;
            self.meter.wrote(*written.as_ref().unwrap_or(&0));
            return Poll::Ready(written);
        }
        let longest = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(longest)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Wire<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let seen = self.meter.read(&buffer.filled()[before..]);
        Poll::Ready(seen.map_err(io::Error::other))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.wrote(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.wrote(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = &mut *self;
        if own.parting.is_none() {
            ready!(Pin::new(&mut own.inner).poll_shutdown(context))?;
        }
        let parting = own.parting.get_or_insert_with(|| Parting {
            end: Instant::now() + LINGER,
            quiet: Box::pin(sleep(QUIET)),
        });
        let mut space = [0; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut own.inner).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let quiet = parting.end.min(Instant::now() + QUIET);
                    parting.quiet.as_mut().reset(quiet);
                }
                // The client has gone, which is all that was waited for.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return parting.quiet.as_mut().poll(context).map(Ok),
            }
        }
    }
}
