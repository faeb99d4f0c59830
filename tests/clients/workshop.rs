//! A folder where scripts for Node.js find the installed packages and the code
//! that is generated of the protos.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::kit::Web;
use super::setup::{Setup, content};

const SCRIPTS: &str = "tests/clients/web";

/// How `buf generate` is to make code for JavaScript.
const TEMPLATE: &str = r#"{"version": "v2", "plugins": [{
    "local": "protoc-gen-es",
    "out": "gen",
    "opt": ["target=js", "import_extension=js"]
}]}"#;

/// The folder.
#[derive(Debug)]
pub struct Workshop {
    web: Web,
    folder: TempDir,
}

impl Workshop {
    /// Makes the folder, if the packages are installed.
    pub fn new(test: &str) -> Option<Self> {
        let web = Web::find(test)?;
        let folder = tempfile::tempdir().expect("a temporary directory");
        for entry in std::fs::read_dir(SCRIPTS).expect("the scripts") {
            let file = entry.expect("a script").path();
            if file.is_file() {
                let copy = folder.path().join(file.file_name().expect("a name"));
                std::fs::copy(&file, copy).expect("a copy");
            }
        }
        let modules = folder.path().join("node_modules");
        std::os::unix::fs::symlink(&web.modules, modules).expect("a link");
        let workshop = Self { web, folder };
        workshop.generate("proto", &["proto/apex/metrics", "proto/google/rpc"]);
        Some(workshop)
    }

    /// Makes code of some of the protos in a folder.
    pub fn generate(&self, protos: &str, of: &[&str]) {
        let mut buf = self.web.program("buf");
        buf.args(["generate", protos, "--include-imports"]);
        buf.args(["--template", TEMPLATE]);
        for path in of {
            buf.args(["--path", path]);
        }
        content(buf.arg("--output").arg(self.path()));
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Node.js, run in the folder.
    pub fn node(&self) -> Command {
        let mut command = self.web.node();
        command.current_dir(self.path());
        command
    }

    /// A program of a package, run in the folder.
    pub fn program(&self, name: &str) -> Command {
        let mut command = self.web.program(name);
        command.current_dir(self.path());
        command
    }

    /// Runs a file of tests against a server.
    pub fn test(&self, setup: &Setup, file: &str, more: &[(&str, &str)]) {
        self.run(file, |node| {
            let protos = std::fs::canonicalize("proto").expect("the protos");
            node.env("PROTOS", protos);
            setup.tell(node);
            node.envs(more.iter().copied());
        });
    }

    /// Runs a file of tests, which is told what it needs.
    pub fn run(&self, file: &str, tell: impl FnOnce(&mut Command)) {
        let mut node = self.node();
        node.args(["--test", file]);
        tell(&mut node);
        let said = content(&mut node);
        // A file without a test would be content as well.
        assert!(!said.contains("# pass 0"), "{said}");
        assert!(said.contains("# fail 0"), "{said}");
    }
}
