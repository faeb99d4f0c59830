//! A month of visits to a shop that does not exist.

use serde_json::{Value, json};

use crate::api::apex::growth::v1::EventItem;
use crate::clock::{DAY, MICROS};
use crate::products::timestamp;

/// Days of visits.
const DAYS: i64 = 30;
/// Visits per day.
const VISITS: u64 = 60;
/// Everybody who visits.
const VISITORS: u64 = 900;

const PAGES: [&str; 6] = [
    "/",
    "/pricing",
    "/features",
    "/docs/start",
    "/blog/launch",
    "/signup",
];
/// The page that an experiment changes.
pub(super) const TESTED: &str = "/pricing";
/// Where visits come from: what the address says of it, and the page before.
const FROM: [(&str, &str); 6] = [
    ("", ""),
    ("", "https://www.google.com/"),
    ("", "https://news.ycombinator.com/"),
    (
        "?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=demo",
        "https://www.google.com/",
    ),
    (
        "?utm_source=newsletter&utm_medium=email&utm_campaign=launch",
        "",
    ),
    ("", ""),
];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
     Version/18.3 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/140.0.0.0 Safari/537.36",
];

/// Visits: pages, a sign-up, a purchase now and then. Half of the visitors see the other
/// variant of an experiment, and sign up more often.
pub(super) fn events(now: i64, experiment: &str) -> Vec<EventItem> {
    let mut dice = Dice(0x5eed);
    let mut events = Vec::new();
    for visit in 0..DAYS as u64 * VISITS {
        let number = dice.below(VISITORS);
        let day = (visit / VISITS) as i64;
        let mut time = now - (DAYS - day) * DAY + dice.below(86_400) as i64 * MICROS;
        let (variant, sign_ups) = match number % 2 {
            0 => ("control", 1),
            _ => ("variant_b", 3),
        };
        let (query, from) = FROM[dice.below(6) as usize];
        let (mut query, mut referrer) = (query, from.to_owned());
        for step in 0..=dice.below(4) {
            let path = PAGES[dice.below(6) as usize];
            let url = format!("https://shop.example.com{path}{query}");
            let event = |name: &str, after: i64, mut data: Value| {
                data["userAgent"] = json!(AGENTS[number as usize % AGENTS.len()]);
                EventItem {
                    r#type: name.to_owned(),
                    url: url.clone(),
                    timestamp: Some(timestamp((time + after * MICROS).min(now))),
                    data: data.to_string(),
                    visitor_id: format!("visitor-{number:04}"),
                    referrer: referrer.clone(),
                    ..EventItem::default()
                }
            };
            let seen = match path == TESTED {
                true => json!({"assignments": {experiment: variant}}),
                false => json!({}),
            };
            events.push(event("pageview", 0, seen));
            if path == "/signup" && dice.below(5) < sign_ups {
                let traits = json!({"plan": "team"});
                events.push(event("signup", 20, traits.clone()));
                let email = format!("customer-{number}@example.com");
                events.push(event(
                    "identify",
                    21,
                    json!({"email": email, "traits": traits}),
                ));
            }
            if step == 3 && dice.below(2) == 0 {
                let currency = if dice.below(4) == 0 { "EUR" } else { "USD" };
                let order = json!({
                    "order_id": format!("order-{visit}"), "value": 10 + dice.below(90),
                    "currency": currency, "product_name": "Starter kit",
                });
                events.push(event("purchase", 40, order));
            }
            referrer.clone_from(&url);
            query = "";
            time += (5 + dice.below(120) as i64) * MICROS;
        }
    }
    events.sort_by_key(|event| event.timestamp.map(|at| (at.seconds, at.nanos)));
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
