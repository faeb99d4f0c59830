//! Repositories services are deployed from, and what GitHub tells of them. A delivery is
//! checked, written down and acknowledged; what follows from it is done from the outbox.

mod event;
mod follow;
mod signature;

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::access::Viewer;
use super::services::{change, record};
use super::vault::Place;
use super::{Paas, rules};
use crate::api::SourceService;
use crate::api::apex::paas::v1 as pb;
use crate::auth::{self, OrganizationId};
use crate::db::Tx;
use crate::db::outbox::{self, Parcel};
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::products::timestamp;
use crate::server::{Call, Reply};

use event::{Event, Told};

pub(super) use follow::work;

/// What the outbox calls work that follows from deliveries.
const TOPIC: &str = "paas.github";
/// How a secret begins.
const PREFIX: &str = "ghs_";
/// Services of a repository that one delivery is about, at the most.
const MOST: i64 = 1000;

/// The repository of a service, as it is kept.
#[derive(Debug)]
struct Source {
    service: i64,
    service_id: String,
    organization: OrganizationId,
    repository: String,
    branch: String,
    image_template: String,
    previews: bool,
    secret: Vec<u8>,
    created_at: i64,
}

const COLUMNS: &str = "o.service, s.id, o.organization, o.repository, o.branch, \
                       o.image_template, o.previews, o.secret, o.created_at";

const FROM: &str = "FROM paas_source o JOIN paas_service s ON s.number = o.service";

impl Source {
    fn of(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            service: row.try_get("", "service")?,
            service_id: row.try_get("", "id")?,
            organization: OrganizationId(row.try_get("", "organization")?),
            repository: row.try_get("", "repository")?,
            branch: row.try_get("", "branch")?,
            image_template: row.try_get("", "image_template")?,
            previews: row.try_get::<i16>("", "previews")? != 0,
            secret: row.try_get("", "secret")?,
            created_at: row.try_get("", "created_at")?,
        })
    }

    fn message(&self, secret: Option<String>) -> pb::Source {
        pb::Source {
            repository: self.repository.clone(),
            branch: self.branch.clone(),
            image_template: self.image_template.clone(),
            previews: self.previews,
            secret,
            created_at: Some(timestamp(self.created_at)),
        }
    }

    /// Whether a delivery is signed with its secret.
    fn signed(&self, paas: &Paas, signature: &str, body: &[u8]) -> Result<bool> {
        let place = Place::Source(&self.service_id);
        let secret = paas
            .vault()
            .open_text(&self.secret, self.organization, place)?;
        Ok(signature::is_right(&secret, signature, body))
    }
}

