//! The documented error bodies, row by row of the tables in the products'
//! documentation, rendered from a status as every answer is.

use std::time::Duration;

use apex::error::{Error, Kind, reason};
use apex::policy::Dialect;
use apex::transcode::errors::{Problem, Words};

const FLAT: Words = Words {
    dialect: Dialect::Flat,
    invalid: None,
};
const FEATHERS: Words = Words {
    dialect: Dialect::Feathers,
    invalid: None,
};
const MEMORY: Words = Words {
    dialect: Dialect::Nested,
    invalid: None,
};
const METRICS: Words = Words {
    dialect: Dialect::Nested,
    invalid: Some("INVALID_REQUEST"),
};
const ENVELOPE: Words = Words {
    dialect: Dialect::Envelope,
    invalid: None,
};

/// Status and body of a failure, as REST shows them.
fn shown(words: Words, error: Error) -> (u16, String) {
    let word = words.word(error.kind());
    let problem = Problem::of(&error.into_status(word), words);
    let body = problem.body(words.dialect);
    (problem.status, String::from_utf8(body).unwrap())
}

#[track_caller]
fn golden(words: Words, rows: impl IntoIterator<Item = (Error, u16, &'static str)>) {
    for (error, status, body) in rows {
        let kind = error.kind();
        assert_eq!(shown(words, error), (status, body.to_owned()), "{kind:?}");
    }
}

fn of(kind: Kind, message: &'static str) -> Error {
    Error::new(kind, message)
}

fn too_many(message: &'static str, wait: u64) -> Error {
    of(Kind::ResourceExhausted, message)
        .retry_after(Duration::from_secs(wait))
        .with("limit", 1000)
        .with("current", 1001)
        .with("window", 3600)
}

/// Growth, PaaS and accounts: six rows of the one, seven of the other.
#[test]
fn flat() {
    golden(
        FLAT,
        [
            (
                Error::invalid_field("trafficSplit", "trafficSplit must be between 0 and 100"),
                400,
                r#"{"error":"trafficSplit must be between 0 and 100","code":"VALIDATION_ERROR","status":400}"#,
            ),
            (
                Error::unauthenticated("Invalid API key"),
                401,
                r#"{"error":"Invalid API key","code":"UNAUTHORIZED","status":401}"#,
            ),
            (
                Error::forbidden("Your role does not allow this"),
                403,
                r#"{"error":"Your role does not allow this","code":"FORBIDDEN","status":403}"#,
            ),
            (
                Error::not_found("Goal not found"),
                404,
                r#"{"error":"Goal not found","code":"NOT_FOUND","status":404}"#,
            ),
            (
                too_many("Rate limit exceeded. Retry after 12 seconds.", 12),
                429,
                r#"{"error":"Rate limit exceeded. Retry after 12 seconds.","code":"RATE_LIMITED","status":429}"#,
            ),
            (
                Error::internal("the disk /dev/sda is on fire"),
                500,
                r#"{"error":"Internal server error","code":"INTERNAL_ERROR","status":500}"#,
            ),
            (
                Error::unavailable("Feature requires K8s"),
                503,
                r#"{"error":"Feature requires K8s","code":"UNAVAILABLE","status":503}"#,
            ),
        ],
    );
}

/// The CRM's own examples and the rest of the classes Feathers clients know.
#[test]
fn feathers() {
    golden(
        FEATHERS,
        [
            (
                too_many("Rate limit exceeded", 542),
                429,
                r#"{"name":"TooManyRequests","message":"Rate limit exceeded","code":429,"data":{"limit":1000,"current":1001,"window":3600,"retryAfter":542}}"#,
            ),
            (
                Error::unauthenticated("Invalid API key"),
                401,
                r#"{"name":"NotAuthenticated","message":"Invalid API key","code":401,"className":"not-authenticated"}"#,
            ),
            (
                Error::forbidden(
                    "Access denied: You do not have permission to view contacts. Please contact your organization administrator.",
                ),
                403,
                r#"{"name":"Forbidden","message":"Access denied: You do not have permission to view contacts. Please contact your organization administrator.","code":403,"className":"forbidden"}"#,
            ),
            (
                Error::invalid_field("email", "email is not valid"),
                400,
                r#"{"name":"BadRequest","message":"email is not valid","code":400,"className":"bad-request","errors":[{"path":"email","message":"email is not valid"}]}"#,
            ),
            (
                Error::not_found("No record found for id '7'"),
                404,
                r#"{"name":"NotFound","message":"No record found for id '7'","code":404,"className":"not-found"}"#,
            ),
            (
                of(Kind::Unimplemented, "Method not allowed").reason(reason::METHOD_NOT_ALLOWED),
                405,
                r#"{"name":"MethodNotAllowed","message":"Method not allowed","code":405,"className":"method-not-allowed"}"#,
            ),
            (
                Error::exists("Taken"),
                409,
                r#"{"name":"Conflict","message":"Taken","code":409,"className":"conflict"}"#,
            ),
            (
                of(Kind::Unimplemented, "Not here"),
                501,
                r#"{"name":"NotImplemented","message":"Not here","code":501,"className":"not-implemented"}"#,
            ),
            (
                Error::unavailable("Later"),
                503,
                r#"{"name":"Unavailable","message":"Later","code":503,"className":"unavailable"}"#,
            ),
            (
                of(Kind::DeadlineExceeded, "Too late"),
                504,
                r#"{"name":"Timeout","message":"Too late","code":504,"className":"timeout"}"#,
            ),
            (
                Error::internal("secret"),
                500,
                r#"{"name":"GeneralError","message":"Internal server error","code":500,"className":"general-error"}"#,
            ),
        ],
    );
}

/// Memory's examples, its table, and the codes that follow the HTTP reasons.
#[test]
fn nested_memory() {
    let expired =
        "Your trial expired on 2026-07-18. Contact support@sandstonecloud.com to continue.";
    golden(
        MEMORY,
        [
            (
                Error::forbidden(expired).reason("TRIAL_EXPIRED"),
                403,
                r#"{"error":{"code":"TRIAL_EXPIRED","message":"Your trial expired on 2026-07-18. Contact support@sandstonecloud.com to continue."}}"#,
            ),
            (
                Error::unauthenticated(
                    "Invalid or missing API key. Include a valid key in the X-API-Key header.",
                ),
                401,
                r#"{"error":{"code":"UNAUTHORIZED","message":"Invalid or missing API key. Include a valid key in the X-API-Key header."}}"#,
            ),
            (
                Error::forbidden("Trial expired. Contact support@sandstonecloud.com to upgrade."),
                403,
                r#"{"error":{"code":"FORBIDDEN","message":"Trial expired. Contact support@sandstonecloud.com to upgrade."}}"#,
            ),
            (
                too_many("Rate limit exceeded. Retry after 12 seconds.", 12),
                429,
                r#"{"error":{"code":"RATE_LIMITED","message":"Rate limit exceeded. Retry after 12 seconds."}}"#,
            ),
            (
                Error::invalid("user_id is required"),
                400,
                r#"{"error":{"code":"BAD_REQUEST","message":"user_id is required"}}"#,
            ),
            (
                Error::not_found("There is no such path"),
                404,
                r#"{"error":{"code":"NOT_FOUND","message":"There is no such path"}}"#,
            ),
            (
                Error::exists("Signed up already"),
                409,
                r#"{"error":{"code":"CONFLICT","message":"Signed up already"}}"#,
            ),
            (
                of(Kind::ResourceExhausted, "Too large").reason(reason::PAYLOAD_TOO_LARGE),
                413,
                r#"{"error":{"code":"PAYLOAD_TOO_LARGE","message":"Too large"}}"#,
            ),
            (
                Error::invalid("Not JSON").reason(reason::UNSUPPORTED_MEDIA_TYPE),
                415,
                r#"{"error":{"code":"UNSUPPORTED_MEDIA_TYPE","message":"Not JSON"}}"#,
            ),
            (
                Error::internal("secret"),
                500,
                r#"{"error":{"code":"INTERNAL_ERROR","message":"Internal server error"}}"#,
            ),
            (
                Error::unavailable("Later"),
                503,
                r#"{"error":{"code":"UNAVAILABLE","message":"Later"}}"#,
            ),
        ],
    );
}

/// Metrics: the documented example and the five statuses of its table.
#[test]
fn nested_metrics() {
    golden(
        METRICS,
        [
            (
                Error::invalid_field("event_name", "Event name is required"),
                400,
                r#"{"error":{"code":"INVALID_REQUEST","message":"Event name is required"}}"#,
            ),
            (
                Error::unauthenticated("Invalid API key"),
                401,
                r#"{"error":{"code":"UNAUTHORIZED","message":"Invalid API key"}}"#,
            ),
            (
                Error::forbidden("The API key lacks the scope metrics.read"),
                403,
                r#"{"error":{"code":"FORBIDDEN","message":"The API key lacks the scope metrics.read"}}"#,
            ),
            (
                too_many("Rate limit exceeded. Retry after 12 seconds.", 12),
                429,
                r#"{"error":{"code":"RATE_LIMITED","message":"Rate limit exceeded. Retry after 12 seconds."}}"#,
            ),
            (
                Error::internal("secret"),
                500,
                r#"{"error":{"code":"INTERNAL_ERROR","message":"Internal server error"}}"#,
            ),
        ],
    );
}

/// Growth's server-to-server events answer an envelope of their own.
#[test]
fn envelope() {
    golden(
        ENVELOPE,
        [
            (
                Error::invalid("A batch has at most 100 events")
                    .reason("BATCH_TOO_LARGE")
                    .with("batchSize", 101),
                400,
                r#"{"error":{"code":"batch_too_large","message":"A batch has at most 100 events"},"metadata":{"batchSize":"101"}}"#,
            ),
            (
                Error::unauthenticated("Invalid API key"),
                401,
                r#"{"error":{"code":"unauthorized","message":"Invalid API key"},"metadata":{}}"#,
            ),
        ],
    );
}

/// A status that tonic made itself has no details; it is worded all the same.
#[test]
fn foreign_statuses() {
    for (status, http, code) in [
        (tonic::Status::unimplemented("x"), 501, "NOT_IMPLEMENTED"),
        (tonic::Status::out_of_range("x"), 429, "RATE_LIMITED"),
        (tonic::Status::unknown("x"), 500, "INTERNAL_ERROR"),
        (tonic::Status::cancelled("x"), 499, "CANCELLED"),
        (tonic::Status::data_loss("x"), 500, "INTERNAL_ERROR"),
        (
            tonic::Status::failed_precondition("x"),
            400,
            "FAILED_PRECONDITION",
        ),
        (tonic::Status::aborted("x"), 409, "CONFLICT"),
        (
            tonic::Status::deadline_exceeded("x"),
            504,
            "DEADLINE_EXCEEDED",
        ),
    ] {
        let problem = Problem::of(&status, FLAT);
        assert_eq!((problem.status, problem.reason.as_str()), (http, code));
    }
}
