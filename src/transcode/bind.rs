//! Fills a request message from a REST request.
//!
//! Every leaf goes to exactly one place: the path, else the body, else the
//! query. The parts are written one after another in the order body, query,
//! path; on the wire the last value of a field wins, so the path has the final
//! word and what is authorised is what is served.

use http::HeaderMap;

use super::json::{Fault, Rules, decode, lexer, raw};
use super::percent;
use super::router::{FieldPath, Route};
use super::schema::{Field, Kind, Message, Schema, Shape};
use super::wire::{WireType, put_bytes, put_delimited, put_tag};
use crate::error::{Error, Result};
use crate::policy::{Body, Dialect};

/// Query parameters that every method passes over, beside `utm_…` and `$…`.
const SYSTEM_PARAMETERS: [&str; 3] = ["key", "project", "alt"];

/// What a REST request brings.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Undecoded path.
    pub path: &'a str,
    /// Undecoded query string.
    pub query: Option<&'a str>,
    /// Decompressed body.
    pub body: &'a [u8],
    /// Type of the body, for raw bodies.
    pub content_type: Option<&'a str>,
    /// Headers, for the fields that stand in them.
    pub headers: &'a HeaderMap,
}

/// What the body of a request was, to answer alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plurality {
    /// One object.
    One,
    /// An array of objects.
    Many,
}

/// Writes the request message of a route.
pub fn request(schema: &Schema, route: &Route, parts: Parts<'_>) -> Result<(Vec<u8>, Plurality)> {
    let binder = Binder::new(schema, route);
    let mut out = Vec::with_capacity(parts.body.len() + 64);
    let plurality = binder.body(parts, &mut out)?;
    let named = binder.query(parts, &mut out)?;
    if let Some(mask) = binder.mask_field()
        && !named.iter().any(|path| binder.is_field(path, mask))
    {
        binder.mask(mask, parts.body, &mut out);
    }
    binder.headers(parts.headers, &mut out);
    binder.path(parts.path, &mut out)?;
    Ok((out, plurality))
}

/// Whether a route takes a body that need not be JSON.
pub fn takes_raw_body(schema: &Schema, route: &Route) -> bool {
    Binder::new(schema, route).raw_body().is_some()
}

/// A message of a stream with one more piece of a raw body.
pub fn piece(schema: &Schema, route: &Route, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    if let Some(Some(field)) = Binder::new(schema, route).raw_body() {
        put_tag(&mut out, field.number, WireType::Delimited);
        let _ = put_delimited(&mut out, |out| {
            put_tag(out, 2, WireType::Delimited);
            put_bytes(out, bytes);
            Ok::<_, ()>(())
        });
    }
    out
}

struct Binder<'a> {
    schema: &'a Schema,
    route: &'a Route,
    row: &'a Message,
    rules: Rules,
}

impl<'a> Binder<'a> {
    fn new(schema: &'a Schema, route: &'a Route) -> Self {
        Self {
            schema,
            route,
            row: schema.message(route.input),
            rules: Rules::of(route.spec.profile),
        }
    }

    fn body(&self, parts: Parts<'_>, out: &mut Vec<u8>) -> Result<Plurality> {
        match self.raw_body() {
            Some(None) => {
                put_http_body(parts, out);
                return Ok(Plurality::One);
            }
            Some(Some(field)) => {
                put_tag(out, field.number, WireType::Delimited);
                let _ = put_delimited(out, |out| {
                    put_http_body(parts, out);
                    Ok::<_, ()>(())
                });
                return Ok(Plurality::One);
            }
            None => {}
        }
        let body = self.route.binding.body;
        let field = match body {
            Body::Field(name) => self.field(name),
            Body::Whole | Body::None => None,
        };
        if parts.body.iter().all(u8::is_ascii_whitespace) {
            if self.route.spec.one_or_many.is_some() {
                let words = "There is no body: send an object, or an array of them";
                return Err(Error::invalid(words));
            }
            return Ok(Plurality::One);
        }
        let text = lexer::Lexer::check(parts.body).map_err(invalid)?;
        match (body, field) {
            (Body::None, _) if self.route.spec.body_or_query => self.whole(text, out),
            (Body::None, _) => Err(Error::invalid("This method takes no body")),
            (Body::Whole, _) => self.whole(text, out),
            (Body::Field(_), Some(field)) => {
                decode::field(self.schema, self.rules, field, text, out).map_err(invalid)?;
                Ok(Plurality::One)
            }
            (Body::Field(_), None) => Err(Error::invalid("This method takes no body")),
        }
    }

