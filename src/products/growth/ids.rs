//! Ids that stand for nobody: what a page sends as an id when it has none, by mistake.
//! Were they ids, everybody's events would be one visitor's.

/// Such ids, in lower case.
const NOBODY: [&str; 22] = [
    "0",
    "-1",
    "[object object]",
    "anon",
    "anonymous",
    "distinct_id",
    "distinctid",
    "email",
    "false",
    "guest",
    "id",
    "n/a",
    "nan",
    "nil",
    "none",
    "not_authenticated",
    "null",
    "true",
    "undefined",
    "unknown",
    "user_id",
    "visitor_id",
];

/// Longest of them, in bytes.
const LONGEST: usize = 17;

/// Whether an id stands for nobody.
pub(super) fn means_nobody(id: &str) -> bool {
    let id = id.trim().trim_matches(['"', '\'']).trim();
    id.len() <= LONGEST
        && (id.is_empty() || NOBODY.iter().any(|known| known.eq_ignore_ascii_case(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_from_somebody() {
        for id in [
            "",
            "  ",
            "null",
            "NULL",
            "undefined",
            "Anonymous",
            "0",
            "NaN",
            "[object Object]",
            "\"null\"",
            "''",
            " none ",
        ] {
            assert!(means_nobody(id), "{id:?}");
        }
        for id in [
            "v_1",
            "00",
            "1",
            "nobody@example.com",
            "nullable",
            "Ann",
            "é",
        ] {
            assert!(!means_nobody(id), "{id:?}");
        }
        assert_eq!(NOBODY.iter().map(|id| id.len()).max(), Some(LONGEST));
    }
}
