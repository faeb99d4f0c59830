//! Webhooks of a project: which there are, and what of its leads, experiments and goals
//! they are told.

mod log;
mod publish;
mod store;

use super::Growth;
use crate::api::WebhookService;
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};
use crate::webhooks::{Office, Secret, Tables};

pub(super) use publish::{Kind, publish};

use store::{Change, New};

/// How the product's webhooks are kept.
#[derive(Debug)]
pub(super) struct Own;

impl Office for Own {
    const TOPIC: &'static str = "growth.webhook";
    const TABLES: Tables = Tables {
        webhooks: "growth_webhook",
        deliveries: "growth_delivery",
        number: "number",
        id: "id",
        owner: "project",
        whose: "project",
    };
}

impl WebhookService for Growth {
    async fn list_webhooks(
        &self,
        call: Call,
        _: pb::ListWebhooksRequest,
    ) -> Result<Reply<pb::ListWebhooksResponse>> {
        let project = call.project_id()?;
        let read = self.db().read(call.deadline()).await?;
        let found = store::list(&read, project).await?;
        let webhooks = found.iter().map(store::Stored::message).collect();
        Ok(pb::ListWebhooksResponse { webhooks }.into())
    }

    async fn create_webhook(
        &self,
        call: Call,
        request: pb::CreateWebhookRequest,
    ) -> Result<Reply<pb::CreateWebhookResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let own = self.webhooks().clone();
        let new = New {
            url: own.check(&request.url).await?.to_string(),
            events: store::words(&request.events)?,
            secret: Secret::chosen(&request.secret)?,
        };
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let webhook = Some(store::create(tx, project, &new, own.sealer(), now).await?);
                Ok(pb::CreateWebhookResponse { webhook })
            })
        });
        Ok(answer.await?.into())
    }

    async fn update_webhook(
        &self,
        call: Call,
        request: pb::UpdateWebhookRequest,
    ) -> Result<Reply<pb::UpdateWebhookResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let mask = request.update_mask.clone().unwrap_or_default().paths;
        let has = |name: &str| mask.iter().any(|path| path == name);
        let change = Change {
            url: match has("url") {
                true => Some(self.webhooks().check(&request.url).await?.to_string()),
                false => None,
            },
            events: match has("events") {
                true => Some(store::words(&request.events)?),
                false => None,
            },
            active: match has("status") {
                true => Some(is_active(request.status)?),
                false => None,
            },
        };
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let webhook = store::update(tx, project, &request.id, &change, now).await?;
                let webhook = Some(webhook);
                Ok(pb::UpdateWebhookResponse { webhook })
            })
        });
        Ok(answer.await?.into())
    }

    async fn delete_webhook(
        &self,
        call: Call,
        request: pb::DeleteWebhookRequest,
    ) -> Result<Reply<pb::DeleteWebhookResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                store::delete(tx, project, &request.id, now).await?;
                Ok(pb::DeleteWebhookResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }

    async fn rotate_webhook_secret(
        &self,
        call: Call,
        request: pb::RotateWebhookSecretRequest,
    ) -> Result<Reply<pb::RotateWebhookSecretResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let secret = Secret::chosen(&request.secret)?;
        let own = self.webhooks().clone();
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let id = &request.id;
                let webhook = store::rotate(tx, project, id, &secret, own.sealer(), now).await?;
                let webhook = Some(webhook);
                Ok(pb::RotateWebhookSecretResponse { webhook })
            })
        });
        Ok(answer.await?.into())
    }

    async fn list_webhook_deliveries(
        &self,
        call: Call,
        request: pb::ListWebhookDeliveriesRequest,
    ) -> Result<Reply<pb::ListWebhookDeliveriesResponse>> {
        let project = call.project_id()?;
        let read = self.db().read(call.deadline()).await?;
        let deliveries = log::list(&read, project, &request).await?;
        Ok(pb::ListWebhookDeliveriesResponse { deliveries }.into())
    }

    async fn replay_webhook_delivery(
        &self,
        call: Call,
        request: pb::ReplayWebhookDeliveryRequest,
    ) -> Result<Reply<pb::ReplayWebhookDeliveryResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let delivery = Some(log::replay(tx, project, &request.id, now).await?);
                Ok(pb::ReplayWebhookDeliveryResponse { delivery })
            })
        });
        Ok(answer.await?.into())
    }
}

fn is_active(status: i32) -> Result<bool> {
    match pb::WebhookStatus::try_from(status) {
        Ok(pb::WebhookStatus::Active) => Ok(true),
        Ok(pb::WebhookStatus::Disabled) => Ok(false),
        Ok(pb::WebhookStatus::Unspecified) | Err(_) => Err(Error::invalid_field(
            "status",
            "status must be one of active, disabled",
        )),
    }
}
