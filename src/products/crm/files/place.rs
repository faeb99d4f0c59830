//! Where a file is, as its URL and its key say: the organization, what the server calls
//! it, and a name for whoever loads it.

use uuid::Uuid;

/// Most letters of a name in a URL.
const LONGEST: usize = 100;

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Place {
    pub(in super::super) organization: i64,
    pub(in super::super) upload: String,
    pub(in super::super) file_name: String,
}

impl Place {
    /// A place for a new file.
    pub(in super::super) fn new(organization: i64, file_name: &str) -> Self {
        Self {
            organization,
            upload: Uuid::new_v4().simple().to_string(),
            file_name: plain(file_name),
        }
    }

    /// The place that a key names, if it is one of the organization.
    pub(in super::super) fn of_key(organization: i64, key: &str) -> Option<Self> {
        let (own, rest) = key.split_once('/')?;
        let (upload, file_name) = rest.split_once('/')?;
        let known = own == organization.to_string()
            && plain(upload) == upload
            && plain(file_name) == file_name;
        known.then(|| Self {
            organization,
            upload: upload.to_owned(),
            file_name: file_name.to_owned(),
        })
    }

    /// Its key, which is the end of its URL.
    pub(in super::super) fn key(&self) -> String {
        let Self {
            organization,
            upload,
            file_name,
        } = self;
        format!("{organization}/{upload}/{file_name}")
    }

    /// Its key as clients write paths.
    pub(in super::super) fn path(&self) -> String {
        format!("s3://apex/{}", self.key())
    }
}

/// A name of letters, digits and dots, which is safe wherever it is put.
fn plain(name: &str) -> String {
    let safe = |c: char| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') => c,
        _ => '_',
    };
    let name: String = name.chars().take(LONGEST).map(safe).collect();
    let name = name.trim_matches('.');
    if name.is_empty() { "file" } else { name }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_wherever_they_are_put() {
        for (name, safe) in [
            ("plan.pdf", "plan.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("a\"b\r\n;c", "a_b___c"),
            ("..", "file"),
            ("Zoë 1.png", "Zo__1.png"),
        ] {
            assert_eq!(plain(name), safe);
        }
        assert_eq!(plain(&"é".repeat(1000)).len(), LONGEST);
    }

    #[test]
    fn keys_are_of_one_organization() {
        let place = Place::new(101, "plan.pdf");
        assert_eq!(Place::of_key(101, &place.key()), Some(place.clone()));
        assert_eq!(Place::of_key(102, &place.key()), None);
        for key in [
            "",
            "101",
            "101/x",
            "101/../x",
            "101/x/a/b",
            "101/x/a?b",
            "101/x/a\nb",
        ] {
            assert_eq!(Place::of_key(101, key), None, "{key}");
        }
    }
}
