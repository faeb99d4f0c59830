//! Identities: which lead a visitor is. Links stand beside the events, which are never
//! rewritten, so that they hold for what was before, and can be taken back.

mod follow;
mod journey;
mod lead;
mod leads;
mod link;
mod merge;
mod names;
mod people;
mod refusal;
mod unlink;

use serde_json::Map;

use super::Growth;
use crate::api::IdentityService;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

pub(super) use follow::follow;
pub(super) use people::people;

use leads::PAGE;
use link::{Statement, Weight};
use merge::Refused;
use names::Name;
use refusal::{Reason, Refusal};

impl IdentityService for Growth {
    async fn get_identity(
        &self,
        call: Call,
        request: pb::GetIdentityRequest,
    ) -> Result<Reply<pb::GetIdentityResponse>> {
        self.identity(&call, &request).await.map(Reply::from)
    }

    async fn link_identity(
        &self,
        call: Call,
        request: pb::LinkIdentityRequest,
    ) -> Result<Reply<pb::LinkIdentityResponse>> {
        let project = call.project_id()?;
        let visitor = self.visitor(project, &request.visitor_id).await?;
        let name = self
            .name(project, "leadId", &visitor, &request.lead_id)
            .await?;
        let said = Statement {
            visitor: Some(visitor.clone()),
            names: vec![name],
            traits: Map::new(),
            source: match request.source.trim() {
                "" => "manual".to_owned(),
                source => source.to_owned(),
            },
            weight: Weight::Manual,
        };
        let now = self.now();
        // The answer is read afterwards: a repeat links nothing twice.
        let linked = self.db().write(move |tx| {
            Box::pin(async move { link::link(tx, project, &said, now).await.map(drop) })
        });
        linked.await?;
        let identity = Some(self.who(&call, &visitor).await?);
        Ok(pb::LinkIdentityResponse { identity }.into())
    }

    async fn stitch_identity(
        &self,
        call: Call,
        request: pb::StitchIdentityRequest,
    ) -> Result<Reply<pb::StitchIdentityResponse>> {
        let project = call.project_id()?;
        let visitor = self.visitor(project, &request.visitor_id).await?;
        let name = self
            .name(project, "email", &visitor, &request.email)
            .await?;
        let traits = match request.traits.as_str() {
            "" => Map::new(),
            text => serde_json::from_str(text)
                .map_err(|_| Error::invalid_field("traits", "traits must be an object"))?,
        };
        let said = Statement {
            visitor: Some(visitor.clone()),
            names: vec![name],
            traits,
            source: "stitch".to_owned(),
            weight: Weight::Stitch,
        };
        let now = self.now();
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let linked = link::link(tx, project, &said, now).await?;
                Ok(pb::StitchIdentityResponse {
                    visitor_id: visitor,
                    lead_id: linked.lead.id,
                    created: linked.created,
                })
            })
        });
        Ok(answer.await?.into())
    }

    async fn unlink_identity(
        &self,
        call: Call,
        request: pb::UnlinkIdentityRequest,
    ) -> Result<Reply<pb::UnlinkIdentityResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let (visitor, lead) = (request.visitor_id.trim(), request.lead_id.trim());
                unlink::unlink(tx, project, visitor, lead, now).await?;
                Ok(pb::UnlinkIdentityResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }

    async fn list_identity_refusals(
        &self,
        call: Call,
        request: pb::ListIdentityRefusalsRequest,
    ) -> Result<Reply<pb::ListIdentityRefusalsResponse>> {
        let project = call.project_id()?;
        let read = self.db().read(call.deadline()).await?;
        let limit = i64::from(request.limit.unwrap_or(PAGE));
        let refusals = refusal::list(&read, project, limit).await?;
        Ok(pb::ListIdentityRefusalsResponse { refusals }.into())
    }

    async fn list_leads(
        &self,
        call: Call,
        request: pb::ListLeadsRequest,
    ) -> Result<Reply<pb::ListLeadsResponse>> {
        let project = call.project_id()?;
        let read = self.db().read(call.deadline()).await?;
        let leads = leads::list(&read, project, &request).await?;
        Ok(pb::ListLeadsResponse { leads }.into())
    }

    async fn merge_leads(
        &self,
        call: Call,
        request: pb::MergeLeadsRequest,
    ) -> Result<Reply<pb::MergeLeadsResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        // A refusal is no failure of the write, or it could not be recorded.
        let merged = self.db().write(move |tx| {
            Box::pin(async move {
                let leads = (request.id.as_str(), request.from.as_str());
                match merge::merge(tx, project, leads, now).await {
                    Ok(merge) => Ok(Some(merge)),
                    Err(Refused::Cycle(refusal)) => {
                        refusal.record(tx, project, now).await?;
                        Ok(None)
                    }
                    Err(Refused::Failed(error)) => Err(error),
                }
            })
        });
        let merge = merged.await?;
        let cycle = || Error::invalid_field("from", "from is the same lead already");
        let merge = Some(merge.ok_or_else(cycle)?);
        Ok(pb::MergeLeadsResponse { merge }.into())
    }

    async fn undo_merge(
        &self,
        call: Call,
        request: pb::UndoMergeRequest,
    ) -> Result<Reply<pb::UndoMergeResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let merge = Some(merge::undo(tx, project, &request.id, now).await?);
                Ok(pb::UndoMergeResponse { merge })
            })
        });
        Ok(answer.await?.into())
    }

    async fn list_merges(
        &self,
        call: Call,
        request: pb::ListMergesRequest,
    ) -> Result<Reply<pb::ListMergesResponse>> {
        let project = call.project_id()?;
        let read = self.db().read(call.deadline()).await?;
        let limit = i64::from(request.limit.unwrap_or(PAGE));
        let merges = merge::list(&read, project, &request.cursor, limit).await?;
        Ok(pb::ListMergesResponse { merges }.into())
    }
}

impl Growth {
    /// The visitor somebody names, unless the id stands for nobody.
    async fn visitor(&self, project: ProjectId, text: &str) -> Result<String> {
        let text = text.trim();
        match super::ids::means_nobody(text) {
            false => Ok(text.to_owned()),
            true => {
                let refusal = Refusal::new(Reason::BlockedId, text, "");
                self.refuse(project, "visitorId", refusal).await
            }
        }
    }

    /// The name somebody gives a lead, unless it stands for nobody.
    async fn name(
        &self,
        project: ProjectId,
        field: &'static str,
        visitor: &str,
        text: &str,
    ) -> Result<Name> {
        match Name::read(text) {
            Ok(name) => Ok(name),
            Err(reason) => {
                let refusal = Refusal::new(reason, visitor, text);
                self.refuse(project, field, refusal).await
            }
        }
    }

    /// Records why something is refused, and refuses it.
    async fn refuse<T>(
        &self,
        project: ProjectId,
        field: &'static str,
        refusal: Refusal,
    ) -> Result<T> {
        let now = self.now();
        let recorded = self
            .db()
            .write(move |tx| Box::pin(async move { refusal.record(tx, project, now).await }));
        recorded.await?;
        let words = format!("{field} stands for nobody");
        Err(Error::invalid_field(field, words))
    }
}
