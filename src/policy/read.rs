//! Reads the policy table from descriptors and refuses what is not sound.
//!
//! It runs in the build script, where a refusal stops the build, and in tests
//! and the dynamic test host, which load descriptors at run time. Options are
//! read with prost-reflect because typed descriptors drop custom options.

use std::collections::BTreeMap;

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, MethodDescriptor, ServiceDescriptor, Value,
};

use super::template::Template;
use super::{
    Auth, Binding, Body, Carriers, Dialect, MethodSpec, Profile, Role, Scope, ServiceSpec, When,
};

/// Seconds an `Idempotency-Key` is remembered unless the method says otherwise.
const DAY_S: u32 = 24 * 60 * 60;

/// What to read and what to demand of it.
#[derive(Debug, Default)]
pub struct Reader<'a> {
    /// Rate groups that have figures in the configuration.
    pub rate_groups: &'a [&'a str],
    /// Services whose protos are not ours, with their rate group: they are
    /// public and carry no options.
    pub foreign: &'a [(&'a str, &'a str)],
    /// Whether services may lack our options, as in a test host.
    pub lenient: bool,
}

impl Reader<'_> {
    /// Reads every service of the pool, in the order of its files. All faults
    /// are reported together.
    pub fn read(&self, pool: &DescriptorPool) -> Result<Vec<MethodSpec>, Vec<String>> {
        let mut methods = Vec::new();
        let mut faults = Vec::new();
        for service in pool.services() {
            let options = Options::new(pool);
            let spec: &'static ServiceSpec = match self.service(&service, &options) {
                Ok(spec) => Box::leak(Box::new(spec)),
                Err(fault) => {
                    faults.push(format!("{}: {fault}", service.full_name()));
                    continue;
                }
            };
            for method in service.methods() {
                match self.method(&method, spec, methods.len(), &options) {
                    Ok(spec) => methods.push(spec),
                    Err(fault) => faults.push(format!("{}: {fault}", method.full_name())),
                }
            }
        }
        for message in pool.all_messages() {
            let options = Options::new(pool);
            faults.extend(message.fields().filter_map(|field| {
                let fault = check_field(&field, &options)?;
                Some(format!("{}: {fault}", field.full_name()))
            }));
        }
        if !self.lenient {
            faults.extend(check_routes(&methods));
        }
        if faults.is_empty() {
            Ok(methods)
        } else {
            Err(faults)
        }
    }

    fn foreign_group(&self, service: &ServiceDescriptor) -> Option<&str> {
        let name = service.full_name();
        let hit = self.foreign.iter().find(|(known, _)| *known == name);
        hit.map(|(_, group)| *group)
    }

    fn service(
        &self,
        service: &ServiceDescriptor,
        options: &Options,
    ) -> Result<ServiceSpec, String> {
        let mut spec = ServiceSpec {
            name: leak(service.full_name()),
            product: "",
            carriers: Carriers {
                bearer: true,
                x_api_key: true,
            },
            rate_headers: false,
            invalid_code: None,
            dialect: Dialect::Nested,
            owns: &[],
        };
        let Some(own) = options.of(&service.options(), options.service.as_ref()) else {
            if self.lenient || self.foreign_group(service).is_some() {
                return Ok(spec);
            }
            return Err("has no (apex.options.v1.service) option".to_owned());
        };
        spec.product = leak(&text(&own, "product"));
        if spec.product.is_empty() {
            return Err("names no product".to_owned());
        }
        spec.dialect = Dialect::from_number(number(&own, "dialect")).ok_or("unknown dialect")?;
        Profile::from_number(number(&own, "profile")).ok_or("unknown profile")?;
        let carriers: Vec<i32> = list(&own, "carriers")
            .iter()
            .map(|v| v.as_enum_number().unwrap_or_default())
            .collect();
        if !carriers.is_empty() {
            spec.carriers = Carriers {
                bearer: carriers.contains(&1),
                x_api_key: carriers.contains(&2),
            };
        }
        spec.rate_headers = flag(&own, "rate_headers");
        spec.invalid_code = optional_text(&own, "invalid_code");
        let owns: Vec<&'static str> = list(&own, "owns")
            .iter()
            .filter_map(|v| v.as_str().map(leak))
            .collect();
        spec.owns = Box::leak(owns.into_boxed_slice());
        Ok(spec)
    }

    fn method(
        &self,
        method: &MethodDescriptor,
        service: &'static ServiceSpec,
        index: usize,
        options: &Options,
    ) -> Result<MethodSpec, String> {
        let mut spec = MethodSpec {
            index,
            service,
            name: leak(method.name()),
            path: leak(&format!("/{}/{}", service.name, method.name())),
            input: leak(method.input().full_name()),
            output: leak(method.output().full_name()),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
            auth: Auth::Public,
            project_field: None,
            scope: None,
            role: Role::Viewer,
            rate_group: "",
            success_status: 200,
            body_limit: None,
            timeout_ms: None,
            dialect: service.dialect,
            profile: Profile::Canonical,
            when: &[],
            update_mask_from_body: false,
            one_or_many: None,
            body_or_query: false,
            secret_answer: false,
            idempotency_window_s: DAY_S,
            any_origin: false,
            bindings: &[],
        };
        let own = options.of(&method.options(), options.method.as_ref());
        match (&own, self.foreign_group(method.parent_service())) {
            (Some(own), _) => self.policy(method, own, options, &mut spec)?,
            (None, Some(group)) => spec.rate_group = leak(group),
            (None, None) if self.lenient => {}
            (None, None) => return Err("has no `auth`: every method states it".to_owned()),
        }
        if !self.lenient && !self.rate_groups.contains(&spec.rate_group) {
            return Err(format!("unknown rate group `{}`", spec.rate_group));
        }
        spec.bindings = Box::leak(bindings(method, options)?.into_boxed_slice());
        if spec.client_streaming && !spec.bindings.is_empty() {
            if !self.lenient {
                return Err("a client stream has no REST form".to_owned());
            }
            spec.bindings = &[];
        }
        Ok(spec)
    }

    fn policy(
        &self,
        method: &MethodDescriptor,
        own: &DynamicMessage,
        options: &Options,
        spec: &mut MethodSpec,
    ) -> Result<(), String> {
        spec.auth = Auth::from_number(number(own, "auth"))
            .ok_or("has no `auth`: every method states it")?;
        spec.project_field = optional_text(own, "project_field");
        match (spec.auth, spec.project_field) {
            (Auth::ProjectKey, Some(field)) => {
                let field = top_level(&method.input(), field, "project_field")?;
                if field.kind() != Kind::String || field.is_list() || field.supports_presence() {
                    return Err(format!("project_field `{}` is no text", field.name()));
                }
                if spec.client_streaming || spec.server_streaming {
                    return Err("a stream names no project_field".to_owned());
                }
            }
            (Auth::ProjectKey, None) => return Err("names no project_field".to_owned()),
            (_, Some(_)) => return Err("project_field needs AUTH_PROJECT_KEY".to_owned()),
            (_, None) => {}
        }
        spec.scope = scope(&text(own, "scope"), spec.service.product)?;
        let keyed = matches!(spec.auth, Auth::ApiKey | Auth::SessionOrApiKey);
        if keyed && spec.scope.is_none() {
            return Err("API keys may call it, yet it has no scope".to_owned());
        }
        let implied = match spec.scope {
            Some(Scope { write: true, .. }) => Role::Member,
            Some(_) | None => Role::Viewer,
        };
        spec.role = Role::from_number(number(own, "role")).unwrap_or(implied);
        spec.rate_group = leak(&text(own, "rate_group"));
        if let Some(status) = positive(own, "success_status") {
            spec.success_status = u16::try_from(status)
                .ok()
                .filter(|status| (200..300).contains(status))
                .ok_or_else(|| format!("success_status {status} is no success"))?;
        }
        spec.body_limit = positive(own, "body_limit");
        spec.timeout_ms = positive(own, "timeout_ms");
        let service = method.parent_service();
        let of_service = options.of(&service.options(), options.service.as_ref());
        let inherited = of_service.as_ref().map_or(0, |own| number(own, "profile"));
        let profile = match number(own, "profile") {
            0 => inherited,
            number => number,
        };
        spec.profile = Profile::from_number(profile).ok_or("unknown profile")?;
        match number(own, "dialect") {
            0 => {}
            number => spec.dialect = Dialect::from_number(number).ok_or("unknown dialect")?,
        }
        let when: Vec<When> = list(own, "when")
            .iter()
            .filter_map(Value::as_message)
            .map(when)
            .collect();
        spec.when = Box::leak(when.into_boxed_slice());
        spec.update_mask_from_body = flag(own, "update_mask_from_body");
        if spec.update_mask_from_body {
            let field = top_level(&method.input(), "update_mask", "update_mask_from_body")?;
            if !is_message(&field, "google.protobuf.FieldMask") {
                return Err("`update_mask` is no google.protobuf.FieldMask".to_owned());
            }
        }
        spec.one_or_many = optional_text(own, "one_or_many");
        if let Some(name) = spec.one_or_many {
            for message in [method.input(), method.output()] {
                let field = top_level(&message, name, "one_or_many")?;
                if !field.is_list() || field.kind().as_message().is_none() {
                    return Err(format!("`{name}` of one_or_many repeats no message"));
                }
            }
        }
        spec.body_or_query = flag(own, "body_or_query");
        spec.secret_answer = flag(own, "secret_answer");
        spec.any_origin = flag(own, "any_origin");
        if let Some(window) = positive(own, "idempotency_window_s") {
            spec.idempotency_window_s = window;
        }
        Ok(())
    }
}

