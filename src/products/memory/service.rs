//! The product's methods, each as the protocols call it.

use http::{HeaderName, HeaderValue};

use super::{Memory, profile};
use crate::api::apex::memory::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::api::{MemoryService, MemoryTextService};
use crate::error::Result;
use crate::server::{Call, Reply};

/// Names what could not be asked, where an answer is made of less than was configured.
const DEGRADED: HeaderName = HeaderName::from_static("x-memory-degraded");

impl MemoryService for Memory {
    async fn signup(
        &self,
        call: Call,
        request: pb::SignupRequest,
    ) -> Result<Reply<pb::SignupResponse>> {
        self.begin(&call, request).await.map(Reply::from)
    }

    async fn get_memory_health(
        &self,
        _call: Call,
        _: pb::GetMemoryHealthRequest,
    ) -> Result<Reply<pb::GetMemoryHealthResponse>> {
        Ok(self.health().await)
    }

    async fn ingest(
        &self,
        call: Call,
        request: pb::IngestRequest,
    ) -> Result<Reply<pb::IngestResponse>> {
        let status = self.0.settings.ingest_status;
        let answer = self.take_in(&call, request).await?;
        Ok(Reply::from(answer).status(status))
    }

    async fn query(
        &self,
        call: Call,
        request: pb::QueryRequest,
    ) -> Result<Reply<pb::QueryResponse>> {
        let (answer, degraded) = self.find(&call, request).await?;
        let reply = Reply::from(answer);
        Ok(match degraded {
            true => reply.header(DEGRADED, HeaderValue::from_static("embedder")),
            false => reply,
        })
    }

    async fn get_context(
        &self,
        call: Call,
        request: pb::GetContextRequest,
    ) -> Result<Reply<pb::GetContextResponse>> {
        self.context(&call, request).await.map(Reply::from)
    }

    async fn list_entities(
        &self,
        call: Call,
        request: pb::ListEntitiesRequest,
    ) -> Result<Reply<pb::ListEntitiesResponse>> {
        self.list(&call, request).await.map(Reply::from)
    }

    async fn delete_user(
        &self,
        call: Call,
        request: pb::DeleteUserRequest,
    ) -> Result<Reply<pb::DeleteUserResponse>> {
        self.erase(&call, request).await.map(Reply::from)
    }

    async fn import_user(
        &self,
        call: Call,
        request: pb::ImportUserRequest,
    ) -> Result<Reply<pb::ImportUserResponse>> {
        self.import(&call, request).await.map(Reply::from)
    }

    async fn get_profile(
        &self,
        call: Call,
        _: pb::GetProfileRequest,
    ) -> Result<Reply<pb::GetProfileResponse>> {
        self.profile(&call).await.map(Reply::from)
    }

    async fn update_profile(
        &self,
        call: Call,
        request: pb::UpdateProfileRequest,
    ) -> Result<Reply<pb::UpdateProfileResponse>> {
        self.change_profile(&call, request).await.map(Reply::from)
    }

    async fn list_presets(
        &self,
        _call: Call,
        _: pb::ListPresetsRequest,
    ) -> Result<Reply<pb::ListPresetsResponse>> {
        profile::all().map(Reply::from)
    }

    async fn delete_node(
        &self,
        call: Call,
        request: pb::DeleteNodeRequest,
    ) -> Result<Reply<pb::DeleteNodeResponse>> {
        self.erase_node(&call, request).await.map(Reply::from)
    }

    async fn list_suppressions(
        &self,
        call: Call,
        request: pb::ListSuppressionsRequest,
    ) -> Result<Reply<pb::ListSuppressionsResponse>> {
        self.suppressed(&call, request).await.map(Reply::from)
    }

    async fn create_suppression(
        &self,
        call: Call,
        request: pb::CreateSuppressionRequest,
    ) -> Result<Reply<pb::CreateSuppressionResponse>> {
        self.suppress(&call, request).await.map(Reply::from)
    }

    async fn delete_suppression(
        &self,
        call: Call,
        request: pb::DeleteSuppressionRequest,
    ) -> Result<Reply<pb::DeleteSuppressionResponse>> {
        self.lift(&call, request).await.map(Reply::from)
    }

    async fn rotate_key(
        &self,
        call: Call,
        _: pb::RotateKeyRequest,
    ) -> Result<Reply<pb::RotateKeyResponse>> {
        self.rotate(&call).await.map(Reply::from)
    }

    async fn get_memory_usage(
        &self,
        call: Call,
        _: pb::GetMemoryUsageRequest,
    ) -> Result<Reply<pb::GetMemoryUsageResponse>> {
        self.usage(&call).await.map(Reply::from)
    }
}

impl MemoryTextService for Memory {
    async fn get_context_text(
        &self,
        call: Call,
        request: pb::GetContextTextRequest,
    ) -> Result<Reply<HttpBody>> {
        self.context_text(&call, request).await.map(Reply::from)
    }
}
