//! The query language in the forms FeathersJS clients write it in.

use serde_json::{Value, json};

use super::{client, contacts, make, names};
use crate::support::Http;

async fn found(http: &Http, query: &str) -> Vec<String> {
    let page = http.get(&format!("/contacts?{query}")).await.expect(200);
    names(&page).into_iter().map(str::to_owned).collect()
}

async fn refused(http: &Http, query: &str) -> Value {
    http.get(&format!("/contacts?{query}")).await.expect(400)
}

/// Five contacts: Ann without a last name, the others with one each.
async fn people(http: &Http) -> Vec<Value> {
    let mut made = vec![make(http, "/contacts", json!({"first_name": "Ann"})).await];
    for (first, last, phone) in [
        ("Bob", "Berg", "1"),
        ("Cyd", "Cole", "22"),
        ("Dan", "Dorn", "3"),
        ("Eve", "East", "22"),
    ] {
        let body = json!({"first_name": first, "last_name": last, "phone": phone});
        made.push(make(http, "/contacts", body).await);
    }
    made
}

#[tokio::test]
async fn operators() {
    let (_server, http, _own) = client();
    let made = people(&http).await;
    let id = |at: usize| made[at]["id"].as_i64().unwrap();
    let (second, fourth) = (id(1), id(3));
    for (query, expected) in [
        ("first_name=Bob".to_owned(), "Bob"),
        ("first_name[$ne]=Bob".to_owned(), "Ann Cyd Dan Eve"),
        ("last_name[$ne]=Berg".to_owned(), "Ann Cyd Dan Eve"),
        ("phone[$in][0]=22&phone[$in][1]=3".to_owned(), "Cyd Dan Eve"),
        ("phone[$in]=22".to_owned(), "Cyd Eve"),
        ("phone[$nin][]=22&phone[$nin][]=3".to_owned(), "Ann Bob"),
        ("phone[0]=1&phone[1]=3".to_owned(), "Bob Dan"),
        (format!("id[$lt]={second}"), "Ann"),
        (format!("id[$lte]={second}"), "Ann Bob"),
        (format!("id[$gt]={fourth}"), "Eve"),
        (format!("id[$gte]={fourth}&id[$lt]={}", fourth + 1), "Dan"),
        ("last_name=".to_owned(), "Ann"),
        ("last_name[$ne]=".to_owned(), "Bob Cyd Dan Eve"),
        (
            "last_name[$in][0]=&last_name[$in][1]=Berg".to_owned(),
            "Ann Bob",
        ),
        (
            "last_name[$nin][0]=&last_name[$nin][1]=Berg".to_owned(),
            "Cyd Dan Eve",
        ),
        ("first_name[$like]=%25o%25".to_owned(), "Bob"),
        ("first_name[$like]=B_b".to_owned(), "Bob"),
        ("first_name[$like]=b%25".to_owned(), ""),
        ("first_name[$ilike]=b%25".to_owned(), "Bob"),
        ("last_name[$notlike]=B%25".to_owned(), "Ann Cyd Dan Eve"),
        (
            "$or[0][first_name]=Ann&$or[1][phone]=3".to_owned(),
            "Ann Dan",
        ),
        (
            "%24or%5B0%5D%5Bfirst_name%5D=Ann&%24or%5B1%5D%5Bphone%5D=3".to_owned(),
            "Ann Dan",
        ),
        (
            "$and[0][phone]=22&$and[1][first_name][$ne]=Eve".to_owned(),
            "Cyd",
        ),
        (
            "phone=22&$or[0][first_name]=Ann&$or[1][$and][0][last_name]=East".to_owned(),
            "Eve",
        ),
        (
            "$or[0][$or][0][first_name][$in][0]=Ann&$or[0][$or][1][first_name]=Bob".to_owned(),
            "Ann Bob",
        ),
        (
            "created_at[$gte]=1970-01-01T00%3A00%3A00.000Z".to_owned(),
            "Ann Bob Cyd Dan Eve",
        ),
        ("created_at[$lt]=1970-01-01".to_owned(), ""),
        ("created_at[$gt]=9999-12-31T23:59:59.999Z".to_owned(), ""),
        (
            "created_at[$lt]=9999-12-31".to_owned(),
            "Ann Bob Cyd Dan Eve",
        ),
        ("deleted_at=".to_owned(), "Ann Bob Cyd Dan Eve"),
    ] {
        assert_eq!(found(&http, &query).await.join(" "), expected, "{query}");
    }
    let thirty: Vec<String> = (0..30)
        .map(|n| format!("id[$in][{n}]={}", second + n))
        .collect();
    assert_eq!(found(&http, &thirty.join("&")).await.len(), 4);
}

