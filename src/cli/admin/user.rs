//! `apex user`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Of, PAGE, password};
use crate::api::apex::account::v1 as pb;
use crate::cli::client::Client;
use crate::cli::output::table;
use crate::cli::{Context, Outcome};
use pb::operator_service_client::OperatorServiceClient;
use pb::organization_service_client::OrganizationServiceClient;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
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
pub(crate) enum User {
    /// Add a user to an organization, and make the user if there is none
    Add {
        #[command(flatten)]
        of: Of,
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
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let client = Client::connect(context).await?;
        let mut operator = OperatorServiceClient::new(client.channel());
        match self {
            Self::Add {
                of,
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
                    organization_id: of.choose(&client).await?,
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
                let mut all: Vec<pb::User> = Vec::new();
                let mut full = true;
                while full {
                    let request = pb::ListUsersRequest {
                        after: all.last().map_or(0, |user| user.id),
                        limit: Some(PAGE),
                    };
                    let some = operator.list_users(request).await?.into_inner().users;
                    full = some.len() == PAGE as usize;
                    all.extend(some);
                }
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
