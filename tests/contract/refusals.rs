//! What the build refuses, each by a proto that is at fault. The build script
//! reads its protos with the very same reader.

use apex::policy::read::Reader;
use prost_reflect::DescriptorPool;

const SERVICE: &str = r#"product: "p" dialect: DIALECT_FLAT profile: PROFILE_STRICT"#;

/// Reads a service with these options and methods; answers what is refused.
fn refusals(service: &str, methods: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let proto = format!(
        r#"
        syntax = "proto3";
        package t;
        import "apex/options/v1/options.proto";
        import "google/api/annotations.proto";
        import "google/protobuf/timestamp.proto";
        service S {{
            {service}
            {methods}
        }}
        message M {{
            string id = 1;
            M inner = 2;
            repeated string list = 3;
            map<string, string> map = 4;
            google.protobuf.Timestamp at = 5;
            optional string maybe = 6;
        }}"#
    );
    std::fs::write(folder.path().join("t.proto"), proto).unwrap();
    let mut compiler = protox::Compiler::new([folder.path(), "proto".as_ref()]).unwrap();
    compiler.include_imports(true);
    compiler.open_file("t.proto").unwrap();
    let bytes = compiler.encode_file_descriptor_set();
    let pool = DescriptorPool::decode(bytes.as_slice()).unwrap();
    let reader = Reader {
        rate_groups: &["read"],
        ..Reader::default()
    };
    reader.read(&pool).err().unwrap_or_default()
}

/// Reads one method with these options and this http rule.
fn refusal(options: &str, http: &str) -> Vec<String> {
    let service = format!("option (apex.options.v1.service) = {{{SERVICE}}};");
    let http = match http {
        "" => String::new(),
        rule => format!("option (google.api.http) = {{{rule}}};"),
    };
    let options = match options {
        "" => String::new(),
        options => format!("option (apex.options.v1.method) = {{{options}}};"),
    };
    refusals(
        &service,
        &format!("rpc A(M) returns (M) {{ {http} {options} }}"),
    )
}

const SOUND: &str = r#"auth: AUTH_PUBLIC rate_group: "read""#;