/// The extensions that carry our options, as far as the pool knows them.
#[derive(Debug)]
pub struct Options {
    service: Option<ExtensionDescriptor>,
    method: Option<ExtensionDescriptor>,
    field: Option<ExtensionDescriptor>,
    word: Option<ExtensionDescriptor>,
    http: Option<ExtensionDescriptor>,
}

impl Options {
    /// Looks the extensions up.
    pub fn new(pool: &DescriptorPool) -> Self {
        let find = |name: &str| pool.get_extension_by_name(name);
        Self {
            service: find("apex.options.v1.service"),
            method: find("apex.options.v1.method"),
            field: find("apex.options.v1.field"),
            word: find("apex.options.v1.word"),
            http: find("google.api.http"),
        }
    }

    /// The field options of a field, if it has any.
    pub fn field(&self, field: &FieldDescriptor) -> Option<DynamicMessage> {
        self.of(&field.options(), self.field.as_ref())
    }

    /// The JSON word of an enum value, if it has one.
    pub fn word(&self, value: &prost_reflect::EnumValueDescriptor) -> Option<String> {
        let extension = self.word.as_ref()?;
        let options = value.options();
        let set = options.has_extension(extension);
        set.then(|| options.get_extension(extension).as_str().map(str::to_owned))?
    }

