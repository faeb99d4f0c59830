//! Webhooks: others are told of what happens here. What is to be told is written with
//! its cause, and delivered afterwards.

mod deliver;
mod log;
mod publish;
mod reach;
mod secret;
mod send;
mod store;

use std::sync::Arc;
use std::time::Duration;

use super::Growth;
use crate::api::WebhookService;
use crate::api::apex::growth::v1 as pb;
use crate::auth::Sealer;
use crate::clock::MICROS;
use crate::config;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

pub(super) use deliver::deliver;
pub(super) use publish::{Kind, publish};

use reach::Reach;
use secret::Secret;
use send::Sender;
use store::{Change, New};

/// What the outbox calls deliveries.
const TOPIC: &str = "growth.webhook";

/// How webhooks are called. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sealer: Sealer,
    reach: Reach,
    sender: Sender,
    timeout: Duration,
    first_retry: Duration,
    give_up: Duration,
}

/// How much longer each wait is than the one before.
const GROWTH: i64 = 4;

impl Webhooks {
    /// Takes the settings. `sealer` seals secrets.
    pub fn new(sealer: Sealer, config: &config::Webhooks) -> Result<Self> {
        let reach = Reach {
            allowed: config.allowed_networks.clone(),
        };
        Ok(Self(Arc::new(Inner {
            sealer,
            sender: Sender::new(reach.clone(), config.timeout.0)?,
            reach,
            timeout: config.timeout.0,
            first_retry: config.first_retry.0,
            give_up: config.give_up.0,
        })))
    }

    fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    fn sender(&self) -> &Sender {
        &self.0.sender
    }

    fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// How long a delivery is tried, in microseconds.
    fn give_up(&self) -> i64 {
        self.0.give_up.as_micros() as i64
    }

    /// How long to wait after so many tries, in microseconds: longer each time, a
    /// quarter of the whole at the most, and up to a fifth more or less, so that what
    /// failed together is not tried together.
    fn wait(&self, attempts: i64) -> i64 {
        let first = self.0.first_retry.as_micros() as i64;
        let tries = attempts.clamp(1, 16) as u32 - 1;
        let wait = first.saturating_mul(GROWTH.saturating_pow(tries));
        let wait = wait.min(self.give_up() / 4).max(MICROS / 10);
        let mut byte = [0_u8; 1];
        // Without chance they are tried together, which is no harm.
        let _ = getrandom::fill(&mut byte);
        wait + wait / 5 * (i64::from(byte[0]) - 128) / 128
    }
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
            url: own.0.reach.check(&request.url).await?.to_string(),
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
                true => Some(
                    self.webhooks()
                        .0
                        .reach
                        .check(&request.url)
                        .await?
                        .to_string(),
                ),
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
        let project = call.project_id()?;
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                store::delete(tx, project, &request.id).await?;
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
