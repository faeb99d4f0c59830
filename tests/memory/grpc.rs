//! The same over gRPC and gRPC-Web: states, reasons, and figures in the metadata.

use apex::api::apex::memory::v1 as pb;
use apex::api::apex::memory::v1::memory_service_client::MemoryServiceClient;
use serde_json::json;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;

use super::signup;
use crate::security::catalogue::find;
use crate::security::wire::{Caller, Credential, ways};
use crate::support::Server;
use crate::support::grpc::{self, Calls, Metadata};

async fn client(server: &Server, key: &str) -> MemoryServiceClient<Calls> {
    let metadata = Metadata(vec![("x-api-key", key.to_owned())]);
    MemoryServiceClient::new(InterceptedService::new(
        grpc::channel(&server.url).await,
        metadata,
    ))
}

#[tokio::test]
async fn memories_are_kept_and_found() {
    let server = Server::start();
    let mut stranger = client(&server, "").await;
    let trial = stranger
        .signup(pb::SignupRequest {
            company_name: "Acme Health".to_owned(),
            email: "dev@acmehealth.com".to_owned(),
            name: "Jordan Park".to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(trial.tenant_id, "tn_acme_health_01");
    let mut client = client(&server, &trial.api_key).await;
    let said = pb::IngestRequest {
        user_id: "u".to_owned(),
        content: "We adopted a dog called Biscuit.".to_owned(),
        ..pb::IngestRequest::default()
    };
    let kept = client.ingest(said).await.unwrap();
    for (name, value) in [
        ("x-ratelimit-limit", "60"),
        ("x-trial-days-remaining", "30"),
    ] {
        assert_eq!(grpc::text(kept.metadata(), name), Some(value));
    }
    let kept = kept.into_inner();
    let ask = pb::QueryRequest {
        user_id: "u".to_owned(),
        current_input: "What is the dog called?".to_owned(),
        limit: None,
    };
    let found = client.query(ask).await.unwrap().into_inner();
    assert_eq!(found.memories[0].node_id, kept.node_id);
    let unknown = stranger
        .get_profile(pb::GetProfileRequest {})
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::Unauthenticated);
    assert_eq!(grpc::reason(&unknown), "UNAUTHORIZED");
    assert_eq!(
        unknown.message(),
        "Invalid or missing API key. Include a valid key in the X-API-Key header."
    );
    assert_eq!(
        grpc::text(unknown.metadata(), "x-ratelimit-limit"),
        Some("600")
    );
    let wrong = client
        .ingest(pb::IngestRequest::default())
        .await
        .unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    assert_eq!(grpc::reason(&wrong), "BAD_REQUEST");
    let request = pb::DeleteNodeRequest {
        node_id: "nothing".to_owned(),
    };
    let missing = client.delete_node(request).await.unwrap_err();
    assert_eq!(
        (missing.code(), grpc::reason(&missing).as_str()),
        (Code::NotFound, "NOT_FOUND")
    );
}

/// Every protocol answers a refusal of a plan with one reason.
#[tokio::test]
async fn reasons_are_the_same_everywhere() {
    let server = Server::with(&[("APEX_PLANS_TRIAL_USERS", "1")]);
    let made = signup(&server, "Acme").await;
    let key = made["api_key"].as_str().unwrap();
    let http = server.http().with("x-api-key", key);
    super::say(&http, "first", "I like tea.").await;
    let caller = Caller::new(&server.url)
        .await
        .who(Credential::Key(key.to_owned()));
    let ingest = find("apex.memory.v1.MemoryService/Ingest");
    for way in ways(ingest) {
        let second = json!({"user_id": "second", "content": "I like tea."});
        let outcome = caller.call(ingest, way, &second).await;
        assert_eq!(outcome.reason, "USER_LIMIT_EXCEEDED", "{outcome}");
        let outcome = caller.call(ingest, way, &json!({"user_id": "first"})).await;
        assert_eq!(outcome.reason, "BAD_REQUEST", "{outcome}");
        let shown = outcome.headers.get("x-trial-days-remaining");
        assert_eq!(shown.unwrap(), "30", "{outcome}");
    }
}
