//! What the CRM holds. Its methods are alike, so their entries are made of the
//! descriptors: every field that names something is there by its name, on every method
//! that takes it; a name that is new fails until somebody has said what it names.

mod bulk;
mod files;
mod objects;

use serde_json::{Value, json};

use super::{Entry, Table};
use crate::security::catalogue::{id_fields, served};
use crate::security::world::Tenant;
use crate::support::records;
use objects::{make, object, path};

/// Fields that name nothing of anybody's, and why.
const EXEMPT: [(&str, &str); 15] = [
    ("external_id", "another program's number"),
    ("merged_into_id", "set by the server; refused"),
    ("key", "made by the server; refused"),
    ("key_id", "set by the server; refused"),
    ("id", "what a record says of itself is passed over"),
    (
        "organization_id",
        "another's is refused with 403, as `crm::errors` shows",
    ),
    ("created_by_user_id", "set by the server; refused"),
    (
        "channel_whatsapp_wa_id",
        "somebody else's number for a person",
    ),
    (
        "channel_instagram_user_id",
        "somebody else's number for a person",
    ),
    ("icon_key", "the name of a picture"),
    ("thread_id", "somebody else's name for messages"),
    (
        "assigned_ai_assistant_id",
        "somebody else's name for an assistant",
    ),
    ("sent_by_user_id", "set by the server; refused"),
    ("key", "set by the server; refused"),
    (
        "s3_key",
        "what is said of a file; another's is none, as `crm::files` shows",
    ),
];

/// What fields name by their last part.
const NAMED: [(&str, &str); 18] = [
    ("company_id", "company"),
    ("contact_id", "contact"),
    ("deal_id", "deal"),
    ("pipeline_id", "pipeline"),
    ("pipeline_stage_id", "pipeline_stage"),
    ("product_id", "product"),
    ("parent_id", "product"),
    ("product_category_id", "product_category"),
    ("tag_id", "tag"),
    ("owned_by_user_id", "user"),
    ("assigned_to_user_id", "user"),
    ("user_id", "user"),
    ("assigned_user_id", "user"),
    ("support_ticket_id", "support_ticket"),
    ("inbox_channel_id", "inbox_channel"),
    ("conversation_id", "conversation"),
    ("view_id", "conversation_view"),
    ("conversation_file_id", "conversation_file"),
];

/// What a field of a resource names: conversations have pipelines of their own.
fn named(of: &str, field: &str) -> Option<&'static str> {
    match (of, field) {
        ("conversation", "pipeline_id") => Some("conversation_pipeline"),
        ("conversation", "pipeline_stage_id") => Some("conversation_pipeline_stage"),
        _ => {
            let known = NAMED.iter().find(|(own, _)| *own == field);
            known.map(|(_, named)| *named)
        }
    }
}

/// `PipelineStage` as `pipeline_stage`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// The resource of a service.
fn resource(service: &str) -> String {
    let name = service.rsplit('.').next().unwrap();
    match name.strip_suffix("Service").unwrap() {
        "OwnOrganization" => "organization".to_owned(),
        "OrganizationUser" => "user".to_owned(),
        "RecordWebhook" => "webhook".to_owned(),
        "RecordWebhookDelivery" => "webhook_delivery".to_owned(),
        name => snake(name),
    }
}

/// The table, which lives as long as the tests.
pub fn table() -> &'static Table {
    static TABLE: std::sync::LazyLock<Table> = std::sync::LazyLock::new(made);
    &TABLE
}

