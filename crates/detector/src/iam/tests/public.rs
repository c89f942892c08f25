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
fn everyone_if(condition: &str) -> PolicyText {
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

const DOCUMENTS: &[(&str, &str, Is)] = &[
    (
        "single statement",
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}"#,
        Is::Public,
    ),
    (
        "percent-encoded",
        "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22%2A%22%2C%22Action%22%3A%22kms%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D",
        Is::Public,
    ),
    ("no statements", r#"{"Statement":[]}"#, Is::Closed),
    ("empty", "", Is::Unclear),
    ("not JSON", "{Statement", Is::Unclear),
    ("broken percent-encoding", "%7B%2", Is::Unclear),
    ("a list", "[]", Is::Unclear),
    ("no Statement", "{}", Is::Unclear),
    ("statement is text", r#"{"Statement":"x"}"#, Is::Unclear),
    (
        "an effect that is not known",
        r#"{"Statement":[{"Effect":"allow","Principal":"*","Action":"kms:*","Resource":"*"}]}"#,
        Is::Unclear,
    ),
    (
        "condition is a list",
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":[]}]}"#,
        Is::Unclear,
    ),
    (
        "a field that is not known",
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Unless":{}}]}"#,
        Is::Unclear,
    ),
    (
        "one broken statement spoils the whole",
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"kms:*","Resource":"*"},7]}"#,
        Is::Unclear,
    ),
];

#[test]
fn documents() {
    for (why, document, expected) in DOCUMENTS {
        check(why, &text(document), *expected);
    }
    let identity = PolicyText {
        language: PolicyLanguage::GcpBindings,
        document: "{}".into(),
    };
    check("another language", &identity, Is::Unclear);
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    check("nested without end", &text(&deep), Is::Unclear);
}

#[test]
fn too_many_combinations_are_not_concluded() {
    let mut condition = String::from("{\"StringEquals\":{");
    for index in 0..16 {
        condition.push_str(&format!("\"aws:PrincipalTag/t{index}\":[\"a\",\"b\"],"));
    }
    condition.push_str("\"aws:PrincipalTag/last\":\"a\"}}");
    check("sixteen free keys", &everyone_if(&condition), Is::Unclear);
}

#[test]
fn severity_follows_the_strongest_action() {
    for (actions, power) in [
        (r#""kms:DescribeKey""#, Power::Looks),
        (r#"["kms:DescribeKey","kms:Encrypt"]"#, Power::Uses),
        (r#""kms:GenerateDataKey*""#, Power::Reads),
        (r#""kms:*""#, Power::Administers),
    ] {
        let policy = resource_policy(&format!(
            r#"{{"Sid":"s 1","Effect":"Allow","Principal":"*","Action":{actions},"Resource":"*"}}"#
        ));
        let PublicAccess::Public(grants) = public_access(&policy) else {
            panic!("{actions} is public");
        };
        assert_eq!(grants.len(), 1, "{grants:?}");
        assert_eq!(grants[0].power, power, "{actions}");
        assert_eq!(grants[0].who, Outsider::AnyAccount);
        assert_eq!(grants[0].statements, ["s 1"]);
    }
}

#[test]
fn what_is_shown_cannot_disturb_a_message() {
    let policy = resource_policy(
        r#"{"Sid":"<!channel> *x*","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:role/<@U1>`x`"},"Action":"kms:Decrypt","Resource":"*"}"#,
    );
    let access = outside_principals(&policy, &Boundary::default());
    assert_eq!(
        access.grants[0].to_string(),
        "arn:aws:iam::222222222222:role/@U1x may call kms:Decrypt (statement #1)"
    );
}

/// Documents of the size that AWS accepts, made to keep an evaluator busy. The test ends; that is its point.
#[test]
fn hostile_documents_come_to_an_end() {
    let stars = "*a".repeat(500);
    let mut principals = String::new();
    for index in 0..600 {
        principals.push_str(&format!(
            "\"arn:aws:iam::{:012}:role/r{index}\",",
            500_000_000_000u64 + index
        ));
    }
    let many_denies: String = (0..150)
        .map(|index| {
            format!(
                r#",{{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{{"StringLike":{{"aws:PrincipalTag/t{}":"{stars}{index}"}}}}}}"#,
                index % 9
            )
        })
        .collect();
    let open = r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalTag/x":"y*"}}}"#;
    let hostile = resource_policy(&format!("{open}{many_denies}"));
    check("hundreds of patterns", &hostile, Is::Unclear);
    let named = resource_policy(&format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":[{principals}"111111111111"]}},"Action":"kms:*","Resource":"*"}}{many_denies}"#
    ));
    check("hundreds of names", &named, Is::Closed);
    let access = outside_principals(&named, &Boundary::default());
    assert!(!access.doubts.is_empty(), "{} grants", access.grants.len());
    let tls = tls_enforcement(&named, "arn:aws:s3:::b");
    assert_eq!(tls, TlsEnforcement::NotEnforced);
    let resources = "\"arn:aws:s3:::".to_owned() + &"*b".repeat(900) + "\",";
    let wide = resource_policy(&format!(
        r#"{{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":[{0}"x"]}},{{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":[{0}"x"]}}"#,
        resources.repeat(60)
    ));
    assert_ne!(public_access(&wide), PublicAccess::Public(Vec::new()));
}
