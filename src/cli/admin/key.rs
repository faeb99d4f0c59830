//! `apex key`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Of, PAGE};
use crate::api::apex::account::v1 as pb;
use crate::cli::client::{Client, Target};
use crate::cli::output::table;
use crate::cli::{Context, Outcome};
use pb::api_key_service_client::ApiKeyServiceClient;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make an API key; it is shown once
    Create {
        #[command(flatten)]
        of: Of,
        /// What it is for
        #[arg(long)]
        name: String,
        /// Scopes such as metrics.write; everything when absent
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<String>,
        /// Project it is for; every project when absent
        #[arg(long)]
        project: Option<String>,
        /// When it stops working, as 2027-01-01T00:00:00Z
        #[arg(long)]
        expires_at: Option<jiff::Timestamp>,
    },
    /// List the keys of an organization
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Revoke a key
    Revoke {
        /// Organization it is of; the id alone is enough
        #[arg(long, value_name = "ID")]
        organization: Option<i64>,
        /// Id of the key, key_…
        id: String,
    },
}

impl Key {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let client = Client::connect(context).await?;
        let service = |organization| {
            ApiKeyServiceClient::new(client.targeted(Target {
                organization,
                project: None,
            }))
        };
        match self {
            Self::Create {
                of,
                name,
                scopes,
                project,
                expires_at,
            } => {
                let request = pb::CreateApiKeyRequest {
                    name,
                    scopes,
                    project_id: project,
                    expires_at: expires_at
                        .map(|at| crate::products::timestamp(at.as_microsecond())),
                };
                let made = service(Some(of.choose(&client).await?))
                    .create_api_key(request)
                    .await?
                    .into_inner();
                let key = made.api_key.unwrap_or_default();
                let mut json = key_json(&key);
                json["key"] = json!(key.key());
                context.output.result(&json, || {
                    format!("id   {}\nkey  {}   (shown once)\n", key.id, key.key())
                });
            }
            Self::List { of } => {
                let mut service = service(Some(of.choose(&client).await?));
                let mut all: Vec<pb::ApiKey> = Vec::new();
                let mut full = true;
                while full {
                    let request = pb::ListApiKeysRequest {
                        after: all.last().map(|key| key.id.clone()).unwrap_or_default(),
                        limit: Some(PAGE),
                    };
                    let some = service.list_api_keys(request).await?.into_inner().api_keys;
                    full = some.len() == PAGE as usize;
                    all.extend(some);
                }
                let json: Value = all.iter().map(key_json).collect();
                let row = |key: &pb::ApiKey| {
                    vec![
                        key.id.clone(),
                        key.prefix.clone(),
                        key.name.clone(),
                        key.scopes.join(","),
                        time(key.last_used_at.as_ref()).unwrap_or_else(|| "never".to_owned()),
                    ]
                };
                let rows: Vec<_> = all.iter().map(row).collect();
                let headings = ["ID", "PREFIX", "NAME", "SCOPES", "LAST USED"];
                context.output.result(&json, || table(&headings, &rows));
            }
            Self::Revoke { organization, id } => {
                let request = pb::DeleteApiKeyRequest { id: id.clone() };
                service(organization).delete_api_key(request).await?;
                let json = json!({"id": id, "revoked": true});
                context.output.result(&json, || format!("revoked {id}"));
            }
        }
        client.finish().await
    }
}

fn key_json(key: &pb::ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "project_id": key.project_id,
        "user_id": key.user_id,
        "created_at": time(key.created_at.as_ref()),
        "expires_at": time(key.expires_at.as_ref()),
        "last_used_at": time(key.last_used_at.as_ref()),
    })
}

fn time(at: Option<&prost_types::Timestamp>) -> Option<String> {
    let at = jiff::Timestamp::new(at?.seconds, at?.nanos).ok()?;
    Some(at.to_string())
}
