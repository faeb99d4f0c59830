//! How much a caller may ask for at once. Every field that bounds or continues a
//! list is in one table; a method that is new and pages is not in it and fails.

use apex::error::Kind;
use serde_json::{Value, json};

use super::catalogue::{fields, find, served};
use super::wire::{Way, ways};
use super::world::World;

/// Names of fields that bound or continue a list.
const NAMES: [&str; 14] = [
    "page_size",
    "page_token",
    "page",
    "per_page",
    "size",
    "limit",
    "max_results",
    "offset",
    "skip",
    "cursor",
    "after",
    "before",
    "top",
    "count",
];

/// Fields that must lie within documented bounds: method, field, least, most.
const BOUNDED: [(&str, &str, i64, i64); 15] = [
    ("apex.paas.v1.ServiceService/ListServices", "limit", 1, 1000),
    (
        "apex.paas.v1.ServiceService/ListServiceEvents",
        "limit",
        1,
        1000,
    ),
    (
        "apex.paas.v1.ServiceService/ListDeployments",
        "limit",
        1,
        1000,
    ),
    ("apex.growth.v1.AnalyticsService/ListTop", "limit", 1, 1000),
    (
        "apex.account.v1.ApiKeyService/ListApiKeys",
        "limit",
        1,
        1000,
    ),
    (
        "apex.account.v1.OperatorService/ListUsers",
        "limit",
        1,
        1000,
    ),
    ("apex.growth.v1.EventService/ListEvents", "limit", 1, 1000),
    (
        "apex.growth.v1.IdentityService/GetIdentity",
        "limit",
        1,
        1000,
    ),
    (
        "apex.growth.v1.IdentityService/ListIdentityRefusals",
        "limit",
        1,
        1000,
    ),
    ("apex.growth.v1.IdentityService/ListLeads", "limit", 1, 1000),
    (
        "apex.growth.v1.IdentityService/ListMerges",
        "limit",
        1,
        1000,
    ),
    (
        "apex.growth.v1.WebhookService/ListWebhookDeliveries",
        "limit",
        1,
        1000,
    ),
    (
        "apex.metrics.v1.MetricsService/GetAnalytics",
        "limit",
        1,
        1000,
    ),
    (
        "apex.growth.v1.ExperimentService/ListExperiments",
        "limit",
        1,
        1000,
    ),
    ("apex.memory.v1.MemoryService/Query", "limit", 1, 100),
];

/// Fields that name the last record of the page before. `account::many`, `paas::rest`,
/// `growth::experiments` and `growth::events::list` show that another tenant's record,
/// or none at all, is refused there.
const CONTINUED: [(&str, &str); 9] = [
    ("apex.paas.v1.ServiceService/ListServices", "after"),
    ("apex.account.v1.ApiKeyService/ListApiKeys", "after"),
    ("apex.account.v1.OperatorService/ListUsers", "after"),
    ("apex.growth.v1.ExperimentService/ListExperiments", "cursor"),
    ("apex.growth.v1.IdentityService/GetIdentity", "cursor"),
    ("apex.growth.v1.IdentityService/ListLeads", "cursor"),
    ("apex.growth.v1.IdentityService/ListMerges", "cursor"),
    (
        "apex.growth.v1.WebhookService/ListWebhookDeliveries",
        "cursor",
    ),
    ("apex.growth.v1.EventService/ListEvents", "cursor"),
];

/// Fields that sound as if they paged, and say what is counted, or how large a firm or a
/// database is.
const COUNTED: [(&str, &str); 6] = [
    ("apex.paas.v1.DatabaseService/CreateDatabase", "size"),
    ("apex.growth.v1.AnalyticsService/ListTop", "count"),
    (
        "apex.crm.v1.CompanyService/CreateCompanies",
        "companies.size",
    ),
    ("apex.crm.v1.CompanyService/UpdateCompany", "company.size"),
    (
        "apex.crm.v1.CompanyService/UpsertCompanies",
        "companies.size",
    ),
    ("apex.crm.v1.CompanyService/ReplaceCompany", "company.size"),
];

/// Fields of every list of the CRM: as with FeathersJS a page beyond its bounds is made
/// smaller rather than refused, and the answer says how large it is. `crm::query` shows
/// that, and that nobody goes on after another tenant's record.
const CLAMPED: [&str; 3] = ["find.limit", "find.skip", "find.after"];

/// Lists of the CRM without pages: fifty that may be the same, and a stream of rows.
const WHOLE: [&str; 3] = [
    "apex.crm.v1.CompanyService/ListDuplicateCompanies",
    "apex.crm.v1.ContactService/ListDuplicateContacts",
    "apex.crm.v1.ImportService/ListImportRows",
];

/// An export has everything: it takes a question as lists do, and refuses its page.
const EXPORT: &str = "apex.crm.v1.ExportService/ExportRecords";

