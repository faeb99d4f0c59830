//! What a record is made of: its columns, declared once per resource. From that come
//! reading rows, writing them, what may be filtered and sorted, and who may write what.

use prost::Message;
use sea_orm::{QueryResult, Value};

use super::cell::Cell;
use crate::error::{Error, Result};
use crate::server::check::Check;

/// One column of a resource's table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Name in JSON, in the proto and in the database.
    pub(super) name: &'static str,
    /// What its values are.
    pub(super) kind: Kind,
    /// Who may write it.
    pub(super) access: Access,
    /// Whether it always has a value.
    pub(super) required: bool,
    /// Name in JSON, where it is another one.
    pub(super) shown: Option<&'static str>,
    /// Whether a filter for a text finds what contains it.
    pub(super) partial: bool,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number.
    Integer,
    /// Number of a record of this source, in the same organization.
    Reference(Source),
    /// Text.
    Text,
    /// An e-mail address.
    Email,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A decimal with two digits, kept as hundredths.
    Money,
    /// A decimal of up to four digits, kept as ten-thousandths.
    Decimal,
    /// A moment, kept in microseconds.
    Time,
    /// `YYYY-MM-DD`.
    Date,
    /// `HH:MM:SS`.
    Clock,
    /// True or false, kept as 1 or 0.
    Flag,
    /// A name of another system's: a whole number or a text, kept as JSON.
    Alien,
    /// Something of its own form; neither filtered nor sorted by.
    Opaque,
}

/// Who may write a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Callers.
    Caller,
    /// Callers, when a record is made.
    Create,
    /// The server alone.
    Server,
    /// The server alone; what callers send is passed over, as clients send back what
    /// they were shown.
    Stamp,
}

/// Where rows come from: a table, or a query that stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source(pub(super) &'static str);

impl Column {
    /// A column that callers write.
    pub(super) const fn of(kind: Kind) -> Self {
        Self {
            name: "",
            kind,
            access: Access::Caller,
            required: false,
            shown: None,
            partial: false,
        }
    }

    /// A column of texts that callers write.
    pub(super) const fn text() -> Self {
        Self::of(Kind::Text)
    }

    /// A reference that callers write.
    pub(super) const fn to(source: Source) -> Self {
        Self::of(Kind::Reference(source))
    }

    /// A moment the server sets.
    pub(super) const fn stamp() -> Self {
        let mut column = Self::of(Kind::Time).needed();
        column.access = Access::Stamp;
        column
    }

    /// When a record was removed.
    pub(super) const fn removed() -> Self {
        let mut column = Self::stamp();
        column.required = false;
        column
    }

    /// The number of the record.
    pub(super) const fn id() -> Self {
        let mut column = Self::of(Kind::Integer).needed();
        column.access = Access::Stamp;
        column
    }

    /// The organization.
    pub(super) const fn organization() -> Self {
        Self::of(Kind::Integer).needed().server()
    }

    /// Whether what callers send is passed over.
    pub(super) fn is_stamp(&self) -> bool {
        self.access == Access::Stamp
    }

    /// It must have a value.
    pub(super) const fn needed(mut self) -> Self {
        self.required = true;
        self
    }

    /// The server alone writes it.
    pub(super) const fn server(mut self) -> Self {
        self.access = Access::Server;
        self
    }

    /// It is written once.
    pub(super) const fn once(mut self) -> Self {
        self.access = Access::Create;
        self
    }

    /// JSON has another name for it.
    pub(super) const fn shown_as(mut self, name: &'static str) -> Self {
        self.shown = Some(name);
        self
    }

    /// A filter for a text finds what contains it.
    pub(super) const fn partly(mut self) -> Self {
        self.partial = true;
        self
    }
}

/// A record of a resource: a message whose members are columns, but for those that are
/// joined to it.
pub(super) trait Record: Message + Default + Clone + PartialEq + Check {
    /// Full name of its message.
    const MESSAGE: &'static str;
    /// Its columns, in the order they are read.
    const COLUMNS: &'static [Column];

    /// Reads the columns of a row, which begin with the first.
    fn load(row: &QueryResult) -> Result<Self>;
    /// The value of each column, as the database keeps it.
    fn values(&self) -> Result<Vec<Value>>;
    /// Takes over the members whose names are chosen.
    fn adopt(&mut self, from: &Self, chosen: &dyn Fn(&Column) -> bool);
    /// Which column's member has a value.
    fn has(&self, name: &str) -> bool;
    /// The first member that is set and is no column.
    fn alien(&self) -> Option<&'static str>;
    /// Leaves out everything but the columns.
    fn bare(&self) -> Self;
    /// The number of the record.
    fn id(&self) -> i64;
    /// The whole number of a column.
    fn number(&self, name: &str) -> Option<i64>;
    /// Writes a column that is kept as a whole number.
    fn set_number(&mut self, name: &str, number: i64);
    /// The members that are shown.
    fn shown(&mut self) -> &mut Vec<String>;
    /// The values of custom fields, of a record that has some.
    fn custom(&mut self) -> Option<&mut Option<String>> {
        None
    }

