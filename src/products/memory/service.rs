//! The product's methods, each as the protocols call it.

use super::Memory;
use crate::api::apex::memory::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::api::{MemoryService, MemoryTextService};
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

impl MemoryService for Memory {
    async fn signup(
        &self,
        call: Call,
        request: pb::SignupRequest,
    ) -> Result<Reply<pb::SignupResponse>> {
        self.begin(&call, request).await.map(Reply::from)
    }

    async fn get_health(
        &self,
        _call: Call,
        _: pb::GetHealthRequest,
    ) -> Result<Reply<pb::GetHealthResponse>> {
        Ok(self.health().await)
    }

    async fn ingest(
        &self,
        call: Call,
        request: pb::IngestRequest,
    ) -> Result<Reply<pb::IngestResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn query(
        &self,
        call: Call,
        request: pb::QueryRequest,
    ) -> Result<Reply<pb::QueryResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn get_context(
        &self,
        call: Call,
        request: pb::GetContextRequest,
    ) -> Result<Reply<pb::GetContextResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn list_entities(
        &self,
        call: Call,
        request: pb::ListEntitiesRequest,
    ) -> Result<Reply<pb::ListEntitiesResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn delete_user(
        &self,
        call: Call,
        request: pb::DeleteUserRequest,
    ) -> Result<Reply<pb::DeleteUserResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn get_profile(
        &self,
        call: Call,
        _: pb::GetProfileRequest,
    ) -> Result<Reply<pb::GetProfileResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn update_profile(
        &self,
        call: Call,
        request: pb::UpdateProfileRequest,
    ) -> Result<Reply<pb::UpdateProfileResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn list_presets(
        &self,
        _call: Call,
        _: pb::ListPresetsRequest,
    ) -> Result<Reply<pb::ListPresetsResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn delete_node(
        &self,
        call: Call,
        request: pb::DeleteNodeRequest,
    ) -> Result<Reply<pb::DeleteNodeResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn list_suppressions(
        &self,
        call: Call,
        request: pb::ListSuppressionsRequest,
    ) -> Result<Reply<pb::ListSuppressionsResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn create_suppression(
        &self,
        call: Call,
        request: pb::CreateSuppressionRequest,
    ) -> Result<Reply<pb::CreateSuppressionResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn delete_suppression(
        &self,
        call: Call,
        request: pb::DeleteSuppressionRequest,
    ) -> Result<Reply<pb::DeleteSuppressionResponse>> {
        Err(Error::unavailable("soon"))
    }

    async fn rotate_key(
        &self,
        call: Call,
        _: pb::RotateKeyRequest,
    ) -> Result<Reply<pb::RotateKeyResponse>> {
        self.rotate(&call).await.map(Reply::from)
    }

    async fn get_usage(
        &self,
        call: Call,
        _: pb::GetUsageRequest,
    ) -> Result<Reply<pb::GetUsageResponse>> {
        self.usage(&call).await.map(Reply::from)
    }
}

impl MemoryTextService for Memory {
    async fn get_context_text(
        &self,
        call: Call,
        request: pb::GetContextRequest,
    ) -> Result<Reply<HttpBody>> {
        Err(Error::unavailable("soon"))
    }
}
