//! Saved views: questions to the list of conversations, kept by a name.

use sea_orm::ConnectionTrait;

use super::super::super::Crm;
use super::super::super::column::{Column, Kind, Source, record};
use super::super::super::custom::Fields;
use super::super::super::query::compile::Compiler;
use super::super::super::query::sql::Sql;
use super::super::super::query::{Asked, Takes};
use super::super::super::resource::{Context, Resource};
use super::super::super::serve::serve;
use super::super::super::store;
use super::Conversations;
use crate::api::ConversationViewService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

record! {
    ConversationView {
        id: Column::id(),
        organization_id: Column::organization(),
        name: Column::text().needed(),
        filter: Column::of(Kind::Opaque).needed(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(in super::super) struct ConversationViews;

impl Resource for ConversationViews {
    type Record = pb::ConversationView;
    const SOURCE: Source = Source("crm_conversation_view");
    const NAME: &'static str = "conversation-views";
    const TAKES: Takes = Takes::SEARCH;

    /// A view is a question that would be answered.
    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::ConversationView,
        _: Option<&pb::ConversationView>,
    ) -> Result<()> {
        let filter = new.filter.get_or_insert_with(|| "{}".to_owned());
        let find = read(filter)?;
        let wrong = |what: &str| {
            let words = format!("filter must not have {what}");
            Err(Error::invalid_field("filter", words))
        };
        if find.view.is_some() {
            return wrong("view_id");
        }
        let pages = find.limit.is_some() || find.skip.is_some() || find.after.is_some();
        if pages || !find.select.is_empty() {
            return wrong("$limit, $skip, $after or $select");
        }
        let fields = Fields::default();
        let mut compiler = Compiler::of::<Conversations>(tx, &fields);
        let mut sql = Sql::default();
        if let Some(filter) = &find.filter {
            compiler.filter(filter, 0, &mut sql)?;
        }
        compiler.order(&find.sort, &mut Sql::default())?;
        let postgres = compiler.postgres;
        Conversations::narrow(context, &find, &mut sql, postgres)
    }
}

fn read(filter: &str) -> Result<pb::Find> {
    let asked = Asked {
        json: Some(filter.to_owned()),
        ..Asked::default()
    };
    asked.read(Conversations::TAKES)
}

/// What a view asks.
pub(super) async fn question(
    connection: &impl ConnectionTrait,
    context: &Context,
    id: i64,
) -> Result<pb::Find> {
    let find = pb::Find::default();
    let view = store::get::<ConversationViews>(connection, context, id, &find).await?;
    read(view.filter.as_deref().unwrap_or("{}"))
}

impl ConversationViewService for Crm {
    serve!(list ConversationViews: list_conversation_views(ListConversationViewsRequest) -> ListConversationViewsResponse);
    serve!(get ConversationViews: get_conversation_view(GetConversationViewRequest) -> GetConversationViewResponse.conversation_view);
    serve!(create ConversationViews: create_conversation_views(CreateConversationViewsRequest) -> CreateConversationViewsResponse.conversation_views);
    serve!(update ConversationViews: update_conversation_view(UpdateConversationViewRequest) -> UpdateConversationViewResponse.conversation_view);
    serve!(replace ConversationViews: replace_conversation_view(ReplaceConversationViewRequest) -> ReplaceConversationViewResponse.conversation_view);
    serve!(delete ConversationViews: delete_conversation_view(DeleteConversationViewRequest) -> DeleteConversationViewResponse.conversation_view);
    serve!(restore ConversationViews: restore_conversation_view(RestoreConversationViewRequest) -> RestoreConversationViewResponse.conversation_view);
}
