//! Does a bucket policy refuse plain HTTP?

use super::*;

const BUCKET: &str = "arn:aws:s3:::vault-of-acme";

#[derive(PartialEq, Debug)]
enum Tls {
    Enforced,
    Missing(&'static str),
    No,
    Unclear,
}

fn check(why: &str, statements: &str, expected: Tls) {
    let got = tls_enforcement(&resource_policy(statements), BUCKET);
    match (&got, &expected) {
        (TlsEnforcement::Enforced, Tls::Enforced)
        | (TlsEnforcement::NotEnforced, Tls::No)
        | (TlsEnforcement::NotConcluded(_), Tls::Unclear) => {}
        (TlsEnforcement::Partial(text), Tls::Missing(part)) if text.contains(part) => {}
        _ => panic!("{why}: {got:?}, not {expected:?}"),
    }
}

fn deny(principal: &str, action: &str, resource: &str, condition: &str) -> String {
    format!(r#"{{"Effect":"Deny",{principal},{action},{resource},"Condition":{condition}}}"#)
}

const EVERYONE: &str = r#""Principal":"*""#;
const ALL: &str = r#""Action":"s3:*""#;
const BOTH: &str = r#""Resource":["arn:aws:s3:::vault-of-acme","arn:aws:s3:::vault-of-acme/*"]"#;
const PLAIN: &str = r#"{"Bool":{"aws:SecureTransport":"false"}}"#;

#[test]
fn enforced() {
    for (why, statement) in [
        ("the documented form", deny(EVERYONE, ALL, BOTH, PLAIN)),
        ("AWS star", deny(r#""Principal":{"AWS":"*"}"#, ALL, BOTH, PLAIN)),
        (
            "a truth value, not text",
            deny(EVERYONE, ALL, BOTH, r#"{"Bool":{"aws:SecureTransport":false}}"#),
        ),
        (
            "BoolIfExists",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"BoolIfExists":{"aws:securetransport":["false"]}}"#,
            ),
        ),
        (
            "StringEquals",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"StringEquals":{"aws:SecureTransport":"false"}}"#,
            ),
        ),
        (
            "TLS version",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"NumericLessThan":{"s3:TlsVersion":"1.2"}}"#,
            ),
        ),
        (
            "TLS version as a number",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"NumericLessThan":{"s3:TlsVersion":1.3}}"#,
            ),
        ),
        (
            "every action of every service",
            deny(EVERYONE, r#""Action":"*""#, BOTH, PLAIN),
        ),
        ("every resource", deny(EVERYONE, ALL, r#""Resource":"*""#, PLAIN)),
        (
            "one pattern for both",
            deny(
                EVERYONE,
                ALL,
                r#""Resource":"arn:aws:s3:::vault-of-acme*""#,
                PLAIN,
            ),
        ),
        ("everything, always", deny(EVERYONE, ALL, BOTH, "{}")),
        (
            "services exempted",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"Bool":{"aws:SecureTransport":"false","aws:PrincipalIsAWSService":"false"}}"#,
            ),
        ),
        (
            "two statements",
            format!(
                "{},{}",
                deny(EVERYONE, ALL, r#""Resource":"arn:aws:s3:::vault-of-acme""#, PLAIN),
                deny(
                    EVERYONE,
                    ALL,
                    r#""Resource":"arn:aws:s3:::vault-of-acme/*""#,
                    PLAIN
                )
            ),
        ),
        (
            "beside an allow",
            format!(
                r#"{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::vault-of-acme/*"}},{}"#,
                deny(EVERYONE, ALL, BOTH, PLAIN)
            ),
        ),
    ] {
        check(why, &statement, Tls::Enforced);
    }
}

