//! `apex demo`: the server on made-up data.

use clap::Args;

use super::serve::{self, Server};
use super::{Context, Failure, Outcome, log};
use crate::api::apex::account::v1 as pb;
use crate::app::{self, App};
use crate::clock::{DAY, MICROS};
use crate::events::{Audience, Money, NewEvent, Page, Visitor};

/// Days of made-up traffic.
const DAYS: i64 = 30;
/// Visits per day.
const VISITS: u64 = 60;
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
        context.output.line(&server.greeting(&app, &context.config));
        context.output.line(&lines(&server.url, &seeded));
        server.run(&app).await
    }
}

/// Makes an organization and a month of traffic.
async fn seed(app: &App, context: &Context) -> Outcome<pb::ProvisionOrganizationResponse> {
    let made = provision(app).await?;
    let project = made.project.clone().unwrap_or_default();
    let project = app.shared.directory.snapshot().find_project(&project.id);
    if let Some(project) = project {
        let now = app.shared.directory.clock().micros();
        app.events.append(traffic(project, now)).await?;
    }
    context.output.note("made up a month of events");
    Ok(made)
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

/// A month of visits: pages, a search, a sign-up, a purchase now and then.
fn traffic(project: crate::auth::ProjectId, now: i64) -> Vec<NewEvent> {
    const PAGES: [&str; 6] = [
        "/",
        "/pricing",
        "/features",
        "/docs/start",
        "/blog/launch",
        "/signup",
    ];
    const FROM: [&str; 4] = [
        "",
        "https://www.google.com/",
        "https://news.ycombinator.com/",
        "",
    ];
    let mut dice = Dice(0x5eed);
    let mut events = Vec::new();
    for visit in 0..DAYS as u64 * VISITS {
        let visitor = Visitor::Known(format!("visitor-{:04}", dice.below(900)));
        let day = (visit / VISITS) as i64;
        let mut time = now - (DAYS - day) * DAY + dice.below(86_400) as i64 * MICROS;
        let mut referrer = FROM[dice.below(4) as usize].to_owned();
        for step in 0..=dice.below(4) {
            let path = PAGES[dice.below(6) as usize];
            let url = format!("https://shop.example.com{path}");
            let named = |name: &str, time: i64| NewEvent {
                project,
                time: time.min(now),
                name: name.to_owned(),
                visitor: visitor.clone(),
                client_id: None,
                audience: Audience::default(),
                page: Page::new(&url, &referrer),
                money: None,
                product: None,
                properties: Some(serde_json::json!({"url": url, "referrer": referrer}).to_string()),
                person: None,
                device: None,
                copy_of: None,
            };
            events.push(named("page_view", time));
            if path == "/signup" && dice.below(3) == 0 {
                events.push(named("user_signup", time + 20 * MICROS));
            }
            if step == 3 && dice.below(2) == 0 {
                let mut purchase = named("revenue:purchased", time + 40 * MICROS);
                let amount = (10 + dice.below(90) as i64) * MICROS;
                purchase.money = Some(Money {
                    currency: if dice.below(4) == 0 { "EUR" } else { "USD" }.to_owned(),
                    amount,
                    units: 1,
                });
                purchase.product = Some("Starter kit".to_owned());
                events.push(purchase);
            }
            referrer.clone_from(&url);
            time += (5 + dice.below(120) as i64) * MICROS;
        }
    }
    events.sort_by_key(|event| event.time);
    events
}

/// Numbers that look random and are the same every time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn lines(url: &str, seeded: &pb::ProvisionOrganizationResponse) -> String {
    let key = &seeded.api_key;
    let project = seeded.project.clone().unwrap_or_default();
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
project key  {}

  curl {url}/api/v1/events -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{"event_name": "user_signup", "metadata": {{"plan": "premium"}}, "visitor_id": "v1"}}'
  curl {url}/api/v1/events/purchase -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{"price": 2999, "currency": "USD", "quantity": 1}}'
  curl '{url}/api/v1/analytics?metrics=page_views,unique_visitors,events' -H 'Authorization: Bearer {key}'
  curl '{url}/api/v1/analytics?interval=week&group_by=path&metrics=page_views,revenue' -H 'Authorization: Bearer {key}'
  curl {url}/api/me -H 'x-api-key: {key}'
  buf curl --protocol grpc{plain} -H 'authorization: Bearer {key}' -d '{{"event_name": "from_grpc"}}' {url}/apex.metrics.v1.MetricsService/SendEvent
  buf curl --protocol grpc{plain} -H 'authorization: Bearer {key}' -d '{{}}' {url}/apex.metrics.v1.MetricsService/GetAnalytics

API reference {url}/docs   OpenAPI {url}/openapi.json
"#,
        project.key
    )
}