    fn of(
        &self,
        options: &DynamicMessage,
        extension: Option<&ExtensionDescriptor>,
    ) -> Option<DynamicMessage> {
        let extension = extension?;
        if !options.has_extension(extension) {
            return None;
        }
        options.get_extension(extension).as_message().cloned()
    }
}

fn scope(text: &str, product: &str) -> Result<Option<Scope>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (owner, verb) = text.split_once('.').unwrap_or((text, ""));
    if owner != product {
        return Err(format!("scope `{text}` is not of product `{product}`"));
    }
    let write = match verb {
        "read" => false,
        "write" => true,
        _ => return Err(format!("scope `{text}` ends in neither .read nor .write")),
    };
    Ok(Some(Scope {
        product: leak(owner),
        write,
    }))
}

fn when(own: &DynamicMessage) -> When {
    let credential = own.has_field_by_name("credential");
    When {
        body_member: optional_text(own, "body_member"),
        body_array: flag(own, "body_array"),
        credential: credential.then(|| flag(own, "credential")),
        service_method: optional_text(own, "service_method"),
        accept: optional_text(own, "accept"),
        query: optional_text(own, "query"),
    }
}

fn bindings(method: &MethodDescriptor, options: &Options) -> Result<Vec<Binding>, String> {
    let Some(rule) = options.of(&method.options(), options.http.as_ref()) else {
        return Ok(Vec::new());
    };
    let mut found = vec![binding(method, &rule)?];
    for extra in list(&rule, "additional_bindings") {
        let extra = extra.as_message().ok_or("additional_bindings is no rule")?;
        if !list(extra, "additional_bindings").is_empty() {
            return Err("additional_bindings are one level deep".to_owned());
        }
        found.push(binding(method, extra)?);
    }
    Ok(found)
}