impl SourceService for Paas {
    async fn get_source(
        &self,
        call: Call,
        request: pb::GetSourceRequest,
    ) -> Result<Reply<pb::GetSourceResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let own = record::find(&read, Viewer::of(&call)?, &request.id).await?;
        let found = find(&read, own.number).await?.ok_or_else(not_bound)?;
        let source = Some(found.message(None));
        Ok(pb::GetSourceResponse { source }.into())
    }

    async fn bind_source(
        &self,
        call: Call,
        request: pb::BindSourceRequest,
    ) -> Result<Reply<pb::BindSourceResponse>> {
        let repository = request.repository.trim().to_lowercase();
        if !rules::is_repository(&repository) {
            let words = "repository must be owner/name, such as octocat/hello-world";
            return Err(Error::invalid_field("repository", words));
        }
        let branch = branch(&request.branch)?;
        if !request.image_template.is_empty() {
            let example = event::image(&request.image_template, &"0".repeat(40), "main");
            rules::image("imageTemplate", &example, self.registries())?;
        }
        let (paas, viewer, now) = (self.clone(), Viewer::of(&call)?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let own = record::find_own(tx, viewer, &request.id).await?;
                let secret = auth::token(PREFIX);
                let place = Place::Source(&own.id);
                let organization = own.organization;
                let sealed = paas
                    .vault()
                    .seal_text(secret.reveal(), organization, place)?;
                let sql = "DELETE FROM paas_source WHERE service = $1";
                execute(tx, sql, [own.number.into()]).await?;
                if !request.previews {
                    change::end_previews(tx, &own, now).await?;
                }
                let sql = "INSERT INTO paas_source (service, organization, repository, branch, \
                           image_template, previews, secret, created_at) \
                           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
                let values: [Value; 8] = [
                    own.number.into(),
                    organization.into(),
                    repository.into(),
                    branch.into(),
                    request.image_template.into(),
                    i16::from(request.previews).into(),
                    sealed.into(),
                    now.into(),
                ];
                execute(tx, sql, values).await?;
                let found = find(tx, own.number).await?.ok_or_else(not_bound)?;
                let source = Some(found.message(Some(secret.reveal().to_owned())));
                Ok(pb::BindSourceResponse { source })
            })
        });
        Ok(answer.await?.into())
    }

    async fn unbind_source(
        &self,
        call: Call,
        request: pb::UnbindSourceRequest,
    ) -> Result<Reply<pb::UnbindSourceResponse>> {
        let (viewer, now) = (Viewer::of(&call)?, self.now());
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let own = record::find_own(tx, viewer, &request.id).await?;
                let sql = "DELETE FROM paas_source WHERE service = $1";
                if execute(tx, sql, [own.number.into()]).await? == 0 {
                    return Err(not_bound());
                }
                // Nobody can close them any more.
                change::end_previews(tx, &own, now).await?;
                Ok(pb::UnbindSourceResponse { success: true })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn receive_github_event(
        &self,
        call: Call,
        request: pb::ReceiveGithubEventRequest,
    ) -> Result<Reply<pb::ReceiveGithubEventResponse>> {
        let body = request.body.unwrap_or_default().data;
        let repository = event::repository(&body);
        let read = self.db().read(call.deadline()).await?;
        let sql = format!(
            "SELECT {COLUMNS} {FROM} WHERE o.repository = $1 AND s.deleted_at IS NULL \
             ORDER BY o.service LIMIT {MOST}"
        );
        let name = repository.unwrap_or_default();
        let mut own = Vec::new();
        for row in &rows(&read, &sql, [name.into()]).await? {
            let source = Source::of(row)?;
            if source.signed(self, &request.signature, &body)? {
                own.push(source);
            }
        }
        drop(read);
        if own.is_empty() {
            let words = "The delivery is not signed with the secret of a service that is bound \
                         to its repository";
            return Err(Error::unauthenticated(words));
        }
        let Some(event) = Event::of(&request.event, &body)? else {
            let received = pb::ReceiveGithubEventResponse {
                received: true,
                ignored: true,
            };
            return Ok(received.into());
        };
        let (delivery, now) = (request.delivery, self.now());
        let taken = self
            .db()
            .write(move |tx| Box::pin(async move { take(tx, &own, &event, &delivery, now).await }));
        let ignored = taken.await? == 0;
        self.0.arrived.notify_one();
        let received = pb::ReceiveGithubEventResponse {
            received: true,
            ignored,
        };
        Ok(received.into())
    }
}

/// Writes down what follows from a delivery, once for every service however often it is
/// sent; answers for how many something does.
async fn take(
    tx: &Tx,
    sources: &[Source],
    event: &Event,
    delivery: &str,
    now: i64,
) -> Result<usize> {
    let mut parcels = Vec::new();
    for source in sources {
        let sql = "INSERT INTO paas_delivery (id, service, received_at) VALUES ($1, $2, $3) \
                   ON CONFLICT DO NOTHING";
        let values = [delivery.into(), source.service.into(), now.into()];
        let fresh = execute(tx, sql, values).await? > 0;
        let wanted = match &event.told {
            Told::Push => event.branch == source.branch,
            Told::Opened { .. } | Told::Closed { .. } => source.previews,
        };
        if fresh && wanted {
            parcels.push(Parcel {
                topic: TOPIC,
                target: source.service_id.clone(),
                body: serde_json::to_string(event).map_err(Error::internal)?,
                due_at: now,
            });
        }
    }
    let count = parcels.len();
    outbox::put(tx, parcels).await?;
    Ok(count)
}

/// The repository of a service.
async fn find(connection: &impl ConnectionTrait, service: i64) -> Result<Option<Source>> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE o.service = $1");
    let found = row(connection, &sql, [service.into()]).await?;
    found.as_ref().map(Source::of).transpose()
}

fn not_bound() -> Error {
    Error::not_found("The service has no repository")
}

/// A branch, as git allows it.
fn branch(text: &str) -> Result<String> {
    let text = match text.trim() {
        "" => "main",
        text => text,
    };
    let plain = |c: char| c.is_ascii_graphic() && !"~^:?*[\\".contains(c);
    match text.chars().all(plain) && !text.contains("..") && !text.starts_with('-') {
        true => Ok(text.to_owned()),
        false => Err(Error::invalid_field(
            "branch",
            "branch must be the name of a branch",
        )),
    }
}
