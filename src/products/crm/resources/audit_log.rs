//! The log of changes, to read and to watch.

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::Resource;
use super::super::serve::serve;
use super::super::watch;
use super::told;
use crate::api::AuditLogService;
use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};
use crate::server::{Call, Replies};

record! {
    AuditLogEntry {
        id: Column::id(),
        organization_id: Column::organization(),
        entity: Column::text().server(),
        entity_id: Column::of(Kind::Integer).server(),
        action: Column::text().server(),
        changes: Column::of(Kind::Opaque).server(),
        user_id: Column::of(Kind::Integer).server(),
        api_key_id: Column::text().server(),
        request_id: Column::text().server(),
        created_at: Column::stamp(),
    }
}

pub(in super::super) struct AuditLog;

impl Resource for AuditLog {
    type Record = pb::AuditLogEntry;
    const SOURCE: Source = Source(
        "(SELECT id, organization_id, entity, entity_id, action, changes, user_id, api_key_id, \
         request_id, turn, created_at, created_at AS updated_at, \
         CAST(NULL AS BIGINT) AS deleted_at FROM crm_change)",
    );
    const NAME: &'static str = "audit-log";
    const TAKES: Takes = Takes::NOTHING;
}

impl AuditLogService for Crm {
    serve!(list AuditLog: list_audit_log(ListAuditLogRequest) -> ListAuditLogResponse);
    serve!(get AuditLog: get_audit_log_entry(GetAuditLogEntryRequest) -> GetAuditLogEntryResponse.audit_log_entry);

    async fn watch_changes(
        &self,
        call: Call,
        request: pb::WatchChangesRequest,
    ) -> Result<Replies<pb::WatchChangesResponse>> {
        let context = self.context(&call)?;
        for (at, resource) in request.resources.iter().enumerate() {
            if !told::is_resource(resource) {
                let words = format!("resources[{at}] must be {}", told::resources());
                return Err(Error::invalid_field(format!("resources[{at}]"), words));
            }
        }
        let asked = (request.resources, request.position);
        let changes = watch::changes(self, call, context.organization, asked).await?;
        Ok(Box::pin(changes))
    }
}
