//! The lines of the README and of the guides, pasted as a newcomer would paste them:
//! every `console` block run by a shell, every answer compared. An ellipsis stands for
//! whatever comes out there. The README talks to the server of `apex demo`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::engine::Engine;
use crate::support::{Server, skip};

/// `apex demo`, stopped with this.
struct Demo {
    child: Child,
    url: String,
    key: String,
    project_key: String,
    // Open, for the demo still writes.
    _output: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
    _engine: Engine,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start();
        let mut child = Command::new(env!("CARGO_BIN_EXE_apex"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env("APEX_LOG", "warn")
            .envs(engine.settings())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (mut url, mut key, mut project_key) = (None, None, None);
        while project_key.is_none() {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended");
            let word = |n: usize| line.split_whitespace().nth(n).map(str::to_owned);
            if line.starts_with("apex listening on ") {
                url = word(3);
            } else if line.starts_with("API key") {
                key = word(2);
            } else if line.starts_with("project key") {
                project_key = word(2);
            }
        }
        Self {
            child,
            url: url.expect("an address"),
            key: key.expect("a key"),
            project_key: project_key.expect("a project key"),
            _output: output,
            _folder: folder,
            _engine: engine,
        }
    }

    fn shell(&self) -> Shell {
        let project_key = ("PROJECT_KEY", self.project_key.as_str());
        Shell::new(&[("URL", &self.url), ("KEY", &self.key), project_key])
    }
}

/// Where a reader pastes, in a folder of its own.
struct Shell {
    variables: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl Shell {
    fn new(variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            variables: variables.iter().map(own).collect(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self, command: &str) -> String {
        let done = Command::new("sh")
            .args(["-c", &format!("{command} 2>&1")])
            .envs(self.variables.iter().cloned())
            .env("PATH", path())
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        String::from_utf8(done.stdout).unwrap()
    }

    /// Pastes the lines of a text and compares the answers.
    fn paste(&self, test: &str, text: &str) {
        let examples = examples(text);
        assert!(examples.len() >= 10, "ten lines to paste");
        for (command, expected) in examples {
            let program = command.split(' ').next().unwrap();
            let missing = format!("command -v {program} >/dev/null || echo missing");
            if !self.run(&missing).is_empty() {
                skip::skip(test, &format!("{program} is not installed"));
                continue;
            }
            let answer = self.run(&command).replace('\r', "");
            assert!(
                matches(&expected, &answer),
                "{command}\nexpected {expected}\nanswered {answer}"
            );
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The commands of the README's `console` blocks, each with its answer.
fn examples(readme: &str) -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = fence == "console";
        } else if inside {
            match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => examples.push((command.to_owned(), String::new())),
                (None, Some((_, answer))) => {
                    answer.push_str(line);
                    answer.push('\n');
                }
                (None, None) => panic!("an answer to nothing: {line}"),
            }
        }
    }
    examples
}

/// Whether `text` is `pattern` with something in the place of every ellipsis.
fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = text.trim_end();
    let mut parts = pattern.trim_end().split('…').peekable();
    if let Some(first) = parts.next() {
        match rest.strip_prefix(first) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// The search path, with the clients that `scripts/clients` installs.
pub fn path() -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    let cache = std::env::var("XDG_CACHE_HOME").unwrap_or_else(|_| format!("{home}/.cache"));
    let bin = PathBuf::from(cache).join("apex/clients/node_modules/.bin");
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:{}", bin.display())
}

#[test]
fn the_readme_answers_as_it_says() {
    let test = "contract::readme::the_readme_answers_as_it_says";
    let demo = Demo::start();
    demo.shell().paste(test, include_str!("../../README.md"));
}

/// On a server where nobody has been yet.
#[test]
fn the_guide_to_accounts_answers_as_it_says() {
    let test = "contract::readme::the_guide_to_accounts_answers_as_it_says";
    let server = Server::start();
    let log = server.log();
    let (_, token) = log.split_once("one-time token ").expect("a token");
    let shell = Shell::new(&[
        ("URL", &server.url),
        ("TOKEN", token.split(' ').next().unwrap()),
        ("JSON", "Content-Type: application/json"),
    ]);
    shell.paste(test, include_str!("../../docs/accounts.md"));
}
