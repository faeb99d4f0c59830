//! Webhooks: who is told of what, and what each was told.

use futures_util::future::try_join_all;
use sea_orm::{ConnectionTrait, Value};
use serde_json::json;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::hooks::Own;
use super::super::query::sql::Sql;
use super::super::query::{Asked, Takes, without};
use super::super::resource::{Beside, Context, Resource};
use super::super::serve::{serve, tagged};
use super::super::store::{self, Action, Chosen, Entry};
use super::told;
use crate::api::apex::crm::v1 as pb;
use crate::api::{RecordWebhookDeliveryService, RecordWebhookService};
use crate::auth::Sealer;
use crate::db::Tx;
use crate::db::sql::{execute, row};
use crate::error::{Error, Result};
use crate::server::{Call, Reply};
use crate::webhooks::{FORMER_SIGNS, MOST, Secret, abandon, erase, replay};

record! {
    Webhook {
        id: Column::id(),
        organization_id: Column::organization(),
        url: Column::text().needed(),
        events: Column::of(Kind::Opaque),
        status: Column::of(Kind::Word(&["active", "disabled"])),
        skip_own: Column::of(Kind::Flag),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
        created_by_user_id: Column::of(Kind::Integer).server(),
    } + secret
}

pub(super) struct Webhooks;

impl Resource for Webhooks {
    type Record = pb::Webhook;
    const SOURCE: Source = Source("crm_webhook");
    const NAME: &'static str = "webhooks";

    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::Webhook,
        old: Option<&pb::Webhook>,
    ) -> Result<()> {
        // Whoever changes where it is told, or signs what it is told, hears of it.
        old.map_or(Ok(()), |old| may_see(context, old))?;
        may_see(context, new)?;
        asked(&mut new.events)?;
        new.status.get_or_insert_with(|| "active".to_owned());
        new.skip_own.get_or_insert(false);
        let Some(old) = old else {
            return room(tx, context).await;
        };
        let stops = |webhook: &pb::Webhook| webhook.status.as_deref() == Some("disabled");
        if stops(new) && !stops(old) {
            let why = "the webhook was disabled";
            abandon::<Own>(tx, old.id, why, context.now).await?;
        }
        Ok(())
    }

    async fn removed(tx: &Tx, context: &Context, old: &pb::Webhook) -> Result<()> {
        may_see(context, old)?;
        erase::<Own>(tx, old.id, context.now).await
    }

    /// Whoever changes it takes it to be in order.
    fn beside(_: &pb::Webhook) -> Beside {
        vec![("failing_since", None::<i64>.into())]
    }
}

/// Checks the events somebody asks for, and leaves each once.
fn asked(events: &mut Vec<String>) -> Result<()> {
    if events.is_empty() {
        return Err(Error::invalid_field("events", "events is required"));
    }
    if let Some(at) = events.iter().position(|event| !told::is_event(event)) {
        let words = format!("events[{at}] must be {}", told::words());
        return Err(Error::invalid_field(format!("events[{at}]"), words));
    }
    let mut seen = std::collections::HashSet::new();
    events.retain(|event| seen.insert(event.clone()));
    Ok(())
}

/// Refuses one more than there may be.
async fn room(tx: &Tx, context: &Context) -> Result<()> {
    let sql = "SELECT COUNT(*) AS n FROM crm_webhook \
               WHERE organization_id = $1 AND deleted_at IS NULL";
    if let Some(found) = row(tx, sql, [context.organization.into()]).await?
        && found.try_get::<i64>("", "n")? >= MOST
    {
        let words = format!("An organization has at most {MOST} webhooks");
        return Err(Error::invalid(words));
    }
    Ok(())
}

record! {
    WebhookDelivery {
        id: Column::id(),
        organization_id: Column::organization(),
        webhook_id: Column::of(Kind::Integer).server(),
        message_id: Column::text().server(),
        event: Column::text().server(),
        status: Column::text().server(),
        attempts: Column::of(Kind::Integer).server(),
        response_status: Column::of(Kind::Integer).server(),
        error: Column::text().server(),
        created_at: Column::stamp(),
        attempted_at: Column::stamp(),
        body: Column::of(Kind::Opaque).server(),
    }
}

struct Deliveries;

impl Resource for Deliveries {
    type Record = pb::WebhookDelivery;
    const SOURCE: Source = Source(
        "(SELECT number AS id, organization_id, webhook AS webhook_id, message AS message_id, \
         kind AS event, status, attempts, response_status, error, created_at, attempted_at, body, \
         created_at AS updated_at, CAST(NULL AS BIGINT) AS deleted_at FROM crm_delivery)",
    );
    const NAME: &'static str = "webhook-deliveries";
    const TAKES: Takes = Takes::NOTHING;
}

