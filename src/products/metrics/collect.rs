//! The script for pages, and what it sends: events without a key, of a project that
//! the page's origin tells, by visitors who are recognised for a day.

use prost::Message as _;

use super::Metrics;
use crate::api::apex::metrics::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::api::{BrowserService, SCHEMA};
use crate::auth::ProjectId;
use crate::browser::Script;
use crate::error::{Error, Kind, Result};
use crate::events::{NewEvent, Page};
use crate::policy::Profile;
use crate::server::check::check;
use crate::server::{Call, Reply};
use crate::transcode::json::{Rules, decode, lexer};

use super::item::PAGE_VIEWS;

const REQUEST: &str = "apex.metrics.v1.CollectEventRequest";
const PAGE_VIEW: i32 = 1;
const RECEIVED: &str = "Event received";
const STATUS: i32 = 202;

impl Metrics {
    /// Stores what a page tells.
    async fn collect(&self, call: &Call, request: pb::CollectEventRequest) -> Result<()> {
        let project = site(call, &request)?;
        let event = self.page_event(call, project, request).await?;
        self.store(call, event, |_| received().encode_to_vec())
            .await?;
        Ok(())
    }

    async fn page_event(
        &self,
        call: &Call,
        project: ProjectId,
        request: pb::CollectEventRequest,
    ) -> Result<NewEvent> {
        let event_name = match request.event_type {
            Some(PAGE_VIEW) => PAGE_VIEWS[0].to_owned(),
            _ => request.event_key,
        };
        let page = Page::new(&request.url, &request.referrer);
        let request = pb::SendEventRequest {
            event_name,
            metadata: request.event_metadata,
            visitor_id: request.user_id,
            timestamp: request.timestamp,
            event_id: request.event_id,
        };
        check(&request)?;
        let mut event = self.new_event(call, project, request).await?;
        event.page = page;
        Ok(event)
    }

    /// Reads and stores what a beacon carries.
    async fn beacon(&self, call: &Call, body: &HttpBody) -> Result<()> {
        let fault = |_| Error::invalid("The body is not an event");
        let text = lexer::Lexer::check(&body.data).map_err(fault)?;
        let own = SCHEMA.find(REQUEST);
        let own = own.ok_or_else(|| Error::internal("a message without a table"))?;
        let mut wire = Vec::with_capacity(body.data.len());
        let rules = Rules::of(Profile::Lenient);
        decode::message(&SCHEMA, rules, own, text, &mut wire).map_err(fault)?;
        let request = pb::CollectEventRequest::decode(wire.as_slice()).map_err(Error::internal)?;
        check(&request)?;
        self.collect(call, request).await
    }
}

/// The project a page is of.
fn site(call: &Call, request: &pb::CollectEventRequest) -> Result<ProjectId> {
    let origin = call.client().origin.as_ref();
    let origin = origin.map_or_else(
        || Page::new(&request.url, "").origin,
        |origin| origin.to_str().ok().map(str::to_owned),
    );
    let origin = origin.unwrap_or_default();
    let key = Some(request.project_key.as_str()).filter(|key| !key.is_empty());
    call.directory()
        .project_of_page(key, &origin)
        .map(|project| project.id)
}

fn received() -> pb::CollectEventResponse {
    pb::CollectEventResponse {
        message: RECEIVED.to_owned(),
        status: STATUS,
    }
}

impl BrowserService for Metrics {
    async fn get_sdk(&self, call: Call, request: pb::GetSdkRequest) -> Result<Reply<HttpBody>> {
        // A tag that names no project that is there is served like one that names none.
        let project = call.directory().project_key(&request.key).ok().flatten();
        let project = project
            .as_ref()
            .map(|project| (request.key.as_str(), project));
        Ok(self.scripts.serve(Script::Metrics, call.client(), project))
    }

    async fn collect_event(
        &self,
        call: Call,
        request: pb::CollectEventRequest,
    ) -> Result<Reply<pb::CollectEventResponse>> {
        self.collect(&call, request).await?;
        Ok(received().into())
    }

    async fn collect_beacon(
        &self,
        call: Call,
        request: pb::CollectBeaconRequest,
    ) -> Result<Reply<pb::CollectBeaconResponse>> {
        match self.beacon(&call, &request.body.unwrap_or_default()).await {
            Err(error) if error.kind() == Kind::Internal => return Err(error),
            Err(error) => tracing::debug!(%error, "a beacon was refused"),
            Ok(()) => {}
        }
        Ok(pb::CollectBeaconResponse {
            message: RECEIVED.to_owned(),
            status: STATUS,
        }
        .into())
    }
}
