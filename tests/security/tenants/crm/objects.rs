//! What the CRM holds, and how its owner makes and sees it.

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::files;
use crate::security::catalogue::find;
use crate::security::tenants::Object;
use crate::security::wire::Way;
use crate::security::world::Tenant;
use crate::support::records;

/// Path of a resource.
pub(super) fn path(resource: &str) -> String {
    if resource.starts_with('/') {
        return resource.to_owned();
    }
    let plural = match resource {
        "company" => "companies".to_owned(),
        "activity" => "activities".to_owned(),
        "product_category" => "product-categories".to_owned(),
        "webhook_delivery" => "webhook-deliveries".to_owned(),
        "audit_log" => "audit-log".to_owned(),
        "own_api_key" => "api-keys".to_owned(),
        "conversation_pipeline" => "pipelines".to_owned(),
        "conversation_pipeline_stage" => "pipeline-stages".to_owned(),
        "conversation_message" => "conversation-messages-whatsapp".to_owned(),
        other => format!("{}s", other.replace('_', "-")),
    };
    format!("/{plural}")
}

/// Makes a record and what it needs.
pub(super) async fn make(tenant: &Tenant, resource: &str) -> Value {
    match resource {
        "upload" => return json!({"id": records::sent(&tenant.http).await}),
        "conversation_file" => return records::file(&tenant.http).await,
        "webhook_delivery" => return records::delivery(&tenant.http).await,
        "audit_log" => return change(tenant).await,
        "import" => return records::import(&tenant.http).await,
        "own_api_key" => return key(tenant).await,
        "role_grant" => ungrant(tenant).await,
        "conversation_pipeline" => return care(tenant).await,
        "conversation_pipeline_stage" => {
            let stage = json!({"name": "Last", "pipeline_id": care(tenant).await["id"]});
            return records::made(&tenant.http, "/pipeline-stages", &stage).await;
        }
        _ => {}
    }
    records::make(&tenant.http, &path(resource)).await
}

/// A pipeline that conversations stand in.
async fn care(tenant: &Tenant) -> Value {
    let body = json!({"name": "Care", "type": "conversation"});
    records::made(&tenant.http, "/pipelines", &body).await
}

/// An API key, which people make.
async fn key(tenant: &Tenant) -> Value {
    let spec = find("apex.crm.v1.OwnApiKeyService/CreateOwnApiKey");
    let body = json!({"own_api_key": {"name": "Robot"}});
    let made = tenant.session.call(spec, Way::Grpc, &body).await.json();
    made["ownApiKey"].clone()
}

/// What is said of an API key, to people.
async fn seen_key(tenant: &Tenant, id: &Value) -> Value {
    let spec = find("apex.crm.v1.OwnApiKeyService/GetOwnApiKey");
    let outcome = tenant
        .session
        .call(spec, Way::Grpc, &json!({ "id": id }))
        .await;
    match outcome.succeeded() {
        true => outcome.json(),
        false => Value::Null,
    }
}

/// Takes back what was granted: there is one grant of a role and a resource.
async fn ungrant(tenant: &Tenant) {
    let page = tenant.get("/role-grants").await;
    for grant in page["data"].as_array().unwrap() {
        let one = format!("/role-grants/{}", grant["id"]);
        tenant.http.delete(&one).await.expect(200);
    }
}

/// A change in the log.
async fn change(tenant: &Tenant) -> Value {
    let note = records::make(&tenant.http, "/notes").await;
    let log = format!("/audit-log?entity=notes&entity_id={}", note["id"]);
    tenant.get(&log).await["data"][0].clone()
}

/// Somebody who belongs to a tenant.
async fn user(tenant: &Tenant) -> Value {
    let email = format!("{}@example.com", uuid::Uuid::new_v4());
    let id = tenant.add_member(&email, "viewer").await;
    json!({ "id": id })
}

macro_rules! objects {
    ($($name:literal),+) => {
        /// How a resource is made and read.
        pub(super) fn object(name: &str) -> &'static Object {
            match name {
                $($name => {
                    const OBJECT: Object = Object {
                        make: |tenant| make(tenant, $name).boxed(),
                        read: |tenant, id| async move {
                            if $name == "own_api_key" {
                                return seen_key(tenant, id).await;
                            }
                            let answer = tenant.http.get(&format!("{}/{id}", path($name))).await;
                            match answer.status {
                                200 => answer.json(),
                                _ => Value::Null,
                            }
                        }.boxed(),
                        absent: "999999999",
                    };
                    &OBJECT
                })+
                "conversation_message" => {
                    const OBJECT: Object = Object {
                        make: |tenant| make(tenant, "conversation_message").boxed(),
                        read: |tenant, id| async move {
                            let id = id.as_str().unwrap();
                            let path = format!("{}/{id}", path("conversation_message"));
                            let answer = tenant.http.get(&path).await;
                            match answer.status {
                                200 => answer.json(),
                                _ => Value::Null,
                            }
                        }.boxed(),
                        absent: "\"000000000000000000000000\"",
                    };
                    &OBJECT
                }
                "conversation_file" => {
                    const OBJECT: Object = Object {
                        make: |tenant| make(tenant, "conversation_file").boxed(),
                        read: |tenant, id| files::read(tenant, id).boxed(),
                        absent: "\"000000000000000000000000\"",
                    };
                    &OBJECT
                }
                "user" => {
                    const OBJECT: Object = Object {
                        make: |tenant| user(tenant).boxed(),
                        read: |tenant, id| async move {
                            tenant.get(&format!("/organization-users/{id}")).await
                        }.boxed(),
                        absent: "999999999",
                    };
                    &OBJECT
                }
                "organization" => {
                    const OBJECT: Object = Object {
                        make: |tenant| async move { json!({"id": tenant.organization.id}) }.boxed(),
                        read: |tenant, id| async move {
                            tenant.get(&format!("/organizations/{id}")).await
                        }.boxed(),
                        absent: "999999999",
                    };
                    &OBJECT
                }
                other => panic!("say what a {other} is"),
            }
        }
    };
}

objects!(
    "contact",
    "company",
    "pipeline",
    "pipeline_stage",
    "conversation_pipeline",
    "conversation_pipeline_stage",
    "deal",
    "product",
    "product_category",
    "deal_product",
    "activity_type",
    "activity",
    "custom_field",
    "tag",
    "contact_tag",
    "note",
    "webhook",
    "webhook_delivery",
    "audit_log",
    "import",
    "role_grant",
    "own_api_key",
    "support_ticket",
    "support_ticket_message",
    "inbox_channel",
    "conversation",
    "conversation_view",
    "conversation_predefined_message"
);