#[test]
fn not_enforced() {
    for (why, statement) in [
        ("no Deny", r#"{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}"#.to_owned()),
        ("the wrong way round", deny(EVERYONE, ALL, BOTH, r#"{"Bool":{"aws:SecureTransport":"true"}}"#)),
        ("another bucket", deny(EVERYONE, ALL, r#""Resource":["arn:aws:s3:::other","arn:aws:s3:::other/*"]"#, PLAIN)),
        ("only over TLS", deny(EVERYONE, ALL, BOTH, r#"{"Bool":{"aws:SecureTransport":"true"},"NumericLessThan":{"s3:TlsVersion":"1.2"}}"#)),
        ("the text is only in the Sid", r#"{"Sid":"aws SecureTransport","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}"#.to_owned()),
    ] {
        check(why, &statement, Tls::No);
    }
}

#[test]
fn partial_is_not_enough() {
    for (why, statement, missing) in [
        (
            "objects only",
            deny(
                EVERYONE,
                ALL,
                r#""Resource":"arn:aws:s3:::vault-of-acme/*""#,
                PLAIN,
            ),
            "the bucket",
        ),
        (
            "bucket only",
            deny(EVERYONE, ALL, r#""Resource":"arn:aws:s3:::vault-of-acme""#, PLAIN),
            "objects",
        ),
        (
            "one folder",
            deny(
                EVERYONE,
                ALL,
                r#""Resource":["arn:aws:s3:::vault-of-acme","arn:aws:s3:::vault-of-acme/a/*"]"#,
                PLAIN,
            ),
            "objects",
        ),
        (
            "reads only",
            deny(
                EVERYONE,
                r#""Action":["s3:GetObject","s3:ListBucket"]"#,
                BOTH,
                PLAIN,
            ),
            "s3:PutObject",
        ),
        (
            "a list of actions",
            deny(
                EVERYONE,
                r#""Action":["s3:Get*","s3:Put*","s3:Delete*","s3:List*"]"#,
                BOTH,
                PLAIN,
            ),
            "all s3 actions",
        ),
        (
            "all but one action",
            deny(EVERYONE, r#""NotAction":"s3:GetObjectAcl""#, BOTH, PLAIN),
            "exempted actions",
        ),
        (
            "all but some objects",
            deny(
                EVERYONE,
                ALL,
                r#""NotResource":"arn:aws:s3:::vault-of-acme/public/*""#,
                PLAIN,
            ),
            "exempted objects",
        ),
        (
            "one account",
            deny(r#""Principal":{"AWS":"111111111111"}"#, ALL, BOTH, PLAIN),
            "any AWS account",
        ),
        (
            "one role exempted",
            deny(
                r#""NotPrincipal":{"AWS":"arn:aws:iam::111111111111:role/legacy"}"#,
                ALL,
                BOTH,
                PLAIN,
            ),
            "role/legacy",
        ),
        (
            "only with a header that the caller chooses",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"Bool":{"aws:SecureTransport":"false"},"StringEquals":{"aws:UserAgent":"x"}}"#,
            ),
            "in some circumstances",
        ),
        (
            "a network exempted",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"Bool":{"aws:SecureTransport":"false"},"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
            ),
            "any AWS account",
        ),
        (
            "an account exempted",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"Bool":{"aws:SecureTransport":"false"},"StringNotEquals":{"aws:PrincipalAccount":"111111111111"}}"#,
            ),
            "account 111111111111",
        ),
    ] {
        check(why, &statement, Tls::Missing(missing));
    }
}

#[test]
fn what_is_not_known_is_neither() {
    for (why, statement) in [
        (
            "unknown key",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"Bool":{"aws:SecureTransport":"false"},"StringEquals":{"acme:x":"y"}}"#,
            ),
        ),
        (
            "policy variable",
            deny(
                EVERYONE,
                ALL,
                BOTH,
                r#"{"StringEquals":{"aws:SecureTransport":"${acme}"}}"#,
            ),
        ),
        ("broken", "7".to_owned()),
    ] {
        check(why, &statement, Tls::Unclear);
    }
}
