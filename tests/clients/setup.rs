//! A server with an organization in it, and how a client is told of both.

use std::process::{Command, Output};

use super::certificate::Certificate;
use crate::support::{Organization, Server};

/// How connections to the server are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1, or HTTP/2 by prior knowledge.
    Plain,
    /// TLS, which settles on HTTP/2 or HTTP/1.1.
    Tls,
}

/// A server and who may call it.
#[derive(Debug)]
pub struct Setup {
    /// The server.
    pub server: Server,
    /// An organization, with a key for everything.
    pub organization: Organization,
    /// What the server shows, over TLS.
    pub certificate: Option<Certificate>,
}

impl Setup {
    /// Starts a server.
    pub fn new(wire: Wire, settings: &[(&str, &str)]) -> Self {
        let certificate = (wire == Wire::Tls).then(Certificate::new);
        let mut all = settings.to_vec();
        if let Some(certificate) = &certificate {
            all.extend(certificate.settings());
        }
        let server = Server::with(&all);
        let organization = server.organization("Acme");
        Self {
            server,
            organization,
            certificate,
        }
    }

    /// Another key of the organization.
    pub fn key(&self, scopes: &str) -> String {
        let made = self.server.key(&self.organization, scopes);
        made["key"].as_str().expect("a key").to_owned()
    }

    /// Tells a client of the server and its keys.
    pub fn tell(&self, command: &mut Command) {
        command
            .env("SERVER_URL", &self.server.url)
            .env("KEY", &self.organization.key)
            .env("READ_KEY", self.key("metrics.read"));
        if let Some(certificate) = &self.certificate {
            command
                .env("SERVER_CERT", &certificate.cert)
                .env("SERVER_SPKI", &certificate.spki);
        }
    }
}

/// Runs a client and answers what it printed, if it is content.
#[track_caller]
pub fn content(command: &mut Command) -> String {
    let output = command.output().expect("the client runs");
    assert!(output.status.success(), "{}", both(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// Everything a client printed.
pub fn both(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    format!("{}\n{stdout}\n{stderr}", output.status)
}
