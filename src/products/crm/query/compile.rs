//! Conditions and, in `order`, orders as SQL. Only members that are declared reach it, by
//! the names they are declared with.

mod order;

use sea_orm::{ConnectionTrait, DbBackend, Value};

use super::super::column::{Column, Kind};
use super::super::custom::{Definition, Fields};
use super::super::resource::Resource;
use super::operand::value;
use super::pattern::{contained, escape, fits, glob, like, small};
use super::read::CUSTOM;
use super::sql::Sql;
use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};
use pb::Operator;
use pb::filter::Kind as Of;

/// Most comparisons of one question.
const CLAUSES: usize = 100;
/// Most values it compares with, in all.
const VALUES: usize = 1000;
/// Deepest nesting of conditions; what is read from a URL is no deeper.
const DEPTH: usize = 10;

/// What conditions are compiled for.
#[derive(Debug)]
pub(in super::super) struct Compiler<'a> {
    /// The columns there are.
    columns: &'static [Column],
    /// The custom fields there are.
    fields: &'a Fields,
    /// Whether the database is PostgreSQL.
    pub(in super::super) postgres: bool,
    /// Comparisons so far.
    clauses: usize,
    /// Values they compare with.
    compared: usize,
    /// Which values of custom fields the last comparison with some finds.
    values: Option<String>,
}

