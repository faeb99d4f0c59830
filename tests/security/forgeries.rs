//! The tokens a server must refuse, each with what is wrong with it.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::tokens::{Forge, signed_with, sub_key, unsigned};

type Forged = (String, String);

/// All of them. `url` is where nobody may look for a key.
pub fn all(forge: &Forge, secret: &str, url: &str) -> Vec<Forged> {
    let mut all = algorithms(forge);
    all.extend(keys(forge, secret));
    all.extend(headers(forge, url));
    all.extend(times(forge));
    all.extend(claims(forge));
    all.extend(shapes(forge));
    all
}

fn algorithms(forge: &Forge) -> Vec<Forged> {
    let claims = forge.claims.to_string();
    let mut all = Vec::new();
    for word in ["none", "None", "NONE", "nOnE", "nonE", "", " none"] {
        let header = forge.header_with(json!({"alg": word}));
        let bare = unsigned(&header, &claims);
        all.push((format!("alg `{word}`, nothing signed"), format!("{bare}.")));
        all.push((format!("alg `{word}`, two parts"), bare));
        all.push((
            format!("alg `{word}`, signed"),
            forge.signed(&header, &claims),
        ));
    }
    for (word, algorithm) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        let header = forge.header_with(json!({"alg": word}));
        let token = forge.signed_as(algorithm, &header, &claims);
        all.push((format!("signed as {word}"), token));
    }
    for word in [
        "HS384", "RS256", "RS512", "PS256", "ES256", "EdDSA", "hs256", "HS256 ", "dir",
    ] {
        let header = forge.header_with(json!({"alg": word}));
        all.push((format!("says {word}"), forge.signed(&header, &claims)));
    }
    for value in [
        json!(null),
        json!(256),
        json!(["HS256"]),
        json!({"HS256": 1}),
    ] {
        let header = forge.header_with(json!({"alg": value}));
        all.push((format!("alg {value}"), forge.signed(&header, &claims)));
    }
    all
}

/// The right header and claims under a wrong key.
fn keys(forge: &Forge, secret: &str) -> Vec<Forged> {
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let kid = forge.header["kid"].as_str().expect("a key id");
    let other = sub_key("another secret key that has bytes enough", "session");
    let purpose = sub_key(secret, "idempotency");
    let keys: [(&str, &[u8]); 6] = [
        ("the key of another server", &other),
        ("the key of another purpose", &purpose),
        ("the secret itself", secret.as_bytes()),
        ("nothing", b""),
        ("its own key id", kid.as_bytes()),
        ("zeros", &[0; 32]),
    ];
    let sign = |key: &[u8]| signed_with(key, Algorithm::HS256, &header, &claims);
    let mut all: Vec<Forged> = keys
        .iter()
        .map(|(what, key)| (format!("signed with {what}"), sign(key)))
        .collect();
    for wrong in [
        "AAAAAA",
        "",
        "../../../../../../dev/null",
        "/proc/sys/kernel/randomize_va_space",
        "' OR '1'='1",
        "x' UNION SELECT 'AAAA' --",
        "\u{0}",
        "|id",
    ] {
        let header = forge.header_with(json!({"kid": wrong}));
        all.push((format!("kid `{wrong}`"), forge.signed(&header, &claims)));
        // Whoever reads an empty file or row for a key verifies with nothing.
        let empty = signed_with(b"", Algorithm::HS256, &header, &claims);
        all.push((format!("kid `{wrong}`, signed with nothing"), empty));
    }
    for value in [json!(null), json!(0), json!([kid]), json!({"id": kid})] {
        let header = forge.header_with(json!({"kid": value}));
        all.push((format!("kid {value}"), forge.signed(&header, &claims)));
    }
    all
}

/// Headers that would have the server fetch a key, trust one that is sent along,
/// or pass over what it does not know.
fn headers(forge: &Forge, url: &str) -> Vec<Forged> {
    let jwk = json!({"kty": "oct", "k": "AAAA", "alg": "HS256"});
    let more = [
        json!({"jku": url}),
        json!({"x5u": url}),
        json!({"jwk": jwk}),
        json!({"jwk": {"kty": "oct", "k": ""}}),
        json!({"x5c": ["MIIB"]}),
        json!({"x5t": "AAAA"}),
        json!({"crit": ["exp"]}),
        json!({"crit": []}),
        json!({"crit": ["made-up"], "made-up": true}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"zip": "DEF"}),
        json!({"cty": "JWT"}),
        json!({"enc": "A256GCM"}),
        json!({"epk": {}}),
        json!({"made-up": 1}),
        json!({"typ": null}),
        json!({"typ": "jwt"}),
        json!({"typ": "at+jwt"}),
        json!({"typ": ["JWT"]}),
    ];
    let claims = forge.claims.to_string();
    let sign = |header: &str| forge.signed(header, &claims);
    let mut all: Vec<Forged> = more
        .into_iter()
        .map(|more| {
            (
                format!("header with {more}"),
                sign(&forge.header_with(more)),
            )
        })
        .collect();
    let twice = forge
        .header
        .to_string()
        .replacen('{', r#"{"alg":"none","#, 1);
    all.push(("alg twice".to_owned(), sign(&twice)));
    all
}

