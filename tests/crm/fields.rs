//! Custom fields and tags.

use serde_json::{Value, json};

use super::{client, make, names};

#[tokio::test]
async fn custom_fields_by_name() {
    let (_server, http, _own) = client();
    for field in [
        json!({"entity_type": "contact", "name": "Industry", "type": "text"}),
        json!({"entity_type": "contact", "name": "Age", "type": "number"}),
        json!({"entity_type": "contact", "name": "VIP", "type": "boolean"}),
        json!({"entity_type": "contact", "name": "Born", "type": "date"}),
        json!({"entity_type": "contact", "name": "Size", "type": "select", "options": ["S", "M"]}),
        json!({"entity_type": "company", "name": "Founded", "type": "number"}),
    ] {
        make(&http, "/custom-fields", field).await;
    }
    let person =
        |name: &str, fields: Value| json!({"first_name": name, "custom_fields_by_name": fields});
    let ann =
        json!({"Industry": "Tech", "Age": 41, "VIP": true, "Born": "1985-01-02", "Size": "M"});
    let made = make(&http, "/contacts", person("Ann", ann.clone())).await;
    assert_eq!(made["custom_fields_by_name"], ann);
    make(
        &http,
        "/contacts",
        person("Bob", json!({"Industry": "Law", "Age": 9})),
    )
    .await;
    make(&http, "/contacts", person("Cyd", json!({}))).await;
    for (query, expected) in [
        ("custom_fields_by_name[Industry]=Tech", "Ann"),
        ("custom_fields_by_name.Industry=Tech", "Ann"),
        ("custom_fields_by_name[Industry][$ne]=Tech", "Bob Cyd"),
        (
            "custom_fields_by_name[Industry][$in][]=Tech&custom_fields_by_name[Industry][$in][]=Law",
            "Ann Bob",
        ),
        ("custom_fields_by_name[Industry]=", "Cyd"),
        ("custom_fields_by_name[Industry][$ne]=", "Ann Bob"),
        ("custom_fields_by_name[Industry][$ilike]=t%25", "Ann"),
        ("custom_fields_by_name[Age][$gt]=9", "Ann"),
        ("custom_fields_by_name[Age][$lte]=41", "Ann Bob"),
        ("custom_fields_by_name[VIP]=true", "Ann"),
        ("custom_fields_by_name[Born][$lt]=1990-01-01", "Ann"),
        (
            "$or[0][custom_fields_by_name][Size]=M&$or[1][first_name]=Cyd",
            "Ann Cyd",
        ),
        ("$sort[custom_fields_by_name][Age]=1", "Cyd Bob Ann"),
        ("$sort[custom_fields_by_name.Age]=-1", "Ann Bob Cyd"),
    ] {
        let page = http.get(&format!("/contacts?{query}")).await.expect(200);
        assert_eq!(names(&page).join(" "), expected, "{query}");
        assert_eq!(page["total"], names(&page).len(), "{query}");
    }
    let path = format!("/contacts/{}", made["id"]);
    let merge = json!({"custom_fields_by_name": {"Industry": null, "Age": 42}});
    let merged = http.patch(&path, &merge).await.expect(200);
    let left = json!({"Age": 42, "VIP": true, "Born": "1985-01-02", "Size": "M"});
    assert_eq!(merged["custom_fields_by_name"], left);
    let page = http
        .get("/contacts?custom_fields_by_name[Industry]=Tech")
        .await
        .json();
    assert_eq!(page["total"], 0);
    let page = http
        .get("/contacts?custom_fields_by_name[Age]=42")
        .await
        .json();
    assert_eq!(page["total"], 1);
    for (fields, field, what) in [
        (
            json!({"Nope": 1}),
            "Nope",
            "is no custom field of these records",
        ),
        (
            json!({"Founded": 1}),
            "Founded",
            "is no custom field of these records",
        ),
        (json!({"Age": "old"}), "Age", "must be a number"),
        (json!({"VIP": 1}), "VIP", "must be true or false"),
        (
            json!({"Born": "long ago"}),
            "Born",
            "must be a date such as 2024-01-31",
        ),
        (json!({"Size": "XL"}), "Size", "must be one of S, M"),
    ] {
        let answer = http
            .post("/contacts", &person("X", fields))
            .await
            .expect(400);
        let path = format!("custom_fields_by_name.{field}");
        assert_eq!(answer["message"], format!("{path} {what}"));
        assert_eq!(answer["errors"][0]["path"], path);
    }
    let unknown = http
        .get("/contacts?custom_fields_by_name[Nope]=1")
        .await
        .expect(400);
    assert_eq!(unknown["errors"][0]["path"], "custom_fields_by_name.Nope");
}

