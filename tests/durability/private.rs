//! What is on the disk is for its owner alone, and what is destroyed is on no disk.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait as _;
use serde_json::json;

use super::files::{connect, texts};
use crate::support::skip::elsewhere;
use crate::support::{Server, database};

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_salt_of_yesterday_is_in_no_file() {
    let test = "a_salt_of_yesterday_is_in_no_file";
    if database::is_postgres() {
        return elsewhere(test, "PostgreSQL's files are its own");
    }
    const SALT: &[u8; 32] = b"a salt that lives for a day only";
    let mut server = Server::start();
    let http = server.http().bearer(&server.organization("Acme").key);
    server.kill();
    let day = jiff::Timestamp::now().as_second() / 86_400 - 1;
    let connection = connect(&server.database_url()).await;
    let hex: String = SALT.iter().map(|byte| format!("{byte:02x}")).collect();
    let insert = format!("INSERT INTO event_salt (day, salt) VALUES ({day}, x'{hex}')");
    connection.execute_unprepared(&insert).await.unwrap();
    connection.close().await.unwrap();
    assert!(holds(&server.kept_bytes(), SALT));
    server.run();
    drop(http);
    let deadline = Instant::now() + Duration::from_secs(30);
    while holds(&server.kept_bytes(), SALT) {
        assert!(Instant::now() < deadline, "the salt is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_copy_has_no_salt() {
    if database::is_postgres() {
        return elsewhere("a_copy_has_no_salt", "PostgreSQL has pg_dump");
    }
    let server = Server::start();
    let http = server.http().bearer(&server.organization("Acme").key);
    http.post("/api/v1/events", &json!({"event_name": "e"}))
        .await
        .expect(200);
    let file = server.data.join("apex.db");
    let salts = texts(&file, "SELECT hex(salt) FROM event_salt").await;
    assert_eq!(salts.len(), 1);
    let digits = (0..32).map(|at| u8::from_str_radix(&salts[0][2 * at..2 * at + 2], 16));
    let salt: Vec<u8> = digits.map(Result::unwrap).collect();
    assert!(holds(&server.kept_bytes(), &salt));
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    server.apex(&["backup", copy.to_str().unwrap()]);
    assert!(!holds(&fs::read(&copy).unwrap(), &salt));
    assert_eq!(mode(&copy), 0o600);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let mut server = Server::stopped(&[]);
    // As an older version, or a careless hand, may have left them.
    fs::create_dir_all(&server.data).unwrap();
    fs::set_permissions(&server.data, Permissions::from_mode(0o755)).unwrap();
    if database::is_postgres() {
        server.apex(&["migrate", "up"]);
    } else {
        server.apex(&["migrate", "up"]);
        let file = server.data.join("apex.db");
        assert_eq!(mode(&file), 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    }
    server.run();
    server.organization("Acme");
    assert_eq!(mode(&server.data), 0o700);
    for entry in fs::read_dir(&server.data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_key_file_that_is_not_whole_is_refused() {
    if database::is_postgres() {
        return elsewhere(
            "a_key_file_that_is_not_whole_is_refused",
            "with PostgreSQL the key is a setting",
        );
    }
    let mut server = Server::start();
    let own = server.organization("Acme");
    server.kill();
    let file = server.data.join("secret.key");
    let key = fs::read_to_string(&file).unwrap();
    for part in ["", "\n", &key[..20]] {
        fs::write(&file, part).unwrap();
        let refused = server.try_apex(&["organization", "list"]);
        assert_eq!(refused.status.code(), Some(78));
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(text.contains("secret.key holds no whole key"), "{text}");
        assert_eq!(fs::read_to_string(&file).unwrap(), part);
    }
    fs::write(&file, &key).unwrap();
    // What a process that was killed while it made one may leave beside it.
    fs::write(server.data.join("secret.key.new"), "half").unwrap();
    server.run();
    let http = server.http().bearer(&own.key);
    http.get("/api/me").await.expect(200);
}
