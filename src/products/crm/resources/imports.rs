//! Imports, to read and to undo; files come through `imports`.

use futures_util::{StreamExt as _, stream};

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::imports;
use super::super::resource::Resource;
use super::super::serve::{permit, serve};
use super::super::store;
use super::users::USERS;
use crate::api::ImportService;
use crate::api::apex::crm::v1 as pb;
use crate::error::Result;
use crate::server::{Call, Replies, Reply, Requests};

record! {
    Import {
        id: Column::id(),
        organization_id: Column::organization(),
        resource: Column::text().server(),
        format: Column::text().server(),
        name: Column::text().server(),
        status: Column::text().server(),
        digest: Column::text().server(),
        received_bytes: Column::of(Kind::Integer).server(),
        total_rows: Column::of(Kind::Integer).server(),
        processed_rows: Column::of(Kind::Integer).server(),
        created_count: Column::of(Kind::Integer).server(),
        updated_count: Column::of(Kind::Integer).server(),
        unchanged_count: Column::of(Kind::Integer).server(),
        failed_count: Column::of(Kind::Integer).server(),
        undone_count: Column::of(Kind::Integer).server(),
        created_by_user_id: Column::to(USERS).server(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
    }
}

pub(super) struct Imports;

impl Resource for Imports {
    type Record = pb::Import;
    const SOURCE: Source = Source("crm_import");
    const NAME: &'static str = "imports";

    fn is_counted() -> bool {
        false
    }
}

impl Crm {
    async fn import_of(&self, call: &Call, id: i64) -> Result<Option<pb::Import>> {
        let context = self.context(call)?;
        let read = self.db().read(call.deadline()).await?;
        let find = pb::Find::default();
        store::get::<Imports>(&read, &context, id, &find)
            .await
            .map(Some)
    }
}

impl Crm {
    /// Refuses who may not do this with the records of an import.
    async fn permitted(&self, call: &Call, id: i64, verbs: &[&str]) -> Result<()> {
        let import = self.import_of(call, id).await?;
        let resource = import.and_then(|import| import.resource);
        let resource = resource.unwrap_or_default();
        let mut verbs = verbs.iter();
        verbs.try_for_each(|verb| permit(call, verb, &resource))
    }
}

impl ImportService for Crm {
    serve!(list Imports: list_imports(ListImportsRequest) -> ListImportsResponse);
    serve!(get Imports: get_import(GetImportRequest) -> GetImportResponse.import);

    async fn create_import(
        &self,
        call: Call,
        requests: Requests<pb::CreateImportRequest>,
    ) -> Result<Reply<pb::CreateImportResponse>> {
        let (id, new) = imports::receive(self, &call, requests).await?;
        let import = self.import_of(&call, id).await?;
        let reply = Reply::from(pb::CreateImportResponse { import });
        Ok(if new { reply } else { reply.status(200) })
    }

    async fn list_import_rows(
        &self,
        call: Call,
        request: pb::ListImportRowsRequest,
    ) -> Result<Replies<pb::ListImportRowsResponse>> {
        self.permitted(&call, request.id, &["view"]).await?;
        let state = (self.clone(), call, request, 0);
        let parts = stream::unfold(Some(state), |state| async move {
            let (crm, call, request, after) = state?;
            let told = async {
                let read = crm.db().read(call.deadline()).await?;
                imports::report(&read, (request.id, after)).await
            };
            match told.await {
                Ok(None) => None,
                Ok(Some((number, mut rows))) => {
                    rows.retain(|row| !request.failed || row.outcome() == pb::Outcome::Failed);
                    let rows: Vec<_> = rows.into_iter().map(Ok).collect();
                    Some((rows, Some((crm, call, request, number))))
                }
                Err(error) => Some((vec![Err(call.status_of(error))], None)),
            }
        });
        Ok(Box::pin(parts.flat_map(stream::iter)))
    }

    async fn delete_import(
        &self,
        call: Call,
        request: pb::DeleteImportRequest,
    ) -> Result<Reply<pb::DeleteImportResponse>> {
        let verbs = ["delete", "update"];
        self.permitted(&call, request.id, &verbs).await?;
        let (context, id) = (self.context(&call)?, request.id);
        let begun = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                imports::begin_to_undo(tx, &context, id).await?;
                let find = pb::Find::default();
                let import = store::get::<Imports>(tx, &context, id, &find).await?;
                Ok(pb::DeleteImportResponse {
                    import: Some(import),
                })
            })
        });
        let begun = begun.await?;
        self.wake();
        Ok(begun.into())
    }
}
