//! What holds for many methods at once: how to sign in, whom a call is for, repeats,
//! limits and failures. The reference page and the OpenAPI document show the same
//! words; which products a sentence is about is read from their policy.

use std::collections::BTreeMap;

use crate::api::METHODS;
use crate::error::Kind;
use crate::policy::{Auth, Dialect, MethodSpec, Profile};
use crate::transcode::errors::{Problem, Words, http_status};

/// One subject.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// A part of a section. What stands between backticks is code.
pub(super) enum Block {
    Text(String),
    List(Vec<String>),
    Code(String),
}

/// Everything that is said.
pub(super) fn sections() -> Vec<Section> {
    vec![
        protocols(),
        authentication(),
        organizations(),
        repeats(),
        limits(),
        errors(),
    ]
}

/// The same in Markdown.
pub(super) fn markdown() -> String {
    let block = |block: &Block| match block {
        Block::Text(text) => text.clone(),
        Block::List(items) => {
            let items: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
            items.join("\n")
        }
        Block::Code(code) => format!("```\n{code}\n```"),
    };
    let section = |section: &Section| {
        let blocks: Vec<String> = section.blocks.iter().map(block).collect();
        format!("## {}\n\n{}", section.title, blocks.join("\n\n"))
    };
    let sections: Vec<String> = sections().iter().map(section).collect();
    sections.join("\n\n")
}

/// Methods that are called from elsewhere than the server's own machine.
fn called() -> impl Iterator<Item = &'static MethodSpec> {
    let ours = METHODS
        .iter()
        .filter(|spec| spec.service.name.starts_with("apex."));
    ours.filter(|spec| spec.auth != Auth::Operator)
}

/// Products with a method of which something is true, as a list in words.
fn products(is_so: impl Fn(&MethodSpec) -> bool) -> String {
    let mut names: Vec<String> = Vec::new();
    for spec in called().filter(|spec| is_so(spec)) {
        let name = format!("`{}`", spec.service.product);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "none".to_owned(),
    }
}

fn text(text: impl Into<String>) -> Block {
    Block::Text(text.into())
}

fn protocols() -> Section {
    let refuses = products(|spec| spec.profile == Profile::Strict);
    let passes = products(|spec| spec.profile == Profile::Lenient);
    Section {
        id: "protocols",
        title: "Protocols",
        blocks: vec![
            text(
                "Every method is called in one of three ways, on one port: as JSON REST by the \
                 verb and the path shown, where it has one; as gRPC over HTTP/2; and as gRPC-Web, \
                 from pages too, over HTTP/1.1 or HTTP/2. Reflection (`grpc.reflection.v1` and \
                 `v1alpha`) describes the services to `grpcurl` and the like, and `grpc.health.v1` \
                 tells their health. Headers named here are metadata in gRPC, under the same names.",
            ),
            text(format!(
                "In JSON, times are RFC 3339 text such as `2024-01-31T12:00:00Z`, and enums are \
                 the words of their tables. Members that a method does not know are refused by \
                 {refuses} and passed over by {passes}. Bodies may be compressed \
                 (`Content-Encoding: gzip` or `zstd`). `X-Server-Timeout: 5` gives a call up after \
                 five seconds, as `grpc-timeout` does."
            )),
        ],
    }
}