    /// The column with a name.
    fn column(name: &str) -> Option<&'static Column> {
        Self::COLUMNS.iter().find(|column| column.name == name)
    }
}

/// Declares the columns of a message, once: `member: column,` for each, then after `+`
/// the members that are joined, and after `custom` the one with the custom fields.
macro_rules! record {
    ($message:ident { $($field:ident: $column:expr,)+ } $(+ $($join:ident),+)? $(; custom $custom:ident)?) => {
        impl $crate::products::crm::column::Record for $crate::api::apex::crm::v1::$message {
            const MESSAGE: &'static str = concat!("apex.crm.v1.", stringify!($message));
            const COLUMNS: &'static [$crate::products::crm::column::Column] = &[$(
                $crate::products::crm::column::Column {
                    name: $crate::products::crm::column::plain(stringify!($field)),
                    ..$column
                },
            )+];

            fn load(row: &sea_orm::QueryResult) -> $crate::error::Result<Self> {
                let mut columns = Self::COLUMNS.iter().enumerate();
                let mut record = Self::default();
                $(
                    if let Some((at, column)) = columns.next() {
                        record.$field = $crate::products::crm::cell::Cell::load(row, at, column)?;
                    }
                )+
                Ok(record)
            }

            fn values(&self) -> $crate::error::Result<Vec<sea_orm::Value>> {
                let mut columns = Self::COLUMNS.iter();
                let mut values = Vec::with_capacity(Self::COLUMNS.len());
                $(
                    if let Some(column) = columns.next() {
                        values.push($crate::products::crm::column::value(&self.$field, column)?);
                    }
                )+
                Ok(values)
            }

            fn adopt(
                &mut self,
                from: &Self,
                chosen: &dyn Fn(&$crate::products::crm::column::Column) -> bool,
            ) {
                let mut columns = Self::COLUMNS.iter();
                $(
                    if columns.next().is_some_and(|column| chosen(column)) {
                        self.$field.clone_from(&from.$field);
                    }
                )+
            }

            fn has(&self, name: &str) -> bool {
                $(
                    if name == $crate::products::crm::column::plain(stringify!($field)) {
                        return $crate::products::crm::cell::Cell::is_set(&self.$field);
                    }
                )+
                false
            }

            fn alien(&self) -> Option<&'static str> {
                $($(
                    if !$crate::products::crm::column::is_none(&self.$join) {
                        return Some($crate::products::crm::column::plain(stringify!($join)));
                    }
                )+)?
                None
            }

            fn bare(&self) -> Self {
                let mut own = self.clone();
                own.shown.clear();
                $($(own.$join = Default::default();)+)?
                own
            }

            fn id(&self) -> i64 {
                $crate::products::crm::cell::Cell::number(&self.id).unwrap_or_default()
            }

            fn number(&self, name: &str) -> Option<i64> {
                $(
                    if name == $crate::products::crm::column::plain(stringify!($field)) {
                        return $crate::products::crm::cell::Cell::number(&self.$field);
                    }
                )+
                None
            }

            fn set_number(&mut self, name: &str, number: i64) {
                $(
                    if name == $crate::products::crm::column::plain(stringify!($field)) {
                        $crate::products::crm::cell::Cell::set_number(&mut self.$field, number);
                    }
                )+
            }

            fn shown(&mut self) -> &mut Vec<String> {
                &mut self.shown
            }

            $(
                fn custom(&mut self) -> Option<&mut Option<String>> {
                    Some(&mut self.$custom)
                }
            )?
        }
    };
}
pub(super) use record;

/// The name of a member whose Rust name is a raw identifier.
pub(super) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// A member as the database keeps it, or what is wrong with it, by its name.
pub(super) fn value(cell: &impl Cell, column: &Column) -> Result<Value> {
    let name = column.name;
    let value = cell.store(column.kind);
    let value = value.map_err(|what| Error::invalid_field(name, format!("{name} {what}")))?;
    let given = matches!(column.access, Access::Caller | Access::Create);
    if column.required && given && !cell.is_set() {
        return Err(Error::invalid_field(name, format!("{name} is required")));
    }
    Ok(value)
}

/// Whether a member has its default, which is no value.
pub(super) fn is_none<T: Default + PartialEq>(member: &T) -> bool {
    *member == T::default()
}
