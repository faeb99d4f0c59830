//! Changes of many conversations at once: each is changed as a PATCH of it alone would
//! change it, all in one transaction, which is why there is a most.

use sea_orm::ConnectionTrait;

use super::super::super::Crm;
use super::super::super::query::{equal, group};
use super::super::super::resource::Context;
use super::super::super::store::{self, Chosen};
use super::{Conversations, views};
use crate::api::ConversationsBulkActionService;
use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};
use pb::operand::Kind as Of;

/// Most conversations of one call.
const MOST: usize = 1000;

/// Which conversations are meant.
enum Target {
    These(Vec<i64>),
    View(i64),
    Where(Option<pb::Filter>),
}

impl ConversationsBulkActionService for Crm {
    async fn create_conversations_bulk_action(
        &self,
        call: Call,
        request: pb::CreateConversationsBulkActionRequest,
    ) -> Result<Reply<pb::CreateConversationsBulkActionResponse>> {
        let context = self.context(&call)?;
        let own = context.organization.0;
        if request.organization_id.is_some_and(|named| named != own) {
            return Err(Error::forbidden("This organization is not the caller's"));
        }
        let target = target(&request)?;
        let (change, names) = change(request)?;
        let done = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let ids = ids(tx, &context, target).await?;
                for id in &ids {
                    let given = (change.clone(), Chosen::Members(names.clone()));
                    let asked = (&pb::Find::default(), None);
                    store::update::<Conversations>(tx, &context, *id, given, asked).await?;
                }
                Ok(pb::CreateConversationsBulkActionResponse {
                    processed_count: ids.len() as i64,
                })
            })
        });
        Ok(done.await?.into())
    }
}

/// The one target a request names.
fn target(request: &pb::CreateConversationsBulkActionRequest) -> Result<Target> {
    let ids = &request.conversation_ids;
    match (ids.is_empty(), request.view_id, &request.filter) {
        (false, None, None) => Ok(Target::These(ids.clone())),
        (true, Some(view), None) => Ok(Target::View(view)),
        (true, None, Some(filter)) => Ok(Target::Where(conditions(filter))),
        _ => Err(Error::invalid_field(
            "conversation_ids",
            "Name exactly one of conversation_ids, view_id and filter",
        )),
    }
}

fn conditions(target: &pb::ConversationTarget) -> Option<pb::Filter> {
    let numbers = [
        ("organization_id", target.organization_id),
        ("pipeline_id", target.pipeline_id),
        ("pipeline_stage_id", target.pipeline_stage_id),
    ];
    let numbers = numbers
        .into_iter()
        .filter_map(|(name, number)| Some((name, Of::Integer(number?))));
    let texts = [("status", &target.status), ("channel", &target.channel)];
    let texts = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, Of::Text(text.clone()?))));
    let all = numbers.chain(texts);
    group(all.map(|(field, value)| equal(field, value)).collect())
}

/// What an action changes, with the names of the members it is.
fn change(
    request: pb::CreateConversationsBulkActionRequest,
) -> Result<(pb::Conversation, Vec<String>)> {
    let data = request.data.unwrap_or_default();
    let needs = |name: &str| Error::invalid_field(name, format!("{name} is required"));
    let mut new = pb::Conversation::default();
    let names: &[&str] = match request.action.as_str() {
        "assign" => {
            new.assigned_user_id = request.assigned_user_id.or(data.assigned_user_id);
            &["assigned_user_id"]
        }
        "assign_ai_assistant" => {
            let own = request.assigned_ai_assistant_id;
            new.assigned_ai_assistant_id = own.or(data.assigned_ai_assistant_id);
            &["assigned_ai_assistant_id"]
        }
        "update_status" => {
            let status = request.status.or(data.status);
            new.status = Some(status.ok_or_else(|| needs("status"))?);
            &["status"]
        }
        "move" => {
            new.pipeline_id = request.pipeline_id.or(data.pipeline_id);
            new.pipeline_stage_id = request.pipeline_stage_id.or(data.pipeline_stage_id);
            match (new.pipeline_id, new.pipeline_stage_id) {
                (Some(_), Some(_)) => &["pipeline_id", "pipeline_stage_id"],
                (Some(_), None) => &["pipeline_id"],
                (None, Some(_)) => &["pipeline_stage_id"],
                (None, None) => return Err(needs("pipeline_stage_id")),
            }
        }
        _ => {
            let words = "action must be one of assign, update_status, assign_ai_assistant, move";
            return Err(Error::invalid_field("action", words));
        }
    };
    Ok((new, names.iter().map(|name| (*name).to_owned()).collect()))
}

/// The conversations, in the order of their numbers, so that two calls cannot hold what
/// the other one waits for.
async fn ids(
    connection: &impl ConnectionTrait,
    context: &Context,
    target: Target,
) -> Result<Vec<i64>> {
    let ids = match target {
        Target::These(mut ids) => {
            ids.sort_unstable();
            ids.dedup();
            ids
        }
        Target::View(view) => {
            let find = views::question(connection, context, view).await?;
            store::ids::<Conversations>(connection, context, &find, MOST + 1).await?
        }
        Target::Where(filter) => {
            let find = pb::Find {
                filter,
                ..Default::default()
            };
            store::ids::<Conversations>(connection, context, &find, MOST + 1).await?
        }
    };
    if ids.len() > MOST {
        let words = format!("More than {MOST} conversations at once: narrow the target");
        return Err(Error::invalid(words));
    }
    Ok(ids)
}
