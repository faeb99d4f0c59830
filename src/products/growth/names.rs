//! Names of events that mean something to the server.

/// Page views.
pub(super) const PAGE_VIEWS: [&str; 2] = ["pageview", "page_view"];
/// What snippets and SDKs send when a goal is met, which it names.
pub(super) const CONVERTED: &str = "goal_conversion";
/// A purchase.
pub(super) const PURCHASE: &str = "purchase";
/// A form that was sent.
pub(super) const FORM: &str = "form_submit";
/// What counts as a conversion where nobody said what does.
pub(super) const USUAL: [&str; 2] = [CONVERTED, PURCHASE];
