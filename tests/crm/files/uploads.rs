//! Uploads that break off, that meet, and that come over gRPC.

use apex::api::apex::crm::v1 as crm;
use apex::api::google::api::HttpBody;
use crm::conversation_file_service_client::ConversationFileServiceClient;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::super::{client, make};
use super::{kept, load, path, send, signed, talk};
use crate::support::attacker::{Attacker, until};
use crate::support::{Server, grpc};

/// An upload that stands still in the middle, until it is dropped.
async fn half(server: &Server, path: &str, size: &str) -> Attacker {
    let mut half = Attacker::connect(&server.url).await;
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: apex\r\ncontent-type: application/octet-stream\r\n{size}\r\n\r\n"
    );
    half.stream.write_all(head.as_bytes()).await.unwrap();
    let text = "x".repeat(100_000);
    let piece = match size.starts_with("transfer-encoding") {
        true => format!("{:x}\r\n{text}\r\n", text.len()),
        false => text,
    };
    half.stream.write_all(piece.as_bytes()).await.unwrap();
    until("a part is there", || std::future::ready(kept(server) == 1)).await;
    half
}

/// What is cut off is not kept, and can be sent again.
#[tokio::test]
async fn half_a_file_is_none() {
    let (mut server, http, own) = client();
    let chat = talk(&http, "sms").await;
    let place = signed(&http, "a.bin", "application/octet-stream").await;
    for size in ["transfer-encoding: chunked", "content-length: 3000000"] {
        drop(half(&server, &place.path, size).await);
        until("nothing is left of it", || {
            std::future::ready(kept(&server) == 0)
        })
        .await;
    }
    // Nor is it when the server is.
    let half = half(&server, &place.path, "content-length: 3000000").await;
    server.kill();
    drop(half);
    assert_eq!(kept(&server), 1);
    // As if an hour had passed.
    let connection = Database::connect(server.database_url()).await.unwrap();
    let sql = "UPDATE crm_upload SET sweep_at = 1";
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
    server.run();
    until("it is swept away", || {
        std::future::ready(kept(&server) == 0)
    })
    .await;
    let body = json!({"conversation_id": chat, "file_name": "a", "s3_key": place.key});
    let http = server.http().with("x-api-key", &own.key);
    http.post("/conversation-files", &body).await.expect(404);
    let whole = send(&server, &place.path, "application/octet-stream", b"whole").await;
    whole.expect(200);
    http.post("/conversation-files", &body).await.expect(201);
    assert_eq!(kept(&server), 1);
}

/// Of two that are sent at once by one URL one is the file.
#[tokio::test]
async fn two_at_once_are_one() {
    let (server, http, _own) = client();
    let chat = talk(&http, "sms").await;
    let place = signed(&http, "a.txt", "text/plain").await;
    let texts: [&[u8]; 6] = [b"one", b"two", b"three", b"four", b"five", b"six"];
    let sent = texts.map(|text| send(&server, &place.path, "text/plain", text));
    let sent = futures_util::future::join_all(sent).await;
    let taken: Vec<usize> = (0..sent.len())
        .filter(|at| sent[*at].status == 200)
        .collect();
    assert_eq!(taken.len(), 1, "{sent:?}");
    assert!(
        sent.iter().all(|one| [200, 409].contains(&one.status)),
        "{sent:?}"
    );
    let body = json!({"conversation_id": chat, "file_name": "a", "s3_key": place.key});
    let made = make(&http, "/conversation-files", body).await;
    let loaded = load(&server, &path(&made["download_url"])).await;
    assert_eq!(&loaded.bytes().await.unwrap()[..], texts[taken[0]]);
    assert_eq!(kept(&server), 1);
}

