//! `apex check-config`.

use super::{Context, Outcome, log};

/// Prints the effective configuration, secrets masked.
pub(super) fn check(context: &Context) -> Outcome {
    for warning in context.layers.warnings() {
        context.output.note(&format!("apex: {warning}"));
    }
    crate::app::check(&context.config)?;
    log::filter(&context.config)?;
    let table = context.layers.masked();
    let json = serde_json::to_value(&table).unwrap_or_default();
    context.output.result(&json, || table.to_string());
    Ok(())
}
