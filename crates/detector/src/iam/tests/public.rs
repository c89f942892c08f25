//! Is a key or a bucket open to everybody?

use super::*;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Is {
    Public,
    Nearby,
    Closed,
    Unclear,
}

pub(super) fn check(why: &str, policy: &PolicyText, expected: Is) {
    let access = public_access(policy);
    let got = match &access {
        PublicAccess::Public(_) => Is::Public,
        PublicAccess::WithinNetwork(_) => Is::Nearby,
        PublicAccess::NotPublic => Is::Closed,
        PublicAccess::NotConcluded(_) => Is::Unclear,
    };
    assert_eq!(got, expected, "{why}: {access:?}");
}

/// An Allow of `kms:*` for everybody under a condition.
pub(super) fn everyone_if(condition: &str) -> PolicyText {
    resource_policy(&format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"*"}},"Action":"kms:*","Resource":"*","Condition":{condition}}}"#
    ))
}

const PRINCIPALS: &[(&str, &str, Is)] = &[
    (
        "account root only",
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"kms:*","Resource":"*"}"#,
        Is::Closed,
    ),
    (
        "bare account number",
        r#"{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"kms:*","Resource":"*"}"#,
        Is::Closed,
    ),
    (
        "star",
        r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}"#,
        Is::Public,
    ),
    (
        "AWS star",
        r#"{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:Decrypt","Resource":"*"}"#,
        Is::Public,
    ),
    (
        "star within a list",
        r#"{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:root","*"]},"Action":"kms:Decrypt","Resource":"*"}"#,
        Is::Public,
    ),
    (
        "13: DescribeKey alone counts",
        r#"{"Effect":"Allow","Principal":"*","Action":"kms:DescribeKey","Resource":"*"}"#,
        Is::Public,
    ),
    (
        "actions are compared without case",
        r#"{"Effect":"Allow","Principal":"*","Action":"KMS:decrypt","Resource":"*"}"#,
        Is::Public,
    ),
    (
        "NotAction",
        r#"{"Effect":"Allow","Principal":"*","NotAction":"kms:PutKeyPolicy","Resource":"*"}"#,
        Is::Public,
    ),
    (
        "NotPrincipal with Allow",
        r#"{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"kms:*","Resource":"*"}"#,
        Is::Public,
    ),
    (
        "a service only",
        r#"{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"kms:*","Resource":"*"}"#,
        Is::Closed,
    ),
    (
        "an identity provider only",
        r#"{"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":"kms:*","Resource":"*"}"#,
        Is::Closed,
    ),
    (
        "a deleted user",
        r#"{"Effect":"Allow","Principal":{"AWS":"AIDACKCEVSQ6C2EXAMPLE"},"Action":"kms:*","Resource":"*"}"#,
        Is::Closed,
    ),
    (
        "a canonical user names one account",
        r#"{"Effect":"Allow","Principal":{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},"Action":"s3:*","Resource":"*"}"#,
        Is::Closed,
    ),
    (
        "a name of no known form",
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::*:root"},"Action":"kms:*","Resource":"*"}"#,
        Is::Unclear,
    ),
    (
        "no principal at all",
        r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#,
        Is::Unclear,
    ),
    (
        "deny only",
        r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}"#,
        Is::Closed,
    ),
    (
        "a bucket",
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
        Is::Public,
    ),
];

#[test]
fn principals() {
    for (why, statements, expected) in PRINCIPALS {
        check(why, &resource_policy(statements), *expected);
    }
}