#[test]
fn a_sound_method_is_not_refused() {
    assert_eq!(
        refusal(SOUND, r#"get: "/{id}/{inner.at}/{maybe}""#),
        [""; 0]
    );
    assert_eq!(refusal(SOUND, ""), [""; 0]);
}

#[test]
fn methods_without_a_sound_policy_are_refused() {
    for (options, fault) in [
        ("", "t.S.A: has no `auth`: every method states it"),
        (
            r#"rate_group: "read""#,
            "t.S.A: has no `auth`: every method states it",
        ),
        ("auth: AUTH_PUBLIC", "t.S.A: unknown rate group ``"),
        (
            r#"auth: AUTH_PUBLIC rate_group: "write""#,
            "t.S.A: unknown rate group `write`",
        ),
        (
            r#"auth: AUTH_API_KEY rate_group: "read""#,
            "t.S.A: API keys may call it, yet it has no scope",
        ),
        (
            r#"auth: AUTH_API_KEY scope: "q.read" rate_group: "read""#,
            "t.S.A: scope `q.read` is not of product `p`",
        ),
        (
            r#"auth: AUTH_API_KEY scope: "p.eat" rate_group: "read""#,
            "t.S.A: scope `p.eat` ends in neither .read nor .write",
        ),
        (
            r#"auth: AUTH_PROJECT_KEY rate_group: "read""#,
            "t.S.A: names no project_field",
        ),
        (
            r#"auth: AUTH_PROJECT_KEY project_field: "key" rate_group: "read""#,
            "t.S.A: project_field `key` names no field of M",
        ),
        (
            r#"auth: AUTH_PROJECT_KEY project_field: "list" rate_group: "read""#,
            "t.S.A: project_field `list` is no text",
        ),
        (
            r#"auth: AUTH_PUBLIC project_field: "id" rate_group: "read""#,
            "t.S.A: project_field needs AUTH_PROJECT_KEY",
        ),
        (
            r#"auth: AUTH_PUBLIC rate_group: "read" success_status: 404"#,
            "t.S.A: success_status 404 is no success",
        ),
        (
            r#"auth: AUTH_PUBLIC rate_group: "read" update_mask_from_body: true"#,
            "t.S.A: update_mask_from_body `update_mask` names no field of M",
        ),
        (
            r#"auth: AUTH_SESSION rate_group: "read" until_set_up: true"#,
            "t.S.A: until_set_up needs AUTH_PUBLIC: nobody is known by then",
        ),
        (
            r#"auth: AUTH_PUBLIC rate_group: "read" one_or_many: "list""#,
            "t.S.A: `list` of one_or_many repeats no message",
        ),
    ] {
        assert_eq!(refusal(options, ""), [fault], "{options}");
    }
}

#[test]
fn services_without_a_sound_policy_are_refused() {
    let method =
        format!("rpc A(M) returns (M) {{ option (apex.options.v1.method) = {{{SOUND}}}; }}");
    for (service, fault) in [
        ("", "t.S: has no (apex.options.v1.service) option"),
        (
            "dialect: DIALECT_FLAT profile: PROFILE_STRICT",
            "t.S: names no product",
        ),
        (
            r#"product: "p" profile: PROFILE_STRICT"#,
            "t.S: unknown dialect",
        ),
        (
            r#"product: "p" dialect: DIALECT_FLAT"#,
            "t.S: unknown profile",
        ),
    ] {
        let options = match service {
            "" => String::new(),
            options => format!("option (apex.options.v1.service) = {{{options}}};"),
        };
        assert_eq!(refusals(&options, &method), [fault], "{service}");
    }
}

#[test]
fn routes_that_are_not_sound_are_refused() {
    for (rule, fault) in [
        (
            r#"get: "/{nothing}""#,
            "t.S.A: path variable `nothing` names no field",
        ),
        (
            r#"get: "/{list}""#,
            "t.S.A: path variable `list` is no scalar field",
        ),
        (
            r#"get: "/{map}""#,
            "t.S.A: path variable `map` is no scalar field",
        ),
        (
            r#"get: "/{inner}""#,
            "t.S.A: path variable `inner` is no scalar field",
        ),
        (
            r#"get: "/{id.x}""#,
            "t.S.A: path variable `id.x` is no scalar field",
        ),
        (
            r#"get: "/{id=**}/x""#,
            "t.S.A: path `/{id=**}/x`: `**` must be the last segment",
        ),
        (r#"get: "x""#, "t.S.A: path `x`: column 1: expected `/`"),
        (
            r#"post: "/x" body: "nothing""#,
            "t.S.A: body `nothing` names no field of M",
        ),
        (
            r#"get: "/x" response_body: "nothing""#,
            "t.S.A: response_body `nothing` names no field of M",
        ),
        (r#"body: "*""#, "t.S.A: its http rule names no path"),
        (
            r#"get: "/x" additional_bindings {get: "/y" additional_bindings {get: "/z"}}"#,
            "t.S.A: additional_bindings are one level deep",
        ),
        (
            r#"get: "/x/{id}" additional_bindings {get: "/x/{maybe}"}"#,
            "GET /x/*: /t.S/A and /t.S/A are equal routes",
        ),
    ] {
        assert_eq!(refusal(SOUND, rule), [fault], "{rule}");
    }
}

#[test]
fn routes_are_shared_by_circumstance_only() {
    let service = format!("option (apex.options.v1.service) = {{{SERVICE}}};");
    let method = |name: &str, when: &str| {
        format!(
            r#"rpc {name}(M) returns (M) {{
                option (google.api.http) = {{post: "/x" body: "*"}};
                option (apex.options.v1.method) = {{{SOUND} {when}}};
            }}"#
        )
    };
    let both = |a: &str, b: &str| refusals(&service, &[method("A", a), method("B", b)].concat());
    let when = "when: {body_array: true}";
    assert_eq!(both("", when), [""; 0]);
    assert_eq!(
        both("", ""),
        ["POST /x: /t.S/A and /t.S/B are equal routes"]
    );
    assert_eq!(
        both(when, when),
        ["POST /x: every method has a `when`; none owns it"]
    );
}

#[test]
fn a_client_stream_has_no_route() {
    let service = format!("option (apex.options.v1.service) = {{{SERVICE}}};");
    let method = format!(
        r#"rpc A(stream M) returns (M) {{
            option (google.api.http) = {{post: "/x" body: "*"}};
            option (apex.options.v1.method) = {{{SOUND}}};
        }}"#
    );
    assert_eq!(
        refusals(&service, &method),
        ["t.S.A: a client stream has no REST form"]
    );
}

#[test]
fn fields_that_cannot_be_checked_are_refused() {
    for (field, fault) in [
        (
            "int32 x = 1 [(apex.options.v1.field) = {max_length: 3}]",
            "a length needs a text field",
        ),
        (
            "int32 x = 1 [(apex.options.v1.field) = {raw_json: RAW_JSON_ANY}]",
            "raw_json needs a text field",
        ),
        (
            "string x = 1 [(apex.options.v1.field) = {max_items: 3}]",
            "max_items needs a repeated field",
        ),
        (
            "map<string, string> x = 1 [(apex.options.v1.field) = {min_items: 1}]",
            "min_items needs a list",
        ),
        (
            "repeated string x = 1 [(apex.options.v1.field) = {each_alone: true}]",
            "each_alone needs a list of messages",
        ),
        (
            "string x = 1 [(apex.options.v1.field) = {millis: true}]",
            "millis needs a time",
        ),
        (
            "int32 x = 1 [(apex.options.v1.field) = {decimal: true}]",
            "decimal needs a text or a double",
        ),
    ] {
        let service = format!("option (apex.options.v1.service) = {{{SERVICE}}};");
        let rest = format!("}} message N {{ {field};");
        assert_eq!(
            refusals(&service, &rest),
            [format!("t.N.x: {fault}")],
            "{field}"
        );
    }
    let service = format!("option (apex.options.v1.service) = {{{SERVICE}}};");
    let rest = r#"} message N { string x = 1 [(apex.options.v1.field) = {pattern: "("}];"#;
    let found = refusals(&service, rest);
    assert!(
        found[0].starts_with("t.N.x: regex parse error"),
        "{found:?}"
    );
}
