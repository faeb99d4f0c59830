//! Where `scripts/clients install` put what the tests run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::skip::{program, skip};

/// The folder of the installation.
pub fn folder() -> Option<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = var("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(var("HOME")?).join(".cache")))?;
    Some(cache.join("apex/clients"))
}

/// The folder, if what is installed is what this file of `tests/clients` pins.
fn installed(test: &str, pins: &str) -> Option<PathBuf> {
    let pins = Path::new("tests/clients").join(pins);
    let own = std::fs::read(&pins).expect("the pins");
    let there = folder()
        .filter(|folder| std::fs::read(folder.join(pins.file_name().unwrap())).ok() == Some(own));
    if there.is_none() {
        let why = "what it runs is not installed in this version: scripts/clients install";
        skip(test, why);
    }
    there
}

/// Python with the packages of `requirements.txt`.
pub fn python(test: &str) -> Option<Command> {
    let python = installed(test, "python/requirements.txt")?.join("venv/bin/python");
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

/// The packages of `package-lock.json`.
#[derive(Debug)]
pub struct Web {
    /// Node.js itself.
    node: PathBuf,
    /// Its packages.
    pub modules: PathBuf,
}

impl Web {
    /// Finds the packages.
    pub fn find(test: &str) -> Option<Self> {
        let folder = installed(test, "web/package-lock.json")?;
        let own = Some(folder.join("venv/bin/node")).filter(|node| node.is_file());
        let Some(node) = own.or_else(|| program("node")) else {
            skip(test, "Node.js is not installed");
            return None;
        };
        let modules = folder.join("node_modules");
        Some(Self { node, modules })
    }

    /// Node.js.
    pub fn node(&self) -> Command {
        self.with_path(Command::new(&self.node))
    }

    /// A program of a package.
    pub fn program(&self, name: &str) -> Command {
        let file = self.modules.join(".bin").join(name);
        self.with_path(Command::new(file))
    }

    /// Programs of packages call Node.js and each other.
    fn with_path(&self, mut command: Command) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = [
            self.modules.join(".bin"),
            self.node.parent().unwrap().to_owned(),
        ];
        let all = own.into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(all).expect("a path"));
        command
    }
}