#[tokio::test]
async fn pages_and_orders() {
    let (server, http, _own) = client();
    let many: Vec<String> = (0..60).map(|n| format!("N{n:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    contacts(&http, &many).await;
    for (query, limit, skip, count, first) in [
        ("", 10, 0, 10, "N00"),
        ("$limit=25", 25, 0, 25, "N00"),
        ("$limit=500", 50, 0, 50, "N00"),
        ("$limit=-1", 10, 0, 10, "N00"),
        ("$limit=ten", 10, 0, 10, "N00"),
        ("$limit=50&$skip=55", 50, 55, 5, "N55"),
        ("$skip=-3", 10, 0, 10, "N00"),
        ("$sort[first_name]=-1", 10, 0, 10, "N59"),
        ("$sort[created_at]=-1&$limit=1", 1, 0, 1, "N59"),
        (
            "$sort[last_name]=1&$sort[first_name]=-1&$skip=1",
            10,
            1,
            10,
            "N58",
        ),
    ] {
        let page = http.get(&format!("/contacts?{query}")).await.expect(200);
        assert_eq!([&page["limit"], &page["skip"]], [limit, skip], "{query}");
        assert_eq!(page["total"], 60, "{query}");
        assert_eq!(names(&page).len(), count, "{query}");
        assert_eq!(names(&page)[0], first, "{query}");
    }
    let none = http.get("/contacts?$limit=0").await.text;
    assert_eq!(none, r#"{"total":60,"limit":0,"skip":0,"data":[]}"#);
    let past = http
        .get("/contacts?$skip=100&first_name[$gt]=N50")
        .await
        .json();
    assert_eq!((&past["total"], &past["data"]), (&json!(9), &json!([])));
    // Nobody goes on after another organization's record.
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    let foreign = make(&others, "/contacts", json!({"first_name": "Far"})).await;
    for id in [&foreign["id"], &json!(999_999)] {
        let answer = http
            .get(&format!("/contacts?$after={id}"))
            .await
            .expect(404);
        assert_eq!(answer["message"], format!("No record found for id '{id}'"));
    }
    // Every one once, page by page.
    for order in ["", "&$sort[created_at]=-1", "&$sort[updated_at]=1"] {
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/contacts?$limit=7{order}{after}");
            let page = http.get(&path).await.expect(200);
            let Some(last) = page["data"].as_array().unwrap().last() else {
                break;
            };
            after = format!("&$after={}", last["id"]);
            seen.extend(names(&page).into_iter().map(str::to_owned));
        }
        assert_eq!(seen.len(), 60, "{order}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 60, "{order}");
    }
}

#[tokio::test]
async fn selections() {
    let (_server, http, _own) = client();
    let made = people(&http).await;
    let id = &made[1]["id"];
    let only = json!({"id": id, "first_name": "Bob", "phone": "1"});
    for query in [
        "$select[0]=first_name&$select[1]=phone&first_name=Bob",
        "$select[]=phone&$select[]=first_name&first_name=Bob",
        "$select=first_name&$select=phone&$select=id&first_name=Bob",
    ] {
        let page = http.get(&format!("/contacts?{query}")).await.expect(200);
        assert_eq!(page["data"], json!([only]), "{query}");
    }
    let one = http.get(&format!("/contacts/{id}?$select=email")).await;
    assert_eq!(one.expect(200), json!({"id": id, "email": null}));
    // Conditions also hold of a single record.
    let path = format!("/contacts/{id}?first_name=");
    assert_eq!(http.get(&format!("{path}Bob")).await.status, 200);
    assert_eq!(http.get(&format!("{path}Eve")).await.status, 404);
    let eve = format!("{path}Eve");
    assert_eq!(http.patch(&eve, &json!({"phone": "9"})).await.status, 404);
    assert_eq!(http.delete(&eve).await.status, 404);
}

#[tokio::test]
async fn searches() {
    let (_server, http, _own) = client();
    for (first, last, email, phone) in [
        ("Jane", "Doe", "jane@example.com", "5551234"),
        ("John", "Dover", "john@acme.test", "5559876"),
        ("Zoë", "O'Hara \"Z\"", "zoe@example.com", "1"),
    ] {
        let body = json!({"first_name": first, "last_name": last, "email": email, "phone": phone});
        make(&http, "/contacts", body).await;
    }
    for (term, expected) in [
        ("jane", "Jane"),
        ("DOVER", "John"),
        ("do", "Jane John"),
        ("example.com", "Jane Zoë"),
        ("555", "Jane John"),
        ("jane%20doe", "Jane"),
        ("doe%20jane", "Jane"),
        ("zo%C3%AB", "Zoë"),
        ("o'hara", "Zoë"),
        ("%22z%22", "Zoë"),
        ("%25", ""),
        ("nobody", ""),
        ("", "Jane John Zoë"),
        ("AND%20OR%20NOT%20*", ""),
    ] {
        let found = found(&http, &format!("searchTerm={term}")).await;
        assert_eq!(found.join(" "), expected, "{term}");
    }
    // What was changed or removed is no longer found as it was.
    let jane = http.get("/contacts?searchTerm=jane").await.json()["data"][0].clone();
    let path = format!("/contacts/{}", jane["id"]);
    let body = json!({"first_name": "Joan", "email": "joan@example.com"});
    http.patch(&path, &body).await.expect(200);
    assert!(found(&http, "searchTerm=jane").await.is_empty());
    assert_eq!(found(&http, "searchTerm=joan").await, ["Joan"]);
    http.delete(&path).await.expect(200);
    assert!(found(&http, "searchTerm=joan").await.is_empty());
}

#[tokio::test]
async fn what_is_no_question() {
    let (_server, http, _own) = client();
    let answer = refused(&http, "first_name[$regex]=x").await;
    assert_eq!(answer["message"], "Invalid query parameter $regex");
    assert_eq!(answer["data"], json!({"$regex": "x"}));
    let answer = refused(&http, "$where=1").await;
    assert_eq!(answer["message"], "Invalid filter value $where");
    assert_eq!(answer["className"], "bad-request");
    for (query, path) in [
        ("nope=1", "nope"),
        ("search=1", "search"),
        ("custom=1", "custom"),
        ("t.id=1", "t.id"),
        ("id%20OR%201%3D1=1", "id OR 1=1"),
        ("$sort[nope]=1", "nope"),
        ("$sort=nope", "$sort"),
        ("$select[]=nope", "$select"),
        ("id=x", "id"),
        ("created_at[$gt]=soon", "created_at"),
        ("id[$gt]=", "id"),
        ("id[$lt][]=1&id[$lt][]=2", "id"),
        ("$or=1", "$or"),
        ("$after=x", "$after"),
        ("$after=1&$sort[email]=1", "$after"),
    ] {
        let answer = refused(&http, query).await;
        assert_eq!(answer["errors"][0]["path"], path, "{query}: {answer}");
    }
    let clauses: Vec<String> = (0..101)
        .map(|n| format!("$or[{n}][first_name]=x"))
        .collect();
    let deep = |n: usize| format!("$or{}[first_name]=x", "[0][$or]".repeat(n) + "[0]");
    for query in [clauses.join("&"), deep(9), deep(40)] {
        refused(&http, &query).await;
    }
    let quote = found(&http, "first_name=x'%20OR%20'1'='1&$sort[id]=1").await;
    assert!(quote.is_empty());
}

/// What is too much for a database is refused before it is asked.
#[tokio::test]
async fn what_is_too_much_to_ask() {
    let (_server, http, _own) = client();
    let field =
        |name| json!({"entity_type": "contact", "name": format!("f{name}"), "type": "text"});
    let custom: Vec<Value> = (0..30).map(field).collect();
    make(&http, "/custom-fields", json!(custom)).await;
    people(&http).await;
    let ids = |most: usize| json!({"id": {"$in": (0..most).collect::<Vec<_>>()}});
    let fields = |most: usize| {
        let fields = (0..most).map(|name| (format!("f{name}"), json!(1)));
        json!({"$sort": {"custom_fields_by_name": fields.collect::<serde_json::Map<_, _>>()}})
    };
    let like = |letters: usize| json!({"first_name": {"$like": "%a".repeat(letters / 2)}});
    for (query, status) in [
        (ids(1000), 200),
        (ids(1001), 400),
        (ids(100_000), 400),
        (
            json!({"id": {"$nin": (0..40_000).collect::<Vec<_>>()}}),
            400,
        ),
        (json!({"$or": [ids(600), ids(600)]}), 400),
        (json!({"$or": vec![json!({}); 2000]}), 400),
        (fields(16), 200),
        (fields(17), 400),
        (like(254), 200),
        (like(256), 400),
        (json!({"first_name": {"$ilike": "%a".repeat(30_000)}}), 400),
        (
            json!({"first_name": {"$notlike": "%a".repeat(30_000)}}),
            400,
        ),
        (json!({"searchTerm": "a".repeat(255)}), 200),
        (json!({"searchTerm": "a".repeat(60_000)}), 400),
        (json!({"searchTerm": "a ".repeat(30_000)}), 400),
        (json!({"$select": vec!["email"; 10_000]}), 200),
    ] {
        let body = Some(json!({ "query": query }).to_string().into_bytes());
        let asking = http.with("content-type", "application/json");
        let answer = asking.send(reqwest::Method::GET, "/contacts", body).await;
        assert_eq!(answer.status, status, "{:.300}", answer.text);
        if status == 400 {
            assert_eq!(answer.json()["className"], "bad-request");
        }
    }
    for (path, member) in [
        ("/product-categories", "name"),
        ("/conversations", "messageSearchTerm"),
    ] {
        let query = json!({"query": { member: "a".repeat(60_000) }}).to_string();
        let asking = http.with("content-type", "application/json");
        let query = Some(query.into_bytes());
        let said = asking.send(reqwest::Method::GET, path, query).await;
        assert_eq!(said.expect(400)["errors"][0]["path"], member);
    }
}
