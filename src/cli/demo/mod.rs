//! `apex demo`: the server on made-up data.

mod traffic;

use clap::Args;

use super::client::{self, Target, Targeted};
use super::serve::{self, Server};
use super::{Context, Failure, Outcome, log};
use crate::api::apex::account::v1 as pb;
use crate::api::apex::growth::v1 as growth;
use crate::app::{self, App};
use growth::conversion_goal_service_client::ConversionGoalServiceClient;
use growth::event_service_client::EventServiceClient;
use growth::experiment_service_client::ExperimentServiceClient;
use growth::goal_service_client::GoalServiceClient;

/// Events sent at once.
const AT_ONCE: usize = 1000;
/// Password of the made-up owner; the data is thrown away.
const PASSWORD: &str = "demo-demo-demo";

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Address to listen on; port 0 picks a free one and prints it
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

impl Demo {
    pub(super) async fn run(self, mut context: Context) -> Outcome {
        let throw_away = tempfile::tempdir()?;
        let layers = context.layers.clone();
        let elsewhere = ["database_url", "redis_url"];
        if let Some(name) = elsewhere.iter().find(|name| layers.is_given(name)) {
            return Err(Failure::Usage(format!(
                "the demo has an embedded database of its own: leave {name} out"
            )));
        }
        let mut layers = layers.flag("listen", self.listen.as_deref())?;
        if !layers.is_given("data_dir") {
            let path = throw_away.path().display().to_string();
            layers = layers.flag("data_dir", Some(&path))?;
        }
        context.config = layers.build()?;
        let _log = log::start(&context.config)?;
        let tls = app::tls(&context.config)?;
        let app = serve::open(&context.config).await?;
        let server = Server::bind(&context.config, tls).await?;
        if !app.shared.directory.snapshot().organizations.is_empty() {
            return Err(Failure::Failed(format!(
                "{} holds data already: `apex serve` serves it",
                context.config.data_dir.display()
            )));
        }
        let seeded = seed(&app, &context).await?;
        context.output.line(&server.greeting(&app));
        context.output.line(&lines(&server.url, &seeded));
        server.run(&app).await
    }
}

/// What was made.
struct Seeded {
    organization: pb::ProvisionOrganizationResponse,
    /// Id of the experiment.
    experiment: String,
}

/// Makes an organization, what it measures, and a month of traffic.
async fn seed(app: &App, context: &Context) -> Outcome<Seeded> {
    let organization = provision(app).await?;
    let target = Target {
        organization: None,
        project: organization.project.clone().map(|project| project.id),
    };
    let channel = client::within(app, target).await?;
    define(&channel).await?;
    let experiment = run_experiment(&channel).await?;
    let now = app.shared.directory.clock().micros();
    let events = traffic::events(now, &experiment);
    let steps = events.chunks(AT_ONCE).zip(1..);
    let steps: Vec<_> = steps
        .map(|(events, position)| growth::StreamEventsRequest {
            stream: String::new(),
            position,
            events: events.to_vec(),
        })
        .collect();
    let mut service = EventServiceClient::new(channel);
    let sent = service.stream_events(tokio_stream::iter(steps)).await?;
    let mut answers = sent.into_inner();
    while answers.message().await?.is_some() {}
    context.output.note("made up a month of events");
    Ok(Seeded {
        organization,
        experiment,
    })
}

/// Defines what the shop wants to reach, and what counts.
async fn define(channel: &Targeted) -> Outcome {
    let mut conversions = ConversionGoalServiceClient::new(channel.clone());
    for (name, event, is_primary) in [
        ("Signed up", "signup", true),
        ("Bought something", "purchase", false),
    ] {
        let goal = growth::CreateConversionGoalRequest {
            name: name.to_owned(),
            r#type: growth::ConversionGoalType::CustomEvent.into(),
            event_name: event.to_owned(),
            is_primary,
            ..Default::default()
        };
        conversions.create_conversion_goal(goal).await?;
    }
    let goal = growth::CreateGoalRequest {
        metric: "monthly_signups".to_owned(),
        target: Some(500.0),
        deadline: "2099-12-31".to_owned(),
        unit: "users".to_owned(),
        ..Default::default()
    };
    GoalServiceClient::new(channel.clone())
        .create_goal(goal)
        .await?;
    Ok(())
}

