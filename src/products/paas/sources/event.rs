//! What GitHub tells, as far as anything follows from it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Something that happened in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) told: Told,
    /// The commit it is about.
    pub(super) sha: String,
    pub(super) branch: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Told {
    Push,
    /// A pull request is there, or has new commits.
    Opened {
        number: i64,
    },
    Closed {
        number: i64,
    },
}

#[derive(Deserialize)]
struct Named {
    full_name: String,
}

#[derive(Deserialize)]
struct About {
    repository: Named,
}

#[derive(Deserialize)]
struct Push {
    r#ref: String,
    after: String,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
struct PullRequest {
    action: String,
    number: i64,
    pull_request: Proposed,
    repository: Named,
}

#[derive(Deserialize)]
struct Proposed {
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    r#ref: String,
    sha: String,
    /// Absent once the repository it came from is deleted.
    repo: Option<Named>,
}

/// The repository a delivery is about, in lower case, as GitHub compares them.
pub(super) fn repository(body: &[u8]) -> Option<String> {
    let about: About = serde_json::from_slice(body).ok()?;
    Some(about.repository.full_name.to_lowercase())
}

impl Event {
    /// What a delivery tells, if anything follows from it.
    pub(super) fn of(kind: &str, body: &[u8]) -> Result<Option<Self>> {
        match kind {
            "push" => {
                let push: Push = read(kind, body)?;
                let branch = push.r#ref.strip_prefix("refs/heads/");
                let Some(branch) = branch.filter(|_| !push.deleted) else {
                    return Ok(None);
                };
                Self::about(Told::Push, push.after, branch)
            }
            "pull_request" => {
                let told: PullRequest = read(kind, body)?;
                let head = told.pull_request.head;
                let number = told.number;
                let what = match told.action.as_str() {
                    "opened" | "reopened" | "synchronize" => Told::Opened { number },
                    "closed" => Told::Closed { number },
                    _ => return Ok(None),
                };
                // What strangers propose from a repository of their own is not run.
                let from = head.repo.map(|own| own.full_name.to_lowercase());
                let own = told.repository.full_name.to_lowercase();
                if from.as_ref() != Some(&own) && matches!(what, Told::Opened { .. }) {
                    return Ok(None);
                }
                Self::about(what, head.sha, &head.r#ref)
            }
            _ => Ok(None),
        }
    }

    fn about(told: Told, sha: String, branch: &str) -> Result<Option<Self>> {
        let is_hex = |byte: u8| byte.is_ascii_hexdigit();
        if !matches!(sha.len(), 40 | 64) || !sha.bytes().all(is_hex) {
            return Err(Error::invalid("The delivery names no commit"));
        }
        Ok(Some(Self {
            told,
            sha,
            branch: branch.to_owned(),
        }))
    }
}

fn read<T: for<'de> Deserialize<'de>>(kind: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|_| {
        Error::invalid(format!(
            "The body is no {kind} event as GitHub documents it"
        ))
    })
}

/// The image of a commit.
pub(super) fn image(template: &str, sha: &str, branch: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || "._-".contains(c) {
        true => c,
        false => '-',
    };
    let branch: String = branch.chars().map(plain).collect();
    template.replace("{sha}", sha).replace("{branch}", &branch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";

    #[test]
    fn what_follows_is_told_apart() {
        let push = |name: &str, deleted: bool| {
            let body = serde_json::json!({
                "ref": name, "after": SHA, "deleted": deleted,
                "repository": {"full_name": "Octocat/App"}, "commits": [],
            });
            Event::of("push", body.to_string().as_bytes()).unwrap()
        };
        let pushed = push("refs/heads/feature/x", false).unwrap();
        assert_eq!(
            (pushed.branch.as_str(), pushed.sha.as_str()),
            ("feature/x", SHA)
        );
        assert_eq!(push("refs/tags/v1", false), None);
        assert_eq!(push("refs/heads/main", true), None);
        let request = |action: &str, from: &str| {
            let body = serde_json::json!({
                "action": action, "number": 7, "repository": {"full_name": "octocat/app"},
                "pull_request": {"head": {"ref": "x", "sha": SHA, "repo": {"full_name": from}}},
            });
            Event::of("pull_request", body.to_string().as_bytes()).unwrap()
        };
        let opened = request("synchronize", "Octocat/App").unwrap();
        assert_eq!(opened.told, Told::Opened { number: 7 });
        assert_eq!(request("opened", "stranger/app"), None);
        let closed = request("closed", "octocat/app").unwrap();
        assert_eq!(closed.told, Told::Closed { number: 7 });
        assert_eq!(request("labeled", "octocat/app"), None);
        assert!(Event::of("push", b"{}").is_err());
        assert_eq!(Event::of("star", b"{}").unwrap(), None);
        assert_eq!(repository(b"{}"), None);
    }

    #[test]
    fn images_are_named_after_commits() {
        assert_eq!(image("app:{sha}", SHA, "main"), format!("app:{SHA}"));
        assert_eq!(image("app:{branch}", SHA, "feat/$(id)"), "app:feat---id-");
    }
}
