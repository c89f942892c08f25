//! What is refused, and how it is said.

use super::*;

fn check(text: &str, expected: &[&str]) {
    let found: Vec<String> = match parse(Path::new("keyvigil.toml"), text) {
        Ok(_) => Vec::new(),
        Err(bad) => bad.problems.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn an_empty_file_is_a_configuration() {
    check("", &[]);
}

#[test]
fn every_error_is_named_with_key_and_accepted_values() {
    check(
        r#"
        [admin]
        listne = "127.0.0.1:1"
        [[slack]]
        name = "a"
        webhook_url = { evn = "X" }
        min_severity = "huge"
        [polling]
        quota_share = 7
        "#,
        &[
            "admin.listne: unknown key; did you mean `listen`?; accepted: allow_non_loopback, listen",
            "polling.quota_share: 7 is out of range; accepted: 0.01 to 1",
            r#"slack[0].min_severity: "huge" is not a known value; accepted: "info" or "low" or "medium" or "high" or "critical""#,
            "slack[0].webhook_url.evn: unknown key; did you mean `env`?; accepted: env",
            "slack[0].webhook_url.env: required, but missing; accepted: string",
        ],
    );
}

#[test]
fn what_concerns_several_values_is_checked_too() {
    check(
        r#"
        [admin]
        listen = "0.0.0.0:9650"
        [alerts]
        fallback = "nobody"
        [[slack]]
        name = "Main Channel"
        webhook_url = "https://hooks.slack.com/services/x"
        "#,
        &[
            "slack[0].name: not a short name; accepted: lower-case letters, digits, - and _, unique among all receivers",
            "alerts.fallback: there is no receiver `nobody`",
            "admin.listen: 0.0.0.0:9650 is not loopback, and the admin server has no authentication; accepted: a loopback address, or allow_non_loopback = true with a proxy in front",
        ],
    );
}

#[test]
fn a_misshapen_table_does_not_hide_what_is_wrong_in_others() {
    check(
        r#"
        [alerts]
        fallback = "a"
        [[slack]]
        name = 5
        [[folders]]
        name = "Bad Name"
        path = "/logs"
        "#,
        &[
            "slack[0].name: 5 is integer; accepted: string",
            "slack[0].webhook_url: required, but missing; accepted: string or object",
            "folders[0].name: not a short name; accepted: lower-case letters, digits, - and _, unique",
        ],
    );
}

#[test]
fn syntax_errors_point_at_the_line() {
    let bad = parse(Path::new("keyvigil.toml"), "a = [").unwrap_err();
    assert!(bad.to_string().contains("line 1"), "{bad}");
}
