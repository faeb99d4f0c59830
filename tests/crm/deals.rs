//! Pipelines, deals and what is sold by them.

use serde_json::{Value, json};

use super::{client, make, put};
use crate::support::Http;

async fn stages(http: &Http, pipeline: &Value) -> Vec<Value> {
    let path = format!(
        "/pipeline-stages?pipeline_id={}&$sort[position]=1",
        pipeline["id"]
    );
    http.get(&path).await.json()["data"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_deal_as_it_is_documented() {
    let (_server, http, own) = client();
    let pipeline = make(&http, "/pipelines", json!({"name": "Sales"})).await;
    let first = stages(&http, &pipeline).await;
    let named: Vec<_> = first
        .iter()
        .map(|stage| stage["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["Qualification", "Proposal", "Negotiation"]);
    let company = make(&http, "/companies", json!({"name": "Acme"})).await;
    let user = company["created_by_user_id"].clone();
    let contact = json!({"first_name": "Jane", "last_name": "Doe", "email": "jane@example.com", "company_id": company["id"]});
    let contact = make(&http, "/contacts", contact).await;
    let body = json!({
        "name": "Website", "amount": 25000, "pipeline_id": pipeline["id"],
        "contact_id": contact["id"], "company_id": company["id"], "owned_by_user_id": user,
        "expected_close_date": "2030-01-31T12:00:00.000Z", "organization_id": own.id,
    });
    let deal = make(&http, "/deals", body).await;
    assert_eq!(deal["amount"], "25000.00");
    assert_eq!([&deal["currency"], &deal["status"]], ["USD", "open"]);
    assert_eq!(deal["pipeline_stage_id"], first[0]["id"]);
    assert_eq!(deal["expected_close_date"], "2030-01-31T12:00:00.000Z");
    assert_eq!(
        deal["pipelineStage"],
        json!({"id": first[0]["id"], "name": "Qualification", "pipeline_id": pipeline["id"]})
    );
    assert_eq!(
        deal["pipeline"],
        json!({"id": pipeline["id"], "name": "Sales"})
    );
    assert_eq!(
        deal["company"],
        json!({"id": company["id"], "name": "Acme", "organization_id": own.id, "created_by_user_id": user, "owned_by_user_id": null})
    );
    assert_eq!(
        deal["contact"],
        json!({"id": contact["id"], "first_name": "Jane", "last_name": "Doe", "email": "jane@example.com", "phone": null, "phone_country_code": null, "company_id": company["id"], "avatar_url": null})
    );
    assert_eq!(deal["owner"]["email"], json!(own.email));
    assert_eq!(deal["dealProducts"], json!([]));
    let product = make(
        &http,
        "/products",
        json!({"name": "Design", "price": 999.99, "sku": "D-1"}),
    )
    .await;
    let line = json!({
        "deal_id": deal["id"], "organization_id": own.id, "product_id": product["id"],
        "quantity": 2, "price": 10000, "discount_type": "percentage",
        "discount_percentage": 10, "tax_percentage": 7,
    });
    let line = make(&http, "/deal-products", line).await;
    for (name, value) in [
        ("quantity", "2"),
        ("price", "10000.00"),
        ("discount_percentage", "10"),
        ("tax_percentage", "7"),
        ("total_amount_without_tax", "18000.00"),
        ("total_amount_with_tax", "19260.00"),
        ("name", "Design"),
        ("sku", "D-1"),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    let listed = http.get("/deals").await.json()["data"][0].clone();
    let shown = &listed["dealProducts"][0];
    assert_eq!(shown["total_amount_with_tax"], "19260.00");
    assert!(shown.get("deal_id").is_none() && shown.get("created_at").is_none());
    assert_eq!(listed["amount"], "25000.00");
    let path = format!("/deal-products/{}", line["id"]);
    let fewer = http
        .patch(&path, &json!({"quantity": "1.5", "discount_type": "none"}))
        .await;
    assert_eq!(fewer.expect(200)["total_amount_with_tax"], "16050.00");
    for amount in ["25000", "25000.00"] {
        let page = http.get(&format!("/deals?amount={amount}")).await.json();
        assert_eq!(page["total"], 1);
    }
    assert_eq!(
        http.get("/deals?amount[$gt]=25000").await.json()["total"],
        0
    );
    let only = http
        .get("/deals?$select[]=name&$select[]=pipeline")
        .await
        .json();
    let only_pipeline =
        json!([{"id": deal["id"], "name": "Website", "pipeline": deal["pipeline"]}]);
    assert_eq!(only["data"], only_pipeline);
}

#[tokio::test]
async fn won_and_lost() {
    let (_server, http, _own) = client();
    let pipeline = make(&http, "/pipelines", json!({"name": "Sales"})).await;
    let body = json!({"name": "D", "pipeline_id": pipeline["id"]});
    let deal = make(&http, "/deals", body).await;
    let path = format!("/deals/{}", deal["id"]);
    let set = async |status: &str| {
        http.patch(&path, &json!({"status": status}))
            .await
            .expect(200)
    };
    let won = set("won").await;
    assert!(won["won_date"].is_string() && won["lost_date"].is_null());
    assert_eq!(
        set("won").await["won_date"],
        won["won_date"],
        "stamped once"
    );
    let lost = set("lost").await;
    assert!(lost["won_date"].is_null() && lost["lost_date"].is_string());
    let open = set("open").await;
    assert!(open["won_date"].is_null() && open["lost_date"].is_null());
    for (body, words) in [
        (
            json!({"status": "maybe"}),
            "status must be one of open, won, lost",
        ),
        (
            json!({"won_date": "2024-01-01T00:00:00Z"}),
            "won_date cannot be set",
        ),
        (
            json!({"currency": "ZZZ"}),
            "currency must be a code of ISO 4217 such as USD",
        ),
        (
            json!({"amount": "1.234"}),
            "amount must have at most 2 decimals",
        ),
        (json!({"pipeline": {"id": 1}}), "pipeline cannot be set"),
    ] {
        assert_eq!(http.patch(&path, &body).await.expect(400)["message"], words);
    }
}

#[tokio::test]
async fn stages_and_pipelines_belong_together() {
    let (_server, http, _own) = client();
    let one = make(&http, "/pipelines", json!({"name": "One"})).await;
    let two = make(&http, "/pipelines", json!({"name": "Two"})).await;
    let (of_one, of_two) = (stages(&http, &one).await, stages(&http, &two).await);
    let missing = http.post("/deals", &json!({"name": "D"})).await.expect(400);
    assert_eq!(missing["message"], "pipeline_id is required");
    let mixed =
        json!({"name": "D", "pipeline_id": one["id"], "pipeline_stage_id": of_two[0]["id"]});
    let mixed = http.post("/deals", &mixed).await.expect(400);
    assert_eq!(
        mixed["message"],
        "pipeline_stage_id is no stage of the pipeline"
    );
    let deal = make(
        &http,
        "/deals",
        json!({"name": "D", "pipeline_stage_id": of_one[1]["id"]}),
    )
    .await;
    assert_eq!(deal["pipeline_id"], one["id"]);
    let path = format!("/deals/{}", deal["id"]);
    let moved = http
        .patch(&path, &json!({"pipeline_stage_id": of_two[2]["id"]}))
        .await
        .expect(200);
    assert_eq!(
        [&moved["pipeline_id"], &moved["pipelineStage"]["name"]],
        [&two["id"], &json!("Negotiation")]
    );
    let back = http
        .patch(&path, &json!({"pipeline_id": one["id"]}))
        .await
        .expect(200);
    assert_eq!(back["pipeline_stage_id"], of_one[0]["id"]);
    let replaced = put(
        &http,
        &path,
        &json!({"name": "E", "pipeline_id": two["id"]}),
    )
    .await
    .expect(200);
    assert_eq!(
        [&replaced["name"], &replaced["pipeline_stage_id"]],
        [&json!("E"), &of_two[0]["id"]]
    );
    let last = make(
        &http,
        "/pipeline-stages",
        json!({"name": "Last", "pipeline_id": one["id"]}),
    )
    .await;
    assert_eq!(last["position"], 3);
    let path = format!("/pipeline-stages/{}", last["id"]);
    let moved = http
        .patch(&path, &json!({"pipeline_id": two["id"]}))
        .await
        .expect(400);
    assert_eq!(moved["message"], "pipeline_id cannot be set");
}

#[tokio::test]
async fn all_products_of_deals_are_shown() {
    let (_server, http, _own) = client();
    make(&http, "/pipelines", json!({"name": "Sales"})).await;
    make(&http, "/products", json!({"name": "Box"})).await;
    let deals = vec![json!({"name": "D", "pipeline_id": 1}); 50];
    make(&http, "/deals", json!(deals)).await;
    let line = |deal: i64| json!({"deal_id": deal, "product_id": 1, "quantity": 1, "price": 1});
    let lines: Vec<Value> = (0..41).flat_map(|_| (1..=50).map(line)).collect();
    for some in lines.chunks(100) {
        make(&http, "/deal-products", json!(some)).await;
    }
    let page = http.get("/deals?$limit=50").await.expect(200);
    for deal in page["data"].as_array().unwrap() {
        assert_eq!(deal["dealProducts"].as_array().unwrap().len(), 41);
    }
    // There is an end to it.
    for _ in 0..4 {
        make(&http, "/deal-products", json!(vec![line(1); 100])).await;
    }
    let much = json!(vec![line(1); 60]);
    let said = http.post("/deal-products", &much).await.expect(400);
    assert_eq!(said["message"], "A deal has at most 500 products");
    make(&http, "/deal-products", json!(vec![line(1); 59])).await;
}

#[tokio::test]
async fn deals_stand_in_pipelines_of_deals() {
    let (_server, http, _own) = client();
    let sales = make(&http, "/pipelines", json!({"name": "Sales"})).await;
    let care = json!({"name": "Care", "type": "conversation"});
    let care = make(&http, "/pipelines", care).await;
    let stage = stages(&http, &care).await[0]["id"].clone();
    let deal = json!({"name": "D", "pipeline_id": sales["id"]});
    let deal = make(&http, "/deals", deal).await;
    let one = format!("/deals/{}", deal["id"]);
    let words = "pipeline_id is no pipeline of deals";
    for place in [
        json!({"pipeline_id": care["id"]}),
        json!({"pipeline_stage_id": stage}),
    ] {
        let said = http.patch(&one, &place).await.expect(400);
        assert_eq!(said["message"], words);
        let mut new = json!({"name": "E"});
        new.as_object_mut()
            .unwrap()
            .extend(place.as_object().unwrap().clone());
        let said = http.post("/deals", &new).await.expect(400);
        assert_eq!(said["message"], words);
    }
    assert_eq!(http.get(&one).await.expect(200), deal);
    // Nor does a pipeline turn into one of something else.
    let path = format!("/pipelines/{}", sales["id"]);
    let turned = http.patch(&path, &json!({"type": "conversation"})).await;
    assert_eq!(turned.expect(400)["message"], "type cannot be set");
    http.patch(&path, &json!({"type": "deal", "name": "S"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn products_and_categories() {
    let (_server, http, _own) = client();
    for name in ["Hardware", "Software", "Services"] {
        make(&http, "/product-categories", json!({"name": name})).await;
    }
    let page = http.get("/product-categories?name=ware").await.json();
    assert_eq!(page["total"], 2, "names match in part");
    let category = &page["data"][1]["id"];
    let product = json!({"name": "Box", "price": "999.99", "product_category_id": category, "type": "service", "stock_quantity": 3});
    let product = make(&http, "/products", product).await;
    assert_eq!(product["price"], json!(999.99));
    assert_eq!(
        [&product["status"], &product["type"]],
        ["active", "service"]
    );
    assert_eq!(product["is_variant"], false);
    let variant = make(
        &http,
        "/products",
        json!({"name": "Big box", "parent_id": product["id"]}),
    )
    .await;
    assert_eq!(variant["is_variant"], true);
    assert_eq!(variant["stock_quantity"], Value::Null);
    for (query, total) in [
        ("price[$gte]=999.99", 1),
        ("is_variant=true", 1),
        ("stock_quantity=", 1),
        ("searchTerm=box", 2),
    ] {
        let page = http.get(&format!("/products?{query}")).await.expect(200);
        assert_eq!(page["total"], total, "{query}");
    }
}
