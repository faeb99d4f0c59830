//! Operations: health, metrics, the description of the API, and administration
//! of the server's data.

mod docs;
mod guide;
pub mod openapi;
mod page;

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use sea_orm::ConnectionTrait as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use crate::api::apex::operations::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::api::{AdminService, AdminServiceEndpoint, PageService, PageServiceEndpoint};
use crate::error::{Error, Result};
use crate::server::dispatch::Endpoint;
use crate::server::{Call, Reply, Shared};

/// Longer than this the database is not waited for to find the server ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// The operations product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    metrics_token: SecretString,
    openapi: OnceLock<bytes::Bytes>,
    docs: OnceLock<bytes::Bytes>,
}

impl Operations {
    /// Makes the product.
    pub fn new(shared: Arc<Shared>, metrics_token: SecretString) -> Self {
        Self(Arc::new(Inner {
            shared,
            metrics_token,
            openapi: OnceLock::new(),
            docs: OnceLock::new(),
        }))
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        vec![
            Arc::new(PageServiceEndpoint::new(self.clone())),
            Arc::new(AdminServiceEndpoint::new(self.clone())),
        ]
    }

    /// What keeps the server from answering; nothing when it is ready.
    async fn failing(&self, call: &Call) -> Map<String, Value> {
        let mut failing = Map::new();
        if self.0.shared.draining.load(Ordering::Relaxed) {
            failing.insert("server".into(), json!("shutting down"));
        }
        let deadline = Instant::now() + patience(call);
        let reached = async {
            let read = self.0.shared.db.read(Some(deadline)).await?;
            read.execute_unprepared("SELECT 1").await?;
            Ok::<_, Error>(())
        };
        let reached = tokio::time::timeout_at(deadline.into(), reached).await;
        if !matches!(reached, Ok(Ok(()))) {
            failing.insert("database".into(), json!("unreachable"));
        } else if self.0.shared.db.is_faulty() {
            failing.insert("database".into(), json!("cannot be written"));
        }
        failing
    }

    /// Whether a caller may read the metrics.
    fn may_read_metrics(&self, call: &Call) -> bool {
        let address: IpAddr = call.client().address;
        if address.is_loopback() || call.principal().is_operator() {
            return true;
        }
        let token = self.0.metrics_token.expose_secret();
        let given = call
            .client()
            .bearer
            .as_ref()
            .and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        let equal = |given: &str| bool::from(given.as_bytes().ct_eq(token.as_bytes()));
        !token.is_empty() && given.is_some_and(equal)
    }
}

/// How long the database is waited for, so that there is time left to say so.
fn patience(call: &Call) -> Duration {
    let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
    let most = call.deadline().map(|deadline| left(deadline) * 3 / 4);
    most.map_or(PATIENCE, |most| most.min(PATIENCE))
}

fn body(content_type: &str, data: impl Into<bytes::Bytes>) -> Reply<HttpBody> {
    let body = HttpBody {
        content_type: content_type.to_owned(),
        data: data.into(),
        extensions: Vec::new(),
    };
    Reply::from(body).header(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
}

impl PageService for Operations {
    async fn get_health(
        &self,
        _call: Call,
        _request: pb::GetHealthRequest,
    ) -> Result<Reply<HttpBody>> {
        Ok(body("application/json", "{\"status\":\"up\"}"))
    }

    async fn get_readiness(
        &self,
        call: Call,
        _request: pb::GetReadinessRequest,
    ) -> Result<Reply<HttpBody>> {
        let failing = self.failing(&call).await;
        if failing.is_empty() {
            let mut text = json!({"status": "ready"});
            if !self.0.shared.limits.are_shared().await {
                text["degraded"] = json!({"redis": "unreachable"});
            }
            return Ok(body("application/json", text.to_string()));
        }
        let text = json!({"status": "not ready", "failing": failing}).to_string();
        Ok(body("application/json", text).status(503))
    }

    async fn get_metrics(
        &self,
        call: Call,
        _request: pb::GetMetricsRequest,
    ) -> Result<Reply<HttpBody>> {
        if !self.may_read_metrics(&call) {
            return Err(Error::unauthenticated(
                "Metrics are read from loopback, or with the metrics token as a bearer",
            ));
        }
        let (metrics, (busy, size)) = (&self.0.shared.metrics, self.0.shared.db.pool());
        metrics.pool_busy.set(busy as i64);
        metrics.pool_size.set(size as i64);
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        Ok(body(kind, metrics.text()))
    }

    async fn get_open_api(
        &self,
        _call: Call,
        _request: pb::GetOpenApiRequest,
    ) -> Result<Reply<HttpBody>> {
        let text = self
            .0
            .openapi
            .get_or_init(|| openapi::document().to_string().into());
        Ok(body("application/json", text.clone()))
    }

    async fn get_docs(&self, _call: Call, _request: pb::GetDocsRequest) -> Result<Reply<HttpBody>> {
        let page = self.0.docs.get_or_init(|| docs::page().into());
        let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      frame-ancestors 'none'";
        let page = body("text/html; charset=utf-8", page.clone());
        Ok(page.header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)))
    }
}

impl AdminService for Operations {
    async fn backup(
        &self,
        _call: Call,
        request: pb::BackupRequest,
    ) -> Result<Reply<pb::BackupResponse>> {
        let path = Path::new(&request.path);
        if !path.is_absolute() {
            return Err(Error::invalid_field("path", "path must be absolute"));
        }
        let bytes = self.0.shared.db.backup(path).await?;
        Ok(pb::BackupResponse {
            bytes: bytes as i64,
        }
        .into())
    }
}
