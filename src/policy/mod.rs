//! The policy table: what the `.proto` options say about every method, as plain
//! data. The build script reads it from the descriptors and writes it out as
//! [`MethodSpec`] constants; the dynamic test host reads the same at run time.
//! Nothing about a route, a permission or an error shape is written elsewhere.

mod bindings;
pub mod fields;
mod mask;
pub mod options;
pub mod read;
pub mod template;

/// One method of a service, with everything the layers need to serve it.
#[derive(Debug, Clone, Copy)]
pub struct MethodSpec {
    /// Position in the table the method belongs to.
    pub index: usize,
    /// The service it belongs to.
    pub service: &'static ServiceSpec,
    /// Method name, such as `SendEvent`.
    pub name: &'static str,
    /// gRPC path, such as `/apex.metrics.v1.MetricsService/SendEvent`.
    pub path: &'static str,
    /// Full name of the request message.
    pub input: &'static str,
    /// Full name of the response message.
    pub output: &'static str,
    /// Whether the client sends a stream.
    pub client_streaming: bool,
    /// Whether the server answers with a stream.
    pub server_streaming: bool,
    /// Who may call it.
    pub auth: Auth,
    /// Request field that names the public project key.
    pub project_field: Option<&'static str>,
    /// Permission an API key needs.
    pub scope: Option<Scope>,
    /// Least role of a session's user.
    pub role: Role,
    /// Rate-limit group.
    pub rate_group: &'static str,
    /// HTTP status of a success.
    pub success_status: u16,
    /// Largest decompressed request body in bytes.
    pub body_limit: Option<u32>,
    /// Longest a call may run, in milliseconds.
    pub timeout_ms: Option<u32>,
    /// Shape of REST error bodies.
    pub dialect: Dialect,
    /// How messages are written as JSON.
    pub profile: Profile,
    /// Circumstances that pick this method on a shared route; empty for an owner.
    pub when: &'static [When],
    /// Fills `update_mask` from the members of the body.
    pub update_mask_from_body: bool,
    /// Fields an update mask may name, if the request has one.
    pub updatable: Option<&'static [&'static str]>,
    /// Repeated field that makes the body one object or an array of them.
    pub one_or_many: Option<&'static str>,
    /// Whether the body's members are merged under the query's.
    pub body_or_query: bool,
    /// Whether the answer shows a secret once and is never replayed.
    pub secret_answer: bool,
    /// How long an `Idempotency-Key` is remembered, in seconds.
    pub idempotency_window_s: u32,
    /// Whether pages of any origin may read the answer.
    pub any_origin: bool,
    /// Whether unknown query parameters are passed over.
    pub any_query: bool,
    /// Whether it is gone once there is a user.
    pub until_set_up: bool,
    /// What it does, as a refusal says it, such as `view contacts`.
    pub action: Option<&'static str>,
    /// REST routes.
    pub bindings: &'static [Binding],
}

/// Policy shared by the methods of a service.
#[derive(Debug, Clone, Copy)]
pub struct ServiceSpec {
    /// Full name, such as `apex.metrics.v1.MetricsService`.
    pub name: &'static str,
    /// Product the service belongs to.
    pub product: &'static str,
    /// Where an API key may be carried.
    pub carriers: Carriers,
    /// Whether every answer shows the rate headers.
    pub rate_headers: bool,
    /// Error code of a request that is not valid, if not the dialect's own.
    pub invalid_code: Option<&'static str>,
    /// Shape of REST error bodies, for paths no method owns.
    pub dialect: Dialect,
    /// Path prefixes whose unknown paths answer in this service's shape.
    pub owns: &'static [&'static str],
    /// Whether the plan of the caller's organization binds it.
    pub plans: bool,
    /// What a caller without a valid key is told, if not the server's own words.
    pub unknown_key: Option<&'static str>,
}

/// One REST route of a method.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// HTTP verb, such as `GET`.
    pub verb: &'static str,
    /// Path template in the syntax of `google.api.http`.
    pub template: &'static str,
    /// What the request body fills.
    pub body: Body,
    /// Response field that becomes the whole answer.
    pub response_body: Option<&'static str>,
}

/// What the body of a REST request fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is no body.
    None,
    /// Everything the path does not bind.
    Whole,
    /// One top-level field.
    Field(&'static str),
}

/// A permission such as `metrics.write`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Product the permission is for.
    pub product: &'static str,
    /// Whether it allows writing.
    pub write: bool,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = if self.write { "write" } else { "read" };
        write!(f, "{}.{verb}", self.product)
    }
}

/// Where an API key may be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carriers {
    /// `Authorization: Bearer`.
    pub bearer: bool,
    /// `x-api-key`.
    pub x_api_key: bool,
}

/// One circumstance under which a method answers a shared route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The JSON body is an object with this member.
    pub body_member: Option<&'static str>,
    /// The JSON body is an array.
    pub body_array: bool,
    /// A credential is present or absent.
    pub credential: Option<bool>,
    /// Value of the `X-Service-Method` header.
    pub service_method: Option<&'static str>,
    /// Media type the `Accept` header names.
    pub accept: Option<&'static str>,
    /// Query parameter as `name=value`.
    pub query: Option<&'static str>,
    /// Scheme of the `Authorization` header.
    pub scheme: Option<&'static str>,
}

/// Defines an enum of the options with its `.proto` numbers, so that the reader
/// and the source emitter need no table of their own.
macro_rules! option_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $variant = $number,)+
        }

        impl $name {
            /// The value with this number in `apex/options/v1/options.proto`.
            pub fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

option_enum! {
    /// Who may call a method.
    Auth {
        /// Anyone.
        Public = 1,
        /// A valid API key.
        ApiKey = 2,
        /// A signed-in user.
        Session = 3,
        /// A signed-in user or a valid API key.
        SessionOrApiKey = 4,
        /// A page that names a public project key in the request.
        ProjectKey = 5,
        /// The operator, over the socket in the data directory.
        Operator = 6,
    }
}

option_enum! {
    /// What a member of an organization may do; later includes earlier.
    Role {
        /// Reads.
        Viewer = 1,
        /// Reads and writes.
        Member = 2,
        /// Also manages members, projects and keys.
        Admin = 3,
        /// Also manages the organization and other owners.
        Owner = 4,
    }
}

option_enum! {
    /// Shape of REST error bodies.
    Dialect {
        /// `{"error", "code", "status"}`
        Flat = 1,
        /// `{"name", "message", "code", "className"[, "data"][, "errors"]}`
        Feathers = 2,
        /// `{"error": {"code", "message"}}`
        Nested = 3,
        /// `{"error": {"code", "message"}, "metadata"}` with lower-case codes.
        Envelope = 4,
        /// `{"errorCode", "errorDetails"[, "key"]}`, as OpenFeature's remote evaluation
        /// protocol has it.
        Ofrep = 5,
    }
}

option_enum! {
    /// How messages are written as JSON.
    Profile {
        /// The canonical proto3 mapping.
        Canonical = 1,
        /// Numbers and words; unknown members are refused.
        Strict = 2,
        /// As strict, but unknown members are ignored.
        Lenient = 3,
    }
}

option_enum! {
    /// What JSON a raw field may hold.
    RawJson {
        /// A JSON object.
        Object = 1,
        /// Any JSON value.
        Any = 2,
    }
}
