//! Asks the server what it has, in every way it can be asked.

use std::collections::{BTreeMap, BTreeSet};

use apex::api::apex::metrics::v1 as pb;
use serde_json::Value;

use super::super::stored;
use super::Fleet;
use super::record::BATCH;
use crate::support::Http;

/// Compares everything that is found with the history.
pub async fn all(fleet: &Fleet) {
    let mut found = events(fleet).await;
    let data = loop {
        let data = analytics(fleet).await;
        let again = events(fleet).await;
        // PostgreSQL may still commit what the dead process had sent it.
        if again.len() == found.len() {
            break data;
        }
        found = again;
    };
    adds_up(&data, &found);
    let ids: Vec<String> = found.iter().map(number).collect();
    fleet.events.check(ids.iter().map(String::as_str));
    batches_are_whole(&ids);
    records(fleet).await;
}

async fn events(fleet: &Fleet) -> Vec<pb::StoredEvent> {
    stored::events(&fleet.address.url(), &fleet.metrics.key).await
}

fn number(event: &pb::StoredEvent) -> String {
    let metadata: Value = serde_json::from_str(&event.metadata).unwrap();
    metadata["n"].as_str().unwrap().to_owned()
}

/// A batch is stored in one commit, also one that nobody heard of again.
fn batches_are_whole(ids: &[String]) {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (batch, _) in ids.iter().filter_map(|id| id.split_once('/')) {
        *sizes.entry(batch).or_default() += 1;
    }
    let broken: Vec<_> = sizes.iter().filter(|(_, size)| **size != BATCH).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

async fn analytics(fleet: &Fleet) -> Value {
    let http = Http::new(&fleet.address.url()).bearer(&fleet.metrics.key);
    let metrics = "page_views,unique_visitors,events,revenue";
    let period = "start_date=2024-01-01&end_date=2024-12-31";
    let path = format!("/api/v1/analytics?{period}&metrics={metrics}");
    http.get(&path).await.expect(200)["data"].clone()
}

/// Rollups and what is not folded yet add up to the events themselves.
fn adds_up(data: &Value, found: &[pb::StoredEvent]) {
    let views = found
        .iter()
        .filter(|event| event.event_name == "page_view")
        .count();
    let visitors: BTreeSet<_> = found.iter().map(|event| &event.visitor_id).collect();
    let purchases = found.iter().filter(|event| event.price.is_some()).count();
    assert_eq!(data["page_views"], views);
    assert_eq!(data["events"], found.len() - views);
    assert_eq!(data["unique_visitors"], visitors.len());
    if purchases > 0 {
        let revenue = &data["revenue"][0];
        assert_eq!(revenue["purchases"], purchases);
        assert_eq!(revenue["units"], 2 * purchases);
        assert_eq!(revenue["amount"], format!("{}.00", 5 * purchases));
    }
}

async fn records(fleet: &Fleet) {
    let http = Http::new(&fleet.address.url()).bearer(&fleet.account.key);
    let mut names = Vec::new();
    for path in ["/api/projects", "/api/api-keys"] {
        let listed = http.get(path).await.expect(200);
        let own = listed.as_array().unwrap().iter();
        names.extend(own.map(|record| record["name"].as_str().unwrap().to_owned()));
    }
    // What every organization begins with is nobody's record.
    names.retain(|name| name.contains("-plain-") || name.contains("-keyed-"));
    fleet.records.check(names.iter().map(String::as_str));
}
