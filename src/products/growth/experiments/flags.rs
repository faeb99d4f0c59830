//! Experiments as feature flags: GrowthBook's feature format, and the remote evaluation
//! protocol of OpenFeature.

use http::HeaderValue;
use http::header::{CACHE_CONTROL, ETAG};
use prost::Message as _;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_128;

use super::plan::{Plan, Reason};
use super::{FRESH, attributes};
use crate::api::FlagService;
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::products::growth::Growth;
use crate::server::{Call, Reply};

impl FlagService for Growth {
    async fn get_features(
        &self,
        call: Call,
        _: pb::GetFeaturesRequest,
    ) -> Result<Reply<pb::GetFeaturesResponse>> {
        let running = self.0.live.of(call.project_id()?).await?;
        let features = running
            .plans
            .iter()
            .map(|plan| (plan.id.clone(), feature(plan)));
        let features = Value::Object(features.collect());
        let response = pb::GetFeaturesResponse {
            status: 200,
            features: features.to_string(),
            date_updated: running.updated_at,
        };
        let reply = Reply::from(response).header(ETAG, running.tag.clone());
        Ok(reply.header(CACHE_CONTROL, FRESH))
    }

    async fn evaluate_flag(
        &self,
        call: Call,
        request: pb::EvaluateFlagRequest,
    ) -> Result<Reply<pb::EvaluateFlagResponse>> {
        let about = |error: Error| error.with("key", &request.flag_key);
        let (visitor, attributes) = visitor(&request.context).map_err(about)?;
        let running = self.0.live.of(call.project_id()?).await?;
        let plan = running
            .plans
            .iter()
            .find(|plan| plan.id == request.flag_key);
        let plan = plan.ok_or_else(|| {
            about(Error::not_found("There is no such flag").reason("FLAG_NOT_FOUND"))
        })?;
        let flag = Some(flag(plan, &visitor, &attributes));
        Ok(pb::EvaluateFlagResponse { flag }.into())
    }

    async fn evaluate_flags(
        &self,
        call: Call,
        request: pb::EvaluateFlagsRequest,
    ) -> Result<Reply<pb::EvaluateFlagsResponse>> {
        let (visitor, attributes) = visitor(&request.context)?;
        let running = self.0.live.of(call.project_id()?).await?;
        let flags = running.plans.iter();
        let flags = flags
            .map(|plan| flag(plan, &visitor, &attributes))
            .collect();
        let response = pb::EvaluateFlagsResponse { flags };
        let tag = format!("\"{:032x}\"", xxh3_128(&response.encode_to_vec()));
        let tag = HeaderValue::try_from(tag).map_err(Error::internal)?;
        Ok(Reply::from(response).header(ETAG, tag))
    }
}

/// Who a context is about.
fn visitor(context: &str) -> Result<(String, Value)> {
    let context: Map<String, Value> = serde_json::from_str(context).unwrap_or_default();
    let Some(visitor) = context.get("targetingKey").and_then(Value::as_str) else {
        let words = "context.targetingKey is required";
        return Err(
            Error::invalid_field("context.targetingKey", words).reason("TARGETING_KEY_MISSING")
        );
    };
    if visitor.is_empty() || visitor.len() > 255 {
        let words = "context.targetingKey must have 1 to 255 bytes";
        return Err(Error::invalid_field("context.targetingKey", words));
    }
    let visitor = visitor.to_owned();
    let attributes = attributes(context, &visitor);
    Ok((visitor, attributes))
}

fn flag(plan: &Plan, visitor: &str, attributes: &Value) -> pb::Flag {
    let seen = plan.seen_by(visitor, attributes);
    let reason = match seen.reason {
        Reason::Bucket => "SPLIT",
        Reason::Forced => "TARGETING_MATCH",
        Reason::NotRunning
        | Reason::Holdout
        | Reason::Namespace
        | Reason::Condition
        | Reason::Traffic => "DEFAULT",
    };
    let assignment = plan.assignment(seen);
    let value = plan.values.get(seen.variant).map(Value::to_string);
    pb::Flag {
        key: plan.id.clone(),
        reason: reason.to_owned(),
        variant: assignment.variant,
        value: value.unwrap_or_else(|| "null".to_owned()),
        metadata: Some(pb::FlagMetadata {
            included: assignment.included,
            reason: assignment.reason,
        }),
    }
}

/// An experiment as one of GrowthBook's features: forced visitors have rules of their
/// own, a holdout and a namespace are filters of the experiment's rule.
fn feature(plan: &Plan) -> Value {
    let mut rules = Vec::new();
    for (variant, value) in plan.values.iter().enumerate() {
        let mut forced: Vec<_> = plan
            .forced
            .iter()
            .filter(|(_, own)| **own == variant)
            .map(|(id, _)| id)
            .collect();
        if !forced.is_empty() {
            forced.sort_unstable();
            rules.push(json!({"condition": {"id": {"$in": forced}}, "force": value}));
        }
    }
    let mut filters = Vec::new();
    if let Some((seed, percent)) = &plan.holdout {
        filters.push(json!({
            "seed": seed, "hashVersion": 2, "attribute": "id", "ranges": [[percent / 100.0, 1.0]],
        }));
    }
    if let Some(namespace) = &plan.namespace {
        let (from, to) = namespace.range;
        filters.push(json!({
            "seed": format!("__{}", namespace.name), "hashVersion": 1, "attribute": "id",
            "ranges": [[from, to]],
        }));
    }
    let variants = plan.variants.iter();
    let mut rule = json!({
        "key": plan.id,
        "variations": plan.values,
        "weights": plan.weights,
        "coverage": plan.traffic / 100.0,
        "hashAttribute": "id",
        "hashVersion": 2,
        "meta": variants.map(|id| json!({"key": id})).collect::<Vec<_>>(),
    });
    if !filters.is_empty() {
        rule["filters"] = json!(filters);
    }
    if let Some(condition) = &plan.condition {
        rule["condition"] = condition.json().clone();
    }
    rules.push(rule);
    json!({"defaultValue": plan.values.first(), "rules": rules})
}
