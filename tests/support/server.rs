//! A server of a test's own: the real program, on a free port, in a temporary
//! directory, stopped by its process id.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::database::Database;
use super::http::Http;

/// A server, running or not.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    /// Where it answers.
    pub url: String,
    /// Its data directory.
    pub data: PathBuf,
    settings: Vec<(String, String)>,
    /// Program and arguments the server is started by, such as a tracer's.
    wrapper: Vec<String>,
    database: Option<Database>,
    _folder: TempDir,
}

/// An organization with a key for everything.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Its id.
    pub id: i64,
    /// Id of its first project.
    pub project: String,
    /// Public key of its first project.
    pub project_key: String,
    /// The API key.
    pub key: String,
    /// E-mail of its owner.
    pub email: String,
}

/// The program under test: the one built with the tests, or the one that
/// `APEX_BINARY` names, such as a release build.
pub fn program() -> PathBuf {
    let named = std::env::var_os("APEX_BINARY").filter(|path| !path.is_empty());
    named.map_or_else(|| env!("CARGO_BIN_EXE_apex").into(), PathBuf::from)
}

/// Password of every owner tests make.
pub const PASSWORD: &str = "a good password";

impl Server {
    /// Starts a server.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with settings, as environment variables.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let mut server = Self::prepared(settings);
        if let Some(database) = &server.database {
            database.make_migrated(|url| {
                let mut command = server.command();
                command.env("APEX_DATABASE_URL", url);
                let done = command.args(["migrate", "up"]).status();
                assert!(done.expect("the program runs").success());
            });
        }
        server.run();
        server
    }

    /// A server that was never started: its data directory, or its PostgreSQL
    /// database, is empty.
    pub fn stopped(settings: &[(&str, &str)]) -> Self {
        let server = Self::prepared(settings);
        if let Some(database) = &server.database {
            database.make();
        }
        server
    }

    /// A server whose database is not made yet.
    fn prepared(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let database = Database::new();
        let mut all = vec![("APEX_LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
        all.push(("APEX_LOG".to_owned(), "info".to_owned()));
        // Whatever runs on this machine is no test's.
        all.push(("APEX_RUNTIME".to_owned(), "none".to_owned()));
        if let Some(database) = &database {
            all.push(("APEX_DATABASE_URL".to_owned(), database.url()));
            all.push(("APEX_SECRET_KEY".to_owned(), "test ".repeat(8)));
        }
        let settings = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        all.extend(settings);
        Self {
            child: None,
            url: String::new(),
            data: folder.path().join("data"),
            settings: all,
            wrapper: Vec::new(),
            database,
            _folder: folder,
        }
    }

    /// Starts another node on this server's PostgreSQL database.
    pub fn beside(&self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut node = Self {
            child: None,
            url: String::new(),
            data: folder.path().join("data"),
            settings: self.settings.clone(),
            wrapper: Vec::new(),
            database: None,
            _folder: folder,
        };
        node.run();
        node
    }

    /// URL of its database.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url(),
            None => format!("sqlite://{}", self.data.join("apex.db").display()),
        }
    }

    /// The program with this server's settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        command
            .env_clear()
            .envs(self.settings.clone())
            .env("APEX_DATA_DIR", &self.data);
        command
    }

    /// Changes a setting; it holds from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// From the next start on, the server is started by another program, which must
    /// become the server: its process id is the server's. Commands are not.
    pub fn start_by(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
    }

    /// What starts the server.
    fn starter(&self) -> Command {
        let plain = self.command();
        let Some((program, arguments)) = self.wrapper.split_first() else {
            return plain;
        };
        let mut command = Command::new(program);
        let own = plain.get_envs();
        command
            .env_clear()
            .envs(own.filter_map(|(name, value)| Some((name, value?))))
            .args(arguments)
            .arg(plain.get_program());
        command
    }

    /// Starts the program and waits until it answers.
    pub fn run(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.data.with_extension("log"))
            .expect("a log file");
        let mut child = self
            .starter()
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http"));
        let url = url.unwrap_or_else(|| panic!("no address in `{line}`: {}", self.log()));
        self.url = url.to_owned();
        self.child = Some(child);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Ends it the hard way.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is killed");
            child.wait().expect("it ends");
        }
    }

    /// Asks it to end and waits; answers its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let done = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(done.expect("kill runs").success());
    }

    /// Waits until it has ended; answers its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            let child = self.child.as_mut().expect("it runs");
            if let Some(status) = child.try_wait().expect("its status") {
                self.child = None;
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end: {}", self.log());
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }

    /// Runs a command of the program and expects it to succeed.
    pub fn apex(&self, arguments: &[&str]) -> String {
        let done = self.try_apex(arguments);
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "apex {arguments:?}: {errors}");
        String::from_utf8(done.stdout).expect("text")
    }

    /// Runs a command of the program.
    pub fn try_apex(&self, arguments: &[&str]) -> Output {
        self.command()
            .args(arguments)
            .output()
            .expect("the program runs")
    }

    /// Runs a command that prints JSON.
    pub fn apex_json(&self, arguments: &[&str]) -> Value {
        let text = self.apex(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Makes an organization.
    pub fn organization(&self, name: &str) -> Organization {
        let email = format!("{}@example.com", name.to_lowercase());
        let mut child = self
            .command()
            .args(["organization", "create", "--name", name, "--email", &email])
            .args(["--password-stdin", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        use std::io::Write as _;
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(PASSWORD.as_bytes()).expect("it reads");
        drop(stdin);
        let mut text = String::new();
        child
            .stdout
            .take()
            .expect("its output")
            .read_to_string(&mut text)
            .expect("text");
        assert!(child.wait().expect("it ends").success());
        let made: Value = serde_json::from_str(&text).expect("JSON");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        Organization {
            id: made["organization_id"].as_i64().expect("an id"),
            project: text(&made["project"]["id"]),
            project_key: text(&made["project"]["key"]),
            key: text(&made["api_key"]),
            email,
        }
    }

    /// Makes a key with scopes.
    pub fn key(&self, organization: &Organization, scopes: &str) -> Value {
        let id = organization.id.to_string();
        self.apex_json(&[
            "key",
            "create",
            "--organization",
            &id,
            "--name",
            "t",
            "--scopes",
            scopes,
        ])
    }

    /// A client without a credential.
    pub fn http(&self) -> Http {
        Http::new(&self.url)
    }

    /// Every byte the server keeps: files, or the whole of its PostgreSQL database.
    pub fn kept_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let entries = std::fs::read_dir(&self.data).expect("the data directory");
        for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
            bytes.extend(std::fs::read(entry.path()).unwrap_or_default());
        }
        if let Some(database) = &self.database {
            bytes.extend(database.dump());
        }
        bytes
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
