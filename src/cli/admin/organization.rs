//! `apex organization`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::password;
use crate::api::apex::account::v1 as pb;
use crate::cli::client::Client;
use crate::cli::output::table;
use crate::cli::{Context, Outcome};
use pb::operator_service_client::OperatorServiceClient;
use pb::organization_service_client::OrganizationServiceClient;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PlanName {
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

#[derive(Debug, Subcommand)]
pub(crate) enum Organization {
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
    /// Put an organization on another plan, such as one whose trial is over
    Plan {
        /// Id of the organization
        id: i64,
        /// The plan
        #[arg(value_enum)]
        plan: PlanName,
    },
}

impl Organization {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
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
            Self::Plan { id, plan } => {
                let mut service = OrganizationServiceClient::new(client.channel());
                let request = pb::UpdateOrganizationRequest {
                    id,
                    plan: plan.into(),
                    update_mask: Some(prost_types::FieldMask {
                        paths: vec!["plan".to_owned()],
                    }),
                    ..Default::default()
                };
                let own = service.update_organization(request).await?.into_inner();
                let own = own.organization.unwrap_or_default();
                let plan = plan_word(own.plan);
                let json = json!({"id": own.id, "name": own.name, "plan": plan});
                context.output.result(&json, || {
                    format!("{} ({}) is on {plan}\n", own.id, own.name)
                });
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
    if made.owner_existed {
        json["owner"]["existed"] = json!(true);
    }
    context.output.result(&json, || {
        let existed = match made.owner_existed {
            true => "   (existed already; the password stays)",
            false => "",
        };
        let password = match &made.password {
            Some(password) => format!("password      {password}   (shown once)\n"),
            None => String::new(),
        };
        format!(
            "organization  {} ({})\nowner         {} ({}){existed}\n{password}\
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

fn plan_word(plan: i32) -> String {
    let name = pb::Plan::try_from(plan).unwrap_or_default().as_str_name();
    name.trim_start_matches("PLAN_").to_lowercase()
}
