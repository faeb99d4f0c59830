//! Names of headers, made once: looking one up by its text would check and hash the
//! text on every request.

use http::HeaderName;

macro_rules! headers {
    ($($name:ident = $text:literal)*) => {
        $(pub(super) static $name: HeaderName = HeaderName::from_static($text);)*
    };
}

headers! {
    GRPC_ACCEPT_ENCODING = "grpc-accept-encoding"
    GRPC_ENCODING = "grpc-encoding"
    GRPC_STATUS = "grpc-status"
    GRPC_STATUS_DETAILS = "grpc-status-details-bin"
    GRPC_TIMEOUT = "grpc-timeout"
    IF_MATCH = "if-match"
    IDEMPOTENCY_KEY = "idempotency-key"
    TRACEPARENT = "traceparent"
    X_API_KEY = "x-api-key"
    X_APEX_PROJECT = "x-apex-project"
    X_ORGANIZATION = "x-organization"
    X_PROJECT = "x-project"
    X_REQUEST_ID = "x-request-id"
    X_SERVICE_METHOD = "x-service-method"
    X_SERVER_TIMEOUT = "x-server-timeout"
}
