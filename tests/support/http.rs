//! Plain HTTP, as a caller with nothing but the documentation would use it.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// A client with a credential, or without.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    url: String,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, as it came.
    pub text: String,
}

impl Http {
    /// A client of a server.
    pub fn new(url: &str) -> Self {
        Self::of(reqwest::Client::builder(), url)
    }

    /// A client that speaks HTTP/2 from the first byte.
    pub fn http2(url: &str) -> Self {
        let builder = reqwest::Client::builder();
        Self::of(builder.http2_prior_knowledge(), url)
    }

    fn of(builder: reqwest::ClientBuilder, url: &str) -> Self {
        let client = builder.no_proxy().build().expect("a client");
        Self {
            client,
            url: url.to_owned(),
            headers: Vec::new(),
        }
    }

    /// The same client with another header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut own = self.clone();
        own.headers.push((name.to_owned(), value.to_owned()));
        own
    }

    /// The same client with a bearer token.
    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Sends a request with a body as it is.
    pub async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Answer {
        let sent = self.try_send(method, path, body).await;
        sent.expect("an answer")
    }

    /// Sends a request to a server that may go away.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await?,
        })
    }

    /// Posts bytes and answers bytes, as protocols that are no text need it.
    pub async fn try_send_bytes(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(HeaderMap, Vec<u8>), reqwest::Error> {
        let mut request = self.client.post(format!("{}{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await?;
        let headers = response.headers().clone();
        Ok((headers, response.bytes().await?.to_vec()))
    }

    async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        let own = self.with("content-type", "application/json");
        own.send(method, path, Some(body.to_string().into_bytes()))
            .await
    }

    /// GET
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// The head of what a GET is answered, whatever its body is.
    pub async fn get_head(&self, path: &str) -> HeaderMap {
        let mut request = self.client.get(format!("{}{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.expect("an answer");
        response.headers().clone()
    }

    /// POST with JSON
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    /// PATCH with JSON
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::PATCH, path, body).await
    }

    /// DELETE
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Expects a status and answers the body as JSON.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }
}
