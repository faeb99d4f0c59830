//! sqlmap over the lists of the CRM: every kind of parameter there is, names as well as
//! values, on whichever database the tests run. That it would find something shows a
//! server that is open to it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use percent_encoding::percent_decode_str;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Http, Server, records, skip};

/// What is asked, and how many parameters of it are tried. `*` marks places in names and
/// paths.
const ASKED: [(&str, usize); 10] = [
    (
        "/contacts?$limit=5&$skip=0&$sort[first_name]=1&$select[]=first_name&id[$gt]=0\
         &$or[0][first_name]=Ann&$or[1][last_name][$like]=A%25&custom_fields_by_name[Shoe]=7\
         &tag_id=1&searchTerm=an",
        10,
    ),
    (
        "/contacts?$sort[first_name*]=1&first_name*=Ann&custom_fields_by_name[Shoe*]=7\
         &$or[0][last_name*]=x",
        4,
    ),
    (
        "/contacts?$sort[custom_fields_by_name][Shoe]=1&last_name[$in][]=x\
         &fastJoinForContactList=true",
        3,
    ),
    ("/contacts?$after=1&created_at[$gte]=2020-01-01", 2),
    ("/contacts/1*?$select[]=email", 1),
    ("/exports/contacts?last_name=x&searchTerm=abc", 2),
    (
        "/conversations?status=open&messageSearchTerm=abc&searchTerm=ab&view_id=1\
         &waitingResponseOnly=true&$sort[id]=-1",
        6,
    ),
    ("/product-categories?name=box", 1),
    (
        "/contact-duplicates?email=a@example.com&phone=1&first_name=Ann",
        3,
    ),
    (
        "/audit-log?entity=contacts&entity_id=1&created_at[$gte]=2020-01-01",
        3,
    ),
];

/// What sqlmap says of a parameter that it cannot do anything with.
const NOTHING: &str = "does not seem to be injectable";
/// What it says when it can.
const FOUND: &str = "identified the following injection point";

/// Runs sqlmap on URLs and answers what it said. It tries what it tried once no more, so
/// no two of them have a parameter of a path in common.
async fn run(
    program: PathBuf,
    folder: &Path,
    (url, key): (&str, &str),
    (paths, techniques): (&[&str], &str),
) -> String {
    let targets: Vec<String> = paths.iter().map(|path| format!("{url}{path}")).collect();
    let list = folder.join("targets");
    std::fs::write(&list, targets.join("\n")).expect("a file");
    let dbms = match std::env::var_os("TEST_DATABASE").is_some_and(|url| !url.is_empty()) {
        true => "PostgreSQL",
        false => "SQLite",
    };
    let mut command = Command::new(program);
    command
        .args(["--batch", "--flush-session", "--disable-coloring"])
        .args(["--level=1", "--risk=1", "--threads=1"])
        .arg(format!("--technique={techniques}"))
        .args(["--skip-waf", "--ignore-code=400"])
        .arg(format!("--dbms={dbms}"))
        .arg(format!("--headers=x-api-key: {key}"))
        .arg(format!("--output-dir={}", folder.display()))
        .arg("-m")
        .arg(list)
        .env("HOME", folder)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("it ends").expect("sqlmap runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Something of everything that is asked for.
async fn fill(http: &Http) {
    let field = json!({"entity_type": "contact", "name": "Shoe", "type": "text"});
    http.post("/custom-fields", &field).await.expect(201);
    for name in ["Ann", "Bob", "Cyd"] {
        let contact = json!({"first_name": name, "custom_fields_by_name": {"Shoe": "7"}});
        http.post("/contacts", &contact).await.expect(201);
    }
    for path in [
        "/contact-tags",
        "/conversation-messages-whatsapp",
        "/conversation-views",
        "/product-categories",
    ] {
        records::make(http, path).await;
    }
}

#[tokio::test]
async fn nothing_is_found_in_the_crm() {
    let test = "security::sqlmap::nothing_is_found_in_the_crm";
    let Some(program) = skip::program("sqlmap") else {
        return skip::skip(test, "sqlmap is not installed: scripts/services install");
    };
    let server = Server::with(&[("APEX_LIMITS_CRM_LIMIT", "1000000000")]);
    let own = server.organization("Acme");
    let http = server.http().with("x-api-key", &own.key);
    fill(&http).await;
    let folder = tempfile::tempdir().expect("a temporary directory");
    let paths = ASKED.map(|(path, _)| path);
    for path in paths {
        let path = path.replace('*', "");
        assert_eq!(http.get(&path).await.status, 200, "{path}");
    }
    let begin = Instant::now();
    let said = run(
        program,
        folder.path(),
        (&server.url, &own.key),
        (&paths, "BEUS"),
    )
    .await;
    println!("{test}: {:?}", begin.elapsed());
    assert!(!said.contains(FOUND), "{said}");
    let tried = ASKED
        .iter()
        .map(|(_, parameters)| parameters)
        .sum::<usize>();
    assert_eq!(said.matches(NOTHING).count(), tried, "{said}");
    // Nothing failed inside either: 500 would say as much as a finding.
    assert!(!server.log().contains("status=500"), "{}", server.log());
}

/// A server that puts what it is asked into its SQL.
async fn open(listener: TcpListener, database: DatabaseConnection) {
    while let Ok((stream, _)) = listener.accept().await {
        // Some connections are opened and left alone.
        tokio::spawn(answer(stream, database.clone()));
    }
}

async fn answer(mut stream: TcpStream, database: DatabaseConnection) -> std::io::Result<()> {
    let mut head = vec![0; 16 * 1024];
    let read = stream.read(&mut head).await?;
    let head = String::from_utf8_lossy(&head[..read]);
    let id = head.split_once("id=").map_or("", |(_, rest)| rest);
    let id = id.split([' ', '&']).next().unwrap_or_default();
    let id = percent_decode_str(id).decode_utf8_lossy();
    let sql = format!("SELECT name FROM box WHERE id = {id}");
    let found = database.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql));
    let body = match found.await {
        Ok(rows) => {
            let names = rows.iter().map(|row| row.try_get("", "name"));
            names
                .collect::<Result<Vec<String>, _>>()
                .unwrap_or_default()
        }
        Err(_) => Vec::new(),
    };
    let body = format!("<p>{}</p>", body.join(", "));
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await
}

#[tokio::test]
async fn it_finds_what_is_open() {
    let test = "security::sqlmap::it_finds_what_is_open";
    let Some(program) = skip::program("sqlmap") else {
        return skip::skip(test, "sqlmap is not installed: scripts/services install");
    };
    if std::env::var_os("TEST_DATABASE").is_some_and(|url| !url.is_empty()) {
        return skip::elsewhere(test, "it is open over SQLite");
    }
    // Each connection would have a memory of its own.
    let mut memory = ConnectOptions::new("sqlite::memory:");
    memory.max_connections(1);
    let database = Database::connect(memory).await.expect("a database");
    for sql in [
        "CREATE TABLE box (id INTEGER, name TEXT)",
        "INSERT INTO box VALUES (1, 'a red box'), (2, 'a blue box')",
    ] {
        database.execute_unprepared(sql).await.expect("a table");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let server = tokio::spawn(open(listener, database));
    let folder = tempfile::tempdir().expect("a temporary directory");
    let said = run(program, folder.path(), (&url, "none"), (&["/?id=1"], "B")).await;
    server.abort();
    assert!(said.contains(FOUND), "{said}");
}
