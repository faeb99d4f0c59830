//! What is searched for by words: in an index of parts of words, or of beginnings.

use super::super::query::pattern::{cased, contained, fits, small};
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource, Search};
use crate::error::{Error, Result};

/// Every word must stand somewhere in what is searched. Of words that are too short for
/// the index one finds what begins with it, unless a longer one narrows it down.
pub(super) fn search<R: Resource>(
    term: &str,
    context: &Context,
    postgres: bool,
    sql: &mut Sql,
) -> Result<()> {
    if !R::TAKES.search {
        return Err(Error::invalid("This list is not searched"));
    }
    let wrong = |what: String| Error::invalid_field("searchTerm", format!("searchTerm {what}"));
    if term.contains('\0') {
        return Err(wrong("must not contain U+0000".to_owned()));
    }
    let is_long = |word: &&str| word.chars().count() >= PARTS;
    let term = term.to_lowercase();
    let words: Vec<&str> = term.split_whitespace().take(WORDS + 1).collect();
    if words.len() > WORDS {
        return Err(wrong(format!("must have at most {WORDS} words")));
    }
    words
        .iter()
        .try_for_each(|word| fits(word))
        .map_err(wrong)?;
    let narrowed = words.iter().any(is_long);
    for word in &words {
        sql.push(" AND ");
        match R::SEARCH {
            Search::Parts { table, .. } if !postgres && is_long(word) => {
                parts(("t", table), word, postgres, sql);
            }
            Search::Parts { begins, .. } if !narrowed => {
                begin::<R>(begins, word, context, sql);
            }
            Search::Parts { .. } => like("t.search", word, sql),
            Search::Name => {
                small("t.name", word, sql);
                like("", word, sql);
            }
            Search::Contacts => {
                sql.push(R::PERSON);
                sql.push(" IN (SELECT c.id FROM crm_contact c WHERE c.organization_id = ");
                sql.bind(context.organization).push(" AND ");
                parts(("c", "crm_contact_search"), word, postgres, sql);
                sql.push(")");
            }
        }
    }
    Ok(())
}

/// Most words that are searched for.
const WORDS: usize = 32;

/// Fewest letters an index of parts of words finds.
pub(in super::super) const PARTS: usize = 3;

/// Something begins with a word, which an index of each tells.
fn begin<R: Resource>(begins: &[&str], word: &str, context: &Context, sql: &mut Sql) {
    sql.push("t.id IN (");
    let forms = begins.iter().flat_map(|of| {
        // What the database made small is small of ASCII alone.
        let forms = match of.starts_with("LOWER(") {
            true => forms(word),
            false => vec![word.to_owned()],
        };
        forms.into_iter().map(move |word| (of, word))
    });
    for (at, (of, word)) in forms.enumerate() {
        let union = if at > 0 { " UNION ALL " } else { "" };
        sql.push(&format!(
            "{union}SELECT b.id FROM {} b WHERE b.deleted_at IS NULL AND b.organization_id = ",
            R::SOURCE.0
        ))
        .bind(context.organization);
        sql.push(&format!(" AND {of} >= "))
            .bind(word.clone())
            .push(&format!(" AND {of} < "))
            .bind(format!("{word}\u{10FFFF}"));
    }
    sql.push(")");
}

/// A short word, with each letter beyond ASCII as it is and as a capital.
fn forms(word: &str) -> Vec<String> {
    word.chars().fold(vec![String::new()], |begun, letter| {
        let capital = cased(letter).map(|(capital, _)| capital);
        let letters = [Some(letter), capital].into_iter().flatten();
        let with = |letter| begun.iter().map(move |begin| format!("{begin}{letter}"));
        letters.flat_map(with).collect()
    })
}

/// A word stands somewhere in the column `search` of a table, of which SQLite has an
/// index of parts; PostgreSQL finds its own.
pub(in super::super) fn parts(
    (alias, table): (&str, &str),
    word: &str,
    postgres: bool,
    sql: &mut Sql,
) {
    if postgres || word.chars().count() < PARTS {
        return like(&format!("{alias}.search"), word, sql);
    }
    let phrase = format!("\"{}\"", word.replace('"', "\"\""));
    sql.push(&format!(
        "{alias}.id IN (SELECT rowid FROM {table} WHERE {table} MATCH "
    ))
    .bind(phrase)
    .push(")");
}

fn like(column: &str, word: &str, sql: &mut Sql) {
    sql.push(&format!("{column} LIKE "))
        .bind(contained(word))
        .push(" ESCAPE '\\'");
}
