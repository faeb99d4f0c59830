//! `apex organization`, `key`, `project` and `user`: what the dashboard can do.

mod key;
mod organization;
mod project;
mod user;

use std::io::Read as _;

use clap::Args;

use super::client::Client;
use super::{Failure, Outcome};
use crate::api::apex::account::v1 as pb;
use pb::organization_service_client::OrganizationServiceClient;

pub(super) use key::Key;
pub(super) use organization::Organization;
pub(super) use project::Project;
pub(super) use user::User;

/// Rows asked for at once: no answer grows with what there is.
const PAGE: i32 = 1000;

/// The organization a command is for.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// Organization it is for; may be left out when there is only one
    #[arg(long, value_name = "ID")]
    organization: Option<i64>,
}

impl Of {
    /// The organization that was named, or the only one there is.
    async fn choose(&self, client: &Client) -> Outcome<i64> {
        if let Some(named) = self.organization {
            return Ok(named);
        }
        let mut service = OrganizationServiceClient::new(client.channel());
        let request = pb::ListOrganizationsRequest {};
        let all = service.list_organizations(request).await?.into_inner();
        match all.organizations.as_slice() {
            [only] => Ok(only.id),
            [] => Err(Failure::Failed(
                "there is no organization yet: `apex organization create`".to_owned(),
            )),
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|own| format!("{} ({})", own.id, own.name))
                    .collect();
                Err(Failure::Usage(format!(
                    "name one of them with --organization: {}",
                    names.join(", ")
                )))
            }
        }
    }
}

/// A password from standard input, without its line end.
fn password() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let text = text.trim_end_matches(['\n', '\r']).to_owned();
    match text.is_empty() {
        true => Err(Failure::Usage(
            "standard input holds no password".to_owned(),
        )),
        false => Ok(text),
    }
}