/// Starts an experiment; answers its id.
async fn run_experiment(channel: &Targeted) -> Outcome<String> {
    let variant = |name: &str, changes| growth::Variant {
        name: name.to_owned(),
        changes,
        ..Default::default()
    };
    let text = growth::Change {
        r#type: "text".to_owned(),
        selector: Some("h1".to_owned()),
        value: Some("Start in five minutes".to_owned()),
        ..Default::default()
    };
    let new = growth::CreateExperimentRequest {
        name: "Headline of the prices".to_owned(),
        target_url: traffic::TESTED.to_owned(),
        variants: vec![
            variant("Control", vec![]),
            variant("Five minutes", vec![text]),
        ],
        goal: Some(growth::ExperimentGoal {
            r#type: "custom_event".to_owned(),
            event_name: Some("signup".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut service = ExperimentServiceClient::new(channel.clone());
    let made = service.create_experiment(new).await?.into_inner();
    let id = made.experiment.unwrap_or_default().id;
    let run = growth::UpdateExperimentRequest {
        id: id.clone(),
        status: "running".to_owned(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["status".to_owned()],
        }),
        ..Default::default()
    };
    service.update_experiment(run).await?;
    Ok(id)
}

async fn provision(app: &App) -> Outcome<pb::ProvisionOrganizationResponse> {
    let request = pb::ProvisionOrganizationRequest {
        name: "Demo".to_owned(),
        email: "demo@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        plan: pb::Plan::Scale.into(),
    };
    Ok(app.account.provision(request).await?)
}

fn lines(url: &str, seeded: &Seeded) -> String {
    let (made, experiment) = (&seeded.organization, &seeded.experiment);
    let key = &made.api_key;
    let project = made.project.clone().unwrap_or_default().key;
    // Over TLS the protocol is agreed on by ALPN; without it, it must be known.
    let plain = if url.starts_with("http://") {
        " --http2-prior-knowledge"
    } else {
        ""
    };
    format!(
        r#"
sign-in      demo@example.com  {PASSWORD}
API key      {key}
project key  {project}

  curl {url}/api/v1/events -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{"event_name": "user_signup", "metadata": {{"plan": "premium"}}, "visitor_id": "v1"}}'
  curl {url}/api/v1/events/purchase -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{"price": 2999, "currency": "USD", "quantity": 1}}'
  curl '{url}/api/v1/analytics?metrics=page_views,unique_visitors,events' -H 'Authorization: Bearer {key}'
  curl '{url}/api/v1/analytics?interval=week&group_by=path&metrics=page_views,revenue' -H 'Authorization: Bearer {key}'
  curl {url}/api/analytics/summary -H 'x-api-key: {key}'
  curl '{url}/api/experiments/results?id={experiment}' -H 'x-api-key: {key}'
  curl {url}/api/events -H 'Content-Type: application/json' -d '{{"projectKey": "{project}", "type": "pageview", "visitorId": "v1", "url": "https://shop.example.com/pricing"}}'
  curl {url}/api/me -H 'x-api-key: {key}'
  buf curl --protocol grpc{plain} -H 'authorization: Bearer {key}' -d '{{"event_name": "from_grpc"}}' {url}/apex.metrics.v1.MetricsService/SendEvent
  buf curl --protocol grpc{plain} -H 'authorization: Bearer {key}' -d '{{}}' {url}/apex.metrics.v1.MetricsService/GetAnalytics

tag for pages <script src="{url}/api/apex-js?key={project}"></script>
API reference {url}/docs   OpenAPI {url}/openapi.json
"#
    )
}
