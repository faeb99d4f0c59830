//! Makes a running server fail inside, by changing its database under it.

use sea_orm::{ConnectionTrait as _, Database};

use crate::support::Server;
use crate::support::database::is_postgres;

/// Tables without which sign-ins, keys, members and events fail.
const TABLES: [&str; 5] = ["account_user", "api_key", "project_key", "member", "event"];

/// Takes the tables away.
pub async fn take_tables(server: &Server) {
    let renames = TABLES.map(|table| format!("ALTER TABLE {table} RENAME TO {table}_away"));
    run(server, &renames).await;
}

/// Has the database refuse new projects with these words.
pub async fn refuse_projects(server: &Server, words: &str) {
    let statements = match is_postgres() {
        true => vec![
            format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION '{words}'; END $$"
            ),
            "CREATE TRIGGER refuse BEFORE INSERT ON project EXECUTE FUNCTION refuse()".to_owned(),
        ],
        false => vec![format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON project \
             BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )],
    };
    run(server, &statements).await;
}

async fn run(server: &Server, statements: &[String]) {
    let connection = Database::connect(server.database_url()).await;
    let connection = connection.expect("the server's database");
    for statement in statements {
        let done = connection.execute_unprepared(statement).await;
        done.expect(statement);
    }
    connection.close().await.expect("it closes");
}
