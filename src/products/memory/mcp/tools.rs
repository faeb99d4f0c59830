//! The tools, each of which is a method of the product.

use std::borrow::Cow;
use std::sync::Arc;

use prost::{Message, Name};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, JsonObject,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value as Json, json};

use super::super::Memory;
use crate::api::SCHEMA;
use crate::api::apex::memory::v1 as pb;
use crate::auth::Actor;
use crate::error::{Error, Result};
use crate::policy::{Profile, Scope};
use crate::server::Call;
use crate::server::check::{Check, check};
use crate::server::respond::words_of;
use crate::transcode::json::{Rules, decode, encode};

/// The tools, for one call.
#[derive(Debug)]
pub(super) struct Tools {
    memory: Memory,
    call: Call,
}

/// What tools do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Ingest,
    Query,
    Context,
    Entities,
    Delete,
}

/// A tool: its name, what it does in words, and its arguments as a JSON schema.
type Row = (&'static str, Deed, &'static str, &'static str);

const ROWS: [Row; 5] = [
    (
        "kapex_ingest",
        Deed::Ingest,
        "Stores something a user said as a memory.",
        r#"{"type": "object", "required": ["content"], "properties": {
            "user_id": {"type": "string", "description": "The end user; over stdio, the one the server was started for when absent"},
            "content": {"type": "string", "description": "What was said"},
            "session_id": {"type": "string", "description": "The conversation it belongs to"},
            "role": {"type": "string", "enum": ["user", "assistant"]},
            "speaker": {"type": "string", "description": "Name of who speaks"},
            "timestamp": {"type": "string", "description": "When it was said, as RFC 3339"},
            "metadata": {"type": "object", "description": "Members of the caller's own"},
            "idempotency_key": {"type": "string", "description": "Names the request: a repeat has one effect"}}}"#,
    ),
    (
        "kapex_query",
        Deed::Query,
        "Finds the memories of a user that matter to a text. Where an embedder is configured and could not be asked, `degraded` names it.",
        r#"{"type": "object", "required": ["current_input"], "properties": {
            "user_id": {"type": "string", "description": "The end user; over stdio, the one the server was started for when absent"},
            "current_input": {"type": "string", "description": "What the user just said"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100}}}"#,
    ),
    (
        "kapex_context",
        Deed::Context,
        "Answers a block of what matters of a user, to put before a prompt.",
        r#"{"type": "object", "properties": {
            "user_id": {"type": "string", "description": "The end user; over stdio, the one the server was started for when absent"},
            "max_tokens": {"type": "integer", "minimum": 100, "maximum": 32000}}}"#,
    ),
    (
        "kapex_entities",
        Deed::Entities,
        "Lists the people, places and things a user's memories name, the most salient first.",
        r#"{"type": "object", "properties": {
            "user_id": {"type": "string", "description": "The end user; over stdio, the one the server was started for when absent"}}}"#,
    ),
    (
        "kapex_delete",
        Deed::Delete,
        "Erases everything kept of a user, at once and for good.",
        r#"{"type": "object", "properties": {
            "user_id": {"type": "string", "description": "The end user; over stdio, the one the server was started for when absent"}}}"#,
    ),
];

impl Tools {
    pub(super) fn new(memory: Memory, call: Call) -> Self {
        Self { memory, call }
    }

    async fn run(&self, deed: Deed, arguments: &str) -> Result<Json> {
        let call = &self.call;
        if !matches!(deed, Deed::Ingest | Deed::Delete) {
            self.may_read()?;
        }
        let memory = &self.memory;
        match deed {
            Deed::Ingest => shown(&memory.take_in(call, read(arguments)?).await?),
            Deed::Query => {
                let (answer, degraded) = memory.find(call, read(arguments)?).await?;
                let mut shown = shown(&answer)?;
                if let Some(members) = shown.as_object_mut().filter(|_| degraded) {
                    // REST says so in a header.
                    members.insert("degraded".to_owned(), json!("embedder"));
                }
                Ok(shown)
            }
            Deed::Context => {
                let asked: pb::GetContextRequest = read(arguments)?;
                let told = memory.block(call, &asked.user_id, asked.max_tokens).await?;
                Ok(json!({
                    "user_id": asked.user_id,
                    "context_block": told.block.text,
                    "tokens_used": told.block.tokens,
                    "token_budget": told.budget,
                }))
            }
            Deed::Entities => shown(&memory.list(call, read(arguments)?).await?),
            Deed::Delete => {
                let request: pb::DeleteUserRequest = read(arguments)?;
                shown(&memory.erase(call, request).await?)
            }
        }
    }

    /// Writing does not include reading.
    fn may_read(&self) -> Result<()> {
        let read = Scope {
            product: "memory",
            write: false,
        };
        match &self.call.principal().actor {
            Actor::Key { scopes, .. } if !scopes.allow(read) => Err(Error::forbidden(format!(
                "The API key lacks the scope {read}"
            ))),
            _ => Ok(()),
        }
    }

    /// A failure as REST tells it.
    fn told(&self, error: &Error) -> Json {
        let word = words_of(self.call.spec()).word(error.kind());
        let code = error.specific_reason().unwrap_or(word);
        json!({"error": {"code": code, "message": error.message()}})
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let tools = ServerCapabilities::builder().enable_tools().build();
        let own = Implementation::new("apex", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(tools).with_server_info(own)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        // Later ones repeat in headers what a message says.
        Cow::Borrowed(ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = |(name, _, words, schema): &Row| {
            let schema: JsonObject = serde_json::from_str(schema).unwrap_or_default();
            Tool::new(*name, *words, Arc::new(schema))
        };
        Ok(ListToolsResult::with_all_items(
            ROWS.iter().map(tool).collect(),
        ))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let known = ROWS.iter().find(|(name, ..)| *name == request.name);
        let Some((_, deed, ..)) = known else {
            return Err(ErrorData::invalid_params("There is no such tool", None));
        };
        let arguments = Json::from(request.arguments.unwrap_or_default()).to_string();
        Ok(match self.run(*deed, &arguments).await {
            Ok(answer) => CallToolResult::structured(answer).into(),
            Err(error) => CallToolResult::structured_error(self.told(&error)).into(),
        })
    }
}

/// The request of a tool's arguments, if it is valid.
fn read<T: Message + Name + Default + Check>(arguments: &str) -> Result<T> {
    let id = SCHEMA.find(&T::full_name());
    let id = id.ok_or_else(|| Error::internal("a message nobody described"))?;
    let mut wire = Vec::new();
    decode::message(
        &SCHEMA,
        Rules::of(Profile::Lenient),
        id,
        arguments,
        &mut wire,
    )
    .map_err(|fault| Error::invalid(fault.to_string()))?;
    let request = T::decode(wire.as_slice()).map_err(Error::internal)?;
    check(&request)?;
    Ok(request)
}

/// An answer as REST has it.
fn shown<T: Message + Name>(answer: &T) -> Result<Json> {
    let id = SCHEMA.find(&T::full_name());
    let id = id.ok_or_else(|| Error::internal("a message nobody described"))?;
    let (rules, wire) = (Rules::of(Profile::Lenient), answer.encode_to_vec());
    let mut text = Vec::new();
    encode::message(&SCHEMA, rules, id, &wire, &mut text)
        .map_err(|_| Error::internal("an answer that cannot be shown"))?;
    serde_json::from_slice(&text).map_err(Error::internal)
}
