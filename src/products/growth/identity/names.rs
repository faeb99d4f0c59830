//! Names of leads: ids that were given to them, here or elsewhere, and e-mails. All
//! are in one table, so that a name is of one lead.

use super::refusal::Reason;
use crate::products::growth::ids::means_nobody;

/// Longest name, in bytes.
const LONGEST: usize = 320;

/// What somebody calls a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// As it is kept: an e-mail trimmed and in lower case, an id trimmed.
    pub(super) text: String,
    pub(super) kind: NameKind,
}

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    Id,
    Email,
}

impl Name {
    /// Reads a name. What stands for nobody is none.
    pub(super) fn read(text: &str) -> Result<Self, Reason> {
        let text = text.trim();
        if means_nobody(text) || text.len() > LONGEST {
            return Err(Reason::BlockedId);
        }
        if !is_email(text) {
            return Ok(Self {
                text: text.to_owned(),
                kind: NameKind::Id,
            });
        }
        let text = text.to_lowercase();
        // Who has no name at some host is nobody there either.
        let user = text.split('@').next().unwrap_or_default();
        if matches!(user, "null" | "undefined") {
            return Err(Reason::BlockedId);
        }
        Ok(Self {
            text,
            kind: NameKind::Email,
        })
    }
}

fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    let whole = parts
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    whole && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_they_are_kept() {
        let email = Name::read("  Ada@Example.COM ").unwrap();
        assert_eq!(email.text, "ada@example.com");
        assert_eq!(email.kind, NameKind::Email);
        for id in ["User_42", "@ada", "a@b@c", "a b@c"] {
            assert_eq!(Name::read(id).unwrap().kind, NameKind::Id, "{id}");
            assert_eq!(Name::read(id).unwrap().text, id);
        }
        for nobody in [
            "",
            " ",
            "null",
            "undefined",
            "anonymous",
            "null@example.com",
        ] {
            assert_eq!(Name::read(nobody), Err(Reason::BlockedId), "{nobody}");
        }
    }
}
