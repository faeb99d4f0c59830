//! The growth product: what experiments show. More of its API is to come.

mod analyze;
mod stats;

use std::sync::Arc;

use crate::api::apex::growth::v1 as pb;
use crate::api::{ExperimentService, ExperimentServiceEndpoint};
use crate::error::Result;
use crate::server::dispatch::Endpoint;
use crate::server::{Call, Reply};

/// The growth product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Growth;

impl Growth {
    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        vec![Arc::new(ExperimentServiceEndpoint::new(self.clone()))]
    }
}

impl ExperimentService for Growth {
    async fn analyze_experiment(
        &self,
        _: Call,
        request: pb::AnalyzeExperimentRequest,
    ) -> Result<Reply<pb::AnalyzeExperimentResponse>> {
        analyze::analyze(&request).map(Reply::from)
    }
}