fn made() -> Table {
    let (mut entries, mut exempt) = (Vec::new(), Vec::new());
    for spec in served().filter(|spec| spec.service.product == "crm") {
        let method = &spec.path[1..];
        let of = resource(spec.service.name);
        for field in id_fields(spec) {
            let field: &'static str = field.leak();
            let steps: Vec<&str> = field.split('.').collect();
            let last = steps[steps.len() - 1];
            match steps.as_slice() {
                [_, ..] if spec.name.starts_with("Upsert") => exempt.push((
                    method,
                    field,
                    "a row that is refused has a result of its own, as `crm::known` shows",
                )),
                [name] if spec.name.starts_with("Merge") => entries.push(Entry {
                    method,
                    field,
                    object: object(&of),
                    request: match *name {
                        "target_id" => {
                            format!(r#"{{"target_id": "$id", "source_ids": ["$own:{of}"]}}"#)
                        }
                        _ => format!(r#"{{"target_id": "$own:{of}", "source_ids": ["$id"]}}"#),
                    }
                    .leak(),
                }),
                ["external_id"] => exempt.push((method, field, "another program's number")),
                ["resource"] => exempt.push((method, field, "the name of a kind of records")),
                [name] if spec.name.starts_with("ListDuplicate") => entries.push(Entry {
                    method,
                    field,
                    object: object(&of),
                    request: format!(r#"{{"{name}": "$id"}}"#).leak(),
                }),
                _ if spec.name == "CreateConversationsBulkAction" => {
                    bulk::add((method, field, &steps), &mut entries, &mut exempt);
                }
                _ if files::is_signed(spec.name) => {
                    exempt.push((method, field, "signed by the server for one file"));
                }
                ["organization_id"] => {
                    exempt.push((method, field, "another's is refused with 403"));
                }
                ["service"] => exempt.push((
                    method,
                    field,
                    "the channel, which is everybody's; its messages are one's own",
                )),
                [_, "contact_id"] if spec.name == "SendConversationMessage" => {
                    exempt.push((method, field, "it is the conversation's; refused"));
                }
                ["id"] => entries.push(Entry {
                    method,
                    field,
                    object: object(&of),
                    request: request(spec.name, &of, None),
                }),
                ["own_api_key"] => exempt.push((method, field, "what a key is to be")),
                [_, _, ..] if steps.len() > 2 => {
                    exempt.push((method, field, "what is joined cannot be set"));
                }
                // The user of a member of an organization is not written.
                [_, name] => match (EXEMPT.iter().find(|(own, _)| own == name), *name) {
                    (Some((_, why)), _) => exempt.push((method, field, *why)),
                    (None, name) if is_kept(spec.name, &of, name) => {
                        exempt.push((method, field, "it stays what it is; refused"));
                    }
                    (None, name) => {
                        let named = named(&of, name)
                            .unwrap_or_else(|| panic!("{method}: what does {last} name?"));
                        entries.push(Entry {
                            method,
                            field,
                            object: object(named),
                            request: request(spec.name, &of, Some(name)),
                        });
                    }
                },
                _ => panic!("{method}: what does {field} name?"),
            }
        }
    }
    Table {
        product: "crm",
        entries: entries.leak(),
        exempt: exempt.leak(),
        on_projects: &[],
    }
}

/// Whether a field is written when a record is made, and stays.
fn is_kept(method: &str, resource: &str, field: &str) -> bool {
    let changes = method.starts_with("Update") || method.starts_with("Replace");
    changes
        && matches!(
            (resource, field),
            ("pipeline_stage", "pipeline_id")
                | ("support_ticket_message", "support_ticket_id")
                | ("conversation", "contact_id")
                | ("deal_product", "deal_id" | "product_id")
        )
        || (resource, field) == ("own_api_key", "user_id")
}

/// A request that names an object by its id, or by a member.
fn request(method: &str, resource: &str, member: Option<&str>) -> &'static str {
    match resource {
        "conversation_message" => return bulk::message(method, member),
        "conversation_file" => return files::request(method),
        _ => {}
    }
    let verbs = [
        "Get", "List", "Create", "Update", "Replace", "Delete", "Rotate", "Replay", "Restore",
    ];
    let verb = verbs
        .into_iter()
        .find(|verb| method.starts_with(verb))
        .expect("a verb");
    let mut body = body(resource, member);
    if matches!(verb, "Update" | "Replace") {
        body = without_kept(method, resource, &body);
    }
    let request = match (verb, member) {
        ("Get" | "List" | "Delete" | "Rotate" | "Replay" | "Restore", _) => {
            r#"{"id": "$id"}"#.to_owned()
        }
        ("Create", _) if resource == "own_api_key" => {
            format!(r#"{{"own_api_key": {body}}}"#)
        }
        ("Create", _) => format!(
            r#"{{"{}": [{body}]}}"#,
            path(resource)[1..].replace('-', "_")
        ),
        (_, None) => format!(r#"{{"id": "$id", "{resource}": {body}}}"#),
        // The caller's own record, which is to name the object.
        (_, Some(_)) => format!(r#"{{"id": "$own:{resource}", "{resource}": {body}}}"#),
    };
    request.leak()
}

/// A record without what stays as it is.
fn without_kept(method: &str, resource: &str, body: &str) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    let members = body.as_object_mut().unwrap();
    members.retain(|name, _| !is_kept(method, resource, name));
    body.to_string()
}

/// A record that names the object by a member.
fn body(resource: &str, member: Option<&str>) -> String {
    let own = path(resource);
    let known = records::BODIES.iter().find(|(path, _)| *path == own);
    let (_, body) = known.unwrap_or(&("", "{}"));
    let mut body: Value = serde_json::from_str(body).unwrap();
    for (name, value) in body.as_object_mut().unwrap() {
        if let Some(need) = value.as_str().and_then(|text| text.strip_prefix('$')) {
            *value = json!(match need {
                "fresh" => "$fresh".to_owned(),
                _ if Some(name.as_str()) == member => "$id".to_owned(),
                _ => format!("$own:{need}"),
            });
        }
    }
    if let Some(member) = member {
        body[member] = json!("$id");
    }
    if member == Some("pipeline_stage_id") {
        body.as_object_mut().unwrap().shift_remove("pipeline_id");
    }
    body.to_string()
}

/// Puts the caller's own records into a request.
pub async fn owned(template: &str, tenant: &Tenant) -> String {
    let mut text = template.to_owned();
    text = text.replace("$fresh", &uuid::Uuid::new_v4().to_string());
    while let Some(at) = text.find("\"$own:") {
        let name = text[at + "\"$own:".len()..]
            .split('"')
            .next()
            .unwrap()
            .to_owned();
        let made = make(tenant, &name).await;
        text = text.replacen(&format!("\"$own:{name}\""), &made["id"].to_string(), 1);
    }
    text
}