fn binding(method: &MethodDescriptor, rule: &DynamicMessage) -> Result<Binding, String> {
    const VERBS: [(&str, &str); 5] = [
        ("get", "GET"),
        ("put", "PUT"),
        ("post", "POST"),
        ("delete", "DELETE"),
        ("patch", "PATCH"),
    ];
    let plain = VERBS
        .iter()
        .find(|(name, _)| rule.has_field_by_name(name))
        .map(|(name, verb)| (*verb, text(rule, name)));
    let (verb, template) = match plain {
        Some(found) => found,
        None => {
            let custom = rule.get_field_by_name("custom");
            let custom = custom.as_ref().and_then(|v| v.as_message());
            let custom = custom.filter(|c| !text(c, "path").is_empty());
            let custom = custom.ok_or("its http rule names no path")?;
            (leak(&text(custom, "kind")), text(custom, "path"))
        }
    };
    let parsed = Template::parse(&template).map_err(|f| format!("path `{template}`: {f}"))?;
    for variable in &parsed.variables {
        path_field(&method.input(), &variable.field)
            .map_err(|fault| format!("path variable `{}` {fault}", variable.field))?;
    }
    let body = match text(rule, "body").as_str() {
        "" => Body::None,
        "*" => Body::Whole,
        name => Body::Field(leak(top_level(&method.input(), name, "body")?.name())),
    };
    let response_body = optional_text(rule, "response_body");
    if let Some(name) = response_body {
        top_level(&method.output(), name, "response_body")?;
    }
    Ok(Binding {
        verb,
        template: leak(&template),
        body,
        response_body,
    })
}

/// The field a path variable names: singular and written as one JSON scalar.
fn path_field(message: &MessageDescriptor, path: &str) -> Result<FieldDescriptor, &'static str> {
    let mut message = message.clone();
    let mut names = path.split('.').peekable();
    loop {
        let name = names.next().ok_or("names no field")?;
        let field = message.get_field_by_name(name).ok_or("names no field")?;
        if field.cardinality() == Cardinality::Repeated {
            return Err("is no scalar field");
        }
        let kind = field.kind();
        match (kind.as_message(), names.peek()) {
            (None, None) => return Ok(field),
            (Some(inner), None) if is_text_like(inner.full_name()) => return Ok(field),
            (Some(inner), Some(_)) => message = inner.clone(),
            (None, Some(_)) | (Some(_), None) => return Err("is no scalar field"),
        }
    }
}

/// Whether a well-known message is one scalar in JSON.
pub fn is_text_like(name: &str) -> bool {
    let Some(name) = name.strip_prefix("google.protobuf.") else {
        return false;
    };
    matches!(name, "Timestamp" | "Duration" | "FieldMask") || is_wrapper(name)
}

/// Whether the message `google.protobuf.<name>` wraps one scalar.
pub fn is_wrapper(name: &str) -> bool {
    matches!(
        name,
        "DoubleValue"
            | "FloatValue"
            | "Int64Value"
            | "UInt64Value"
            | "Int32Value"
            | "UInt32Value"
            | "BoolValue"
            | "StringValue"
            | "BytesValue"
    )
}

