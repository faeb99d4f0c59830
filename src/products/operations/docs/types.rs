//! Tables of messages and enums, each with an anchor of its own, and the types that
//! are reached from them.

use std::fmt::Write as _;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::super::page::{about_enum, about_field, about_message, about_value};
use super::html::{escape, prose};
use crate::policy::options::{Options, flag, number};

/// Types in the order they were met.
#[derive(Debug, Default)]
pub(super) struct Types {
    messages: Vec<MessageDescriptor>,
    enums: Vec<EnumDescriptor>,
}

impl Types {
    /// The fields of a message as a table; empty if there are none to show.
    pub(super) fn fields(
        &mut self,
        title: &str,
        message: &MessageDescriptor,
        options: &Options,
    ) -> String {
        let mut rows = String::new();
        for field in message.fields() {
            let own = options.field(&field);
            let is = |name: &str| own.as_ref().is_some_and(|own| flag(own, name));
            if is("parse_error") || is("selection") || is("raw_query") {
                continue;
            }
            let mark = if is("required") { " (required)" } else { "" };
            let null = if is("nullable") { ", or null" } else { "" };
            let kind = match own.as_ref().map_or(0, |own| number(own, "raw_json")) {
                0 => self.kind(&field),
                1 => "object".to_owned(),
                _ => "any JSON".to_owned(),
            };
            let _ = write!(
                rows,
                "<tr><td><code>{}</code>{mark}</td><td>{kind}{null}</td><td>{}</td></tr>",
                escape(field.json_name()),
                prose(&about_field(&field))
            );
        }
        if rows.is_empty() {
            return rows;
        }
        let title = escape(title);
        format!("<table><tr><th>{title}</th><th>Type</th><th></th></tr>{rows}</table>")
    }

    /// Name of a field's type, with a link to its table.
    pub(super) fn kind(&mut self, field: &FieldDescriptor) -> String {
        let kind = field.kind();
        if let Some(message) = kind.as_message().filter(|_| field.is_map()) {
            return format!("map of {}", self.kind(&message.map_entry_value_field()));
        }
        let name = match kind {
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Timestamp" => "time".to_owned(),
                "google.protobuf.FieldMask" => "comma list of members".to_owned(),
                _ => self.message(&message),
            },
            Kind::Enum(values) => {
                if !self.enums.contains(&values) {
                    self.enums.push(values.clone());
                }
                link(values.full_name(), values.name())
            }
            Kind::String | Kind::Bytes => "text".to_owned(),
            Kind::Bool => "true or false".to_owned(),
            Kind::Double | Kind::Float => "number".to_owned(),
            _ => "whole number".to_owned(),
        };
        match field.is_list() {
            true => format!("list of {name}"),
            false => name,
        }
    }

    fn message(&mut self, message: &MessageDescriptor) -> String {
        if !self.messages.contains(message) {
            self.messages.push(message.clone());
        }
        link(message.full_name(), message.name())
    }

    /// The tables of all types that were met, and of those met on the way.
    pub(super) fn tables(mut self, options: &Options) -> String {
        let mut html = String::new();
        let mut at = 0;
        while let Some(message) = self.messages.get(at).cloned() {
            let fields = self.fields("Member", &message, options);
            let about = about_message(&message);
            article(
                &mut html,
                message.full_name(),
                message.name(),
                &about,
                &fields,
            );
            at += 1;
        }
        for values in &self.enums {
            let rows: String = values
                .values()
                .filter_map(|value| {
                    let word = options.word(&value)?;
                    let (word, about) = (escape(&word), prose(&about_value(&value)));
                    Some(format!(
                        "<tr><td><code>{word}</code></td><td>{about}</td></tr>"
                    ))
                })
                .collect();
            let table = format!("<table><tr><th>Word</th><th></th></tr>{rows}</table>");
            let about = about_enum(values);
            article(&mut html, values.full_name(), values.name(), &about, &table);
        }
        html
    }
}

fn article(html: &mut String, id: &str, name: &str, about: &str, table: &str) {
    let (id, name, about) = (escape(id), escape(name), prose(about));
    let _ = write!(
        html,
        "<article id=\"{id}\"><h3><code>{name}</code></h3><p>{about}</p>{table}</article>"
    );
}

fn link(id: &str, name: &str) -> String {
    format!("<a href=\"#{}\">{}</a>", escape(id), escape(name))
}
