//! gRPC: typed questions over the same rules, the same state and the same reasons.

use apex::api::apex::crm::v1 as crm;
use crm::contact_service_client::ContactServiceClient;
use crm::{Comparison, Filter, Find, Group, Operand, Operator, Sort, filter, operand};
use prost_types::FieldMask;
use serde_json::json;
use tonic::Code;

use super::{client, contacts};
use crate::support::grpc;

fn compare(field: &str, operator: Operator, values: &[&str]) -> Filter {
    let value = |text: &&str| Operand {
        kind: Some(operand::Kind::Text((*text).to_owned())),
    };
    Filter {
        kind: Some(filter::Kind::Compare(Comparison {
            field: field.to_owned(),
            operator: operator.into(),
            values: values.iter().map(value).collect(),
        })),
    }
}

fn any(filters: Vec<Filter>) -> Filter {
    Filter {
        kind: Some(filter::Kind::Any(Group { filters })),
    }
}

#[tokio::test]
async fn what_is_too_much_to_ask() {
    let (server, _, own) = client();
    let mut client = ContactServiceClient::new(grpc::with_key(&server.url, &own.key).await);
    let many = vec!["1"; 1001];
    let long = "%a".repeat(30_000);
    for filter in [
        compare("id", Operator::In, &many),
        any(vec![
            compare("id", Operator::In, &many[..600]),
            compare("id", Operator::In, &many[..600]),
        ]),
        compare("first_name", Operator::Like, &[&long]),
    ] {
        let find = Some(Find {
            filter: Some(filter),
            ..Default::default()
        });
        let request = crm::ListContactsRequest {
            find,
            ..Default::default()
        };
        let refused = client.list_contacts(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn the_same_questions() {
    let (server, http, own) = client();
    contacts(&http, &["Ann", "Bob", "Cyd", "Dan"]).await;
    let mut client = ContactServiceClient::new(grpc::with_key(&server.url, &own.key).await);
    let find = Find {
        filter: Some(any(vec![
            compare("first_name", Operator::In, &["Ann", "Bob"]),
            compare("first_name", Operator::Greater, &["Cz"]),
        ])),
        sort: vec![Sort {
            field: "first_name".to_owned(),
            descending: true,
        }],
        limit: Some(2),
        ..Default::default()
    };
    let request = crm::ListContactsRequest {
        find: Some(find),
        ..Default::default()
    };
    let page = client.list_contacts(request).await.unwrap().into_inner();
    assert_eq!((page.total, page.limit, page.skip), (3, 2, 0));
    let query = "/contacts?$or[0][first_name][$in][]=Ann&$or[0][first_name][$in][]=Bob\
                 &$or[1][first_name][$gt]=Cz&$sort[first_name]=-1&$limit=2";
    let same = http.get(query).await.expect(200);
    let ids: Vec<_> = page.data.iter().map(|one| json!(one.id)).collect();
    let others: Vec<_> = same["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(ids, others);
    assert_eq!(page.data[0].first_name.as_deref(), Some("Dan"));
    // As JSON, too.
    let request = crm::ListContactsRequest {
        query: Some(r#"{"first_name": {"$nin": ["Ann"]}, "$select": ["first_name"]}"#.to_owned()),
        ..Default::default()
    };
    let page = client.list_contacts(request).await.unwrap().into_inner();
    assert_eq!(page.total, 3);
}

#[tokio::test]
async fn the_same_state_and_reasons() {
    let (server, http, own) = client();
    let mut client = ContactServiceClient::new(grpc::with_key(&server.url, &own.key).await);
    let contact = crm::Contact {
        first_name: Some("Ann".to_owned()),
        email: Some("ann@example.com".to_owned()),
        ..Default::default()
    };
    let request = crm::CreateContactsRequest {
        contacts: vec![contact],
        ..Default::default()
    };
    let made = client.create_contacts(request).await.unwrap().into_inner();
    let id = made.contacts[0].id;
    let path = format!("/contacts/{id}");
    assert_eq!(
        http.get(&path).await.expect(200)["email"],
        "ann@example.com"
    );
    let update = |paths: &[&str]| crm::UpdateContactRequest {
        id,
        contact: Some(crm::Contact {
            first_name: Some("Anna".to_owned()),
            ..Default::default()
        }),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        ..Default::default()
    };
    let changed = client
        .update_contact(update(&["first_name", "email"]))
        .await;
    let contact = changed.unwrap().into_inner().contact.unwrap();
    assert_eq!(
        (contact.first_name.as_deref(), contact.email),
        (Some("Anna"), None)
    );
    let status = client
        .update_contact(update(&["system_type", "owner"]))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let get = |id| crm::GetContactRequest {
        id,
        ..Default::default()
    };
    let read = client.get_contact(get(id)).await.unwrap();
    let tag = grpc::text(read.metadata(), "etag").unwrap().to_owned();
    assert_eq!(http.get(&path).await.header("etag"), Some(tag.as_str()));
    let mut stale = tonic::Request::new(update(&["first_name"]));
    stale
        .metadata_mut()
        .insert("if-match", "\"0-0\"".parse().unwrap());
    let status = client.update_contact(stale).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(grpc::reason(&status), "STALE_RECORD");
    let status = client.get_contact(get(999)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.message(), "No record found for id '999'");
    let status = client.get_contact(get(-1)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let wrong = crm::ListContactsRequest {
        find: Some(Find {
            filter: Some(compare("search", Operator::Equal, &["x"])),
            ..Default::default()
        }),
        ..Default::default()
    };
    let status = client.list_contacts(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "search is no member to ask for");
    let mut deep = compare("first_name", Operator::Equal, &["x"]);
    for _ in 0..20 {
        deep = any(vec![deep]);
    }
    let deep = crm::ListContactsRequest {
        find: Some(Find {
            filter: Some(deep),
            ..Default::default()
        }),
        ..Default::default()
    };
    let status = client.list_contacts(deep).await.unwrap_err();
    assert_eq!(status.message(), "The query is nested too deeply");
    let request = crm::DeleteContactRequest {
        id,
        ..Default::default()
    };
    client.delete_contact(request).await.unwrap();
    assert_eq!(http.get(&path).await.status, 404);
}
