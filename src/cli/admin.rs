//! `apex organization`, `key`, `project` and `user`: what the dashboard can do.

use std::io::Read as _;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Client, Target};
use super::output::table;
use super::{Context, Failure, Outcome};
use crate::api::apex::account::v1 as pb;
use pb::api_key_service_client::ApiKeyServiceClient;
use pb::operator_service_client::OperatorServiceClient;
use pb::organization_service_client::OrganizationServiceClient;
use pb::project_service_client::ProjectServiceClient;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum PlanName {
    Trial,
    Starter,
    Scale,
}

impl From<PlanName> for i32 {
    fn from(plan: PlanName) -> Self {
        match plan {
            PlanName::Trial => pb::Plan::Trial,
            PlanName::Starter => pb::Plan::Starter,
            PlanName::Scale => pb::Plan::Scale,
        }
        .into()
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleName {
    Viewer,
    Member,
    Admin,
    Owner,
}

impl From<RoleName> for i32 {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Viewer => pb::Role::Viewer,
            RoleName::Member => pb::Role::Member,
            RoleName::Admin => pb::Role::Admin,
            RoleName::Owner => pb::Role::Owner,
        }
        .into()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Organization {
    /// Create an organization with its owner, a first project and an API key
    Create {
        /// Name of the organization
        #[arg(long)]
        name: String,
        /// E-mail of its owner
        #[arg(long)]
        email: String,
        /// Read the owner's password from standard input; generated otherwise
        #[arg(long)]
        password_stdin: bool,
        /// Plan of the organization
        #[arg(long, value_enum, default_value = "scale")]
        plan: PlanName,
    },
    /// List organizations
    List,
}

impl Organization {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let client = Client::connect(context).await?;
        match self {
            Self::Create {
                name,
                email,
                password_stdin,
                plan,
            } => {
                let password = if password_stdin {
                    password()?
                } else {
                    String::new()
                };
                let request = pb::ProvisionOrganizationRequest {
                    name,
                    email,
                    password,
                    plan: plan.into(),
                };
                let mut service = OperatorServiceClient::new(client.channel());
                let made = service.provision_organization(request).await?.into_inner();
                show_provisioned(context, &made);
            }
            Self::List => {
                let mut service = OrganizationServiceClient::new(client.channel());
                let request = pb::ListOrganizationsRequest {};
                let all = service
                    .list_organizations(request)
                    .await?
                    .into_inner()
                    .organizations;
                let json: Value = all
                    .iter()
                    .map(|own| json!({"id": own.id, "name": own.name, "plan": plan_word(own.plan)}))
                    .collect();
                let row = |own: &pb::Membership| {
                    vec![own.id.to_string(), own.name.clone(), plan_word(own.plan)]
                };
                let rows: Vec<_> = all.iter().map(row).collect();
                context
                    .output
                    .result(&json, || table(&["ID", "NAME", "PLAN"], &rows));
            }
        }
        client.finish().await
    }
}

fn show_provisioned(context: &Context, made: &pb::ProvisionOrganizationResponse) {
    let organization = made.organization.clone().unwrap_or_default();
    let owner = made.owner.clone().unwrap_or_default();
    let project = made.project.clone().unwrap_or_default();
    let mut json = json!({
        "organization_id": organization.id,
        "owner": {"id": owner.id, "email": owner.email},
        "project": {"id": project.id, "key": project.key},
        "api_key": made.api_key,
    });
    if let Some(password) = &made.password {
        json["owner"]["password"] = json!(password);
    }
    context.output.result(&json, || {
        let password = match &made.password {
            Some(password) => format!("password      {password}   (shown once)\n"),
            None => String::new(),
        };
        format!(
            "organization  {} ({})\nowner         {} ({})\n{password}\
             project       {}\nproject key   {}   (public)\n\
             API key       {}   (shown once)\n",
            organization.id,
            organization.name,
            owner.email,
            owner.id,
            project.id,
            project.key,
            made.api_key
        )
    });
}

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Make an API key; it is shown once
    Create {
        /// Organization it is for
        #[arg(long)]
        organization: i64,
        /// What it is for
        #[arg(long)]
        name: String,
        /// Scopes such as metrics.write; everything when absent
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<String>,
        /// Project it is for; every project when absent
        #[arg(long)]
        project: Option<String>,
        /// When it stops working, as 2027-01-01T00:00:00Z
        #[arg(long)]
        expires_at: Option<jiff::Timestamp>,
    },
    /// List the keys of an organization
    List {
        /// Whose keys
        #[arg(long)]
        organization: i64,
    },
    /// Revoke a key
    Revoke {
        /// Organization it is of
        #[arg(long)]
        organization: i64,
        /// Id of the key, key_…
        id: String,
    },
}

