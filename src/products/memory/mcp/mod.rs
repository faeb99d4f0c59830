//! The product as tools of language models, by the Model Context Protocol. A message
//! comes with a request and its answer goes with the answer: there is nothing to remember
//! between two, so that any node answers any of them.

mod tools;

use rmcp::RoleServer;
use rmcp::model::{
    ClientCapabilities, ClientJsonRpcMessage, Implementation, InitializeRequestParams,
    ProtocolVersion,
};
use rmcp::service::serve_directly;
use rmcp::transport::OneshotTransport;

use super::Memory;
use crate::api::McpService;
use crate::api::apex::memory::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};
use tools::Tools;

impl McpService for Memory {
    async fn send_mcp_message(
        &self,
        call: Call,
        request: pb::SendMcpMessageRequest,
    ) -> Result<Reply<HttpBody>> {
        if call.idempotency_key().is_some() {
            let words = "Name a request by idempotency_key among the arguments of its tool";
            return Err(Error::invalid_field("Idempotency-Key", words));
        }
        let body = request.body.unwrap_or_default();
        let message = serde_json::from_slice::<ClientJsonRpcMessage>(&body.data)
            .map_err(|_| Error::invalid("The body is no message of JSON-RPC 2.0"))?;
        if !matches!(message, ClientJsonRpcMessage::Request(_)) {
            return Ok(Reply::from(HttpBody::default()).status(202));
        }
        let tools = Tools::new(self.clone(), call);
        let (transport, mut answers) = OneshotTransport::<RoleServer>::new(message);
        let serving = serve_directly(tools, transport, Some(client()));
        let answer = answers.recv().await;
        drop(serving);
        let answer = answer.ok_or_else(|| Error::internal("a message was not answered"))?;
        let text = serde_json::to_string(&answer).map_err(Error::internal)?;
        Ok(json(text).into())
    }
}

/// What is taken for granted of a client that said nothing about itself in this message.
fn client() -> InitializeRequestParams {
    let own = Implementation::new("client", "0");
    let mut client = InitializeRequestParams::new(ClientCapabilities::default(), own);
    client.protocol_version = ProtocolVersion::V_2025_06_18;
    client
}

fn json(text: String) -> HttpBody {
    HttpBody {
        content_type: "application/json".to_owned(),
        data: text.into(),
        ..HttpBody::default()
    }
}
