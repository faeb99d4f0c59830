//! Items of a batch that cannot be read, and ids that tell nothing apart.

use apex::api::apex::metrics::v1 as pb;
use serde_json::json;
use tonic::Code;

use crate::support::{Server, grpc};

#[tokio::test]
async fn what_is_wrong_is_said_of_the_item() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    let items = json!([1, "x", [], null, {"event_name": 1}, {"event_name": "x"}]);
    let answer = http
        .post("/api/v1/events/batch", &json!({"events": items}))
        .await;
    let json = answer.expect(200);
    assert_eq!(json["received"], 1);
    let results = json["results"].as_array().unwrap();
    let errors: Vec<_> = results.iter().map(|result| &result["error"]).collect();
    let object = json!("The item must be an object");
    assert_eq!(errors[..4], [&object; 4]);
    assert_eq!(errors[4], "event_name must be a string");
    assert!(errors[5].is_null(), "{json}");
    // Of the whole body, as it was.
    let answer = http.post("/api/v1/events/batch", &json!([1])).await;
    let message = answer.expect(400)["error"]["message"].clone();
    assert_eq!(message, "The body must be an object");
}

#[tokio::test]
async fn a_blank_id_is_none() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    let blank = "event_id must not be blank";
    let inside = "metadata.event_id must not be blank";
    for id in [" ", "   ", "\t\n", "\u{a0}"] {
        for (path, body, says) in [
            (
                "/api/v1/events",
                json!({"event_name": "x", "event_id": id}),
                blank,
            ),
            (
                "/api/v1/events/purchase",
                json!({"price": 1, "currency": "EUR", "event_id": id}),
                blank,
            ),
            (
                "/api/v1/events",
                json!({"event_name": "x", "metadata": {"event_id": id}}),
                inside,
            ),
        ] {
            let answer = http.post(path, &body).await;
            let error = json!({"code": "INVALID_REQUEST", "message": says});
            assert_eq!(answer.expect(400)["error"], error, "{body}");
        }
        let batch = json!({"events": [{"event_name": "x", "event_id": id}]});
        let answer = http.post("/api/v1/events/batch", &batch).await;
        assert_eq!(answer.expect(200)["results"][0]["error"], blank);
    }
    let mut client = grpc::metrics(&server.url, &key).await;
    let request = pb::SendEventRequest {
        event_name: "x".to_owned(),
        event_id: "  ".to_owned(),
        ..Default::default()
    };
    let status = client.send_event(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(grpc::reason(&status), "INVALID_REQUEST");
    assert_eq!(status.message(), blank);
    // An empty one is none, as before, and blanks around one are its own.
    for id in ["", " a ", "a"] {
        let body = json!({"event_name": "x", "event_id": id});
        http.post("/api/v1/events", &body).await.expect(200);
    }
    let answer = http.get("/api/v1/analytics?metrics=events").await;
    assert_eq!(answer.expect(200)["data"]["events"], 3);
}
