//! Sessions: what a visitor did without a break of more than half an hour.

use super::Growth;
use super::window::{Window, asked};
use crate::api::apex::growth::v1 as pb;
use crate::error::Result;
use crate::events::{Day, PerVisitor, Reading, Span, Walk};
use crate::products::growth::names::PAGE_VIEWS;
use crate::server::Call;

/// The longest break within a session.
const GAP: i64 = 30 * 60 * 1_000_000;
/// How long after the period sessions are followed that began in it.
const FOLLOWED: i64 = 24 * 3600 * 1_000_000;

/// A session, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// Its first event.
    pub(super) start: i64,
    /// Its last event.
    pub(super) end: i64,
    /// How many events; zero before there is a session.
    pub(super) events: u32,
    /// How many of them page views.
    pub(super) views: u32,
    /// Source of its first page view.
    pub(super) source: u32,
    /// Device of its first page view.
    pub(super) device: u32,
    /// Path of its first page view.
    pub(super) entry: u32,
    /// Path of its last page view.
    pub(super) exit: u32,
}

/// What becomes of sessions.
pub(super) trait Sink {
    /// Takes a session that is over.
    fn session(&mut self, visitor: u32, session: &Session);
}

/// Cuts what visitors do into sessions.
pub(super) struct Cutter<S> {
    pub(super) sink: S,
    views: [u32; 2],
    from: i64,
    to: i64,
    open: PerVisitor<Session>,
}

impl<S: Sink + Send + 'static> Cutter<S> {
    /// Goes through the sessions that begin in a span.
    pub(super) async fn run(reading: &mut Reading, span: &Span, sink: S) -> Result<S> {
        let mut views = [0; 2];
        for (number, name) in views.iter_mut().zip(PAGE_VIEWS) {
            *number = reading.number(name).await?;
        }
        let cutter = Self {
            sink,
            views,
            from: span.from,
            to: span.to,
            open: PerVisitor::default(),
        };
        // What began just before may go on; what began within may go on after.
        let wide = Span {
            from: span.from - GAP,
            to: span.to.saturating_add(FOLLOWED),
            ..span.clone()
        };
        let mut cutter = reading.walk(&wide, cutter).await?;
        for (visitor, session) in cutter.open.iter() {
            if session.events > 0 && (cutter.from..cutter.to).contains(&session.start) {
                cutter.sink.session(visitor, session);
            }
        }
        Ok(cutter.sink)
    }
}

impl<S: Sink> Walk for Cutter<S> {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        for own in day.rows.chunk_by(|one, next| one.visitor == next.visitor) {
            let visitor = own[0].visitor;
            // Nobody in particular has no sessions.
            if visitor == 0 {
                continue;
            }
            let open = self.open.of(visitor)?;
            for row in own {
                if open.events == 0 || row.time - open.end > GAP {
                    if open.events > 0 && (self.from..self.to).contains(&open.start) {
                        self.sink.session(visitor, open);
                    }
                    *open = Session {
                        start: row.time,
                        ..Session::default()
                    };
                }
                open.end = row.time;
                open.events += 1;
                if self.views.contains(&row.name) {
                    if open.views == 0 {
                        open.source = row.source;
                        open.device = row.device;
                        open.entry = row.path;
                    }
                    open.views += 1;
                    open.exit = row.path;
                }
            }
        }
        Ok(())
    }
}

/// Sums over sessions.
#[derive(Debug, Default)]
struct Sums {
    sessions: i64,
    viewed: i64,
    single_view: i64,
    single_event: i64,
    /// Microseconds; a project may have more than fit 64 bits.
    duration: i128,
}

impl Sink for Sums {
    fn session(&mut self, _: u32, session: &Session) {
        self.sessions += 1;
        self.viewed += i64::from(session.views > 0);
        self.single_view += i64::from(session.views == 1);
        self.single_event += i64::from(session.views > 0 && session.events == 1);
        self.duration += i128::from(session.end - session.start);
    }
}

impl Growth {
    pub(super) async fn sessions(
        &self,
        call: &Call,
        request: &pb::GetSessionsRequest,
    ) -> Result<pb::GetSessionsResponse> {
        let project = call.project()?;
        let window = Window::of(asked!(request), &project, self.0.clock.micros())?;
        let mut reading = self.0.events.reading(&project, call.deadline()).await?;
        let sums = Cutter::run(&mut reading, &window.span(None), Sums::default()).await?;
        let share = |part: i64, whole: i64| match whole {
            0 => 0.0,
            _ => part as f64 / whole as f64,
        };
        let seconds = sums.duration as f64 / 1e6;
        Ok(pb::GetSessionsResponse {
            sessions: sums.sessions,
            sessions_with_page_view: sums.viewed,
            bounces: Some(pb::Bounces {
                single_page_view: sums.single_view,
                single_event: sums.single_event,
            }),
            bounce_rate: Some(pb::BounceRates {
                single_page_view: share(sums.single_view, sums.viewed),
                single_event: share(sums.single_event, sums.viewed),
            }),
            duration_seconds: seconds,
            average_duration_seconds: match sums.sessions {
                0 => 0.0,
                count => seconds / count as f64,
            },
            period: Some(window.message()),
        })
    }
}
