//! Reads the policy table from descriptors and refuses what is not sound.
//!
//! It runs in the build script, where a refusal stops the build, and in tests
//! and the dynamic test host, which load descriptors at run time.

use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MethodDescriptor, ServiceDescriptor, Value,
};

use super::bindings::{bindings, check_routes, when};
use super::fields::{check_field, is_message, top_level};
use super::mask::updatable;
use super::options::{Options, flag, leak, list, number, optional_text, positive, text};
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
            plans: false,
            unknown_key: None,
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
        if carriers.contains(&0) {
            return Err("CARRIER_UNSPECIFIED is no carrier".to_owned());
        }
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
        spec.plans = flag(&own, "plans");
        spec.unknown_key = optional_text(&own, "unknown_key");
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
            updatable: None,
            one_or_many: None,
            body_or_query: false,
            secret_answer: false,
            idempotency_window_s: DAY_S,
            any_origin: false,
            any_query: false,
            until_set_up: false,
            action: None,
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
        spec.updatable = updatable(method, spec.bindings);
        if spec.client_streaming && !spec.bindings.is_empty() && !is_upload(method, &spec) {
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
        spec.any_query = flag(own, "any_query");
        spec.until_set_up = flag(own, "until_set_up");
        spec.action = optional_text(own, "action");
        if spec.until_set_up && spec.auth != Auth::Public {
            return Err("until_set_up needs AUTH_PUBLIC: nobody is known by then".to_owned());
        }
        if let Some(window) = positive(own, "idempotency_window_s") {
            spec.idempotency_window_s = window;
        }
        Ok(())
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

/// Whether a stream of requests is a body of any size over REST: one whose route takes
/// bytes into a field.
fn is_upload(method: &MethodDescriptor, spec: &MethodSpec) -> bool {
    let raw = |binding: &Binding| match binding.body {
        Body::Field(name) => {
            let field = method.input().get_field_by_name(name);
            field.is_some_and(|field| is_message(&field, "google.api.HttpBody"))
        }
        Body::Whole | Body::None => false,
    };
    !spec.server_streaming
        && spec
            .bindings
            .iter()
            .all(|own| matches!(own.verb, "POST" | "PUT") && raw(own))
}
