//! `apex mcp`: the Model Context Protocol over standard input and output, for clients that
//! start their servers themselves. Each line goes to a running server as it came, but for
//! the user that its tools are about, and the answer comes back as a line.

use bytes::Bytes;
use clap::Args;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout};
use tokio::net::TcpStream;

use super::{Context, Failure, Outcome};

/// Serve the memory product's tools over standard input and output
#[derive(Debug, Args)]
pub(super) struct Mcp {
    /// Address of the server; the configured one when absent
    #[arg(long, env = "KAPEX_URL", value_name = "URL")]
    url: Option<String>,
    /// The API key
    #[arg(long, env = "KAPEX_API_KEY", hide_env_values = true)]
    api_key: String,
    /// The user that tools are about when they name none
    #[arg(long, env = "KAPEX_USER_ID", value_name = "ID")]
    user_id: Option<String>,
}

/// Longest answer that is read, in bytes.
const MOST: usize = 64 << 20;

impl Mcp {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let own = || format!("http://{}", context.config.listen);
        let url = self.url.clone().unwrap_or_else(own);
        let authority = url.strip_prefix("http://").ok_or_else(|| {
            Failure::Usage(format!(
                "`{url}` is no http:// address; over TLS, clients reach /mcp of the server themselves"
            ))
        })?;
        let authority = authority.trim_end_matches('/');
        let mut lines = BufReader::new(stdin()).lines();
        let mut out = stdout();
        let failed = |error: std::io::Error| Failure::Failed(error.to_string());
        while let Some(line) = lines.next_line().await.map_err(failed)? {
            if line.trim().is_empty() {
                continue;
            }
            let answer = match self.ask(authority, self.completed(&line)).await {
                Ok(answer) => answer,
                Err(words) => refusal(&line, &words),
            };
            if !answer.trim().is_empty() {
                let line = [answer.trim().as_bytes(), b"\n"].concat();
                out.write_all(&line).await.map_err(failed)?;
                out.flush().await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// A message with the user its tool is about.
    fn completed(&self, line: &str) -> String {
        let (Ok(mut message), Some(user)) = (serde_json::from_str::<Json>(line), &self.user_id)
        else {
            return line.to_owned();
        };
        if message["method"] == "tools/call"
            && let Some(params) = message["params"].as_object_mut()
        {
            let arguments = params
                .entry("arguments")
                .or_insert_with(|| Json::Object(Default::default()));
            if let Some(arguments) = arguments.as_object_mut() {
                arguments
                    .entry("user_id")
                    .or_insert_with(|| Json::from(user.as_str()));
            }
        }
        message.to_string()
    }

    /// Sends a message; answers what came back, or why nothing did.
    async fn ask(&self, authority: &str, message: String) -> Result<String, String> {
        let words = |error: &dyn std::fmt::Display| format!("cannot reach {authority}: {error}");
        let stream = TcpStream::connect(authority).await.map_err(|e| words(&e))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| words(&e))?;
        let connection = tokio::spawn(connection);
        let mut key = HeaderValue::from_str(&self.api_key)
            .map_err(|_| "the API key is no text of a header".to_owned())?;
        key.set_sensitive(true);
        let request = Request::post("/mcp")
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .header("x-api-key", key)
            .body(Full::new(Bytes::from(message)))
            .map_err(|e| words(&e))?;
        let answer = sender.send_request(request).await.map_err(|e| words(&e))?;
        let status = answer.status();
        let body = http_body_util::Limited::new(answer.into_body(), MOST);
        let body = body.collect().await.map_err(|e| words(&e))?.to_bytes();
        drop(sender);
        connection.abort();
        let text = String::from_utf8_lossy(&body).into_owned();
        match status.is_success() {
            true => Ok(text),
            false => {
                let told: Json = serde_json::from_str(&text).unwrap_or_default();
                let told = told["error"]["message"].as_str().map(str::to_owned);
                Err(told.unwrap_or_else(|| format!("the server answered {status}")))
            }
        }
    }
}

/// What JSON-RPC answers to what is no message.
const NO_MESSAGE: &str =
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;

/// What JSON-RPC answers to a request that was refused; nothing to a notification.
fn refusal(line: &str, words: &str) -> String {
    let message = serde_json::from_str::<Json>(line).ok();
    let Some(message) = message.filter(Json::is_object) else {
        return NO_MESSAGE.to_owned();
    };
    match message.get("id") {
        None => String::new(),
        Some(id) => serde_json::json!({
            "jsonrpc": "2.0", "id": id, "error": {"code": -32000, "message": words},
        })
        .to_string(),
    }
}