/// What a request must hold besides; nobody has what it names.
const NEEDED: [(&str, &str, &str); 7] = [
    (
        "apex.paas.v1.ServiceService/ListServiceEvents",
        "id",
        "none",
    ),
    ("apex.paas.v1.ServiceService/ListDeployments", "id", "none"),
    ("apex.growth.v1.AnalyticsService/ListTop", "list", "pages"),
    (
        "apex.growth.v1.IdentityService/GetIdentity",
        "visitorId",
        "nobody",
    ),
    (
        "apex.growth.v1.WebhookService/ListWebhookDeliveries",
        "id",
        "wh_0",
    ),
    ("apex.memory.v1.MemoryService/Query", "user_id", "nobody"),
    (
        "apex.memory.v1.MemoryService/Query",
        "current_input",
        "what",
    ),
];

/// A request with one member, and what it must hold besides.
fn request(method: &str, field: &str, value: &Value) -> Value {
    let mut request = json!({field: value});
    for (_, name, text) in NEEDED.iter().filter(|(own, ..)| *own == method) {
        request[*name] = json!(text);
    }
    request
}

/// A field that is new and pages is in no table.
#[test]
fn every_field_that_pages_is_in_a_table() {
    let mut found = Vec::new();
    for spec in served() {
        let fields = fields(spec.input).into_iter();
        let paging = fields.filter(|(_, field)| NAMES.contains(&field.name()));
        found.extend(paging.map(|(path, _)| (&spec.path[1..], path)));
    }
    let bounded = BOUNDED.iter().map(|(method, field, ..)| (*method, *field));
    let known = bounded.chain(CONTINUED).chain(COUNTED);
    let mut known: Vec<_> = known.map(|(m, field)| (m, field.to_owned())).collect();
    let lists = served().filter(|spec| spec.service.product == "crm");
    let lists = lists.filter(|spec| spec.name.starts_with("List"));
    let lists = lists.map(|spec| &spec.path[1..]);
    for method in lists.filter(|own| !WHOLE.contains(own)).chain([EXPORT]) {
        known.extend(CLAMPED.map(|field| (method, field.to_owned())));
    }
    known.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, known);
}

#[tokio::test]
async fn an_export_refuses_pages() {
    let world = World::start().await;
    let spec = find(EXPORT);
    for (_, caller) in world.owner.callers(spec) {
        for way in ways(spec) {
            for field in CLAMPED {
                let name = field.strip_prefix("find.").unwrap();
                let request = json!({"resource": "contacts", "find": {name: 1}});
                // Over REST the question stands in the URL, in its own language.
                if matches!(way, Way::Rest(_)) {
                    let path = format!("/exports/contacts?${name}=1");
                    let answer = world.owner.http.get(&path).await;
                    assert_eq!(answer.status, 400, "{path}: {}", answer.text);
                    continue;
                }
                let outcome = caller.call(spec, way, &request).await;
                assert!(outcome.failed(Kind::InvalidArgument), "{name}: {outcome}");
            }
        }
    }
}

#[tokio::test]
async fn bounds_hold_on_every_protocol() {
    let world = World::start().await;
    for (method, field, least, most) in BOUNDED {
        let spec = find(method);
        for (_, caller) in world.owner.callers(spec) {
            for way in ways(spec) {
                for beyond in [least - 1, -1, most + 1, 1_000_000_000, i64::from(i32::MIN)] {
                    let outcome = caller
                        .call(spec, way, &request(method, field, &json!(beyond)))
                        .await;
                    assert!(outcome.failed(Kind::InvalidArgument), "{beyond}: {outcome}");
                    let words = format!("{field} must be between {least} and {most}");
                    assert!(outcome.text.contains(&words), "{outcome}");
                }
                // Also what the field's type cannot hold.
                for beyond in [json!(1_u64 << 31), json!(1e20), json!(-1e20)] {
                    let request = request(method, field, &beyond);
                    if matches!(way, Way::Rest(_)) {
                        let outcome = caller.call(spec, way, &request).await;
                        assert!(outcome.failed(Kind::InvalidArgument), "{beyond}: {outcome}");
                        let words = format!("{field} must be between {least} and {most}");
                        assert!(outcome.text.contains(&words), "{outcome}");
                    }
                }
                for within in [least, most] {
                    let outcome = caller
                        .call(spec, way, &request(method, field, &json!(within)))
                        .await;
                    let sound = outcome.succeeded() || outcome.failed(Kind::NotFound);
                    assert!(sound, "{within}: {outcome}");
                }
            }
        }
    }
}

/// What is no whole number at all.
#[tokio::test]
async fn bounds_are_whole_numbers() {
    let world = World::start().await;
    for text in [
        "1.5",
        "ten",
        "",
        "%201",
        "0x10",
        "2147483648",
        "1e400",
        "NaN",
        "1&limit=2",
    ] {
        let path = format!("/api/v1/analytics?limit={text}");
        let answer = world.owner.http.get(&path).await;
        assert_eq!(
            answer.expect(400)["error"]["code"],
            "INVALID_REQUEST",
            "{text}"
        );
    }
}
