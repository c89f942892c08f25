//! What a Deny takes back from an Allow for everybody.

use super::public::{Is, check};
use super::{PolicyText, resource_policy};

/// An Allow for everybody, and a Deny under a condition.
fn everyone_unless(principal: &str, condition: &str) -> PolicyText {
    resource_policy(&format!(
        r#"{{"Sid":"open","Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}},
           {{"Sid":"fence","Effect":"Deny",{principal},"Action":"kms:*","Resource":"*","Condition":{condition}}}"#
    ))
}

#[test]
fn deny_takes_back() {
    let everyone = r#""Principal":"*""#;
    for (why, principal, condition, expected) in [
        (
            "15: outside the organisation",
            everyone,
            r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#,
            Is::Closed,
        ),
        (
            "perimeter with services exempted",
            everyone,
            r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}"#,
            Is::Closed,
        ),
        (
            "outside the account",
            everyone,
            r#"{"StringNotEquals":{"kms:CallerAccount":"111111111111"}}"#,
            Is::Closed,
        ),
        (
            "NotPrincipal",
            r#""NotPrincipal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::111111111111:role/a"]}"#,
            "{}",
            Is::Closed,
        ),
        (
            "one account only",
            r#""Principal":{"AWS":"222222222222"}"#,
            "{}",
            Is::Public,
        ),
        (
            "outside the network",
            everyone,
            r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
            Is::Nearby,
        ),
        (
            "outside the endpoint",
            everyone,
            r#"{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}"#,
            Is::Nearby,
        ),
        (
            "without the second factor: the caller has one",
            everyone,
            r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#,
            Is::Public,
        ),
        (
            "a known service path only: the caller chooses it",
            everyone,
            r#"{"StringNotEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}"#,
            Is::Public,
        ),
        (
            "an unknown key",
            everyone,
            r#"{"StringNotEquals":{"acme:Tenant":"a"}}"#,
            Is::Unclear,
        ),
        (
            "two ways to be refused",
            everyone,
            r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"},"StringEquals":{"aws:PrincipalType":"User"}}"#,
            Is::Public,
        ),
        (
            "not signed in with an organisation: anonymous only",
            everyone,
            r#"{"Null":{"aws:PrincipalOrgID":"true"}}"#,
            Is::Public,
        ),
    ] {
        check(why, &everyone_unless(principal, condition), expected);
    }
}

#[test]
fn a_deny_takes_back_what_it_covers() {
    check(
        "a Deny of some actions leaves the others",
        &resource_policy(
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},
               {"Effect":"Deny","Principal":"*","NotAction":"kms:DescribeKey","Resource":"*"}"#,
        ),
        Is::Public,
    );
    check(
        "the values of a Deny and an Allow must be met together",
        &resource_policy(
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"a"}}},
               {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"a"}}}"#,
        ),
        Is::Closed,
    );
    check(
        "a Deny elsewhere in the bucket",
        &resource_policy(
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
               {"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/private/*"}"#,
        ),
        Is::Public,
    );
}
