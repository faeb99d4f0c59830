//! Tests that need something a machine may lack skip by name and say so. With
//! `CI=1` a skip is a failure.

/// Says that a test is skipped.
pub fn skip(test: &str, why: &str) {
    let ci = std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "0");
    assert!(!ci, "{test} may not be skipped in CI: {why}");
    println!("SKIPPED {test}: {why}");
}

/// Says that a test is about another database than tests run on; this is no skip.
pub fn elsewhere(test: &str, why: &str) {
    println!("NOT HERE {test}: {why}");
}

/// The path of a program, if it is installed.
pub fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
