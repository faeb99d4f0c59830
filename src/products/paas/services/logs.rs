//! What the containers of services write, as JSON, as text, or as it comes.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::super::Paas;
use super::super::access::Viewer;
use super::super::engine::{LogLine, LogQuery};
use super::record;
use crate::api::LogService;
use crate::api::apex::paas::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::error::{Error, Result};
use crate::products::{micros, timestamp};
use crate::server::{Call, Replies, Reply};

/// Lines of each container at the most, unless the caller says.
const TAIL: u32 = 1000;
/// The same, to begin with what is followed.
const FOLLOWED_TAIL: u32 = 100;
/// How often it is looked whether somebody may still follow.
const LOOK: Duration = Duration::from_secs(2);

impl Paas {
    async fn lines(&self, call: &Call, id: &str, wanted: LogQuery) -> Result<Replies<LogLine>> {
        let read = self.db().read(call.deadline()).await?;
        let service = record::find(&read, Viewer::of(call)?, id).await?;
        drop(read);
        self.engine()?.logs(service.id, wanted).await
    }
}

/// Which lines a request asks for.
fn query(tail: Option<i32>, since: Option<&prost_types::Timestamp>, most: u32) -> Result<LogQuery> {
    let since = match since {
        None => None,
        Some(at) => Some(micros(at).ok_or_else(|| {
            Error::invalid_field("since", "since must be a time such as 2030-01-01T00:00:00Z")
        })?),
    };
    Ok(LogQuery {
        tail: tail.map_or(most, i32::unsigned_abs),
        since,
        follow: false,
    })
}

fn stream_of(line: &LogLine) -> String {
    let name = if line.is_error { "stderr" } else { "stdout" };
    name.to_owned()
}

impl LogService for Paas {
    async fn get_service_logs(
        &self,
        call: Call,
        request: pb::GetServiceLogsRequest,
    ) -> Result<Reply<pb::GetServiceLogsResponse>> {
        let wanted = query(request.tail, request.since.as_ref(), TAIL)?;
        if request.follow {
            let words = "follow is for streams: call WatchServiceLogs";
            return Err(Error::invalid_field("follow", words));
        }
        let mut found = self.lines(&call, &request.id, wanted).await?;
        let mut answer = pb::GetServiceLogsResponse::default();
        while let Some(line) = found.next().await {
            let line = line.map_err(|status| Error::from_status(&status))?;
            answer.logs.push_str(&line.text);
            answer.logs.push('\n');
            answer.lines.push(pb::LogLine {
                ts: Some(timestamp(line.at)),
                stream: stream_of(&line),
                replica: line.replica,
                message: line.text,
            });
        }
        Ok(answer.into())
    }

    async fn get_service_log_text(
        &self,
        call: Call,
        request: pb::GetServiceLogTextRequest,
    ) -> Result<Reply<HttpBody>> {
        let wanted = query(request.tail, request.since.as_ref(), TAIL)?;
        let mut found = self.lines(&call, &request.id, wanted).await?;
        let mut text = String::new();
        while let Some(line) = found.next().await {
            let line = line.map_err(|status| Error::from_status(&status))?;
            text.push_str(&line.text);
            text.push('\n');
        }
        let body = HttpBody {
            content_type: "text/plain; charset=utf-8".to_owned(),
            data: text.into_bytes().into(),
            extensions: Vec::new(),
        };
        Ok(body.into())
    }

    async fn watch_service_logs(
        &self,
        call: Call,
        request: pb::WatchServiceLogsRequest,
    ) -> Result<Replies<pb::WatchServiceLogsResponse>> {
        let wanted = query(request.tail, request.since.as_ref(), FOLLOWED_TAIL)?;
        let wanted = LogQuery {
            follow: true,
            ..wanted
        };
        let lines = self.lines(&call, &request.id, wanted).await?;
        let found = Watch {
            paas: self.clone(),
            viewer: Viewer::of(&call)?,
            call,
            service: request.id,
            lines,
            look: Instant::now() + LOOK,
        };
        let shown = found.lines().map(|line| {
            let line = line?;
            Ok(pb::WatchServiceLogsResponse {
                ts: Some(timestamp(line.at)),
                stream: stream_of(&line),
                replica: line.replica,
                message: line.text,
            })
        });
        Ok(Box::pin(shown))
    }
}

/// Somebody who follows what a service writes.
struct Watch {
    paas: Paas,
    viewer: Viewer,
    call: Call,
    service: String,
    lines: Replies<LogLine>,
    /// When it is looked again whether they still may.
    look: Instant,
}

impl Watch {
    /// The lines, as long as the service is there and the caller may see it.
    fn lines(self) -> Replies<LogLine> {
        Box::pin(stream::unfold(Some(self), |own| async move {
            let mut own = own?;
            loop {
                let next = timeout_at(own.look, own.lines.next()).await;
                if Instant::now() >= own.look {
                    own.look = Instant::now() + LOOK;
                    if let Err(error) = own.may_see().await {
                        return Some((Err(own.call.status_of(error)), None));
                    }
                }
                if let Ok(line) = next {
                    return Some((line?, Some(own)));
                }
            }
        }))
    }

    // Of lines that come only one may read at a time.
    async fn may_see(&mut self) -> Result<()> {
        if !self.call.directory().knows(self.call.principal()) {
            return Err(Error::unauthenticated("What you signed in by was revoked"));
        }
        let read = self.paas.db().read(None).await?;
        record::find(&read, self.viewer, &self.service).await?;
        Ok(())
    }
}