fn authentication() -> Section {
    let is_keyed = |spec: &MethodSpec| matches!(spec.auth, Auth::ApiKey | Auth::SessionOrApiKey);
    let either = products(|spec| is_keyed(spec) && spec.service.carriers.x_api_key);
    let of_pages = match called().any(|spec| spec.auth == Auth::ProjectKey) {
        true => "",
        false => " No method of this version takes one.",
    };
    let keys = format!(
        "API keys go into `Authorization: Bearer apex_key_…`; {either} also takes them as \
         `x-api-key: apex_key_…`. A key acts as the user who made it, within its scopes: \
         `<product>.read`, `<product>.write`, or `*` for everything the user may do. A project's \
         public key, `pk_live_…`, is no credential: it names the project to pages, which show it \
         to everyone.{of_pages}"
    );
    let roles = [
        "`viewer` reads.",
        "`member` also sends events and changes what a `.write` scope covers.",
        "`admin` also manages projects, API keys and members.",
        "`owner` also changes the organization and makes other owners.",
    ];
    Section {
        id: "authentication",
        title: "Authentication",
        blocks: vec![
            text(keys),
            text(
                "A signed-in user has a session: the cookie `apex_session`, or the same text as \
                 `Authorization: Bearer`. It lasts as long as it is used. Pages of other origins \
                 may use it if the operator lists them in `cors_origins`.",
            ),
            Block::Code(
                "curl -c jar \"$URL/api/auth/sign-in\" -H 'Content-Type: application/json' \\\n    \
                 -d '{\"email\": \"you@example.com\", \"password\": \"…\"}'\n\
                 curl -b jar \"$URL/api/me\""
                    .to_owned(),
            ),
            text("What a user may do in an organization is a matter of the user's role in it:"),
            Block::List(roles.map(str::to_owned).to_vec()),
        ],
    }
}

fn organizations() -> Section {
    Section {
        id: "organizations",
        title: "Organizations and projects",
        blocks: vec![
            text(
                "A call acts in one organization. That of an API key is fixed; a user's is the \
                 first the user joined unless `X-Organization: 101` names another by its id.",
            ),
            text(
                "Events belong to a project. A key that was made for one project acts on that \
                 one. Any other call names one by `X-Project: prj_…` or the query parameter \
                 `project=prj_…`, by its id or its public key; where there is only one project, it \
                 goes without saying.",
            ),
            text(
                "What belongs to another organization is answered as if it did not exist: \
                  404, or `NOT_FOUND`.",
            ),
        ],
    }
}

fn repeats() -> Section {
    Section {
        id: "repeats",
        title: "Repeats",
        blocks: vec![
            text(
                "Methods that change something take `Idempotency-Key`, 1 to 255 visible ASCII \
                 characters of the caller's choice. The request is carried out once: sent again \
                 within 24 hours it is answered as before, with `Idempotent-Replayed: true`. The \
                 answer is stored with the change itself: a crash keeps both or neither. What \
                 failed is not kept and may be tried again with the same key.",
            ),
            text(
                "409 answers another request under a key that was used (`IDEMPOTENCY_KEY_REUSED`), \
                 a request whose first copy still runs (`IDEMPOTENCY_IN_PROGRESS`), and a repeat of \
                 one whose answer shows a secret, which is shown once. Keys of different \
                 organizations, methods and named projects do not meet.",
            ),
            text(
                "An event with an `event_id` of its own is counted once, however often and \
                 whichever way it is sent, for a week or as long as the operator sets.",
            ),
        ],
    }
}

fn limits() -> Section {
    let shown = products(|spec| spec.service.rate_headers);
    Section {
        id: "limits",
        title: "Limits",
        blocks: vec![
            text(format!(
                "Each method is counted in a rate group; `GET /api/usage` says how all groups \
                 stand for the caller. Every answer of {shown} says it too: `X-RateLimit-Limit` is \
                 how many requests a window allows, `X-RateLimit-Remaining` how many are left, and \
                 `X-RateLimit-Reset` when the window turns over, in seconds since 1970."
            )),
            text(
                "Beyond the limit, 429 (`RESOURCE_EXHAUSTED`) and `Retry-After`, in seconds. A \
                 busy server answers 503 with `Retry-After`. Both say that nothing was done.",
            ),
        ],
    }
}

/// Dialects in use, with their own code for what is not valid and the products that
/// speak them.
fn dialects() -> Vec<(Words, Vec<&'static str>)> {
    let mut found: Vec<(Words, Vec<&str>)> = Vec::new();
    for spec in called() {
        let words = Words {
            dialect: spec.dialect,
            invalid: spec.service.invalid_code,
        };
        let at = found.iter().position(|(known, _)| *known == words);
        let at = at.unwrap_or_else(|| {
            found.push((words, Vec::new()));
            found.len() - 1
        });
        if !found[at].1.contains(&spec.service.product) {
            found[at].1.push(spec.service.product);
        }
    }
    found
}

