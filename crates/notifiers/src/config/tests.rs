//! Receivers as an operator writes them.

use super::*;

#[test]
fn a_secret_may_be_written_or_pointed_at() {
    for (text, expected) in [
        (r#""abc""#, SecretSource::Literal(Secret::new("abc"))),
        (r#"{ "env": "NAME" }"#, SecretSource::Env("NAME".to_owned())),
        (r#"{ "file": "/run/x" }"#, SecretSource::File("/run/x".into())),
    ] {
        let read: SecretSource = serde_json::from_str(text).unwrap();
        assert_eq!(read, expected, "{text}");
    }
    for (text, part) in [
        ("{}", "a secret: \"text\""),
        ("7", "a secret: \"text\""),
        (r#"{ "vault": "x" }"#, "expected `env` or `file`"),
        (r#"{ "env": "A", "file": "B" }"#, "a secret: \"text\""),
    ] {
        let error = serde_json::from_str::<SecretSource>(text)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_secret_is_fetched_at_the_edge() {
    let check = |source: SecretSource, expected: Result<&str, &str>| {
        let found = source.resolve(
            |name| (name == "SET").then(|| " from-env\n".to_owned()),
            |path| match path.to_str() {
                Some("/there") => Ok("from-file\n".to_owned()),
                Some("/blank") => Ok("\n".to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
        );
        match (found, expected) {
            (Ok(secret), Ok(text)) => assert_eq!(secret.expose(), text),
            (Err(problem), Err(text)) => assert_eq!(problem.to_string(), text),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    };
    check(SecretSource::Literal(Secret::new("abc")), Ok("abc"));
    check(SecretSource::Env("SET".into()), Ok("from-env"));
    check(SecretSource::File("/there".into()), Ok("from-file"));
    check(
        SecretSource::Env("UNSET".into()),
        Err("environment variable UNSET is not set, or not UTF-8"),
    );
    check(
        SecretSource::File("/gone".into()),
        Err("file /gone cannot be read: entity not found"),
    );
    check(
        SecretSource::File("/blank".into()),
        Err("file /blank holds no secret"),
    );
    check(
        SecretSource::Literal(Secret::new(" ")),
        Err("the configuration holds no secret"),
    );
}

#[test]
fn receivers_have_defaults_and_refuse_unknown_keys() {
    let read: PagerDutyConfig = serde_json::from_str(r#"{ "routing_key": "x" }"#).unwrap();
    assert_eq!(read.endpoint(), "https://events.pagerduty.com/v2/enqueue");
    let read: PagerDutyConfig = serde_json::from_str(r#"{ "routing_key": "x", "region": "eu" }"#).unwrap();
    assert_eq!(read.endpoint(), "https://events.eu.pagerduty.com/v2/enqueue");
    let read: PagerDutyConfig =
        serde_json::from_str(r#"{ "routing_key": "x", "url": "http://127.0.0.1:1/v2/enqueue" }"#).unwrap();
    assert_eq!(read.endpoint(), "http://127.0.0.1:1/v2/enqueue");
    assert!(serde_json::from_str::<PagerDutyConfig>(r#"{ "routing_key": "x", "key": "y" }"#).is_err());
    let error = serde_json::from_str::<SlackConfig>(r#"{ "webhook": "CANARY" }"#).unwrap_err();
    assert!(!error.to_string().contains("CANARY"), "{error}");
    let config: SlackConfig = serde_json::from_str(r#"{ "webhook_url": "CANARY" }"#).unwrap();
    assert!(!format!("{config:?}").contains("CANARY"));
}