/// A member: a column, or a custom field.
#[derive(Debug, Clone, Copy)]
enum Member<'a> {
    Column(&'static Column),
    Field(&'a Definition),
}

/// A comparison whose values have been read.
enum Test {
    In(Vec<Value>, bool),
    NotIn(Vec<Value>, bool),
    Than(&'static str, Value),
    Like(&'static str, Value),
    NotLike(Value),
}

impl<'a> Compiler<'a> {
    /// For the columns and custom fields of a resource, in the words of a database.
    pub(in super::super) fn of<R: Resource>(
        connection: &impl ConnectionTrait,
        fields: &'a Fields,
    ) -> Self {
        Self {
            columns: R::columns(),
            fields,
            postgres: connection.get_database_backend() == DbBackend::Postgres,
            clauses: 0,
            compared: 0,
            values: None,
        }
    }

    /// How many records a filter finds, once it is compiled, where it compares one custom
    /// field and nothing else. Of records that were removed no values are kept, so that
    /// they need not be looked at.
    pub(in super::super) fn count(&self, filter: &pb::Filter) -> Option<String> {
        match &filter.kind {
            Some(Of::All(group) | Of::Any(group)) if group.filters.len() == 1 => {
                self.count(group.filters.first()?)
            }
            Some(Of::Compare(_)) => {
                let values = self.values.as_ref()?;
                Some(format!(
                    "(SELECT COUNT(*) FROM crm_custom_value WHERE {values})"
                ))
            }
            Some(Of::All(_) | Of::Any(_)) | None => None,
        }
    }

    /// Adds a condition.
    pub(in super::super) fn filter(
        &mut self,
        filter: &pb::Filter,
        depth: usize,
        sql: &mut Sql,
    ) -> Result<()> {
        if depth > DEPTH {
            return Err(Error::invalid("The query is nested too deeply"));
        }
        let (group, word) = match &filter.kind {
            Some(Of::All(group)) => (group, " AND "),
            Some(Of::Any(group)) => (group, " OR "),
            Some(Of::Compare(comparison)) => return self.compare(comparison, sql),
            None => return Err(Error::invalid("A filter says nothing")),
        };
        if group.filters.is_empty() {
            self.count_in(0)?;
            sql.push("1 = 1");
            return Ok(());
        }
        sql.push("(");
        for (at, inner) in group.filters.iter().enumerate() {
            if at > 0 {
                sql.push(word);
            }
            self.filter(inner, depth + 1, sql)?;
        }
        sql.push(")");
        Ok(())
    }

    fn member(&self, name: &str) -> Result<Member<'a>> {
        if let Some(label) = name.strip_prefix(CUSTOM).and_then(|r| r.strip_prefix('.')) {
            let field = self.fields.named(label);
            return field
                .map(Member::Field)
                .ok_or_else(|| no_member(&format!("{CUSTOM}.{label}")));
        }
        let column = self
            .columns
            .iter()
            .find(|own| own.shown.unwrap_or(own.name) == name);
        match column.filter(|column| column.kind != Kind::Opaque) {
            Some(column) => Ok(Member::Column(column)),
            None => Err(no_member(name)),
        }
    }

    fn compare(&mut self, comparison: &pb::Comparison, sql: &mut Sql) -> Result<()> {
        self.count_in(comparison.values.len())?;
        let member = self.member(&comparison.field)?;
        let test = self.test(member, comparison).map_err(|what| {
            let field = &comparison.field;
            Error::invalid_field(field, format!("{field} {what}"))
        })?;
        match member {
            Member::Column(column) => self.column(column, test, sql),
            Member::Field(field) => self.field(field, test, sql),
        }
        Ok(())
    }

    /// Counts a comparison with so many values in, and refuses one too many.
    fn count_in(&mut self, values: usize) -> Result<()> {
        self.clauses += 1;
        self.compared += values;
        let words = match (self.clauses > CLAUSES, self.compared > VALUES) {
            (true, _) => format!("The query compares more than {CLAUSES} times"),
            (false, true) => format!("The query compares with more than {VALUES} values"),
            (false, false) => return Ok(()),
        };
        Err(Error::invalid(words))
    }

    fn test(&self, member: Member<'_>, comparison: &pb::Comparison) -> Result<Test, String> {
        let (kind, partial) = match member {
            Member::Column(column) => (column.kind, column.partial),
            Member::Field(field) => (field.compared(), false),
        };
        let mut values = Vec::with_capacity(comparison.values.len());
        for operand in &comparison.values {
            values.push(match member {
                Member::Column(_) => value(operand, kind)?,
                Member::Field(field) => field.operand(value(operand, kind)?)?,
            });
        }
        let null = values.iter().any(Option::is_none);
        let mut values: Vec<Value> = values.into_iter().flatten().collect();
        let known = Operator::try_from(comparison.operator);
        let known = known.map_err(|_| "has an operator there is none of".to_owned())?;
        if matches!(known, Operator::In | Operator::NotIn | Operator::NotEqual) || null {
            return match known {
                Operator::Unspecified | Operator::Equal | Operator::In => {
                    Ok(Test::In(values, null))
                }
                Operator::NotEqual | Operator::NotIn => Ok(Test::NotIn(values, null)),
                _ => Err("can only be compared with a value".to_owned()),
            };
        }
        let single = |mut values: Vec<Value>| match (values.pop(), values.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err("must be compared with one value".to_owned()),
        };
        let pattern = |values, any_case| {
            let texts = matches!(kind, Kind::Text | Kind::Email | Kind::Word(_));
            match texts {
                true => single(values).and_then(|value| self.pattern(value, any_case)),
                false => Err("is no text".to_owned()),
            }
        };
        Ok(match known {
            Operator::Unspecified | Operator::Equal if partial && values.len() == 1 => {
                let part = match values.pop() {
                    Some(Value::String(Some(text))) => {
                        fits(&text)?;
                        contained(&text)
                    }
                    _ => return Err("is no text".to_owned()),
                };
                Test::Like(self.any_case(), part.into())
            }
            Operator::Unspecified
            | Operator::Equal
            | Operator::In
            | Operator::NotIn
            | Operator::NotEqual => Test::In(values, false),
            Operator::Less => Test::Than("<", single(values)?),
            Operator::LessOrEqual => Test::Than("<=", single(values)?),
            Operator::Greater => Test::Than(">", single(values)?),
            Operator::GreaterOrEqual => Test::Than(">=", single(values)?),
            Operator::Like => Test::Like(self.one_case(), pattern(values, false)?),
            Operator::NotLike => Test::NotLike(pattern(values, false)?),
            Operator::Ilike => Test::Like(self.any_case(), pattern(values, true)?),
        })
    }

    fn one_case(&self) -> &'static str {
        if self.postgres { "LIKE" } else { "GLOB" }
    }

    fn any_case(&self) -> &'static str {
        if self.postgres { "ILIKE" } else { "LIKE" }
    }

    /// A pattern in the database's own form.
    fn pattern(&self, value: Value, any_case: bool) -> Result<Value, String> {
        let Value::String(Some(text)) = value else {
            return Err("is no text".to_owned());
        };
        fits(&text)?;
        Ok(match self.postgres || any_case {
            true => like(&text).into(),
            false => glob(&text).into(),
        })
    }

    fn column(&self, column: &Column, test: Test, sql: &mut Sql) {
        let name = format!("t.{}", column.name);
        match test {
            Test::In(values, null) => match (values.is_empty(), null) {
                (true, true) => drop(sql.push(&format!("{name} IS NULL"))),
                (true, false) => drop(sql.push("1 = 0")),
                (false, null) => {
                    sql.push("(");
                    among(&name, "IN", values, sql);
                    if null {
                        sql.push(&format!(" OR {name} IS NULL"));
                    }
                    sql.push(")");
                }
            },
            Test::NotIn(values, null) => match (values.is_empty(), null) {
                (true, true) => drop(sql.push(&format!("{name} IS NOT NULL"))),
                (true, false) => drop(sql.push("1 = 1")),
                (false, null) => {
                    sql.push("(");
                    among(&name, "NOT IN", values, sql);
                    if !null && !column.required {
                        sql.push(&format!(" OR {name} IS NULL"));
                    }
                    sql.push(")");
                }
            },
            Test::Than(sign, value) => drop(sql.push(&format!("{name} {sign} ")).bind(value)),
            Test::Like(word, value) => self.like(&name, word, value, sql),
            Test::NotLike(value) => {
                let word = self.one_case();
                sql.push(&format!("({name} IS NULL OR {name} NOT {word} "))
                    .bind(value)
                    .push(escape(word))
                    .push(")");
            }
        }
    }

    /// Adds a comparison with a pattern.
    fn like(&self, name: &str, word: &str, value: Value, sql: &mut Sql) {
        match value {
            Value::String(Some(text)) if word == self.any_case() && !text.is_ascii() => {
                let text = text.to_lowercase();
                small(name, &text, sql);
                sql.push(&format!(" {word} ")).bind(text);
            }
            value => drop(sql.push(&format!("{name} {word} ")).bind(value)),
        }
        sql.push(escape(word));
    }

    /// A custom field has a value where there is a row of it.
    fn field(&mut self, field: &Definition, test: Test, sql: &mut Sql) {
        let name = field.kept();
        let (not, null) = match &test {
            Test::In(values, null) => match (values.is_empty(), null) {
                (true, true) => ("NOT ", false),
                (true, false) => {
                    sql.push("1 = 0");
                    return;
                }
                (false, null) => ("", *null),
            },
            Test::NotIn(values, null) => match (values.is_empty(), null) {
                (true, false) => {
                    sql.push("1 = 1");
                    return;
                }
                (_, true) => ("", false),
                (false, false) => ("NOT ", false),
            },
            Test::Than(..) | Test::Like(..) => ("", false),
            Test::NotLike(_) => ("NOT ", false),
        };
        sql.push(&format!(
            "(t.id {not}IN (SELECT record FROM crm_custom_value WHERE "
        ));
        let begin = sql.text.len();
        sql.push("field = ").bind(field.id);
        match test {
            Test::In(values, _) if values.is_empty() => {}
            Test::NotIn(values, _) if values.is_empty() => {}
            Test::NotIn(values, true) => among(&format!(" AND {name}"), "NOT IN", values, sql),
            Test::In(values, _) | Test::NotIn(values, false) => {
                among(&format!(" AND {name}"), "IN", values, sql);
            }
            Test::Than(sign, value) => {
                sql.push(&format!(" AND {name} {sign} ")).bind(value);
            }
            Test::Like(word, value) => {
                sql.push(" AND ");
                self.like(name, word, value, sql);
            }
            Test::NotLike(value) => {
                let word = self.one_case();
                sql.push(&format!(" AND {name} {word} ")).bind(value);
                sql.push(escape(word));
            }
        }
        self.values = (not.is_empty() && !null).then(|| sql.text[begin..].to_owned());
        sql.push(")");
        if null {
            sql.push(" OR t.id NOT IN (SELECT record FROM crm_custom_value WHERE field = ")
                .bind(field.id)
                .push(")");
        }
        sql.push(")");
    }
}

fn among(name: &str, word: &str, values: Vec<Value>, sql: &mut Sql) {
    sql.push(&format!("{name} {word} ("));
    sql.list(values).push(")");
}

fn no_member(name: &str) -> Error {
    Error::invalid_field(name, format!("{name} is no member to ask for"))
}