impl Key {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let client = Client::connect(context).await?;
        let service = |organization| {
            ApiKeyServiceClient::new(client.targeted(Target {
                organization: Some(organization),
                project: None,
            }))
        };
        match self {
            Self::Create {
                organization,
                name,
                scopes,
                project,
                expires_at,
            } => {
                let request = pb::CreateApiKeyRequest {
                    name,
                    scopes,
                    project_id: project,
                    expires_at: expires_at
                        .map(|at| crate::products::timestamp(at.as_microsecond())),
                };
                let made = service(organization)
                    .create_api_key(request)
                    .await?
                    .into_inner();
                let key = made.api_key.unwrap_or_default();
                let mut json = key_json(&key);
                json["key"] = json!(key.key());
                context.output.result(&json, || {
                    format!("id   {}\nkey  {}   (shown once)\n", key.id, key.key())
                });
            }
            Self::List { organization } => {
                let request = pb::ListApiKeysRequest {};
                let all = service(organization)
                    .list_api_keys(request)
                    .await?
                    .into_inner();
                let json: Value = all.api_keys.iter().map(key_json).collect();
                let row = |key: &pb::ApiKey| {
                    vec![
                        key.id.clone(),
                        key.prefix.clone(),
                        key.name.clone(),
                        key.scopes.join(","),
                        time(key.last_used_at.as_ref()).unwrap_or_else(|| "never".to_owned()),
                    ]
                };
                let rows: Vec<_> = all.api_keys.iter().map(row).collect();
                let headings = ["ID", "PREFIX", "NAME", "SCOPES", "LAST USED"];
                context.output.result(&json, || table(&headings, &rows));
            }
            Self::Revoke { organization, id } => {
                let request = pb::DeleteApiKeyRequest { id: id.clone() };
                service(organization).delete_api_key(request).await?;
                let json = json!({"id": id, "revoked": true});
                context.output.result(&json, || format!("revoked {id}"));
            }
        }
        client.finish().await
    }
}

fn key_json(key: &pb::ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "project_id": key.project_id,
        "user_id": key.user_id,
        "created_at": time(key.created_at.as_ref()),
        "expires_at": time(key.expires_at.as_ref()),
        "last_used_at": time(key.last_used_at.as_ref()),
    })
}

#[derive(Debug, Subcommand)]
pub(super) enum Project {
    /// Create a project with a public key
    Create {
        /// Organization it is for
        #[arg(long)]
        organization: i64,
        /// Its name
        #[arg(long)]
        name: String,
        /// IANA time zone of its days
        #[arg(long, default_value = "UTC")]
        timezone: String,
    },
    /// List the projects of an organization
    List {
        /// Whose projects
        #[arg(long)]
        organization: i64,
    },
    /// Give a project a new public key; pages with the old one are refused
    RotateKey {
        /// Organization it is of
        #[arg(long)]
        organization: i64,
        /// Id of the project, prj_…
        id: String,
    },
    /// Delete a project; its keys stop working, its data is kept
    Delete {
        /// Organization it is of
        #[arg(long)]
        organization: i64,
        /// Id of the project, prj_…
        id: String,
    },
}

impl Project {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let client = Client::connect(context).await?;
        let service = |organization| {
            ProjectServiceClient::new(client.targeted(Target {
                organization: Some(organization),
                project: None,
            }))
        };
        let show = |projects: Vec<pb::Project>, single: bool| {
            let all: Vec<Value> = projects.iter().map(project_json).collect();
            let json = match (single, all.first()) {
                (true, Some(one)) => one.clone(),
                _ => Value::Array(all),
            };
            let row = |own: &pb::Project| {
                vec![
                    own.id.clone(),
                    own.key.clone(),
                    own.timezone.clone(),
                    own.name.clone(),
                ]
            };
            let rows: Vec<_> = projects.iter().map(row).collect();
            context
                .output
                .result(&json, || table(&["ID", "KEY", "TIME ZONE", "NAME"], &rows));
        };
        match self {
            Self::Create {
                organization,
                name,
                timezone,
            } => {
                let request = pb::CreateProjectRequest {
                    name,
                    timezone,
                    ..Default::default()
                };
                let made = service(organization)
                    .create_project(request)
                    .await?
                    .into_inner();
                show(made.project.into_iter().collect(), true);
            }
            Self::List { organization } => {
                let request = pb::ListProjectsRequest {};
                let all = service(organization)
                    .list_projects(request)
                    .await?
                    .into_inner();
                show(all.projects, false);
            }
            Self::RotateKey { organization, id } => {
                let request = pb::RotateProjectKeyRequest { id };
                let made = service(organization)
                    .rotate_project_key(request)
                    .await?
                    .into_inner();
                show(made.project.into_iter().collect(), true);
            }
            Self::Delete { organization, id } => {
                let request = pb::DeleteProjectRequest { id: id.clone() };
                service(organization).delete_project(request).await?;
                let json = json!({"id": id, "deleted": true});
                context.output.result(&json, || format!("deleted {id}"));
            }
        }
        client.finish().await
    }
}

