//! Who outside the organisation may use a key?

use super::*;

fn boundary() -> Boundary {
    Boundary {
        accounts: ["111111111111", "222222222222"].map(str::to_owned).into(),
        organisations: ["o-aaaaaaaaaa".to_owned()].into(),
    }
}

fn words(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(|grant| grant.who.to_string()).collect()
}

/// Statement, grants, services, whether something is in doubt.
fn check(why: &str, statements: &str, grants: &[&str], services: &[&str], doubtful: bool) {
    let access = outside_principals(&resource_policy(statements), &boundary());
    assert_eq!(words(&access.grants), grants, "{why}: {access:?}");
    assert_eq!(words(&access.services), services, "{why}: {access:?}");
    assert_eq!(!access.doubts.is_empty(), doubtful, "{why}: {access:?}");
}

fn allow(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":{principal},"Action":"kms:Decrypt","Resource":"*","Condition":{condition}}}"#
    )
}

#[test]
fn principals() {
    for (why, principal, grants, services) in [
        ("own account", r#"{"AWS":"111111111111"}"#, &[][..], &[][..]),
        (
            "account of the organisation",
            r#"{"AWS":"arn:aws:iam::222222222222:role/app"}"#,
            &[],
            &[],
        ),
        (
            "another account",
            r#"{"AWS":"arn:aws:iam::333333333333:root"}"#,
            &["account 333333333333"],
            &[],
        ),
        (
            "a role elsewhere",
            r#"{"AWS":["111111111111","arn:aws:iam::333333333333:role/x"]}"#,
            &["arn:aws:iam::333333333333:role/x"],
            &[],
        ),
        ("everybody", r#""*""#, &["any AWS account"], &[]),
        (
            "a service",
            r#"{"Service":"sns.amazonaws.com"}"#,
            &[],
            &["sns.amazonaws.com for any account"],
        ),
        (
            "a web identity",
            r#"{"Federated":"accounts.google.com"}"#,
            &["identity provider accounts.google.com"],
            &[],
        ),
        (
            "own SAML provider",
            r#"{"Federated":"arn:aws:iam::111111111111:saml-provider/corp"}"#,
            &[],
            &[],
        ),
        (
            "SAML provider elsewhere",
            r#"{"Federated":"arn:aws:iam::333333333333:saml-provider/corp"}"#,
            &["identity provider arn:aws:iam::333333333333:saml-provider/corp"],
            &[],
        ),
        ("deleted", r#"{"AWS":"AROACKCEVSQ6C2EXAMPLE"}"#, &[], &[]),
    ] {
        check(why, &allow(principal, "{}"), grants, services, false);
    }
    let canonical = r#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#;
    check("a canonical user", &allow(canonical, "{}"), &[], &[], true);
}

#[test]
fn conditions() {
    let everyone = r#"{"AWS":"*"}"#;
    for (why, principal, condition, grants, services, doubtful) in [
        (
            "own organisation",
            everyone,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#,
            &[][..],
            &[][..],
            false,
        ),
        (
            "another organisation",
            everyone,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-bbbbbbbbbb"}}"#,
            &["organisation o-bbbbbbbbbb"],
            &[],
            false,
        ),
        (
            "unit of another organisation",
            everyone,
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["o-aaaaaaaaaa/*","o-bbbbbbbbbb/r-1/*"]}}"#,
            &["organisation o-bbbbbbbbbb"],
            &[],
            false,
        ),
        (
            "15: organisation and a role",
            everyone,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/ci"}}"#,
            &[],
            &[],
            false,
        ),
        (
            "11: own account as caller",
            everyone,
            r#"{"StringEquals":{"kms:CallerAccount":"111111111111"}}"#,
            &[],
            &[],
            false,
        ),
        (
            "another account as caller",
            everyone,
            r#"{"StringEquals":{"kms:CallerAccount":["111111111111","333333333333"]}}"#,
            &["account 333333333333"],
            &[],
            false,
        ),
        (
            "a role elsewhere",
            everyone,
            r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::333333333333:role/x"}}"#,
            &["arn:aws:iam::333333333333:role/x"],
            &[],
            false,
        ),
        (
            "roles elsewhere",
            everyone,
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::333333333333:role/*"}}"#,
            &["account 333333333333"],
            &[],
            false,
        ),
        (
            "named outside, bound to the organisation",
            r#"{"AWS":"333333333333"}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#,
            &[],
            &[],
            false,
        ),
        (
            "14: through a service, by an outsider",
            r#"{"AWS":"333333333333"}"#,
            r#"{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}"#,
            &["account 333333333333"],
            &[],
            false,
        ),
        (
            "service for own account",
            r#"{"Service":"sns.amazonaws.com"}"#,
            r#"{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#,
            &[],
            &[],
            false,
        ),
        (
            "service for own resource",
            r#"{"Service":"sns.amazonaws.com"}"#,
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:111111111111:*"}}"#,
            &[],
            &[],
            false,
        ),
        (
            "service for own organisation",
            r#"{"Service":"sns.amazonaws.com"}"#,
            r#"{"StringEquals":{"aws:SourceOrgID":"o-aaaaaaaaaa"}}"#,
            &[],
            &[],
            false,
        ),
        (
            "service with the context of own trail",
            r#"{"Service":"cloudtrail.amazonaws.com"}"#,
            r#"{"StringLike":{"kms:EncryptionContext:aws:cloudtrail:arn":"arn:aws:cloudtrail:*:111111111111:trail/*"}}"#,
            &[],
            &[],
            false,
        ),
        (
            "service with the context of any trail",
            r#"{"Service":"cloudtrail.amazonaws.com"}"#,
            r#"{"StringLike":{"kms:EncryptionContext:aws:cloudtrail:arn":"arn:aws:cloudtrail:*:*:trail/*"}}"#,
            &[],
            &["cloudtrail.amazonaws.com for any account"],
            false,
        ),
        (
            "services for another account",
            everyone,
            r#"{"StringEquals":{"aws:SourceAccount":"333333333333"}}"#,
            &[],
            &["AWS services for account 333333333333"],
            false,
        ),
        (
            "network only",
            everyone,
            r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#,
            &["any AWS account"],
            &[],
            false,
        ),
        (
            "15: a key that is not known",
            r#"{"AWS":"333333333333"}"#,
            r#"{"StringEquals":{"acme:Tenant":"a"}}"#,
            &[],
            &[],
            true,
        ),
        (
            "unique id",
            everyone,
            r#"{"StringLike":{"aws:userid":"AROAEXAMPLEEXAMPLE12:*"}}"#,
            &[],
            &[],
            true,
        ),
        (
            "unique id in own account",
            everyone,
            r#"{"StringLike":{"aws:userid":"AROAEXAMPLEEXAMPLE12:*"},"StringEquals":{"aws:PrincipalAccount":"111111111111"}}"#,
            &[],
            &[],
            false,
        ),
    ] {
        check(why, &allow(principal, condition), grants, services, doubtful);
    }
}

#[test]
fn deny_takes_back() {
    let fence = |principal: &str, condition: &str| {
        format!(
            r#"{},{{"Effect":"Deny",{principal},"Action":"*","Resource":"*","Condition":{condition}}}"#,
            allow(
                r#"{"AWS":["333333333333","arn:aws:iam::444444444444:role/x"]}"#,
                "{}"
            )
        )
    };
    let outside = r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#;
    check(
        "organisation fence",
        &fence(r#""Principal":"*""#, outside),
        &[],
        &[],
        false,
    );
    check(
        "all but one role and its account",
        &fence(
            r#""NotPrincipal":{"AWS":["444444444444","arn:aws:iam::444444444444:role/x"]}"#,
            "{}",
        ),
        // The account as such is named by the exemption, but nothing allows it.
        &["arn:aws:iam::444444444444:role/x"],
        &[],
        false,
    );
    check(
        "one of two accounts",
        &fence(r#""Principal":{"AWS":"arn:aws:iam::333333333333:root"}"#, "{}"),
        &["arn:aws:iam::444444444444:role/x"],
        &[],
        false,
    );
}

#[test]
fn organisations_without_configuration_are_in_doubt() {
    let policy = resource_policy(&allow(
        r#""*""#,
        r#"{"StringEquals":{"aws:PrincipalOrgID":"o-cccccccccc"}}"#,
    ));
    let access = outside_principals(&policy, &Boundary::default());
    assert!(access.grants.is_empty(), "{access:?}");
    assert_eq!(access.doubts.len(), 1, "{access:?}");
    assert!(access.doubts[0].contains("o-cccccccccc"), "{access:?}");
}

#[test]
fn what_cannot_be_read_is_in_doubt() {
    let access = outside_principals(&text("nonsense"), &boundary());
    assert_eq!(
        access.doubts,
        ["the policy cannot be read: it is not JSON (line 1)"]
    );
}
