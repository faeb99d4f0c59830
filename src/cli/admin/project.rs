//! `apex project`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Of;
use crate::api::apex::account::v1 as pb;
use crate::cli::client::{Client, Target};
use crate::cli::output::table;
use crate::cli::{Context, Outcome};
use pb::project_service_client::ProjectServiceClient;

/// What changes with the second project.
const SEVERAL: &str = "There are several projects now: a call by a key that was made for none must \
                       name one with X-Project, or is refused. `apex key create --project` makes \
                       a key for one.";

#[derive(Debug, Subcommand)]
pub(crate) enum Project {
    /// Create a project with a public key
    Create {
        #[command(flatten)]
        of: Of,
        /// Its name
        #[arg(long)]
        name: String,
        /// IANA time zone of its days
        #[arg(long, default_value = "UTC")]
        timezone: String,
    },
    /// List the projects of an organization
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Give a project a new public key; pages with the old one are refused
    RotateKey {
        /// Organization it is of; the id alone is enough
        #[arg(long, value_name = "ID")]
        organization: Option<i64>,
        /// Id of the project, prj_…
        id: String,
    },
    /// Delete a project; its keys stop working, its data is kept
    Delete {
        /// Organization it is of; the id alone is enough
        #[arg(long, value_name = "ID")]
        organization: Option<i64>,
        /// Id of the project, prj_…
        id: String,
    },
}

impl Project {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let client = Client::connect(context).await?;
        let service = |organization| {
            ProjectServiceClient::new(client.targeted(Target {
                organization,
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
            Self::Create { of, name, timezone } => {
                let request = pb::CreateProjectRequest {
                    name,
                    timezone,
                    ..Default::default()
                };
                let mut service = service(Some(of.choose(&client).await?));
                let made = service.create_project(request).await?.into_inner();
                show(made.project.into_iter().collect(), true);
                let all = service.list_projects(pb::ListProjectsRequest {}).await?;
                if all.into_inner().projects.len() == 2 {
                    context.output.note(SEVERAL);
                }
            }
            Self::List { of } => {
                let request = pb::ListProjectsRequest {};
                let all = service(Some(of.choose(&client).await?))
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