#[tokio::test]
async fn definitions_have_rules() {
    let (_server, http, _own) = client();
    let field =
        json!({"entity_type": "contact", "name": "Size", "type": "select", "options": ["S"]});
    let made = make(&http, "/custom-fields", field.clone()).await;
    assert_eq!(made["options"], json!(["S"]));
    let twice = http.post("/custom-fields", &field).await.expect(409);
    assert_eq!(twice["className"], "conflict");
    let path = format!("/custom-fields/{}", made["id"]);
    let more = http
        .patch(&path, &json!({"options": ["S", "M"], "name": "Shirt"}))
        .await;
    assert_eq!(more.expect(200)["options"], json!(["S", "M"]));
    for (body, words) in [
        (json!({"type": "text"}), "type cannot be set"),
        (json!({"entity_type": "deal"}), "entity_type cannot be set"),
        (
            json!({"options": []}),
            "options is required with the type select",
        ),
    ] {
        assert_eq!(http.patch(&path, &body).await.expect(400)["message"], words);
    }
    for (body, words) in [
        (
            json!({"entity_type": "ticket", "name": "x", "type": "text"}),
            "entity_type must be one of contact, company, deal",
        ),
        (
            json!({"entity_type": "deal", "name": "x", "type": "money"}),
            "type must be one of text, number, boolean, date, select",
        ),
        (
            json!({"entity_type": "deal", "name": "x", "type": "text", "options": ["a"]}),
            "options goes with the type select",
        ),
    ] {
        let refused = http.post("/custom-fields", &body).await.expect(400);
        assert_eq!(refused["message"], words);
    }
}

#[tokio::test]
async fn names_can_be_asked_for() {
    let (_server, http, _own) = client();
    let field = |name: &str| json!({"entity_type": "contact", "name": name, "type": "text"});
    for name in ["2024", "0", "a.b", "a=b", "Größe", "x & y"] {
        make(&http, "/custom-fields", field(name)).await;
        let ann = json!({"first_name": "Ann", "custom_fields_by_name": {name: "7"}});
        make(&http, "/contacts", ann).await;
        let label = name.replace('&', "%26").replace(' ', "%20");
        for query in [
            format!("custom_fields_by_name[{label}]=7"),
            format!("custom_fields_by_name[{label}][$in][0]=7"),
            format!("$or[0][custom_fields_by_name][{label}]=7"),
        ] {
            let query = format!("/contacts?{query}&$sort[custom_fields_by_name][{label}]=1");
            assert_eq!(
                http.get(&query).await.expect(200)["total"],
                1,
                "{name}: {query}"
            );
        }
    }
    for name in ["$weird", "$ne", "a[b]", "a]", "[", " Shoe", "Shoe ", " "] {
        let said = http.post("/custom-fields", &field(name)).await.expect(400);
        assert_eq!(said["errors"][0]["path"], "name", "{name}");
    }
    let shoe = make(&http, "/custom-fields", field("Shoe")).await;
    for other in [json!(field("shoe")), json!([field("Tie"), field("tie")])] {
        let said = http.post("/custom-fields", &other).await.expect(409);
        assert_eq!(said["className"], "conflict");
    }
    let one = format!("/custom-fields/{}", shoe["id"]);
    let capital = json!({"name": "SHOE"});
    assert_eq!(http.patch(&one, &capital).await.expect(200)["name"], "SHOE");
    let taken = json!({"name": "GRÖSSE"});
    http.patch(&one, &taken).await.expect(200);
    let taken = json!({"name": "GRÖßE"});
    http.patch(&one, &taken).await.expect(409);
    let wrong = json!({"name": "$x"});
    http.patch(&one, &wrong).await.expect(400);
    // The same name is another field of something else.
    let firm = json!({"entity_type": "company", "name": "größe", "type": "text"});
    make(&http, "/custom-fields", firm).await;
}

#[tokio::test]
async fn tags_of_contacts() {
    let (_server, http, _own) = client();
    super::contacts(&http, &["Ann", "Bob"]).await;
    let all = http.get("/contacts").await.json();
    let (ann, bob) = (&all["data"][0]["id"], &all["data"][1]["id"]);
    let tag = make(&http, "/tags", json!({"name": "VIP", "color": "#10B981"})).await;
    let pair = json!({"contact_id": ann, "tag_id": tag["id"]});
    let tied = make(&http, "/contact-tags", pair.clone()).await;
    assert_eq!(http.post("/contact-tags", &pair).await.status, 409);
    let path = format!("/contacts?tag_id={}", tag["id"]);
    let page = http.get(&path).await.json();
    assert_eq!((names(&page), &page["total"]), (vec!["Ann"], &json!(1)));
    let listed = http
        .get(&format!("/contact-tags?contact_id={ann}"))
        .await
        .json();
    assert_eq!(listed["total"], 1);
    let none = http
        .get(&format!("/contact-tags?contact_id={bob}"))
        .await
        .json();
    assert_eq!(none["total"], 0);
    http.delete(&format!("/contact-tags/{}", tied["id"]))
        .await
        .expect(200);
    assert_eq!(http.get(&path).await.json()["total"], 0);
    make(&http, "/contact-tags", pair).await;
    assert_eq!(http.get(&path).await.json()["total"], 1);
    let unknown = http
        .post("/contact-tags", &json!({"contact_id": bob, "tag_id": 999}))
        .await;
    assert_eq!(
        unknown.expect(404)["message"],
        "No record found for id '999'"
    );
}