/// What is told of resources the caller may not view.
fn hidden(call: &Call) -> Vec<String> {
    let hidden = call.directory().hidden(call.principal());
    let events = hidden.iter().flat_map(|name| told::events_of(name));
    events.collect()
}

/// Reads a delivery that is not of what is hidden.
async fn delivery(
    connection: &impl ConnectionTrait,
    context: &Context,
    id: i64,
    (find, hidden): (pb::Find, Vec<String>),
) -> Result<pb::WebhookDelivery> {
    let find = without(Some(find), "event", hidden).unwrap_or_default();
    store::get::<Deliveries>(connection, context, id, &find).await
}

/// Refuses a webhook that is told of what the caller may not view.
fn may_see(context: &Context, webhook: &pb::Webhook) -> Result<()> {
    let events = webhook.events.iter();
    let mut resources = events.filter_map(|event| event.split_once('.'));
    resources.try_for_each(|(resource, _)| context.may_view(resource))
}

impl Crm {
    /// The address of a webhook, as it is kept.
    async fn address(&self, url: &mut Option<String>) -> Result<()> {
        if let Some(given) = url.as_deref().filter(|url| !url.trim().is_empty()) {
            *url = Some(self.webhooks().check(given).await?.to_string());
        }
        Ok(())
    }

    /// Reads the addresses of new webhooks.
    async fn addresses(&self, given: &mut [pb::Webhook]) -> Result<()> {
        let many = given.len() > 1;
        let each = given.iter_mut().enumerate().map(|(at, one)| async move {
            let read = self.address(&mut one.url).await;
            read.map_err(|error| match many {
                true => error.within(&format!("[{at}].")),
                false => error,
            })
        });
        try_join_all(each).await.map(drop)
    }
}

/// Keeps the secret of a webhook that was just registered.
async fn keep(
    tx: &Tx,
    context: &Context,
    sealer: &Sealer,
    (id, secret): (i64, &Secret),
) -> Result<()> {
    let owner = context.organization;
    let sealed = secret.seal::<Own>(sealer, owner.0, &id.to_string())?;
    let sql = "UPDATE crm_webhook SET secret = $1, by_key = $2 \
               WHERE organization_id = $3 AND id = $4";
    let values: [Value; 4] = [
        sealed.into(),
        context.key.as_deref().into(),
        owner.into(),
        id.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// Gives a webhook another secret; the one before signs along for a day.
async fn rotate(
    tx: &Tx,
    context: &Context,
    sealer: &Sealer,
    (id, secret): (i64, &Secret),
) -> Result<pb::Webhook> {
    let find = pb::Find::default();
    let mut webhook = store::get::<Webhooks>(tx, context, id, &find).await?;
    may_see(context, &webhook)?;
    let owner = context.organization;
    let sealed = secret.seal::<Own>(sealer, owner.0, &id.to_string())?;
    let sql = "UPDATE crm_webhook SET former_secret = secret, former_until = $1, secret = $2 \
               WHERE organization_id = $3 AND id = $4";
    let values: [Value; 4] = [
        (context.now + FORMER_SIGNS).into(),
        sealed.into(),
        owner.into(),
        id.into(),
    ];
    execute(tx, sql, values).await?;
    // That it was done is known; what the secrets are is not.
    let changes = json!({"secret": {"before": "hidden", "after": "hidden"}});
    let entry = Entry {
        id,
        action: Action::Updated,
        changes: changes.to_string(),
    };
    let lead = Sql::of(tx.get_database_backend());
    store::note(tx, context, (Webhooks::NAME, &[entry]), lead).await?;
    webhook.secret = Some(secret.reveal().to_owned());
    Ok(webhook)
}

impl RecordWebhookService for Crm {
    serve!(list Webhooks: list_record_webhooks(ListRecordWebhooksRequest) -> ListRecordWebhooksResponse);
    serve!(get Webhooks: get_record_webhook(GetRecordWebhookRequest) -> GetRecordWebhookResponse.webhook);
    serve!(delete Webhooks: delete_record_webhook(DeleteRecordWebhookRequest) -> DeleteRecordWebhookResponse.webhook);

    async fn create_record_webhooks(
        &self,
        call: Call,
        request: pb::CreateRecordWebhooksRequest,
    ) -> Result<Reply<pb::CreateRecordWebhooksResponse>> {
        let context = self.context(&call)?;
        let mut given = request.webhooks;
        self.addresses(&mut given).await?;
        let chosen = given.iter_mut().map(|one| one.secret.take());
        let chosen = chosen.map(|secret| Secret::chosen(secret.as_deref().unwrap_or_default()));
        let secrets = chosen.collect::<Result<Vec<Secret>>>()?;
        let own = self.webhooks().clone();
        let made = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let mut webhooks = store::create::<Webhooks>(tx, &context, given).await?;
                for (webhook, secret) in webhooks.iter_mut().zip(&secrets) {
                    keep(tx, &context, own.sealer(), (webhook.id, secret)).await?;
                    webhook.secret = Some(secret.reveal().to_owned());
                }
                Ok(pb::CreateRecordWebhooksResponse { webhooks })
            })
        });
        Ok(made.await?.into())
    }

    async fn update_record_webhook(
        &self,
        call: Call,
        mut request: pb::UpdateRecordWebhookRequest,
    ) -> Result<Reply<pb::UpdateRecordWebhookResponse>> {
        let names = request.update_mask.take().unwrap_or_default().paths;
        if let Some(webhook) = &mut request.webhook
            && names.iter().any(|name| name == "url")
        {
            self.address(&mut webhook.url).await?;
        }
        let given = (request.webhook.take(), Chosen::Members(names));
        let target = serve!(target request, UpdateRecordWebhookResponse.webhook);
        self.update::<Webhooks, _>(&call, given, target).await
    }

    async fn replace_record_webhook(
        &self,
        call: Call,
        mut request: pb::ReplaceRecordWebhookRequest,
    ) -> Result<Reply<pb::ReplaceRecordWebhookResponse>> {
        if let Some(webhook) = &mut request.webhook {
            self.address(&mut webhook.url).await?;
        }
        let given = (request.webhook.take(), Chosen::Everything);
        let target = serve!(target request, ReplaceRecordWebhookResponse.webhook);
        self.update::<Webhooks, _>(&call, given, target).await
    }

    async fn rotate_record_webhook_secret(
        &self,
        call: Call,
        request: pb::RotateRecordWebhookSecretRequest,
    ) -> Result<Reply<pb::RotateRecordWebhookSecretResponse>> {
        let context = self.context(&call)?;
        let secret = Secret::chosen(request.secret.as_deref().unwrap_or_default())?;
        let own = self.webhooks().clone();
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let which = (request.id, &secret);
                let webhook = Some(rotate(tx, &context, own.sealer(), which).await?);
                Ok(pb::RotateRecordWebhookSecretResponse { webhook })
            })
        });
        Ok(answer.await?.into())
    }
}

