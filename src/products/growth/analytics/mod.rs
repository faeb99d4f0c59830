//! Analytics: who came, from where, and what they did. What a word means, such as
//! session or conversion, is said where the API is described.

mod attribution;
mod conversions;
mod funnel;
mod model;
mod people;
mod persons;
mod realtime;
mod retention;
mod series;
mod sessions;
mod summary;
mod top;
mod window;

use super::Growth;
use crate::api::AnalyticsService;
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

impl AnalyticsService for Growth {
    async fn get_summary(
        &self,
        call: Call,
        request: pb::GetSummaryRequest,
    ) -> Result<Reply<pb::GetSummaryResponse>> {
        self.summary(&call, &request).await.map(Reply::from)
    }

    async fn get_attribution(
        &self,
        call: Call,
        request: pb::GetAttributionRequest,
    ) -> Result<Reply<pb::GetAttributionResponse>> {
        self.attribution(&call, &request).await.map(Reply::from)
    }

    async fn query_funnel(
        &self,
        call: Call,
        request: pb::QueryFunnelRequest,
    ) -> Result<Reply<pb::QueryFunnelResponse>> {
        self.funnel(&call, &request).await.map(Reply::from)
    }

    async fn get_retention(
        &self,
        call: Call,
        request: pb::GetRetentionRequest,
    ) -> Result<Reply<pb::GetRetentionResponse>> {
        self.retention(&call, &request).await.map(Reply::from)
    }

    async fn get_sessions(
        &self,
        call: Call,
        request: pb::GetSessionsRequest,
    ) -> Result<Reply<pb::GetSessionsResponse>> {
        self.sessions(&call, &request).await.map(Reply::from)
    }

    async fn list_top(
        &self,
        call: Call,
        request: pb::ListTopRequest,
    ) -> Result<Reply<pb::ListTopResponse>> {
        self.top(&call, &request).await.map(Reply::from)
    }

    async fn get_series(
        &self,
        call: Call,
        request: pb::GetSeriesRequest,
    ) -> Result<Reply<pb::GetSeriesResponse>> {
        self.series(&call, &request).await.map(Reply::from)
    }

    async fn get_people(
        &self,
        call: Call,
        request: pb::GetPeopleRequest,
    ) -> Result<Reply<pb::GetPeopleResponse>> {
        self.persons(&call, &request).await.map(Reply::from)
    }

    async fn get_realtime(
        &self,
        call: Call,
        request: pb::GetRealtimeRequest,
    ) -> Result<Reply<pb::GetRealtimeResponse>> {
        self.realtime(&call, &request).await.map(Reply::from)
    }
}

/// Refuses a question that is about too much.
fn too_much(what: &str) -> Error {
    Error::invalid_field(
        "period",
        format!("The period has more than {what}; ask about a shorter one"),
    )
}