/// A body as a dialect writes it.
pub(super) fn example(words: Words, kind: Kind, message: &str) -> String {
    let reason = words.word(kind);
    let problem = Problem {
        kind,
        status: http_status(kind, reason),
        reason: reason.to_owned(),
        message: message.to_owned(),
        violations: Vec::new(),
        retry_after: None,
        metadata: Vec::new(),
    };
    String::from_utf8(problem.body(words.dialect)).unwrap_or_default()
}

fn errors() -> Section {
    let mut blocks = vec![text(
        "A failure of REST has a status, a code for programs and a message for people. Its body \
         has the form of the product the path belongs to:",
    )];
    for (words, products) in dialects() {
        let name = format!("{:?}", words.dialect).to_lowercase();
        let products: Vec<String> = products.iter().map(|name| format!("`{name}`")).collect();
        let others = match words.dialect {
            Dialect::Flat => ", and paths that no product owns",
            Dialect::Feathers | Dialect::Nested | Dialect::Envelope | Dialect::Ofrep => "",
        };
        blocks.push(text(format!("`{name}`: {}{others}.", products.join(", "))));
        let message = "limit must be between 1 and 1000";
        blocks.push(Block::Code(example(words, Kind::InvalidArgument, message)));
    }
    blocks.push(text(
        "In gRPC the same code is the `reason` of a `google.rpc.ErrorInfo` in the status details, \
         beside `BadRequest` with the fields that are not valid and `RetryInfo` when waiting \
         helps. A stream over REST that fails after its beginning ends with a line \
         `{\"error\": {\"code\", \"message\"}}`.",
    ));
    let rows: BTreeMap<u16, String> = STATUSES
        .into_iter()
        .map(|(status, codes, words)| (status, format!("`{status}`{codes}: {words}")))
        .collect();
    blocks.push(Block::List(rows.into_values().collect()));
    Section {
        id: "errors",
        title: "Errors",
        blocks,
    }
}

/// Statuses, the gRPC codes beside them, and what they say of the request.
const STATUSES: [(u16, &str, &str); 15] = [
    (
        400,
        " (`INVALID_ARGUMENT`, `FAILED_PRECONDITION`)",
        "the request is not valid; the message names the field.",
    ),
    (
        401,
        " (`UNAUTHENTICATED`)",
        "the credential is missing or wrong.",
    ),
    (
        403,
        " (`PERMISSION_DENIED`)",
        "the caller is known and may not do this.",
    ),
    (
        404,
        " (`NOT_FOUND`)",
        "there is no such thing, or it is another's.",
    ),
    (
        405,
        "",
        "the path has no such verb; `Allow` lists those it has.",
    ),
    (408, "", "the body took too long."),
    (
        409,
        " (`ALREADY_EXISTS`, `ABORTED`)",
        "it is there already, or an `Idempotency-Key` was used before.",
    ),
    (413, " (`RESOURCE_EXHAUSTED`)", "the body is too large."),
    (414, "", "the URL is too long."),
    (
        415,
        "",
        "the body's type or encoding is none that is known.",
    ),
    (
        429,
        " (`RESOURCE_EXHAUSTED`)",
        "too many requests; `Retry-After` says how long to wait.",
    ),
    (431, "", "the headers are too large."),
    (
        500,
        " (`INTERNAL`)",
        "something failed inside; the log has the cause under the answer's `X-Request-Id`.",
    ),
    (
        503,
        " (`UNAVAILABLE`)",
        "the server cannot do it now; try again after `Retry-After`.",
    ),
    (
        504,
        " (`DEADLINE_EXCEEDED`)",
        "it took longer than the caller or the server waits.",
    ),
];