impl RecordWebhookDeliveryService for Crm {
    async fn list_record_webhook_deliveries(
        &self,
        call: Call,
        request: pb::ListRecordWebhookDeliveriesRequest,
    ) -> Result<Reply<pb::ListRecordWebhookDeliveriesResponse>> {
        let asked = Asked {
            url: request.url_query,
            json: request.query,
            find: without(request.find, "event", hidden(&call)),
        };
        let page = self.find::<Deliveries>(&call, asked).await?;
        let (total, limit, skip, data) = (page.total, page.limit, page.skip, page.data);
        Ok(pb::ListRecordWebhookDeliveriesResponse {
            total,
            limit,
            skip,
            data,
        }
        .into())
    }

    async fn get_record_webhook_delivery(
        &self,
        call: Call,
        request: pb::GetRecordWebhookDeliveryRequest,
    ) -> Result<Reply<pb::GetRecordWebhookDeliveryResponse>> {
        let context = self.context(&call)?;
        let find = Asked::url(request.url_query).read(Deliveries::TAKES)?;
        let read = self.db().read(call.deadline()).await?;
        let delivery = delivery(&read, &context, request.id, (find, hidden(&call))).await?;
        let answer = pb::GetRecordWebhookDeliveryResponse {
            webhook_delivery: Some(delivery),
        };
        Ok(tagged(answer, |answer| answer.webhook_delivery.as_ref()))
    }

    async fn replay_record_webhook_delivery(
        &self,
        call: Call,
        request: pb::ReplayRecordWebhookDeliveryRequest,
    ) -> Result<Reply<pb::ReplayRecordWebhookDeliveryResponse>> {
        let context = self.context(&call)?;
        if request.status.is_some_and(|status| status != "pending") {
            return Err(Error::invalid_field("status", "status must be pending"));
        }
        let hidden = hidden(&call);
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let sql = "SELECT id FROM crm_delivery WHERE organization_id = $1 AND number = $2";
                let values = [context.organization.into(), request.id.into()];
                let found = row(tx, sql, values).await?;
                let found = found.ok_or_else(|| store::missing(request.id))?;
                let id: String = found.try_get("", "id")?;
                replay::<Own>(tx, context.organization.0, &id, context.now).await?;
                let asked = (pb::Find::default(), hidden);
                let webhook_delivery = Some(delivery(tx, &context, request.id, asked).await?);
                Ok(pb::ReplayRecordWebhookDeliveryResponse { webhook_delivery })
            })
        });
        Ok(answer.await?.into())
    }
}
