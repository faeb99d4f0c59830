//! Files of conversations: what their requests name, and what their owner sees.

use serde_json::Value;

use crate::security::world::Tenant;

/// Whether what a method names is signed.
pub(super) fn is_signed(method: &str) -> bool {
    matches!(
        method,
        "UploadConversationFile" | "DownloadConversationFile"
    )
}

/// A file as it is shown.
pub(super) async fn read(tenant: &Tenant, id: &Value) -> Value {
    let path = format!("/conversation-files/{}", id.as_str().unwrap());
    let answer = tenant.http.get(&path).await;
    match answer.status {
        200 => {
            let mut file = answer.json();
            // It is another one every hour.
            file.as_object_mut().unwrap().shift_remove("download_url");
            file
        }
        _ => Value::Null,
    }
}

/// A request of the service of files.
pub(super) fn request(method: &str) -> &'static str {
    match method {
        "CreateConversationFile" => {
            r#"{"conversation_file": {"conversation_id": "$id", "file_name": "a.txt", "s3_key": "$own:upload"}}"#
        }
        _ => r#"{"id": "$id"}"#,
    }
}
