//! What the containers of services write, as JSON, as text, or as it comes.

use futures_util::StreamExt as _;

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

fn stream(line: &LogLine) -> String {
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
                stream: stream(&line),
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
        let found = self.lines(&call, &request.id, wanted).await?;
        let shown = found.map(|line| {
            let line = line?;
            Ok(pb::WatchServiceLogsResponse {
                ts: Some(timestamp(line.at)),
                stream: stream(&line),
                replica: line.replica,
                message: line.text,
            })
        });
        Ok(Box::pin(shown))
    }
}
