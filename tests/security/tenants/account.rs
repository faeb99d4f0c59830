//! What accounts hold: organizations, members, projects and keys.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Entry, Object, Table};
use crate::security::world::Tenant;

static COUNT: AtomicU32 = AtomicU32::new(0);

fn fresh_email() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("somebody-{count}@example.com")
}

/// The element of a list with this id, without when it was last used.
fn of_list(list: &Value, id: &Value) -> Value {
    let all = list.as_array().expect("a list");
    let mut found = all.iter().find(|one| one["id"] == *id).cloned();
    if let Some(Value::Object(found)) = &mut found {
        found.remove("lastUsedAt");
    }
    found.unwrap_or_default()
}

async fn members(tenant: &Tenant) -> Value {
    let path = format!("/api/organizations/{}/members", tenant.organization.id);
    tenant.get(&path).await
}

const ORGANIZATION: Object = Object {
    make: |tenant| {
        async move {
            let member = tenant.add_member(&fresh_email(), "viewer").await;
            json!({"id": tenant.organization.id, "member": member, "email": fresh_email()})
        }
        .boxed()
    },
    read: |tenant, id| {
        async move {
            let organization = tenant.get(&format!("/api/organizations/{id}")).await;
            json!({"organization": organization, "members": members(tenant).await})
        }
        .boxed()
    },
    absent: "999999",
};

const MEMBER: Object = Object {
    make: |tenant| {
        async move { json!({"id": tenant.add_member(&fresh_email(), "viewer").await}) }.boxed()
    },
    read: |tenant, id| {
        async move {
            let all = members(tenant).await;
            let mut all = all.as_array().expect("a list").iter();
            all.find(|one| one["userId"] == *id)
                .cloned()
                .unwrap_or_default()
        }
        .boxed()
    },
    absent: "999999",
};

const PROJECT: Object = Object {
    make: |tenant| {
        async move { tenant.post("/api/projects", json!({"name": "Plans"})).await }.boxed()
    },
    read: |tenant, id| async move { of_list(&tenant.get("/api/projects").await, id) }.boxed(),
    absent: "\"prj_00000000000000000000000000000000\"",
};

const KEY: Object = Object {
    make: |tenant| {
        async move { tenant.post("/api/api-keys", json!({"name": "Robot"})).await }.boxed()
    },
    read: |tenant, id| async move { of_list(&tenant.get("/api/api-keys").await, id) }.boxed(),
    absent: "\"key_00000000000000000000000000000000\"",
};

pub(super) const TABLE: Table = Table {
    product: "account",
    entries: &[
        Entry {
            method: "apex.account.v1.OrganizationService/GetOrganization",
            field: "id",
            object: &ORGANIZATION,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.account.v1.OrganizationService/UpdateOrganization",
            field: "id",
            object: &ORGANIZATION,
            request: r#"{"id": "$id", "name": "Taken", "plan": "trial"}"#,
        },
        Entry {
            method: "apex.account.v1.OrganizationService/ListMembers",
            field: "organization_id",
            object: &ORGANIZATION,
            request: r#"{"organizationId": "$id"}"#,
        },
        Entry {
            method: "apex.account.v1.OrganizationService/AddMember",
            field: "organization_id",
            object: &ORGANIZATION,
            request: r#"{"organizationId": "$id", "email": "$email", "role": "owner"}"#,
        },
        Entry {
            method: "apex.account.v1.OrganizationService/UpdateMember",
            field: "organization_id",
            object: &ORGANIZATION,
            request: r#"{"organizationId": "$id", "userId": "$member", "role": "owner"}"#,
        },
        Entry {
            method: "apex.account.v1.OrganizationService/UpdateMember",
            field: "user_id",
            object: &MEMBER,
            request: r#"{"organizationId": "$organization", "userId": "$id", "role": "owner"}"#,
        },
        Entry {
            method: "apex.account.v1.OrganizationService/RemoveMember",
            field: "organization_id",
            object: &ORGANIZATION,
            request: r#"{"organizationId": "$id", "userId": "$member"}"#,
        },
        Entry {
            method: "apex.account.v1.OrganizationService/RemoveMember",
            field: "user_id",
            object: &MEMBER,
            request: r#"{"organizationId": "$organization", "userId": "$id"}"#,
        },
        Entry {
            method: "apex.account.v1.ProjectService/UpdateProject",
            field: "id",
            object: &PROJECT,
            request: r#"{"id": "$id", "name": "Taken", "timezone": "Europe/Berlin"}"#,
        },
        Entry {
            method: "apex.account.v1.ProjectService/DeleteProject",
            field: "id",
            object: &PROJECT,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.account.v1.ProjectService/RotateProjectKey",
            field: "id",
            object: &PROJECT,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.account.v1.ApiKeyService/CreateApiKey",
            field: "project_id",
            object: &PROJECT,
            request: r#"{"name": "Thief", "projectId": "$id"}"#,
        },
        Entry {
            method: "apex.account.v1.ApiKeyService/UpdateApiKey",
            field: "id",
            object: &KEY,
            request: r#"{"id": "$id", "name": "Taken", "scopes": ["account.read"]}"#,
        },
        Entry {
            method: "apex.account.v1.ApiKeyService/DeleteApiKey",
            field: "id",
            object: &KEY,
            request: r#"{"id": "$id"}"#,
        },
    ],
    exempt: &[(
        "apex.account.v1.SessionService/CompleteSetup",
        "token",
        "the one-time secret of an empty server, where there is no tenant yet",
    )],
    on_projects: &[],
};