    fn whole(&self, text: &str, out: &mut Vec<u8>) -> Result<Plurality> {
        if let Some(name) = self.route.spec.one_or_many
            && let Some(field) = self.field(name)
        {
            return self.one_or_many(field, text, out);
        }
        let input = self.route.input;
        decode::message(self.schema, self.rules, input, text, out).map_err(invalid)?;
        Ok(Plurality::One)
    }

    fn one_or_many(&self, field: &Field, text: &str, out: &mut Vec<u8>) -> Result<Plurality> {
        if text.trim_start().starts_with('[') {
            decode::field(self.schema, self.rules, field, text, out).map_err(invalid)?;
            return Ok(Plurality::Many);
        }
        decode::element(self.schema, self.rules, field, text, out).map_err(invalid)?;
        Ok(Plurality::One)
    }

    /// The field that says what a PATCH changes, if the body's members fill it.
    fn mask_field(&self) -> Option<&Field> {
        let fills = self.route.spec.update_mask_from_body;
        self.field("update_mask").filter(|_| fills)
    }

    /// Whether a path leads to a field of the request itself.
    fn is_field(&self, path: &FieldPath, field: &Field) -> bool {
        path.parents.is_empty() && self.row.fields[usize::from(path.at)].number == field.number
    }

    /// Writes a mask of the members of the body, unless the body has one.
    fn mask(&self, mask: &Field, body: &[u8], out: &mut Vec<u8>) {
        let row = match self.route.binding.body {
            Body::Field(name) => match self.field(name).map(|field| field.kind) {
                Some(Kind::Message(inner)) => self.schema.message(inner),
                Some(_) | None => return,
            },
            Body::Whole | Body::None => self.row,
        };
        // The body has been read before, so that it is known to be an object.
        let text = std::str::from_utf8(body).unwrap_or_default();
        let members = raw::members(text, self.rules.depth).unwrap_or_default();
        if members
            .iter()
            .any(|(name, _)| **name == mask.name || **name == mask.json)
        {
            return;
        }
        put_tag(out, mask.number, WireType::Delimited);
        let _ = put_delimited(out, |out| {
            for (name, _) in &members {
                let at = row.position(name, usize::MAX);
                let field = at.map(|at| row.fields[usize::from(at)].name.as_str());
                // What the path says is not changed by saying it again.
                if let Some(field) = field.filter(|name| self.is_updatable(name)) {
                    put_tag(out, 1, WireType::Delimited);
                    put_bytes(out, field.as_bytes());
                }
            }
            Ok::<_, ()>(())
        });
    }

    fn is_updatable(&self, name: &str) -> bool {
        let known = self.route.spec.updatable;
        known.is_none_or(|known| known.contains(&name))
    }

    /// Reads the query and answers which fields it gave.
    fn query(&self, parts: Parts<'_>, out: &mut Vec<u8>) -> Result<Vec<FieldPath>> {
        let mut seen: Vec<FieldPath> = Vec::new();
        if let Some(raw) = self.row.fields.iter().find(|field| field.raw_query) {
            if let Some(query) = parts.query.filter(|query| !query.is_empty()) {
                put_tag(out, raw.number, WireType::Delimited);
                put_bytes(out, query.as_bytes());
            }
            return Ok(seen);
        }
        for (name, value) in percent::pairs(parts.query.unwrap_or_default()) {
            let any = self.route.spec.any_query;
            let name = match percent::query(name) {
                Ok(name) => name,
                Err(_) if any => continue,
                Err(_) => return Err(bad_encoding("query")),
            };
            let Some(path) = self.query_field(&name) else {
                let system = match self.route.spec.dialect {
                    // Whose clients say what is to be shown of anything.
                    Dialect::Feathers => name.starts_with("$select"),
                    Dialect::Flat | Dialect::Nested | Dialect::Envelope | Dialect::Ofrep => {
                        name.starts_with("utm_") || name.starts_with('$')
                    }
                };
                if any || system || SYSTEM_PARAMETERS.contains(&name.as_ref()) {
                    continue;
                }
                return Err(bad_parameter(&name, "is no parameter of this method"));
            };
            let value = percent::query(value).map_err(|_| bad_encoding(&name))?;
            self.parameter(&name, &value, path, &mut seen, out)?;
        }
        Ok(seen)
    }

    /// The field a parameter names; `None` where the query has no say.
    fn query_field(&self, name: &str) -> Option<FieldPath> {
        if self.route.binding.body == Body::Whole {
            return None;
        }
        let path = FieldPath::find(self.schema, self.route.input, name)?;
        let field = &self.schema.message(path.message).fields[usize::from(path.at)];
        field.header.is_none().then_some(path)
    }

    /// Writes the fields that stand in headers. One that is no text is none.
    fn headers(&self, headers: &HeaderMap, out: &mut Vec<u8>) {
        for field in &self.row.fields {
            let value = field.header.as_ref().and_then(|name| headers.get(name));
            if let Some(text) = value.and_then(|value| value.to_str().ok()) {
                put_tag(out, field.number, WireType::Delimited);
                put_bytes(out, text.as_bytes());
            }
        }
    }