fn is_message(field: &FieldDescriptor, name: &str) -> bool {
    let kind = field.kind();
    kind.as_message().is_some_and(|m| m.full_name() == name)
}

fn top_level(
    message: &MessageDescriptor,
    name: &str,
    option: &str,
) -> Result<FieldDescriptor, String> {
    let field = message.get_field_by_name(name);
    field.ok_or_else(|| format!("{option} `{name}` names no field of {}", message.name()))
}

fn check_field(field: &FieldDescriptor, options: &Options) -> Option<String> {
    let own = options.field(field)?;
    let is_text = field.kind() == Kind::String;
    let texts = ["min_length", "max_length"];
    if !is_text && texts.iter().any(|name| positive(&own, name).is_some()) {
        return Some("a length needs a text field".to_owned());
    }
    for name in ["pattern", "raw_json", "raw_query", "parse_error"] {
        if !is_text && own.has_field_by_name(name) {
            return Some(format!("{name} needs a text field"));
        }
    }
    if positive(&own, "max_items").is_some() && !(field.is_list() || field.is_map()) {
        return Some("max_items needs a repeated field".to_owned());
    }
    let pattern = text(&own, "pattern");
    regex::Regex::new(&pattern).err().map(|e| e.to_string())
}

/// A route has one owner: the method without a circumstance, which answers when
/// no other one's circumstances hold. Two routes are equal when they have the
/// same verb and match the same paths.
fn check_routes(methods: &[MethodSpec]) -> Vec<String> {
    let mut routes: BTreeMap<(&str, String), Vec<&MethodSpec>> = BTreeMap::new();
    for spec in methods {
        for binding in spec.bindings {
            if let Ok(template) = Template::parse(binding.template) {
                let route = (binding.verb, template.shape());
                routes.entry(route).or_default().push(spec);
            }
        }
    }
    let fault = |((verb, path), sharing): (&(&str, String), &Vec<&MethodSpec>)| {
        let owners: Vec<&str> = sharing
            .iter()
            .filter(|spec| spec.when.is_empty())
            .map(|spec| spec.path)
            .collect();
        match owners.as_slice() {
            [_] => None,
            [] => Some(format!(
                "{verb} {path}: every method has a `when`; none owns it"
            )),
            [first, second, ..] => Some(format!(
                "{verb} {path}: {first} and {second} are equal routes"
            )),
        }
    };
    routes.iter().filter_map(fault).collect()
}

/// The text of a field of an option message.
pub fn text(message: &DynamicMessage, name: &str) -> String {
    let value = message.get_field_by_name(name);
    let text = value.as_ref().and_then(|v| v.as_str());
    text.unwrap_or_default().to_owned()
}

fn optional_text(message: &DynamicMessage, name: &str) -> Option<&'static str> {
    let text = text(message, name);
    (!text.is_empty()).then(|| leak(&text))
}

/// The flag of an option message.
pub fn flag(message: &DynamicMessage, name: &str) -> bool {
    let value = message.get_field_by_name(name);
    value.and_then(|v| v.as_bool()).unwrap_or_default()
}

/// The number of an enum field of an option message.
pub fn number(message: &DynamicMessage, name: &str) -> i32 {
    let value = message.get_field_by_name(name);
    value.and_then(|v| v.as_enum_number()).unwrap_or_default()
}

/// A number of an option message that is not zero.
pub fn positive(message: &DynamicMessage, name: &str) -> Option<u32> {
    let value = message.get_field_by_name(name);
    value.and_then(|v| v.as_u32()).filter(|n| *n > 0)
}

fn list(message: &DynamicMessage, name: &str) -> Vec<Value> {
    let value = message.get_field_by_name(name);
    let values = value.as_ref().and_then(|v| v.as_list());
    values.map(<[Value]>::to_vec).unwrap_or_default()
}

/// Policy is read once and lives as long as the process.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}