#[tokio::test]
async fn the_same_over_grpc() {
    let (server, http, own) = client();
    let chat = talk(&http, "sms").await;
    let channel = grpc::with_key(&server.url, &own.key).await;
    let mut client = ConversationFileServiceClient::new(channel);
    let asked = crm::SignConversationFileUploadRequest {
        file_name: "a.txt".to_owned(),
        file_type: "text/plain".to_owned(),
        organization_id: None,
    };
    let place = client
        .sign_conversation_file_upload(asked)
        .await
        .unwrap()
        .into_inner();
    let first = |url: &str| {
        let (path, query) = url.split_once('?').unwrap();
        let steps: Vec<&str> = path.rsplit('/').collect();
        let (expires, signature) = query.split_once('&').unwrap();
        let value = |pair: &str| pair.split_once('=').unwrap().1.to_owned();
        (
            steps[2].parse::<i64>().unwrap(),
            (steps[1].to_owned(), steps[0].to_owned()),
            (value(expires).parse::<i64>().unwrap(), value(signature)),
        )
    };
    let (organization_id, (upload, file_name), (expires, signature)) = first(&place.signed_url);
    let piece = |kind: &str, data: &'static [u8]| HttpBody {
        content_type: kind.to_owned(),
        data: data.into(),
        extensions: Vec::new(),
    };
    let begin = |kind: &str, signature: &str| crm::UploadConversationFileRequest {
        organization_id,
        upload: upload.clone(),
        file_name: file_name.clone(),
        expires,
        signature: signature.to_owned(),
        file: Some(piece(kind, b"one ")),
    };
    let rest = crm::UploadConversationFileRequest {
        file: Some(piece("", b"two")),
        ..Default::default()
    };
    for (kind, signature) in [("text/html", signature.as_str()), ("text/plain", "AAAA")] {
        let forged = futures_util::stream::iter([begin(kind, signature), rest.clone()]);
        let refused = client.upload_conversation_file(forged).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    // One that is cancelled is not taken for whole.
    let (pieces, body) = mpsc::channel(2);
    pieces.send(begin("text/plain", &signature)).await.unwrap();
    let mut other = client.clone();
    let half = tokio::spawn(async move {
        other
            .upload_conversation_file(ReceiverStream::new(body))
            .await
    });
    until("a part is there", || std::future::ready(kept(&server) == 1)).await;
    half.abort();
    until("nothing is left of it", || {
        std::future::ready(kept(&server) == 0)
    })
    .await;
    drop(pieces);
    let pieces = futures_util::stream::iter([begin("text/plain", &signature), rest]);
    let sent = client
        .upload_conversation_file(pieces)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (sent.file_size, &sent.s3_key),
        (7, &place.s3_path_without_bucket)
    );
    let many = (0..20).map(move |_| crm::UploadConversationFileRequest {
        file: Some(HttpBody {
            data: vec![0; 1024 * 1024].into(),
            ..Default::default()
        }),
        ..Default::default()
    });
    let asked = crm::SignConversationFileUploadRequest {
        file_name: "b.txt".to_owned(),
        file_type: "text/plain".to_owned(),
        organization_id: Some(own.id),
    };
    let large = client
        .sign_conversation_file_upload(asked)
        .await
        .unwrap()
        .into_inner();
    let (organization_id, (upload, file_name), (expires, signature)) = first(&large.signed_url);
    let begin = crm::UploadConversationFileRequest {
        organization_id,
        upload,
        file_name,
        expires,
        signature,
        file: Some(piece("text/plain", b"x")),
    };
    let pieces = futures_util::stream::iter(std::iter::once(begin).chain(many));
    let refused = client.upload_conversation_file(pieces).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(grpc::reason(&refused), "PAYLOAD_TOO_LARGE");
    let new = crm::CreateConversationFileRequest {
        conversation_file: Some(crm::ConversationFile {
            conversation_id: chat.as_i64(),
            file_name: Some("a.txt".to_owned()),
            s3_key: Some(sent.s3_key),
            ..Default::default()
        }),
    };
    let made = client
        .create_conversation_file(new)
        .await
        .unwrap()
        .into_inner();
    let made = made.conversation_file.unwrap();
    let (organization_id, (upload, file_name), (expires, signature)) =
        first(made.download_url.as_deref().unwrap());
    let asked = crm::DownloadConversationFileRequest {
        organization_id,
        upload,
        file_name,
        expires,
        signature,
    };
    let mut loaded = client
        .download_conversation_file(asked)
        .await
        .unwrap()
        .into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = loaded.message().await.unwrap() {
        assert_eq!(piece.content_type, "text/plain");
        bytes.extend_from_slice(&piece.data);
    }
    assert_eq!(bytes, b"one two");
    let one = crm::GetConversationFileRequest {
        id: made.key.clone().unwrap(),
    };
    let same = client
        .get_conversation_file(one)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(same.conversation_file.unwrap(), made);
}
