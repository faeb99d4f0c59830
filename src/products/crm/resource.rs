//! What a resource of the CRM is, beside its columns: where its rows are, what its lists
//! take, and what its own rules add. Everything else is the same for all of them.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Value};

use super::column::{Column, Record, Source};
use super::query::Takes;
use super::query::sql::Sql;
use super::store::Key;
use crate::api::apex::crm::v1 as pb;
use crate::auth::{OrganizationId, refused};
use crate::db::Tx;
use crate::error::{Error, Result};

/// Columns that are written beside those of the message, with their values.
pub(super) type Beside = Vec<(&'static str, Value)>;

/// A resource.
pub(super) trait Resource: Send + Sync + 'static {
    /// Its records.
    type Record: Record;

    /// Where its rows are.
    const SOURCE: Source;
    /// Its name, as paths, counts and events have it.
    const NAME: &'static str;
    /// What custom fields of its records are of, if they have some.
    const ENTITY: Option<&'static str> = None;
    /// What its lists take besides columns.
    const TAKES: Takes = Takes::NOTHING;
    /// How its lists are searched.
    const SEARCH: Search = Search::Name;
    /// How SQLite takes what was written into its index of parts of words, if there is one:
    /// what is due stands in a table, and is nothing between two transactions.
    const DUE: Option<&'static str> = None;
    /// Whether nothing is written with a new record but what is with all: then one statement
    /// may do it.
    const ALONE: bool = false;
    /// What its records are known by beside their numbers.
    const KEYS: &'static [Key<Self::Record>] = &[];
    /// Members that belong together: without the first, the others say nothing.
    const TOGETHER: &'static [&'static [&'static str]] = &[];
    /// The column that names the contact whose tags its records have.
    const PERSON: &'static str = "t.id";
    /// Members that are always shown.
    const SHOWN: &'static [&'static str] = &["id"];

    /// What every organization begins with.
    fn stock() -> Vec<Self::Record> {
        Vec::new()
    }

    /// Checks a record that is about to be written, and fills in what follows from the
    /// rest. `old` is what it was, if it is not new.
    fn prepare(
        _tx: &Tx,
        _context: &Context,
        _new: &mut Self::Record,
        _old: Option<&Self::Record>,
    ) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Does what a new record brings with it.
    fn made(
        _tx: &Tx,
        _context: &Context,
        _new: &Self::Record,
    ) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Does what goes with a record that was removed.
    fn removed(
        _tx: &Tx,
        _context: &Context,
        _old: &Self::Record,
    ) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Adds related records to those of a page, with one question for each relation.
    fn join(
        _connection: &impl ConnectionTrait,
        _context: &Context,
        _records: &mut [Self::Record],
        _wanted: &Wanted,
    ) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Looks at a record that names another one through a column from now on, because
    /// those it named were merged into that one. It may be changed for that, or has to go.
    fn moved(
        _tx: &Tx,
        _context: &Context,
        _new: &mut Self::Record,
        _column: &'static str,
    ) -> impl Future<Output = Result<Moving>> + Send {
        std::future::ready(Ok(Moving::Keep))
    }

    /// What a question means beside what it says, where it names another one.
    fn meant(
        _connection: &impl ConnectionTrait,
        _context: &Context,
        _find: &pb::Find,
    ) -> impl Future<Output = Result<Option<pb::Find>>> + Send {
        std::future::ready(Ok(None))
    }

    /// Adds the conditions of what its lists alone are asked.
    fn narrow(_context: &Context, find: &pb::Find, _sql: &mut Sql, _postgres: bool) -> Result<()> {
        let asks = find.message_search_term.is_some()
            || find.waiting_response_only.is_some()
            || find.view.is_some();
        match asks {
            true => Err(Error::invalid("These records are no conversations")),
            false => Ok(()),
        }
    }

    /// Columns that follow from a record and are not shown.
    fn beside(_record: &Self::Record) -> Beside {
        Vec::new()
    }

    /// Whether its living records are counted as they come and go.
    fn is_counted() -> bool {
        !Self::SOURCE.0.starts_with('(')
    }

    /// Its columns.
    fn columns() -> &'static [Column] {
        Self::Record::COLUMNS
    }
}

/// What becomes of a record that named one that was merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moving {
    /// It names the one that stays.
    Keep,
    /// It is removed: there is such a one already.
    Remove,
}

/// How lists are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// By the name.
    Name,
    /// Through an index of parts of words over the column `search`.
    Parts {
        /// On SQLite this table.
        table: &'static str,
        /// What the shortest words are looked for at the beginning of, of a row `b`.
        begins: &'static [&'static str],
    },
    /// By their contacts, as those are searched.
    Contacts,
}

/// For whom, by whom and when something is done.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// The organization.
    pub(super) organization: OrganizationId,
    /// The user who acts, or whose key does.
    pub(super) user: Option<i64>,
    /// The API key that acts, by its public id.
    pub(super) key: Option<Arc<str>>,
    /// The request, as answers and the log call it.
    pub(super) request: Option<Arc<str>>,
    /// The time, in microseconds, of whole milliseconds as they are shown.
    pub(super) now: i64,
    /// Resources the caller may not view.
    pub(super) hidden: Vec<String>,
}

impl Context {
    /// For what the server does by itself, be it in the name of a user.
    pub(super) fn of(organization: OrganizationId, user: Option<i64>, now: i64) -> Self {
        Self {
            organization,
            user,
            key: None,
            request: None,
            now,
            hidden: Vec::new(),
        }
    }

    /// Whether the caller may not view a resource: of its records others show the names.
    pub(super) fn hides(&self, resource: &str) -> bool {
        self.hidden.iter().any(|own| own == resource)
    }

    /// Refuses what would tell of a resource that the caller may not view.
    pub(super) fn may_view(&self, resource: &str) -> Result<()> {
        match self.hides(resource) {
            true => Err(refused(&format!("view {}", resource.replace('-', " ")))),
            false => Ok(()),
        }
    }
}

/// Which related records are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Whether they were asked for.
    pub(super) join: bool,
    /// The members that are shown; all, if empty.
    pub(super) select: Vec<String>,
}

impl Wanted {
    /// Whether a member is shown.
    pub(super) fn shows(&self, name: &str) -> bool {
        self.select.is_empty() || self.select.iter().any(|own| own == name)
    }
}