fn project_json(project: &pb::Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "key": project.key,
        "timezone": project.timezone,
        "allowed_origins": project.allowed_origins,
    })
}

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user to an organization, and make the user if there is none
    Add {
        /// Organization to add to
        #[arg(long)]
        organization: i64,
        /// E-mail of the user
        #[arg(long)]
        email: String,
        /// What the user may do
        #[arg(long, value_enum, default_value = "member")]
        role: RoleName,
        /// Read the password of a new user from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all users
    List,
    /// Set a user's password and end the user's sessions
    SetPassword {
        /// E-mail of the user
        email: String,
        /// Read the password from standard input; generated otherwise
        #[arg(long)]
        password_stdin: bool,
    },
    /// Shut a user out
    Disable {
        /// E-mail of the user
        email: String,
    },
    /// Let a user in again
    Enable {
        /// E-mail of the user
        email: String,
    },
}

impl User {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let client = Client::connect(context).await?;
        let mut operator = OperatorServiceClient::new(client.channel());
        match self {
            Self::Add {
                organization,
                email,
                role,
                password_stdin,
            } => {
                let password = if password_stdin {
                    password()?
                } else {
                    String::new()
                };
                let request = pb::AddMemberRequest {
                    organization_id: organization,
                    email,
                    role: role.into(),
                    name: String::new(),
                    password,
                };
                let mut service = OrganizationServiceClient::new(client.channel());
                let member = service.add_member(request).await?.into_inner().member;
                let member = member.unwrap_or_default();
                let mut json = json!({"id": member.user_id, "email": member.email});
                if let Some(password) = &member.password {
                    json["password"] = json!(password);
                }
                context.output.result(&json, || match &member.password {
                    Some(password) => format!(
                        "added {} ({})\npassword  {password}   (shown once)",
                        member.email, member.user_id
                    ),
                    None => format!("added {} ({})", member.email, member.user_id),
                });
            }
            Self::List => {
                let all = operator
                    .list_users(pb::ListUsersRequest {})
                    .await?
                    .into_inner()
                    .users;
                let json: Value = all.iter().map(user_json).collect();
                let row = |user: &pb::User| {
                    let state = if user.disabled { "disabled" } else { "" };
                    vec![
                        user.id.to_string(),
                        user.email.clone(),
                        user.name.clone(),
                        state.to_owned(),
                    ]
                };
                let rows: Vec<_> = all.iter().map(row).collect();
                context
                    .output
                    .result(&json, || table(&["ID", "E-MAIL", "NAME", ""], &rows));
            }
            Self::SetPassword {
                email,
                password_stdin,
            } => {
                let password = if password_stdin {
                    password()?
                } else {
                    String::new()
                };
                let request = pb::SetPasswordRequest {
                    email: email.clone(),
                    password,
                };
                let made = operator.set_password(request).await?.into_inner();
                let mut json = json!({"email": email});
                if let Some(password) = &made.password {
                    json["password"] = json!(password);
                }
                context.output.result(&json, || match &made.password {
                    Some(password) => format!("password  {password}   (shown once)"),
                    None => format!("the password of {email} is set"),
                });
            }
            Self::Disable { email } => disable(context, &mut operator, email, true).await?,
            Self::Enable { email } => disable(context, &mut operator, email, false).await?,
        }
        client.finish().await
    }
}

async fn disable(
    context: &Context,
    operator: &mut OperatorServiceClient<tonic::transport::Channel>,
    email: String,
    disabled: bool,
) -> Outcome {
    let request = pb::SetUserDisabledRequest { email, disabled };
    let user = operator
        .set_user_disabled(request)
        .await?
        .into_inner()
        .user
        .unwrap_or_default();
    let verb = if disabled { "shut out" } else { "let in" };
    context
        .output
        .result(&user_json(&user), || format!("{verb} {}", user.email));
    Ok(())
}

fn user_json(user: &pb::User) -> Value {
    json!({"id": user.id, "email": user.email, "name": user.name, "disabled": user.disabled})
}

fn plan_word(plan: i32) -> String {
    let name = pb::Plan::try_from(plan).unwrap_or_default().as_str_name();
    name.trim_start_matches("PLAN_").to_lowercase()
}

fn time(at: Option<&prost_types::Timestamp>) -> Option<String> {
    let at = jiff::Timestamp::new(at?.seconds, at?.nanos).ok()?;
    Some(at.to_string())
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
