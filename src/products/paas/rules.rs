//! What names, images and environments may be. Engines are told nothing that is not in
//! these lists, and never through a shell.

use std::sync::LazyLock;

use regex::Regex;

use super::registry;
use super::vault::Variables;
use crate::error::{Error, Result};

/// Most bytes of a variable's value, and of all variables together.
const MAX_VALUE: usize = 32 * 1024;
const MAX_VARIABLES: usize = 256 * 1024;
/// Most bytes of an argument of a command.
const MAX_ARGUMENT: usize = 4096;
/// Most bytes of an image's name without its tag and digest, as registries have it.
const MAX_IMAGE_NAME: usize = 255;

/// A pattern of this file.
macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}

pattern!(LABEL, "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$");
pattern!(VARIABLE, "^[A-Za-z_][A-Za-z0-9_]{0,127}$");
pattern!(
    HOST,
    r"^(?:[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$"
);
pattern!(
    REPOSITORY,
    "^[A-Za-z0-9][-A-Za-z0-9]{0,38}/[-._A-Za-z0-9]{1,100}$"
);
pattern!(
    IMAGE,
    concat!(
        "^(?P<name>(?:[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?",
        r"(?:\.[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?/)?",
        r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)",
        r"(?::[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(?:@sha256:[a-f0-9]{64})?$"
    )
);

fn matches(pattern: &Option<Regex>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|own| own.is_match(text))
}

/// A name that is part of host names.
pub(super) fn label(field: &str, text: &str) -> Result<()> {
    match matches(&LABEL, text) {
        true => Ok(()),
        false => Err(Error::invalid_field(
            field,
            format!(
                "{field} must be 1 to 63 lower-case letters, digits and hyphens, begin with a \
                 letter and not end with a hyphen"
            ),
        )),
    }
}

/// A name that is shown to people.
pub(super) fn name(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err(Error::invalid_field(
            field,
            format!("{field} must be text without control characters"),
        )),
        false => Ok(text.to_owned()),
    }
}

/// A reference to an image, in a registry that may be asked.
pub(super) fn image(field: &str, text: &str, registries: &[String]) -> Result<()> {
    let found = IMAGE.as_ref().and_then(|own| own.captures(text));
    let name = found.and_then(|found| found.name("name"));
    if name.is_none_or(|name| name.len() > MAX_IMAGE_NAME) {
        let words = format!("{field} must be a reference to an image, such as nginx:alpine");
        return Err(Error::invalid_field(field, words));
    }
    match registry::refusal(text, registries) {
        None => Ok(()),
        Some(why) => Err(Error::invalid_field(field, format!("{field}: {why}"))),
    }
}

/// Whether a text is a host name of two labels or more.
pub(super) fn is_host(text: &str) -> bool {
    text.len() <= 253 && matches(&HOST, text)
}

/// Whether a text is the name of a repository at GitHub.
pub(super) fn is_repository(text: &str) -> bool {
    matches(&REPOSITORY, text) && !text.ends_with("/.") && !text.ends_with("/..")
}

/// Variables somebody gave.
pub(super) fn variables(field: &str, given: Variables) -> Result<Variables> {
    let mut size = 0;
    for (name, value) in &given {
        let refuse = |what: &str| Err(Error::invalid_field(format!("{field}.{name}"), what));
        if !matches(&VARIABLE, name) {
            return Err(Error::invalid_field(
                field,
                format!(
                    "{field}: names of variables are up to 128 letters, digits and underscores, \
                     and do not begin with a digit"
                ),
            ));
        }
        if value.contains('\0') {
            return refuse(&format!("{field}.{name} must not contain a NUL character"));
        }
        if value.len() > MAX_VALUE {
            return refuse(&format!(
                "{field}.{name} must have at most {MAX_VALUE} bytes"
            ));
        }
        size += name.len() + value.len();
    }
    match size > MAX_VARIABLES {
        true => Err(Error::invalid_field(
            field,
            format!("{field} must have at most {MAX_VARIABLES} bytes together"),
        )),
        false => Ok(given),
    }
}

/// A program and its arguments.
pub(super) fn command(field: &str, words: &[String]) -> Result<()> {
    let wrong = |word: &&String| word.contains('\0') || word.len() > MAX_ARGUMENT;
    match words.iter().find(wrong) {
        None => Ok(()),
        Some(_) => Err(Error::invalid_field(
            field,
            format!("{field}: words have at most {MAX_ARGUMENT} bytes and no NUL character"),
        )),
    }
}

/// A path that is asked for.
pub(super) fn path(field: &str, text: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    match text.is_empty() || (text.starts_with('/') && text.bytes().all(plain)) {
        true => Ok(()),
        false => Err(Error::invalid_field(
            field,
            format!("{field} must begin with / and have no spaces"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_references() {
        let digest = format!("app@sha256:{}", "0".repeat(64));
        let allowed = ["localhost".to_owned()];
        for right in [
            "nginx",
            "nginx:alpine",
            "library/nginx:1.29",
            "ghcr.io/owner/app:v1.2-rc_1",
            "localhost/rt:1",
            "registry.example.com:5000/a/b__c/d.e-f",
            &digest,
        ] {
            assert!(image("image", right, &allowed).is_ok(), "{right}");
        }
        let long = "a".repeat(256);
        for wrong in [
            "",
            " ",
            "-v",
            "--privileged",
            "Nginx",
            "nginx:",
            "nginx:-v",
            "nginx alpine",
            "nginx:alpine\n",
            "nginx\0",
            "nginx;id",
            "$(id)",
            "`id`",
            "../../etc",
            "app@sha256:00",
            "http://example.com/app",
            "user@host/app",
            &long,
        ] {
            let told = image("image", wrong, &[]).unwrap_err();
            assert_eq!(told.told_violations()[0].field, "image", "{wrong}");
        }
    }

    #[test]
    fn names_are_labels() {
        let longest = format!("a{}", "b".repeat(62));
        for right in ["a", "my-service", "a1", &longest] {
            assert!(label("name", right).is_ok(), "{right}");
        }
        let longer = format!("{longest}c");
        for wrong in [
            "", "-v", "a-", "1a", "A", "a_b", "a.b", "a\n", "a b", &longer,
        ] {
            assert!(label("name", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn variables_are_told_by_name() {
        let given = |name: &str, value: &str| {
            variables("env", [(name.to_owned(), value.to_owned())].into())
        };
        assert!(given("PATH_2", "a\nb $(id) `id`").is_ok());
        assert!(given("_", "").is_ok());
        for wrong in ["", "1A", "A-B", "A B", "A=B", "A\n", "A\0"] {
            assert!(given(wrong, "x").is_err(), "{wrong:?}");
        }
        let told = given("KEY", "secret\0value").unwrap_err();
        assert_eq!(told.told_violations()[0].field, "env.KEY");
        assert!(!told.to_string().contains("secret"));
        assert!(given("KEY", &"x".repeat(MAX_VALUE + 1)).is_err());
    }
}
