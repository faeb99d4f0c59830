//! Tenants apart. Every field of every request that names something is in one
//! table: which object it names, and a request of which only the id is another
//! tenant's. The intruder sends it as owner of an organization of its own, in
//! every way there is, and is told what it would be told of an id that does not
//! exist. A method whose request names something and is in no table fails.
//!
//! A product adds a file with a [`Table`] and names it in [`tables`].

mod account;
mod crm;
mod growth;
mod headers;
mod lists;
mod memory;
mod metrics;
mod paas;

use std::collections::BTreeSet;

use apex::error::Kind;
use apex::policy::Auth;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::catalogue::{find, id_fields, served};
use super::wire::{Way, ways};
use super::world::{Tenant, World};

/// What one product has.
pub struct Table {
    /// Name of the product.
    pub product: &'static str,
    /// Requests that name something.
    pub entries: &'static [Entry],
    /// Fields that look like ids and name nothing of anybody's: method, field,
    /// and why.
    pub exempt: &'static [(&'static str, &'static str, &'static str)],
    /// Requests on a project, which the caller's headers name: method, request.
    pub on_projects: &'static [(&'static str, &'static str)],
}

/// One field that names something.
pub struct Entry {
    /// Such as `apex.account.v1.ProjectService/UpdateProject`.
    pub method: &'static str,
    /// The field, as a dotted path of proto names.
    pub field: &'static str,
    /// What it names.
    pub object: &'static Object,
    /// A request that the object's owner succeeds with. `"$id"` is the object's
    /// id, `"$organization"` the caller's own organization, and `"$x"` the member
    /// `x` of what [`Object::make`] answered.
    pub request: &'static str,
}

/// A kind of object.
pub struct Object {
    /// Makes one for a tenant; answers at least its `id`.
    pub make: for<'a> fn(&'a Tenant) -> BoxFuture<'a, Value>,
    /// Everything its owner sees of it; `null` once it is gone.
    pub read: for<'a> fn(&'a Tenant, &'a Value) -> BoxFuture<'a, Value>,
    /// An id of this kind that nobody has.
    pub absent: &'static str,
}

/// Every product's table.
fn tables() -> [&'static Table; 6] {
    [
        &account::TABLE,
        crm::table(),
        &growth::TABLE,
        &memory::TABLE,
        &metrics::TABLE,
        &paas::TABLE,
    ]
}

/// Puts what was made into a request.
fn filled(template: &str, tenant: &Tenant, made: &Value) -> Value {
    let mut text = template.to_owned();
    let organization = tenant.organization.id.to_string();
    text = text.replace("\"$organization\"", &organization);
    for (name, value) in made.as_object().expect("what was made") {
        text = text.replace(&format!("\"${name}\""), &value.to_string());
    }
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

async fn run(table: &Table) {
    let world = World::start().await;
    for entry in table.entries {
        refuses_the_intruder(&world, entry).await;
    }
}

async fn refuses_the_intruder(world: &World, entry: &Entry) {
    let spec = find(entry.method);
    let (owner, intruder) = (&world.owner, &world.intruder);
    let made = (entry.object.make)(owner).await;
    let mut none = made.clone();
    none["id"] = serde_json::from_str(entry.object.absent).unwrap();
    // What it needs besides is the caller's own.
    let template = crm::owned(entry.request, intruder).await;
    let template = paas::owned(&template, intruder).await;
    let foreign = filled(&template, intruder, &made);
    let absent = filled(&template, intruder, &none);
    let before = (entry.object.read)(owner, &made["id"]).await;
    assert!(!before.is_null(), "{}: its owner sees it", entry.method);
    for way in ways(spec) {
        for (credential, caller) in intruder.callers(spec) {
            let outcome = caller.call(spec, way, &foreign).await;
            let what = format!("{}.{} with a {credential}", entry.method, entry.field);
            assert!(outcome.failed(Kind::NotFound), "{what}: {outcome}");
            let unknown = caller.call(spec, way, &absent).await;
            // Some answers repeat the id.
            let quoted = |id: &Value| match id.as_str() {
                Some(text) => format!("'{text}'"),
                None => format!("'{id}'"),
            };
            let told = outcome
                .text
                .replace(&quoted(&made["id"]), &quoted(&none["id"]));
            assert_eq!(told, unknown.text, "{what} tells that it exists");
        }
    }
    let after = (entry.object.read)(owner, &made["id"]).await;
    assert_eq!(before, after, "{} changed it", entry.method);
    // The very same request is sound: its owner succeeds.
    let template = crm::owned(entry.request, owner).await;
    let template = paas::owned(&template, owner).await;
    let own = filled(&template, owner, &made);
    let (_, caller) = owner.callers(spec)[0];
    let outcome = caller.call(spec, Way::Grpc, &own).await;
    assert!(outcome.succeeded(), "{}: {outcome}", entry.method);
}

#[tokio::test]
async fn account_objects_are_their_owners_alone() {
    run(&account::TABLE).await;
}

#[tokio::test]
async fn crm_objects_are_their_owners_alone() {
    run(crm::table()).await;
}

#[tokio::test]
async fn growth_objects_are_their_owners_alone() {
    run(&growth::TABLE).await;
}

#[tokio::test]
async fn memory_objects_are_their_owners_alone() {
    run(&memory::TABLE).await;
}

#[tokio::test]
async fn metrics_objects_are_their_owners_alone() {
    run(&metrics::TABLE).await;
}

#[tokio::test]
async fn paas_objects_are_their_owners_alone() {
    run(&paas::TABLE).await;
}

/// A method that is new and names something is in no table: say in its product's
/// file what it names.
#[test]
fn every_field_that_names_something_is_in_a_table() {
    let mut known = BTreeSet::new();
    for table in tables() {
        let entries = table.entries.iter().map(|e| (e.method, e.field));
        let exempt = table.exempt.iter().map(|(method, field, why)| {
            assert!(
                !why.is_empty(),
                "{method}.{field} is exempt without a reason"
            );
            (*method, *field)
        });
        for (method, field) in entries.chain(exempt) {
            assert_eq!(find(method).service.product, table.product, "{method}");
            assert!(
                known.insert((method, field.to_owned())),
                "{method}.{field} twice"
            );
        }
    }
    let mut named = BTreeSet::new();
    for spec in served() {
        // The operator sees every tenant; a page's key is public and is tested
        // with the other ways to call without a credential.
        if spec.auth == Auth::Operator {
            continue;
        }
        let fields = id_fields(spec).into_iter();
        let fields = fields.filter(|field| Some(field.as_str()) != spec.project_field);
        named.extend(fields.map(|field| (&spec.path[1..], field)));
    }
    let missing: Vec<_> = named.difference(&known).collect();
    assert!(missing.is_empty(), "in no table: {missing:#?}");
    let stale: Vec<_> = known.difference(&named).collect();
    assert!(stale.is_empty(), "no such fields: {stale:#?}");
}

#[test]
fn every_product_has_a_table() {
    let of_tenants = served().filter(|spec| spec.auth != Auth::Operator);
    let products: BTreeSet<&str> = of_tenants
        .filter(|spec| !matches!(spec.auth, Auth::Public))
        .map(|spec| spec.service.product)
        .collect();
    let tables: BTreeSet<&str> = tables().iter().map(|table| table.product).collect();
    assert_eq!(products, tables);
}