fn times(forge: &Forge) -> Vec<Forged> {
    let now = jiff::Timestamp::now().as_second();
    let mut values = vec![json!(null), json!(""), json!("now"), json!(true)];
    values.extend([json!([now + 600]), json!({"at": now + 600})]);
    // A number it is not, or not a whole one, or none that fits.
    values.extend([json!((now + 600).to_string()), json!(now as f64 + 600.5)]);
    values.extend([json!(now as f64 + 600.0), json!(1e300), json!(u64::MAX)]);
    let mut all = Vec::new();
    let mut claim = |name: &str, value: &Value| {
        let claims = forge.claims_with(json!({name: value}));
        let token = forge.signed(&forge.header.to_string(), &claims);
        all.push((format!("{name} {value}"), token));
    };
    for name in ["exp", "nbf", "iat"] {
        for value in &values {
            claim(name, value);
        }
    }
    for past in [now - 3600, now - 60, 1, 0, -1, i64::MIN] {
        claim("exp", &json!(past));
    }
    // The server signs nothing that lasts longer than its sessions do.
    for beyond in [
        i64::MAX,
        i64::MAX - 10,
        now + 100 * 365 * 86_400,
        now + 8 * 86_400,
    ] {
        claim("exp", &json!(beyond));
    }
    for future in [now + 60, now + 3600, i64::MAX] {
        claim("nbf", &json!(future));
        claim("iat", &json!(future));
    }
    claim("iat", &json!(i64::MIN));
    // Numbers no JSON library could write.
    for (name, text) in [
        ("exp", "1e400"),
        ("exp", "99999999999999999999999"),
        ("nbf", "-1e400"),
    ] {
        let claims = forge.claims_with(json!({name: "@"}));
        let claims = claims.replace(r#""@""#, text);
        let token = forge.signed(&forge.header.to_string(), &claims);
        all.push((format!("{name} {text}"), token));
    }
    for first in [r#"{"exp":1,"#, r#"{"exp":99999999999,"#] {
        let claims = forge.claims.to_string().replacen('{', first, 1);
        let token = forge.signed(&forge.header.to_string(), &claims);
        all.push(("exp twice".to_owned(), token));
    }
    all
}

fn claims(forge: &Forge) -> Vec<Forged> {
    let subject = forge.claims["sub"].as_str().expect("a subject");
    let number: i64 = subject.parse().expect("a user");
    let changes = [
        json!({"aud": null}),
        json!({"aud": ""}),
        json!({"aud": "other"}),
        json!({"aud": "APEX"}),
        json!({"aud": ["apex"]}),
        json!({"aud": ["other", "apex"]}),
        json!({"iss": null}),
        json!({"iss": "other"}),
        json!({"iss": "apex "}),
        json!({"iss": ["apex"]}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": number}),
        json!({"sub": "999999"}),
        json!({"sub": "0"}),
        json!({"sub": "-1"}),
        json!({"sub": format!("{subject} OR 1=1")}),
        json!({"sub": "99999999999999999999"}),
        json!({"sid": null}),
        json!({"sid": 1}),
        json!({"sid": ["x"]}),
        json!({"role": "owner"}),
        json!({"organization": 101}),
    ];
    let sign = |claims: &str| forge.signed(&forge.header.to_string(), claims);
    changes
        .into_iter()
        .map(|change| (format!("claims {change}"), sign(&forge.claims_with(change))))
        .collect()
}

/// Text that is no token of three parts, or whose parts are not what they say.
fn shapes(forge: &Forge) -> Vec<Forged> {
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let whole = forge.signed(&header, &claims);
    let (message, signature) = whole.rsplit_once('.').expect("three parts");
    let long = forge.claims_with(json!({"sid": "x".repeat(8_000)}));
    let other = forge.claims_with(json!({"sub": "1000"}));
    let mut all = vec![
        ("only dots", "..".to_owned()),
        ("a dot", ".".to_owned()),
        ("a word", "nonsense".to_owned()),
        ("no signature", format!("{message}.")),
        (
            "half a signature",
            format!("{message}.{}", &signature[..20]),
        ),
        ("a longer signature", format!("{whole}A")),
        ("padding", format!("{whole}=")),
        ("four parts", format!("{whole}.{signature}")),
        ("five parts", format!("{whole}.{signature}.{signature}")),
        (
            "a signature of zeros",
            format!("{message}.{}", "A".repeat(43)),
        ),
        (
            "claims of another",
            format!("{}.{signature}", unsigned(&header, &other)),
        ),
        ("more than 4 KiB", forge.signed(&header, &long)),
    ];
    for text in ["null", "[]", "\"x\"", "1", "{", "", "\u{feff}{}"] {
        all.push(("such claims", forge.signed(&header, text)));
        all.push(("such a header", forge.signed(text, &claims)));
    }
    let named = |(what, token): (&str, String)| (what.to_owned(), token);
    all.into_iter().map(named).collect()
}
