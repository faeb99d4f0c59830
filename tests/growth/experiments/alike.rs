//! The same calls over gRPC come to the same.

use apex::api::apex::growth::v1 as pb;
use pb::experiment_service_client::ExperimentServiceClient;
use serde_json::json;
use tonic::Code;

use super::{PATH, Site};
use crate::support::grpc;

#[tokio::test]
async fn grpc_is_another_way_to_the_same() {
    let site = Site::start();
    let mut client =
        ExperimentServiceClient::new(grpc::with_key(&site.server.url, &site.own.key).await);
    let variant = |name: &str| pb::Variant {
        name: name.to_owned(),
        ..pb::Variant::default()
    };
    let new = pb::CreateExperimentRequest {
        name: "Plans page CTA".to_owned(),
        target_url: "/plans".to_owned(),
        variants: vec![variant("Control"), variant("Other")],
        ..pb::CreateExperimentRequest::default()
    };
    let made = client
        .create_experiment(new.clone())
        .await
        .unwrap()
        .into_inner();
    let made = made.experiment.unwrap();
    let listed = site.http.get(PATH).await.expect(200);
    assert_eq!(listed[0]["id"], json!(made.id));
    assert_eq!(listed[0]["variants"][1]["id"], "variant_b");
    let run = pb::UpdateExperimentRequest {
        id: made.id.clone(),
        status: "running".to_owned(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["status".to_owned()],
        }),
        ..pb::UpdateExperimentRequest::default()
    };
    client.update_experiment(run).await.unwrap();
    let asked = pb::ListActiveExperimentsRequest {
        key: site.own.project_key.clone(),
    };
    let active = client.list_active_experiments(asked).await.unwrap();
    assert!(active.metadata().get("etag").is_some());
    let active = active.into_inner().experiments;
    assert_eq!(active[0].id, made.id);
    let rest = site.http.get(&site.active()).await.expect(200);
    assert_eq!(
        rest[0]["variants"][1]["buckets"],
        json!([{"from": 50, "to": 100}])
    );
    assert_eq!(
        active[0].variants[1].buckets,
        [pb::BucketRange { from: 50, to: 100 }]
    );

    let wrong = pb::CreateExperimentRequest {
        traffic_split: Some(101.0),
        ..new.clone()
    };
    let status = client.create_experiment(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "trafficSplit must be between 0 and 100");
    assert_eq!(grpc::reason(&status), "VALIDATION_ERROR");
    // What JSON's lists are told, a message's are told too.
    let one = pb::CreateExperimentRequest {
        variants: vec![variant("Control")],
        ..new
    };
    let status = client.create_experiment(one).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let gone = pb::DeleteExperimentRequest {
        id: "exp_0".to_owned(),
    };
    let status = client.delete_experiment(gone).await.unwrap_err();
    assert_eq!(
        (status.code(), grpc::reason(&status).as_str()),
        (Code::NotFound, "NOT_FOUND")
    );
    let back = pb::UpdateExperimentRequest {
        id: made.id,
        status: "draft".to_owned(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["status".to_owned()],
        }),
        ..pb::UpdateExperimentRequest::default()
    };
    let status = client.update_experiment(back).await.unwrap_err();
    assert_eq!(
        status.message(),
        "status cannot change from running to draft"
    );
}
