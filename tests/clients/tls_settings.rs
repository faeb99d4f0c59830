//! A certificate or key that cannot be used stops the start with exit code 78 and
//! one line that names the setting, the file and the fault; nothing is made on
//! disk by then.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::KeyPair;

use super::certificate::Certificate;
use super::setup::both;

/// Runs a command of the program in a folder, with a certificate and a key.
fn apex(folder: &Path, command: &str, cert: &Path, key: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_apex"))
        .arg(command)
        .env_clear()
        .env("APEX_LISTEN", "127.0.0.1:0")
        .env("APEX_TLS_CERT", cert)
        .env("APEX_TLS_KEY", key)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Expects a start to fail with exactly this line.
#[track_caller]
fn fails(cert: &Path, key: &Path, line: &str) {
    let folder = tempfile::tempdir().unwrap();
    for command in ["serve", "demo", "check-config"] {
        let output = apex(folder.path(), command, cert, key);
        assert_eq!(output.status.code(), Some(78), "{}", both(&output));
        assert!(output.stdout.is_empty(), "{}", both(&output));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, format!("apex: {line}\n"), "{command}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "{command} made files before it failed");
    }
}

/// A file beside a certificate.
fn file(certificate: &Certificate, name: &str, text: &str) -> PathBuf {
    let file = certificate.cert.with_file_name(name);
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn the_wrong_key() {
    let own = Certificate::new();
    let (cert, key) = (&own.cert, &own.key);
    let other = KeyPair::generate().unwrap().serialize_pem();
    let other = file(&own, "other.pem", &other);
    let line = format!(
        "tls_key: {} is not the key of the certificate in {}",
        other.display(),
        cert.display()
    );
    fails(cert, &other, &line);
    let line = format!(
        "tls_key: {} holds no private key in PEM that is not encrypted",
        cert.display()
    );
    fails(cert, cert, &line);
    let line = format!("tls_cert: {} holds no certificate in PEM", key.display());
    fails(key, key, &line);
}

#[test]
fn files_that_are_not_there_or_no_pem() {
    let own = Certificate::new();
    let (cert, key) = (&own.cert, &own.key);
    let nothing = cert.with_file_name("nothing.pem");
    let missing = |setting: &str| {
        let nothing = nothing.display();
        format!("{setting}: cannot read {nothing}: No such file or directory (os error 2)")
    };
    fails(&nothing, key, &missing("tls_cert"));
    fails(cert, &nothing, &missing("tls_key"));

    let text = file(&own, "text.pem", "hello\n");
    let line = format!("tls_cert: {} holds no certificate in PEM", text.display());
    fails(&text, key, &line);
    let line = format!(
        "tls_key: {} holds no private key in PEM that is not encrypted",
        text.display()
    );
    fails(cert, &text, &line);

    let cut = std::fs::read_to_string(cert).unwrap();
    let cut = file(&own, "cut.pem", cut.lines().next().unwrap());
    let line = format!("tls_cert: {} is no PEM: ", cut.display());
    let output = apex(cut.parent().unwrap(), "check-config", &cut, key);
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("apex: {line}")), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn one_without_the_other() {
    let own = Certificate::new();
    let line = "tls_cert and tls_key are set together or not at all";
    fails(&own.cert, Path::new(""), line);
    fails(Path::new(""), &own.key, line);
}
