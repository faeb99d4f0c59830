//! What a failure of the database means to a caller. Driver texts stay in the
//! log; the caller learns only whether to try again.

use std::sync::Arc;

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::error::{Error, Kind};

/// Whether the failure is a second row with the same unique key.
pub fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// SQLite's primary result codes that have a meaning of their own here.
mod sqlite_code {
    pub(super) const BUSY: &str = "5";
    pub(super) const INTERRUPT: &str = "9";
    pub(super) const IO: &str = "10";
    pub(super) const FULL: &str = "13";
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        worded(kind_of(&error)).caused_by(error)
    }
}

/// A failure that several callers share, as when their common commit failed.
impl From<Arc<DbErr>> for Error {
    fn from(error: Arc<DbErr>) -> Self {
        worded(kind_of(&error)).caused_by(error)
    }
}

fn worded(kind: Kind) -> Error {
    match kind {
        Kind::Unavailable => Error::unavailable("The database cannot be reached at the moment"),
        Kind::ResourceExhausted => Error::unavailable("The disk is full").reason("STORAGE_FULL"),
        Kind::DeadlineExceeded => Error::new(kind, "The query took longer than allowed"),
        _ => Error::new(Kind::Internal, "Internal server error"),
    }
}

fn kind_of(error: &DbErr) -> Kind {
    match runtime(error) {
        Some(sqlx::Error::Database(database)) => of_code(database.code().as_deref()),
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed,
        ) => Kind::Unavailable,
        Some(_) => Kind::Internal,
        None if matches!(error, DbErr::ConnectionAcquire(_)) => Kind::Unavailable,
        None => Kind::Internal,
    }
}

fn runtime(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => Some(inner),
        _ => None,
    }
}

/// SQLite gives its extended result code in decimal, whose low byte is the
/// primary one; PostgreSQL gives an SQLSTATE of five characters.
fn of_code(code: Option<&str>) -> Kind {
    let code = code.unwrap_or_default();
    if code.len() == 5 && code.starts_with(|c: char| c.is_ascii_digit()) {
        return match &code[..2] {
            // The transaction was left alone too long.
            "25" if code == "25P03" => Kind::Unavailable,
            "08" | "57" if code != "57014" => Kind::Unavailable,
            "57" => Kind::DeadlineExceeded,
            "53" => Kind::ResourceExhausted,
            _ => Kind::Internal,
        };
    }
    let primary = code.parse::<u32>().map(|code| (code & 0xff).to_string());
    match primary.as_deref() {
        Ok(sqlite_code::INTERRUPT) => Kind::DeadlineExceeded,
        Ok(sqlite_code::BUSY | sqlite_code::IO) => Kind::Unavailable,
        Ok(sqlite_code::FULL) => Kind::ResourceExhausted,
        Ok(_) | Err(_) => Kind::Internal,
    }
}