    fn parameter(
        &self,
        name: &str,
        value: &str,
        path: FieldPath,
        seen: &mut Vec<FieldPath>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let row = self.schema.message(path.message);
        let field = &row.fields[usize::from(path.at)];
        if self.route.variables.iter().any(|(_, bound)| *bound == path) {
            return Err(bad_parameter(name, "is part of the path"));
        }
        if let Body::Field(body) = self.route.binding.body
            && let Some(body) = self.field(body)
            && path.parents.first().unwrap_or(&field.number) == &body.number
        {
            let what = match path.parents.is_empty() {
                true => "is the body",
                false => "is in the body",
            };
            return Err(bad_parameter(name, what));
        }
        if matches!(field.shape, Shape::Map(_)) {
            return Err(bad_parameter(name, "cannot be given in the query"));
        }
        let list = matches!(field.shape, Shape::List { .. });
        if !list && seen.contains(&path) {
            return Err(bad_parameter(name, "is given twice"));
        }
        let rival = |other: &FieldPath| {
            let beside = other.message == path.message && other.parents == path.parents;
            beside && *other != path && row.fields[usize::from(other.at)].oneof == field.oneof
        };
        if field.oneof.is_some() && seen.iter().any(rival) {
            return Err(bad_parameter(
                name,
                "cannot be combined with another parameter",
            ));
        }
        self.put(&path, value, out)
            .map_err(|fault| bad_parameter(name, &fault.what))?;
        seen.push(path);
        Ok(())
    }

    fn path(&self, path: &str, out: &mut Vec<u8>) -> Result<()> {
        if self.route.variables.is_empty() {
            return Ok(());
        }
        let custom = self.route.custom.as_deref().unwrap_or_default();
        let path = path.strip_suffix(custom).unwrap_or(path);
        let path = path
            .strip_suffix(':')
            .filter(|_| !custom.is_empty())
            .unwrap_or(path);
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        for (variable, field) in &self.route.variables {
            let end = if variable.rest {
                segments.len()
            } else {
                variable.end
            };
            let text = segments
                .get(variable.start..end)
                .unwrap_or_default()
                .join("/");
            let value =
                percent::path(&text, variable.multi).map_err(|_| bad_encoding(&variable.field))?;
            self.put(field, &value, out)
                .map_err(|fault| bad_parameter(&variable.field, &fault.what))?;
        }
        Ok(())
    }

    fn put(&self, path: &FieldPath, text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
        let row = self.schema.message(path.message);
        let field = &row.fields[usize::from(path.at)];
        nested(&path.parents, out, &mut |out| {
            decode::scalar(self.schema, field, text, out)
        })
    }

    fn field(&self, name: &str) -> Option<&Field> {
        let at = self.row.position(name, usize::MAX)?;
        Some(&self.row.fields[usize::from(at)])
    }

    /// Whether the body is bytes of any type: the whole request, or a field of it.
    fn raw_body(&self) -> Option<Option<&Field>> {
        const HTTP_BODY: &str = "google.api.HttpBody";
        if self.row.name == HTTP_BODY {
            return Some(None);
        }
        let Body::Field(name) = self.route.binding.body else {
            return None;
        };
        let field = self.field(name)?;
        match field.kind {
            Kind::Message(id) if self.schema.message(id).name == HTTP_BODY => Some(Some(field)),
            _ => None,
        }
    }
}

fn nested(
    parents: &[u32],
    out: &mut Vec<u8>,
    fill: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some((first, rest)) = parents.split_first() else {
        return fill(out);
    };
    put_tag(out, *first, WireType::Delimited);
    put_delimited(out, |out| nested(rest, out, fill))
}

fn put_http_body(parts: Parts<'_>, out: &mut Vec<u8>) {
    if let Some(content_type) = parts.content_type {
        put_tag(out, 1, WireType::Delimited);
        put_bytes(out, content_type.as_bytes());
    }
    put_tag(out, 2, WireType::Delimited);
    put_bytes(out, parts.body);
}

fn bad_parameter(name: &str, what: &str) -> Error {
    Error::invalid_field(name, format!("{name} {what}"))
}

fn bad_encoding(name: &str) -> Error {
    bad_parameter(name, "is not valid percent-encoding")
}

/// A fault in the body, as the caller sees it.
#[allow(clippy::needless_pass_by_value)] // for map_err
fn invalid(fault: Fault) -> Error {
    let path = fault.path();
    if path.is_empty() || fault.syntax {
        return Error::invalid(fault.to_string());
    }
    Error::invalid_field(path, fault.to_string())
}
