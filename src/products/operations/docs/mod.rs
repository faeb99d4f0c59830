//! The API reference as one page: no script, nothing fetched from elsewhere.

mod example;
mod html;
mod types;

use std::fmt::Write as _;

use prost_reflect::MessageDescriptor;

use self::html::{code, escape, prose};
use self::types::Types;
use super::guide;
use super::openapi::{failures, takes_idempotency_key};
use super::page::{self, Documented, about_method};
use crate::policy::options::Options;
use crate::policy::{Auth, Role};

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav { font-size: .9rem; }
nav a { margin-right: .75rem; }
article { border-top: 1px solid var(--line); padding: .5rem 0 1rem; overflow-x: auto; }
h3 code { font-size: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; }
th:first-child, td:first-child { width: 25%; } th:nth-child(2):not(:last-child) { width: 20%; }
tr { border-top: 1px solid var(--line); }
code { background: var(--soft); padding: .1rem .25rem; border-radius: .2rem; }
pre { background: var(--soft); padding: .5rem; overflow-x: auto; font-size: .85rem; }
pre code { background: none; padding: 0; }
.facts { font-size: .9rem; }
";

/// Statuses that any request may be answered, which no method needs to name.
const ANYWHERE: [u16; 10] = [400, 408, 413, 414, 415, 429, 431, 500, 503, 504];

/// The page.
pub(super) fn page() -> String {
    let pool = crate::api::pool();
    let options = Options::new(&pool);
    let methods = page::methods(&pool);
    let sections = guide::sections();
    let mut products: Vec<&str> = methods.iter().map(|m| m.spec.service.product).collect();
    products.dedup();
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Apex API</title>\
         <style>{STYLE}</style></head><body><h1>Apex API</h1>\
         <p>Version {}. The same as an <a href=\"/openapi.json\">OpenAPI 3.1 document</a>. In the \
         examples <code>URL</code> is where this server is, <code>KEY</code> an API key and \
         <code>jar</code> the cookies of a signed-in user, \
         <code>EMAIL</code> and <code>PASSWORD</code> what the user signs in with.</p><nav><p>",
        env!("CARGO_PKG_VERSION")
    );
    for section in &sections {
        let _ = write!(
            html,
            "<a href=\"#{}\">{}</a> ",
            section.id,
            escape(section.title)
        );
    }
    html.push_str("<a href=\"#types\">Types</a></p>");
    for product in &products {
        let _ = write!(html, "<p><a href=\"#{product}\"><b>{product}</b></a> ");
        for method in methods
            .iter()
            .filter(|m| m.spec.service.product == *product)
        {
            let name = method.spec.name;
            let _ = write!(html, "<a href=\"#{name}\">{name}</a> ");
        }
        html.push_str("</p>");
    }
    html.push_str("</nav>");
    html.extend(sections.iter().map(html::section));
    let mut types = Types::default();
    for product in products {
        let _ = write!(html, "<h2 id=\"{product}\">{product}</h2>");
        for method in methods.iter().filter(|m| m.spec.service.product == product) {
            article(&mut html, method, &options, &mut types);
        }
    }
    let _ = write!(
        html,
        "<h2 id=\"types\">Types</h2>{}",
        types.tables(&options)
    );
    html.push_str("</body></html>");
    html
}

fn article(html: &mut String, method: &Documented, options: &Options, types: &mut Types) {
    let Documented { spec, descriptor } = method;
    let _ = write!(html, "<article id=\"{0}\"><h3>{0}</h3>", spec.name);
    for binding in spec.bindings {
        let (verb, path) = (binding.verb, escape(binding.template));
        let _ = write!(html, "<p><code>{verb} {path}</code></p>");
    }
    let _ = write!(
        html,
        "<p>{}</p><p class=\"facts\">{}</p>",
        prose(&about_method(descriptor)),
        facts(method)
    );
    if let Some(command) = example::command(method, options) {
        html.push_str(&code(&command));
    }
    let is_page = |message: &MessageDescriptor| message.full_name() == "google.api.HttpBody";
    html.push_str(&types.fields("Request", &descriptor.input(), options));
    if !is_page(&descriptor.output()) {
        html.push_str(&types.fields("Answer", &descriptor.output(), options));
    }
    let alone = spec
        .bindings
        .iter()
        .find_map(|binding| binding.response_body);
    if let Some(field) = alone.and_then(|name| descriptor.output().get_field_by_name(name)) {
        let (name, kind) = (escape(field.json_name()), types.kind(&field));
        let _ = write!(
            html,
            "<p class=\"facts\">REST answers <code>{name}</code> alone: {kind}.</p>"
        );
    }
    html.push_str("</article>");
}

/// What policy says of a method, in one line.
fn facts(method: &Documented) -> String {
    let spec = method.spec;
    let mut facts = vec![
        format!("gRPC <code>{}</code>", escape(spec.path)),
        format!("callers: {}", escape(&page::who(spec))),
    ];
    if spec.role > Role::Viewer {
        let role = format!("{:?}", spec.role).to_lowercase();
        facts.push(format!("role: {role} or more"));
    }
    facts.push(format!(
        "rate group <code>{}</code>",
        escape(spec.rate_group)
    ));
    if takes_idempotency_key(spec) && spec.auth != Auth::Operator {
        facts.push("takes <a href=\"#repeats\"><code>Idempotency-Key</code></a>".to_owned());
    }
    if let Some(binding) = spec.bindings.first() {
        let about = about_method(&method.descriptor);
        let statuses = failures(spec, binding, &about).into_keys();
        let own = statuses.filter(|status| !ANYWHERE.contains(status));
        let own: Vec<String> = own.map(|status| status.to_string()).collect();
        if !own.is_empty() {
            let own = own.join(", ");
            facts.push(format!("<a href=\"#errors\">may fail</a> with {own}"));
        }
    }
    facts.join(" · ")
}
