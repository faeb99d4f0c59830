//! `apex project`.

use super::nobody;

#[test]
fn the_second_project_says_what_it_changes() {
    let server = nobody();
    let mail = "ada@example.com";
    server.apex(&["organization", "create", "--name", "A", "--email", mail]);
    let errors = |name: &str| {
        let made = server.try_apex(&["project", "create", "--name", name, "--json"]);
        assert!(made.status.success());
        String::from_utf8(made.stderr).unwrap()
    };
    let second = errors("Two");
    assert!(second.contains("must name one with X-Project"), "{second}");
    let third = errors("Three");
    assert!(!third.contains("X-Project"), "{third}");
}
