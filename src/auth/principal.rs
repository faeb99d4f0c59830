//! The caller, once it is known who calls.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::policy::{MethodSpec, Role, Scope};

/// Defines an id that cannot be mistaken for another one.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for sea_orm::Value {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
    };
}

id! {
    /// An organization; counted from 101.
    OrganizationId
}
id! {
    /// A user.
    UserId
}
id! {
    /// The number of a project; its public id is text.
    ProjectId
}

/// Who calls, and for whom.
#[derive(Debug, Clone)]
pub struct Principal {
    /// How the caller proved who it is.
    pub actor: Actor,
    /// The organization it acts in.
    pub organization: Option<OrganizationId>,
    /// The user it acts as.
    pub user: Option<UserId>,
    /// The project it is bound to.
    pub project: Option<ProjectId>,
    /// What the user may do in the organization.
    pub role: Option<Role>,
}

/// How a caller proved who it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Actor {
    /// Not at all.
    Anonymous,
    /// By an API key with these scopes.
    Key {
        /// Number of the key.
        number: i64,
        /// Its public id, `key_…`.
        id: Arc<str>,
        /// What the key allows.
        scopes: Scopes,
    },
    /// By a session.
    Session {
        /// Id of the session.
        id: String,
    },
    /// By the public key of a project, which pages show to everyone.
    Page,
    /// By being able to open the socket in the data directory.
    Operator,
}

/// The plan an organization is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Plan {
    Trial,
    Starter,
    Scale,
}

impl Plan {
    /// The word for it, in JSON and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Starter => "starter",
            Self::Scale => "scale",
        }
    }
}

impl FromStr for Plan {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "trial" => Ok(Self::Trial),
            "starter" => Ok(Self::Starter),
            "scale" => Ok(Self::Scale),
            _ => Err(Error::invalid_field(
                "plan",
                "plan must be one of trial, starter, scale",
            )),
        }
    }
}

/// What an API key allows. Cheap to clone, for every request does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Arc<[String]>);

impl Scopes {
    /// Reads a list of scopes: `*`, `<product>.read`, `<product>.write`.
    pub fn parse<'a>(scopes: impl IntoIterator<Item = &'a str>, products: &[&str]) -> Result<Self> {
        let mut list = Vec::new();
        for (at, scope) in scopes.into_iter().enumerate() {
            let known = scope == "*"
                || scope.split_once('.').is_some_and(|(product, verb)| {
                    products.contains(&product) && matches!(verb, "read" | "write")
                });
            if !known {
                let products = products.join(", ");
                return Err(Error::invalid_field(
                    "scopes",
                    format!(
                        "scopes[{at}] is no scope: use * or <product>.read, <product>.write \
                         of {products}"
                    ),
                ));
            }
            list.push(scope.to_owned());
        }
        Ok(Self(list.into()))
    }

    /// Reads what [`Scopes::stored`] wrote.
    pub fn from_stored(text: &str) -> Self {
        Self(
            text.split(' ')
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// The form kept in the database.
    pub fn stored(&self) -> String {
        self.0.join(" ")
    }

    /// The scopes as words.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.0.iter().any(|own| own == "*")
    }

    /// Whether a permission is among them. Writing does not include reading: an
    /// ingestion key cannot read back what others sent.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.iter().any(|own| {
            own == "*"
                || own.split_once('.').is_some_and(|(product, verb)| {
                    product == scope.product && (verb == "write") == scope.write
                })
        })
    }
}

impl Principal {
    /// Somebody unknown.
    pub fn anonymous() -> Self {
        Self {
            actor: Actor::Anonymous,
            organization: None,
            user: None,
            project: None,
            role: None,
        }
    }

    /// Whether the caller proved who it is by a session, and so by a cookie that
    /// browsers send on their own.
    pub fn is_session(&self) -> bool {
        matches!(self.actor, Actor::Session { .. })
    }

    /// Whether the caller is the operator.
    pub fn is_operator(&self) -> bool {
        self.actor == Actor::Operator
    }

    /// Refuses what the caller may not do. `granted` is what the role was granted beside
    /// what it may by default.
    pub fn authorize(&self, spec: &MethodSpec, granted: Option<bool>) -> Result<()> {
        if let (Actor::Key { scopes, .. }, Some(scope)) = (&self.actor, spec.scope)
            && !scopes.allow(scope)
        {
            let lacks = || format!("The API key lacks the scope {scope}");
            return Err(denied(spec, lacks));
        }
        match self.actor {
            Actor::Operator | Actor::Anonymous | Actor::Page => Ok(()),
            Actor::Key { .. } | Actor::Session { .. } => {
                let needs = spec.scope.is_some();
                // Who belongs to no organization may look: all there is to see
                // without one is oneself.
                let role = match self.organization {
                    None => Some(Role::Viewer),
                    Some(_) => self.role,
                };
                let by_default = || role.is_some_and(|role| role >= spec.role);
                if needs && !granted.unwrap_or_else(by_default) {
                    return Err(denied(spec, || "Your role does not allow this".to_owned()));
                }
                Ok(())
            }
        }
    }
}

/// The refusal of a method that says what it does; of others, in words of its own.
fn denied(spec: &MethodSpec, otherwise: impl FnOnce() -> String) -> Error {
    match spec.action {
        Some(action) => refused(action),
        None => Error::forbidden(otherwise()),
    }
}

/// The refusal of an action, such as `view contacts`, as the CRM documents it.
pub fn refused(action: &str) -> Error {
    Error::forbidden(format!(
        "Access denied: You do not have permission to {action}. \
         Please contact your organization administrator."
    ))
}
