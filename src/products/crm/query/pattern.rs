//! Patterns of texts, in the words of a database: `LIKE` and `ILIKE`, or SQLite's `GLOB`
//! where case matters.

use std::collections::BTreeMap;

use super::sql::Sql;

/// Most letters of what is looked for in texts: databases take no pattern of any length.
const MOST: usize = 255;

/// Refuses a text that is too long to be looked for.
pub(in super::super) fn fits(text: &str) -> Result<(), String> {
    match text.chars().nth(MOST) {
        Some(_) => Err(format!("must have at most {MOST} letters")),
        None => Ok(()),
    }
}

/// A pattern of what contains a text, in which wildcards are letters.
pub(in super::super) fn contained(text: &str) -> String {
    let letters = text.chars().flat_map(|c| {
        let escape = matches!(c, '%' | '_' | '\\').then_some('\\');
        escape.into_iter().chain([c])
    });
    ['%'].into_iter().chain(letters).chain(['%']).collect()
}

/// Adds a text column in small letters, to look for a text that is in small letters.
/// Databases need not know capitals beyond ASCII: of those that may be in it each is
/// replaced.
pub(in super::super) fn small(column: &str, text: &str, sql: &mut Sql) {
    let pairs: BTreeMap<char, char> = text.chars().filter_map(cased).collect();
    sql.push(&"REPLACE(".repeat(pairs.len()));
    sql.push(&format!("LOWER({column})"));
    for (capital, small) in pairs {
        sql.push(", ").bind(capital.to_string());
        sql.push(", ").bind(small.to_string()).push(")");
    }
}

/// The capital of a small letter beyond ASCII, and the letter.
pub(in super::super) fn cased(small: char) -> Option<(char, char)> {
    let mut capital = small.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(capital), None) if !small.is_ascii() && capital != small => Some((capital, small)),
        _ => None,
    }
}

/// What follows a pattern, so that `\` is the same letter in both databases.
pub(super) fn escape(word: &str) -> &'static str {
    match word {
        "GLOB" => "",
        _ => " ESCAPE '\\'",
    }
}

/// A caller's pattern for `LIKE`, in which `\` is a letter.
pub(super) fn like(text: &str) -> String {
    text.replace('\\', r"\\")
}

/// A caller's pattern for `GLOB`.
pub(super) fn glob(text: &str) -> String {
    let glob = text.chars().map(|c| match c {
        '%' => "*".to_owned(),
        '_' => "?".to_owned(),
        '*' | '?' | '[' => format!("[{c}]"),
        c => c.to_string(),
    });
    glob.collect()
}
