//! Records that are made while what they name is merged away: each goes along, or is not
//! made.

use futures_util::future::{join, join_all};
use serde_json::json;

use super::{client, make};

#[tokio::test]
async fn nothing_is_left_with_what_was_merged_away() {
    let (_server, http, _own) = client();
    make(&http, "/pipelines", json!({"name": "Sales"})).await;
    let merge = http.with("x-service-method", "merge");
    for _ in 0..8 {
        let both = json!([{"first_name": "Ada"}, {"first_name": "Augusta"}]);
        let both = make(&http, "/contacts", both).await;
        let (to, from) = (&both[0]["id"], &both[1]["id"]);
        let deal = json!({"name": "D", "pipeline_id": 1, "contact_id": from});
        let deals = join_all((0..8).map(|_| http.post("/deals", &deal)));
        let body = json!({"target_id": to, "source_ids": [from]});
        let (made, merged) = join(deals, merge.post("/contacts", &body)).await;
        merged.expect(200);
        let made = made.iter().filter(|answer| match answer.status {
            201 => true,
            404 => false,
            other => panic!("{other}: {}", answer.text),
        });
        let made = made.count();
        let total = async |id| {
            let page = http.get(&format!("/deals?contact_id={id}")).await;
            page.expect(200)["total"].clone()
        };
        assert_eq!(total(from).await, 0);
        assert_eq!(total(to).await, made);
    }
}
