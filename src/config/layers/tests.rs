//! What the layers of settings come to, and what is refused.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Result<Layers, ConfigError> {
    let pairs = pairs
        .iter()
        .map(|(k, v)| (OsString::from(k), OsString::from(v)));
    Layers::new()?.variables(pairs)
}

#[test]
fn defaults_are_complete() {
    let config = Layers::new().unwrap().build().unwrap();
    assert_eq!(config.listen.port(), 3000);
    assert_eq!(config.limits["metrics_events"].limit, 1000);
}

#[test]
fn later_layers_win() {
    let folder = std::env::temp_dir().join(format!("apex-config-{}", std::process::id()));
    std::fs::write(
        &folder,
        "listen = \"127.0.0.1:1\"\n[transport]\nmax_streams = 7\n",
    )
    .unwrap();
    let layers = Layers::new().unwrap().file(&folder).unwrap();
    std::fs::remove_file(&folder).unwrap();
    let env = [("APEX_TRANSPORT_MAX_STREAMS".into(), "8".into())];
    let layers = layers.variables(env.into_iter()).unwrap();
    let layers = layers.flag("listen", Some("127.0.0.1:2")).unwrap();
    let config = layers.build().unwrap();
    assert_eq!((config.listen.port(), config.transport.max_streams), (2, 8));
}

#[test]
fn wrong_settings_name_the_nearest() {
    let message = environment(&[("APEX_LISTN", "x")]).unwrap_err().to_string();
    assert_eq!(
        message,
        "APEX_LISTN is no setting; did you mean APEX_LISTEN?"
    );
    let other = environment(&[("APEX_SOMETHING_ELSE_ENTIRELY", "x")]).unwrap();
    assert_eq!(other.warnings().len(), 1);
    let mut table = Layers::new().unwrap().table;
    let over = "[transport]\nmax_stream = 1".parse().unwrap();
    let message = overlay(&mut table, over, "").unwrap_err();
    assert_eq!(
        message,
        "`transport.max_stream` is no setting; did you mean `transport.max_streams`?"
    );
    let message = environment(&[("APEX_RATE_LIMIT_ENABLED", "maybe")]).unwrap_err();
    assert!(
        message.to_string().contains("neither true nor false"),
        "{message}"
    );
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (name, value, said) in [
        (
            "APEX_TRANSPORT_MAX_STREAMS",
            "0",
            "`transport.max_streams` must be positive",
        ),
        (
            "APEX_TRANSPORT_CALL_TIMEOUT",
            "0s",
            "`transport.call_timeout` must be positive",
        ),
        (
            "APEX_LIMITS_ADDRESS_LIMIT",
            "0",
            "`limits.address.limit` must be positive",
        ),
        (
            "APEX_SESSIONS_LIFETIME",
            "999999999999999999d",
            "is no time",
        ),
    ] {
        let layers = environment(&[(name, value)]).unwrap();
        let message = layers.build().unwrap_err().to_string();
        assert!(message.contains(said), "{name}: {message}");
    }
    let sliding = environment(&[("APEX_LIMITS_METRICS_EVENTS_SLIDING", "true")]).unwrap();
    assert!(sliding.build().unwrap().limits["metrics_events"].sliding);
    let calm = environment(&[("APEX_TRANSPORT_DRAIN_DELAY", "0s")]).unwrap();
    assert!(calm.build().is_ok() && calm.is_given("transport.drain_delay"));
}

#[test]
fn addresses_are_written_as_people_do() {
    let listen = |text| environment(&[("APEX_LISTEN", text)]).unwrap().build();
    for (text, said) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("localhost:3000", "127.0.0.1:3000"),
        ("[::]:443", "[::]:443"),
    ] {
        assert_eq!(listen(text).unwrap().listen.to_string(), said);
    }
    for text in ["3000", ":80000", "localhost", "localhost:80000", ""] {
        let message = listen(text).unwrap_err().to_string();
        let hint = format!("`{text}` is no address and port such as 127.0.0.1:3000");
        assert!(message.contains(&hint), "{message}");
    }
    let trusted = |text| {
        environment(&[("APEX_TRUSTED_PROXIES", text)])
            .unwrap()
            .build()
    };
    let proxies = trusted("127.0.0.1, ::1,10.0.0.0/8")
        .unwrap()
        .trusted_proxies;
    let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["127.0.0.1/32", "::1/128", "10.0.0.0/8"]);
    for text in ["localhost", "10.0.0.0/33", "10.0.0"] {
        let message = trusted(text).unwrap_err().to_string();
        let hint = format!("`{text}` is no network such as 10.0.0.0/8");
        assert!(message.contains(&hint), "{message}");
    }
}

#[test]
fn variables_of_others_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt as _;
    let odd = || OsString::from_vec(vec![0xff]);
    let layers = Layers::new().unwrap();
    let foreign = layers
        .clone()
        .variables([("FOO".into(), odd())].into_iter());
    assert!(foreign.is_ok());
    let own = layers.variables([("APEX_LISTEN".into(), odd())].into_iter());
    assert_eq!(own.unwrap_err().to_string(), "APEX_LISTEN is not UTF-8");
}

#[test]
fn secrets_are_masked() {
    let layers = environment(&[
        (
            "APEX_DATABASE_URL",
            "postgres://u:hunter2@db/apex?password=x",
        ),
        ("APEX_SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("APEX_METRICS_TOKEN", "abc://user@topsecret"),
    ]);
    let text = layers.unwrap().masked().to_string();
    assert!(text.contains("postgres://********@db/apex"), "{text}");
    for secret in ["hunter2", "0123456789abcdef", "topsecret"] {
        assert!(!text.contains(secret), "{text}");
    }
}
