//! Which period `apex events export` reads: its bounds are times, or days.

use serde_json::{Value, json};

use crate::support::Server;

#[tokio::test]
async fn an_export_begins_and_ends_at_times_or_days() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let http = server.http().bearer(&organization.key);
    for at in [
        "2024-01-14T23:59:59.999999Z",
        "2024-01-15T00:00:00Z",
        "2024-01-15T10:30:00Z",
        "2024-01-16T00:00:00Z",
    ] {
        let event = json!({"event_name": "a", "timestamp": at});
        http.post("/api/v1/events", &event).await.expect(200);
    }
    let export = |bounds: &[&str]| {
        let export = ["events", "export", "--project", &organization.project];
        server.try_apex(&[&export, bounds].concat())
    };
    let found = |bounds: &[&str]| {
        let done = export(bounds);
        assert!(done.status.success(), "{bounds:?}");
        let lines = String::from_utf8(done.stdout).unwrap();
        let time = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["timestamp"].as_str().unwrap()[8..13].to_owned()
        };
        lines.lines().map(time).collect::<Vec<_>>()
    };
    let day = ["15T00", "15T10"];
    assert_eq!(found(&["--from", "2024-01-15", "--to", "2024-01-16"]), day);
    let (from, to) = ("2024-01-15T00:00:00Z", "2024-01-16T01:00:00+01:00");
    assert_eq!(found(&["--from", from, "--to", to]), day);
    assert_eq!(found(&["--from", "2024-01-16"]), ["16T00"]);
    assert_eq!(found(&["--to", "2024-01-15"]), ["14T23"]);
    for wrong in ["2024-01-15T10:30", "2024-1-15", "2024-02-30", "yesterday"] {
        let done = export(&["--from", wrong]);
        assert_eq!(done.status.code(), Some(2), "{wrong}");
        let errors = String::from_utf8(done.stderr).unwrap();
        let says = "give a day as 2024-01-01, or a time as 2024-01-01T10:30:00Z";
        assert!(errors.contains(says), "{errors}");
    }
}
