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
        let mut buf = web.program("buf");
        buf.args([
            "generate",
            "proto",
            "--include-imports",
            "--template",
            TEMPLATE,
        ]);
        buf.args(["--path", "proto/apex/metrics", "--path", "proto/google/rpc"]);
        content(buf.arg("--output").arg(folder.path()));
        Some(Self { web, folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A program of a package, run in the folder.
    pub fn program(&self, name: &str) -> Command {
        let mut command = self.web.program(name);
        command.current_dir(self.path());
        command
    }

    /// Runs a file of tests against a server.
    pub fn test(&self, setup: &Setup, file: &str, more: &[(&str, &str)]) {
        let mut node = self.web.node();
        node.current_dir(self.path()).args(["--test", file]);
        node.env(
            "PROTOS",
            std::fs::canonicalize("proto").expect("the protos"),
        );
        setup.tell(&mut node);
        node.envs(more.iter().copied());
        let said = content(&mut node);
        // A file without a test would be content as well.
        assert!(!said.contains("# pass 0"), "{said}");
        assert!(said.contains("# fail 0"), "{said}");
    }
}
