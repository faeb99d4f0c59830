//! What the memory product holds: memories of end users. Their ids mean something within
//! one tenant only, and so do the names callers give to sessions and requests.

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Entry, Object, Table};
use crate::security::world::Tenant;
use crate::support::Http;

const OWN_USER: &str = "the tenant's own id of an end user: another tenant's is another user";
const MADE_ANEW: &str = "names what is made; one that is taken is made anew, whoever has it";
const OF_THE_SAME: &str = "names a memory of the same import; any other is passed over";
const OWN_NAME: &str = "a name the caller chooses, known among the user's own alone";

fn http(tenant: &Tenant) -> Http {
    tenant.http.with("x-api-key", &tenant.organization.key)
}

const MEMORY: Object = Object {
    make: |tenant| {
        async move {
            let said = json!({"user_id": "u", "content": "My dog is called Biscuit."});
            let made = http(tenant).post("/api/v1/ingest", &said).await.expect(201);
            json!({"id": made["node_id"]})
        }
        .boxed()
    },
    read: |tenant, id| {
        async move {
            let told = http(tenant).get("/api/v1/context/u").await.expect(200);
            let all = told["nodes"].as_array().expect("memories").iter();
            let found = all.clone().find(|own| own["node_id"] == *id);
            found.map_or(Value::Null, |own| own["content"].clone())
        }
        .boxed()
    },
    absent: "\"f47ac10b-58cc-4372-a567-0e02b2c3d479\"",
};

macro_rules! of_users {
    ($($method:literal),*) => {
        &[
            $((concat!("apex.memory.v1.", $method), "user_id", OWN_USER),)*
            ("apex.memory.v1.MemoryService/ImportUser", "nodes.node_id", MADE_ANEW),
            ("apex.memory.v1.MemoryService/ImportUser", "nodes.session_id", OWN_NAME),
            ("apex.memory.v1.MemoryService/ImportUser", "entities.entity_id", MADE_ANEW),
            ("apex.memory.v1.MemoryService/ImportUser", "processing_events.node_id", OF_THE_SAME),
            ("apex.memory.v1.MemoryService/Ingest", "session_id", OWN_NAME),
            ("apex.memory.v1.MemoryService/Ingest", "idempotency_key", OWN_NAME),
        ]
    };
}

pub(super) const TABLE: Table = Table {
    product: "memory",
    entries: &[Entry {
        method: "apex.memory.v1.MemoryService/DeleteNode",
        field: "node_id",
        object: &MEMORY,
        request: r#"{"node_id": "$id"}"#,
    }],
    exempt: of_users![
        "MemoryService/Ingest",
        "MemoryService/Query",
        "MemoryService/GetContext",
        "MemoryService/ListEntities",
        "MemoryService/DeleteUser",
        "MemoryService/ImportUser",
        "MemoryService/ListSuppressions",
        "MemoryService/CreateSuppression",
        "MemoryService/DeleteSuppression",
        "MemoryTextService/GetContextText"
    ],
    on_projects: &[],
};
