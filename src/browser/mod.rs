//! Scripts that pages load: the growth snippet and the metrics product's SDK, from one
//! source in this folder. `scripts/browser` makes `served` of it; what a page needs to
//! know of its server and its project is put in as each is served.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::header::{CACHE_CONTROL, ETAG, HeaderName, VARY};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::api::google::api::HttpBody;
use crate::auth::ProjectRef;
use crate::server::{Client, Reply};

/// Stands in a script where its settings belong.
const SETTINGS: &str = "APEX_CONFIG";

/// A script.
#[derive(Debug, Clone, Copy)]
pub enum Script {
    /// `window.apex`.
    Growth,
    /// `window.InfinityMetrics`.
    Metrics,
    /// `window.apex` that does nothing.
    Inert,
}

impl Script {
    fn source(self) -> &'static str {
        match self {
            Self::Growth => include_str!("served/apex.js"),
            Self::Metrics => include_str!("served/infinity.js"),
            Self::Inert => include_str!("inert.js"),
        }
    }

    /// How long it may be kept without asking.
    fn lifetime(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Growth | Self::Inert => "public, max-age=300",
            Self::Metrics => "public, max-age=3600",
        })
    }
}

/// Serves scripts by the names their server is known by. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scripts(Arc<[String]>);

impl Scripts {
    /// `named` are hosts of the configuration, `listen` the address listened on. By
    /// every other name a script finds its server where it came from itself.
    pub fn new<'n>(named: impl Iterator<Item = &'n str>, listen: IpAddr) -> Self {
        let local = ["localhost", "127.0.0.1", "[::1]"];
        let own = (!listen.is_unspecified()).then(|| match listen {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        });
        let all = named.chain(local).map(str::to_lowercase).chain(own);
        Self(all.collect())
    }

    /// A script for a page of a project.
    pub fn serve(
        &self,
        script: Script,
        client: &Client,
        project: Option<(&str, &ProjectRef)>,
    ) -> Reply<HttpBody> {
        let settings = json!({
            "base": self.base(client),
            "key": project.map(|(key, _)| key),
            "consent": project.is_some_and(|(_, project)| project.consent_required),
        });
        reply(script, &settings)
    }

    /// The server as a page may call it: its scheme where that is sure, its host where
    /// it is one of ours. Nothing of it is the caller's text.
    fn base(&self, client: &Client) -> String {
        let host = client.host.as_deref().unwrap_or_default();
        let authority = host.parse::<http::uri::Authority>().ok();
        let own = authority.and_then(|asked| {
            let own = self
                .0
                .iter()
                .find(|own| own.eq_ignore_ascii_case(asked.host()))?;
            let port = asked.port_u16().map(|port| format!(":{port}"));
            Some(format!("//{own}{}", port.unwrap_or_default()))
        });
        match own {
            Some(own) if client.secure => format!("https:{own}"),
            own => own.unwrap_or_default(),
        }
    }
}

fn reply(script: Script, settings: &Value) -> Reply<HttpBody> {
    const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    let text = script.source().replace(SETTINGS, &settings.to_string());
    let tag = format!("\"{:032x}\"", xxh3_128(text.as_bytes()));
    let body = HttpBody {
        content_type: "application/javascript; charset=utf-8".to_owned(),
        data: text.into(),
        extensions: Vec::new(),
    };
    let reply = Reply::from(body)
        .header(CACHE_CONTROL, script.lifetime())
        .header(VARY, HeaderValue::from_static("host"))
        .header(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    match HeaderValue::try_from(tag) {
        Ok(tag) => reply.header(ETAG, tag),
        Err(_) => reply,
    }
}