const BOUND_THE_ACCOUNT: &[(&str, &str)] = &[
    (
        "11: kms:CallerAccount",
        r#"{"StringEquals":{"kms:CallerAccount":"111111111111"}}"#,
    ),
    (
        "12: names of keys have no case",
        r#"{"stringequals":{"kms:callerACCOUNT":"111111111111"}}"#,
    ),
    (
        "11: with kms:ViaService",
        r#"{"StringEquals":{"kms:CallerAccount":"111111111111","kms:ViaService":"s3.eu-west-1.amazonaws.com"}}"#,
    ),
    (
        "organisation",
        r#"{"StringEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#,
    ),
    (
        "15: paths",
        r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-aaaaaaaaaa/r-ab12/*"}}"#,
    ),
    (
        "15: organisation and role together",
        r#"{"StringEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/ci"}}"#,
    ),
    (
        "principal account in a list",
        r#"{"StringEquals":{"aws:PrincipalAccount":["111111111111","222222222222"]}}"#,
    ),
    (
        "principal ARN of one account",
        r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/*"}}"#,
    ),
    (
        "source account",
        r#"{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#,
    ),
    (
        "source ARN",
        r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:111111111111:*"}}"#,
    ),
    (
        "source ARN of a bucket",
        r#"{"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::our-bucket"}}"#,
    ),
    (
        "source organisation",
        r#"{"StringEquals":{"aws:SourceOrgID":"o-aaaaaaaaaa"}}"#,
    ),
    (
        "unique id of a role",
        r#"{"StringLike":{"aws:userid":"AROAEXAMPLEEXAMPLE12:*"}}"#,
    ),
    (
        "endpoint's account",
        r#"{"StringEquals":{"aws:VpceAccount":"111111111111"}}"#,
    ),
    (
        "several operators",
        r#"{"StringEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"},"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
    ),
    (
        "services only",
        r#"{"Bool":{"aws:PrincipalIsAWSService":"true"},"StringEquals":{"aws:SourceAccount":"111111111111"}}"#,
    ),
    (
        "an address range of nobody: contradiction",
        r#"{"Bool":{"aws:SecureTransport":["true"]},"StringEquals":{"aws:PrincipalAccount":"111111111111"}}"#,
    ),
];

#[test]
fn conditions_that_bound_the_account() {
    for (why, condition) in BOUND_THE_ACCOUNT {
        check(why, &everyone_if(condition), Is::Closed);
    }
}

const BOUND_NOTHING: &[(&str, &str)] = &[
    (
        "14: kms:ViaService alone",
        r#"{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}"#,
    ),
    ("star as account", r#"{"StringLike":{"kms:CallerAccount":"*"}}"#),
    (
        "twelve question marks",
        r#"{"StringLike":{"aws:PrincipalAccount":"????????????"}}"#,
    ),
    (
        "accounts that begin with 1",
        r#"{"StringLike":{"aws:PrincipalAccount":"1*"}}"#,
    ),
    (
        "any organisation",
        r#"{"StringLike":{"aws:PrincipalOrgID":"o-*"}}"#,
    ),
    (
        "a role name in any account",
        r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/admin"}}"#,
    ),
    ("any source", r#"{"ArnLike":{"aws:SourceArn":"*"}}"#),
    (
        "any bucket as source",
        r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"}}"#,
    ),
    (
        "IfExists lets callers without an organisation in",
        r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#,
    ),
    (
        "ForAllValues holds without the key",
        r#"{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#,
    ),
    (
        "negated: everybody but one",
        r#"{"StringNotEquals":{"aws:PrincipalAccount":"111111111111"}}"#,
    ),
    ("second factor", r#"{"Bool":{"aws:MultiFactorAuthPresent":true}}"#),
    (
        "a referer",
        r#"{"StringLike":{"aws:Referer":"https://example.com/*"}}"#,
    ),
    (
        "the caller's tag",
        r#"{"StringEquals":{"aws:PrincipalTag/team":"payments"}}"#,
    ),
    (
        "the whole internet",
        r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
    ),
    (
        "half of the internet",
        r#"{"IpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/1"]}}"#,
    ),
    (
        "everywhere but one network",
        r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
    ),
    (
        "a private address is everybody's",
        r#"{"IpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}}"#,
    ),
    (
        "encryption context",
        r#"{"StringEquals":{"kms:EncryptionContext:app":"shop"}}"#,
    ),
    ("a session name", r#"{"StringLike":{"aws:userid":"*:admin"}}"#),
    (
        "age of the second factor",
        r#"{"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}"#,
    ),
    (
        "an organisation is there",
        r#"{"Null":{"aws:PrincipalOrgID":"false"}}"#,
    ),
    ("any endpoint", r#"{"StringLike":{"aws:SourceVpce":"vpce-*"}}"#),
];

#[test]
fn conditions_that_bound_nothing() {
    for (why, condition) in BOUND_NOTHING {
        check(why, &everyone_if(condition), Is::Public);
    }
}

#[test]
fn conditions_that_bound_the_network() {
    for (why, condition) in [
        ("address", r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#),
        (
            "endpoint",
            r#"{"StringEquals":{"aws:SourceVpce":"vpce-0123456789abcdef0"}}"#,
        ),
        (
            "network",
            r#"{"StringEquals":{"aws:SourceVpc":["vpc-1","vpc-2"]}}"#,
        ),
    ] {
        check(why, &everyone_if(condition), Is::Nearby);
    }
}

#[test]
fn what_is_not_known_is_neither_public_nor_safe() {
    for (why, condition) in [
        (
            "15: a key that is not known",
            r#"{"StringEquals":{"acme:Tenant":"a"}}"#,
        ),
        (
            "a policy variable",
            r#"{"StringEquals":{"aws:PrincipalAccount":"${aws:ResourceAccount}"}}"#,
        ),
        (
            "a time",
            r#"{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}"#,
        ),
        (
            "an operator that is not known",
            r#"{"StringSoundsLike":{"aws:PrincipalAccount":"111111111111"}}"#,
        ),
        (
            "a property of the key",
            r#"{"StringEquals":{"aws:ResourceTag/public":"yes"}}"#,
        ),
    ] {
        check(why, &everyone_if(condition), Is::Unclear);
    }
    // A bound that is known makes the unknown one irrelevant.
    let both = r#"{"StringEquals":{"acme:Tenant":"a","aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#;
    check(
        "known bound beside an unknown key",
        &everyone_if(both),
        Is::Closed,
    );
}
