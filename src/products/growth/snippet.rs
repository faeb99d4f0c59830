//! The script that pages load.

use std::sync::Arc;

use crate::api::apex::growth::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::api::{SnippetService, SnippetServiceEndpoint};
use crate::browser::{Script, Scripts};
use crate::error::Result;
use crate::server::dispatch::Endpoint;
use crate::server::{Call, Reply};

/// Serves the growth product's script. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snippet(Scripts);

impl Snippet {
    /// Makes the service.
    pub fn new(scripts: Scripts) -> Self {
        Self(scripts)
    }

    /// Its endpoint.
    pub fn endpoint(self) -> Arc<dyn Endpoint> {
        Arc::new(SnippetServiceEndpoint::new(self))
    }
}

impl SnippetService for Snippet {
    async fn get_snippet(
        &self,
        call: Call,
        request: pb::GetSnippetRequest,
    ) -> Result<Reply<HttpBody>> {
        // A page must not break because a key was taken back.
        let project = call.directory().project_key(&request.key).ok().flatten();
        let project = project
            .as_ref()
            .map(|project| (request.key.as_str(), project));
        let script = project.map_or(Script::Inert, |_| Script::Growth);
        Ok(self.0.serve(script, call.client(), project))
    }
}
