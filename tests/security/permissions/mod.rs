//! Who may do what, method by method: every scope, every role, every kind of
//! credential. What a method needs is read from the policy table; that the table
//! itself denies by default is checked here.

mod keys;
mod roles;

use std::collections::BTreeSet;

use apex::api::METHODS;
use apex::error::Kind;
use apex::policy::{Auth, MethodSpec, Role};
use serde_json::json;

use super::catalogue::served;
use super::wire::{Caller, ways};

/// Methods that anybody may call, and why.
const OPEN: [(&str, &str); 22] = [
    (
        "apex.account.v1.SessionService/CompleteSetup",
        "needs the one-time token",
    ),
    (
        "apex.account.v1.SessionService/SignUp",
        "closed unless the operator opens it",
    ),
    (
        "apex.account.v1.SessionService/SignIn",
        "checks the password",
    ),
    (
        "apex.crm.v1.ConversationFileService/UploadConversationFile",
        "checks the signature of the URL",
    ),
    (
        "apex.crm.v1.ConversationFileService/DownloadConversationFile",
        "checks the signature of the URL",
    ),
    (
        "apex.growth.v1.SnippetService/GetSnippet",
        "a script with the key it was asked for",
    ),
    (
        "apex.memory.v1.MemoryService/Signup",
        "a trial, of which one address begins a few an hour",
    ),
    (
        "apex.memory.v1.MemoryService/GetMemoryHealth",
        "says that the product is up",
    ),
    (
        "apex.metrics.v1.BrowserService/GetSdk",
        "a script with the key it was asked for",
    ),
    (
        "apex.metrics.v1.BrowserService/CollectEvent",
        "what any visitor of a page tells",
    ),
    (
        "apex.metrics.v1.BrowserService/CollectBeacon",
        "what any visitor of a page tells",
    ),
    (
        "apex.operations.v1.PageService/GetHealth",
        "says that the process is up",
    ),
    (
        "apex.operations.v1.PageService/GetReadiness",
        "names the checks that fail",
    ),
    (
        "apex.operations.v1.PageService/GetMetrics",
        "checks address or token itself",
    ),
    (
        "apex.operations.v1.PageService/GetOpenApi",
        "the published API",
    ),
    (
        "apex.operations.v1.PageService/GetDocs",
        "the published API",
    ),
    (
        "apex.paas.v1.TokenService/CreateFirstToken",
        "checks the password",
    ),
    (
        "apex.paas.v1.SourceService/ReceiveGithubEvent",
        "checks the signature of the body",
    ),
    ("grpc.health.v1.Health/Check", "says that a service is up"),
    ("grpc.health.v1.Health/Watch", "says that a service is up"),
    (
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "the published API",
    ),
    (
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "the published API",
    ),
];

/// Methods of a user that need no scope: they act on the caller alone.
const OWN: [&str; 4] = [
    "apex.account.v1.SessionService/SignOut",
    "apex.account.v1.SessionService/ChangePassword",
    "apex.account.v1.OrganizationService/CreateOrganization",
    "apex.paas.v1.TeamService/AcceptInvitation",
];

/// Methods that change something and check the role themselves, because it is
/// the role in the organization the request names; with the least role.
const CHECKED_INSIDE: [(&str, Role, &str); 4] = [
    (
        "apex.account.v1.OrganizationService/UpdateOrganization",
        Role::Owner,
        r#"{"id": "$organization", "name": "Taken"}"#,
    ),
    (
        "apex.account.v1.OrganizationService/AddMember",
        Role::Admin,
        r#"{"organizationId": "$organization", "email": "friend@example.com", "role": "viewer"}"#,
    ),
    (
        "apex.account.v1.OrganizationService/UpdateMember",
        Role::Admin,
        r#"{"organizationId": "$organization", "userId": "$user", "role": "admin"}"#,
    ),
    (
        "apex.account.v1.OrganizationService/RemoveMember",
        Role::Admin,
        r#"{"organizationId": "$organization", "userId": "$user"}"#,
    ),
];

/// Methods that answer from what they are sent and change nothing; it may be too much
/// for a URL.
const CALCULATING: [&str; 6] = [
    "apex.growth.v1.AnalyticsService/QueryFunnel",
    "apex.growth.v1.ExperimentService/AnalyzeExperiment",
    "apex.growth.v1.ExperimentService/AssignExperiments",
    "apex.growth.v1.FlagService/EvaluateFlag",
    "apex.growth.v1.FlagService/EvaluateFlags",
    "apex.memory.v1.MemoryService/Query",
];

/// How the names of methods begin that read.
const READING: [&str; 4] = ["Get", "List", "Export", "Watch"];

fn name(spec: &MethodSpec) -> &'static str {
    &spec.path[1..]
}

#[test]
fn a_method_that_says_little_is_denied() {
    for spec in served() {
        let own = OWN.contains(&name(spec));
        let inside = CHECKED_INSIDE
            .iter()
            .any(|(method, ..)| *method == name(spec));
        let reads = spec.scope.is_some_and(|scope| !scope.write);
        match spec.auth {
            Auth::Public | Auth::ProjectKey | Auth::Operator => {}
            Auth::Session => assert!(spec.scope.is_some() || own, "{} has no scope", spec.path),
            Auth::ApiKey | Auth::SessionOrApiKey => assert!(spec.scope.is_some()),
        }
        if CALCULATING.contains(&name(spec)) {
            assert!(reads, "{} changes nothing", spec.path);
        } else if reads {
            let sounds = READING.iter().any(|start| spec.name.starts_with(start));
            assert!(sounds, "{} sounds as if it wrote", spec.path);
            let verbs = spec.bindings.iter().all(|binding| binding.verb == "GET");
            assert!(verbs, "{} reads by another verb than GET", spec.path);
        } else if spec.scope.is_some() && !inside {
            let least = match spec.service.product {
                "account" => Role::Admin,
                _ => Role::Member,
            };
            assert!(
                spec.role >= least,
                "{} is open to {:?}s",
                spec.path,
                spec.role
            );
        }
    }
}

#[test]
fn every_open_door_is_known() {
    let open = METHODS.iter().filter(|spec| spec.auth == Auth::Public);
    let open: BTreeSet<&str> = open.map(name).collect();
    let known: BTreeSet<&str> = OPEN.iter().map(|(method, _)| *method).collect();
    assert_eq!(open, known);
}
/// Calls in every way and expects the same refusal of each.
async fn refused(who: &str, caller: &Caller, spec: &'static MethodSpec, kind: Kind) {
    for way in ways(spec) {
        let outcome = caller.call(spec, way, &json!({})).await;
        assert!(outcome.failed(kind), "{who} on {}: {outcome}", spec.path);
    }
}

/// Calls in every way and expects to be let in, whatever comes then.
async fn let_in(who: &str, caller: &Caller, spec: &'static MethodSpec) {
    for way in ways(spec) {
        let outcome = caller.call(spec, way, &json!({})).await;
        let denied =
            outcome.failed(Kind::PermissionDenied) || outcome.failed(Kind::Unauthenticated);
        assert!(!denied, "{who} on {}: {outcome}", spec.path);
    }
}
