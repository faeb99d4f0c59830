//! The API reference as one page: no script, nothing fetched from elsewhere.

use std::fmt::Write as _;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::page::{self, Documented, about_field, about_method};
use crate::policy::options::{Options, flag, number};

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav a { margin-right: 1rem; }
article { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h3 code { font-size: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; }
tr { border-top: 1px solid var(--line); }
code { background: var(--soft); padding: .1rem .25rem; border-radius: .2rem; }
.facts { font-size: .9rem; }
";

/// The page.
pub(super) fn page() -> String {
    let pool = crate::api::pool();
    let options = Options::new(&pool);
    let methods = page::methods(&pool);
    let mut products: Vec<&str> = methods.iter().map(|m| m.spec.service.product).collect();
    products.dedup();
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Apex API</title>\
         <style>{STYLE}</style></head><body><h1>Apex API</h1>\
         <p>Version {}. Every method answers gRPC, gRPC-Web and, where it has a path, JSON REST \
         on the same port. <a href=\"/openapi.json\">OpenAPI 3.1</a></p><nav>",
        env!("CARGO_PKG_VERSION")
    );
    for product in &products {
        let _ = write!(html, "<a href=\"#{product}\">{product}</a>");
    }
    html.push_str("</nav>");
    for product in products {
        let _ = write!(html, "<h2 id=\"{product}\">{product}</h2>");
        for method in methods.iter().filter(|m| m.spec.service.product == product) {
            article(&mut html, method, &options);
        }
    }
    html.push_str("</body></html>");
    html
}

fn article(html: &mut String, method: &Documented, options: &Options) {
    let Documented { spec, descriptor } = method;
    let _ = write!(html, "<article id=\"{}\"><h3>{}</h3>", spec.name, spec.name);
    for binding in spec.bindings {
        let (verb, path) = (binding.verb, escape(binding.template));
        let _ = write!(html, "<p><code>{verb} {path}</code></p>");
    }
    let _ = write!(
        html,
        "<p>{}</p><p class=\"facts\">gRPC <code>{}</code> · callers: {} · rate group <code>{}</code></p>",
        escape(&about_method(descriptor)),
        spec.path,
        escape(&page::who(spec)),
        spec.rate_group
    );
    fields(html, "Request", &descriptor.input(), options);
    fields(html, "Answer", &descriptor.output(), options);
    html.push_str("</article>");
}

fn fields(html: &mut String, title: &str, message: &MessageDescriptor, options: &Options) {
    if message.fields().len() == 0 || message.full_name() == "google.api.HttpBody" {
        return;
    }
    let _ = write!(
        html,
        "<table><tr><th>{title}</th><th>Type</th><th></th></tr>"
    );
    for field in message.fields() {
        let own = options.field(&field);
        if own.as_ref().is_some_and(|own| flag(own, "parse_error")) {
            continue;
        }
        let required = own.as_ref().is_some_and(|own| flag(own, "required"));
        let raw = own.as_ref().is_some_and(|own| number(own, "raw_json") > 0);
        let mark = if required { " (required)" } else { "" };
        let kind = if raw {
            "object".to_owned()
        } else {
            kind(&field)
        };
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{mark}</td><td>{kind}</td><td>{}</td></tr>",
            field.json_name(),
            escape(&about_field(&field))
        );
    }
    html.push_str("</table>");
}

fn kind(field: &FieldDescriptor) -> String {
    let name = match field.kind() {
        Kind::Message(message) if field.is_map() => {
            return format!("map of {}", kind(&message.map_entry_value_field()));
        }
        Kind::Message(message) => message.name().to_owned(),
        Kind::Enum(values) => values.name().to_owned(),
        Kind::String | Kind::Bytes => "text".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Double | Kind::Float => "number".to_owned(),
        _ => "whole number".to_owned(),
    };
    if field.is_list() {
        return format!("list of {name}");
    }
    name
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
