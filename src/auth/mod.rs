//! Who calls, and what they may do: principals, API keys, sessions, passwords,
//! and the in-memory directory all of it is looked up in.

mod directory;
mod passwords;
mod principal;
mod secrets;
mod sessions;
mod tokens;

pub use directory::{Directory, KeyRecord, Organization, ProjectRef, Snapshot};
pub use passwords::{MAX_PASSWORD, MIN_PASSWORD, Passwords};
pub use principal::{Actor, OrganizationId, Plan, Principal, ProjectId, Scopes, UserId, refused};
pub use secrets::{Sealer, SecretKeys};
pub use sessions::{Claims, SESSION_COOKIE, SessionTokens};
pub use tokens::{
    KEY_PREFIX, Secret, TOKEN_PREFIX, api_key, hash, password, project_key, setup_token, token,
};
