//! Does an identity policy give power over keys in general?

use super::*;

#[derive(PartialEq, Debug)]
enum Gives {
    Power(Power),
    Nothing,
    Unclear,
}

fn check(why: &str, statements: &str, expected: Gives) {
    let policy = PolicyText {
        language: PolicyLanguage::AwsIdentity,
        document: format!(r#"{{"Statement":[{statements}]}}"#).into(),
    };
    let powers = powerful_key_permissions(&policy);
    let got = match &powers {
        KeyPowers::Given { power, .. } => Gives::Power(*power),
        KeyPowers::NotGiven => Gives::Nothing,
        KeyPowers::NotConcluded(_) => Gives::Unclear,
    };
    assert_eq!(got, expected, "{why}: {powers:?}");
}

#[test]
fn powers_over_keys() {
    for (why, statements, expected) in [
        (
            "all of KMS",
            r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#,
            Gives::Power(Power::Administers),
        ),
        (
            "everything",
            r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
            Gives::Power(Power::Administers),
        ),
        (
            "decrypt with every key",
            r#"{"Effect":"Allow","Action":["kms:Decrypt"],"Resource":["*"]}"#,
            Gives::Power(Power::Reads),
        ),
        (
            "every key of an account",
            r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:*:111111111111:key/*"}"#,
            Gives::Power(Power::Reads),
        ),
        (
            "NotAction",
            r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#,
            Gives::Power(Power::Administers),
        ),
        (
            "NotResource",
            r#"{"Effect":"Allow","Action":"kms:Decrypt","NotResource":"arn:aws:kms:eu-west-1:111111111111:key/a"}"#,
            Gives::Power(Power::Reads),
        ),
        (
            "one key",
            r#"{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:eu-west-1:111111111111:key/1234"}"#,
            Gives::Nothing,
        ),
        (
            "aliases only",
            r#"{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:eu-west-1:111111111111:alias/*"}"#,
            Gives::Nothing,
        ),
        (
            "encrypt only",
            r#"{"Effect":"Allow","Action":["kms:Encrypt","kms:DescribeKey"],"Resource":"*"}"#,
            Gives::Nothing,
        ),
        (
            "another service",
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
            Gives::Nothing,
        ),
        (
            "keys with a tag",
            r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/app":"shop"}}}"#,
            Gives::Nothing,
        ),
        (
            "keys with an alias",
            r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/shop"}}}"#,
            Gives::Nothing,
        ),
        (
            "with a second factor",
            r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#,
            Gives::Power(Power::Reads),
        ),
        (
            "through a service",
            r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}}"#,
            Gives::Power(Power::Reads),
        ),
        (
            "unknown condition",
            r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"acme:x":"y"}}}"#,
            Gives::Unclear,
        ),
        (
            "denied again",
            r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"},{"Effect":"Deny","Action":"kms:*","Resource":"*"}"#,
            Gives::Nothing,
        ),
        (
            "denied in part",
            r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"},{"Effect":"Deny","NotAction":"kms:Decrypt","Resource":"*"}"#,
            Gives::Power(Power::Reads),
        ),
        (
            "denied under a condition",
            r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"},{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}"#,
            Gives::Power(Power::Reads),
        ),
        ("broken", "7", Gives::Unclear),
    ] {
        check(why, statements, expected);
    }
}
