//! Key policies and grants.

use keyvigil_model::facts::Grant;

use super::*;

fn with_policy(statement: &str) -> AwsKmsKey {
    AwsKmsKey {
        policy: Read::Known(policy_text(&format!(r#"{{"Statement":[{statement}]}}"#))),
        ..key()
    }
}

fn allow(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":{principal},"Action":"kms:Decrypt","Resource":"*","Condition":{condition}}}"#
    )
}

fn grant(account: Option<&str>, service: bool) -> Grant {
    Grant {
        grantee: Untrusted::from("arn:aws:iam::x:role/x"),
        grantee_account: account.map(AccountId::from),
        grantee_is_service: service,
        operations: vec!["Decrypt".into()],
        constrained: false,
    }
}

#[test]
fn public_and_cross_account() {
    let cross = |principal: &str, condition: &str| key_resource(with_policy(&allow(principal, condition)));
    for (why, resource, public, shared) in [
        ("its own account", key_resource(key()), "pass", "pass"),
        ("everybody", cross(r#""*""#, "{}"), "fail", "fail"),
        (
            "11: everybody in the account",
            cross(
                r#""*""#,
                r#"{"StringEquals":{"kms:CallerAccount":"111111111111"}}"#,
            ),
            "pass",
            "pass",
        ),
        (
            "14: through a service only",
            cross(
                r#""*""#,
                r#"{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}"#,
            ),
            "fail",
            "fail",
        ),
        (
            "network",
            cross(r#""*""#, r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#),
            "pass",
            "unknown not_visible",
        ),
        (
            "another account",
            cross(r#"{"AWS":"333333333333"}"#, "{}"),
            "pass",
            "fail",
        ),
    ] {
        check("aws.kms.policy_not_public", why, resource.clone(), public);
        check("aws.kms.cross_account", why, resource, shared);
    }
}

#[test]
fn what_cannot_be_told() {
    let cross = |principal: &str, condition: &str| key_resource(with_policy(&allow(principal, condition)));
    for (why, resource, public, shared) in [
        (
            "15: a condition that is not known",
            cross(r#""*""#, r#"{"StringEquals":{"acme:x":"y"}}"#),
            "unknown unsupported_value",
            "unknown unsupported_value",
        ),
        (
            "an organisation that is not configured",
            cross(
                r#""*""#,
                r#"{"StringEquals":{"aws:PrincipalOrgID":"o-aaaaaaaaaa"}}"#,
            ),
            "pass",
            "unknown unsupported_value",
        ),
        (
            "a service without an account",
            cross(r#"{"Service":"sns.amazonaws.com"}"#, "{}"),
            "pass",
            "pass",
        ),
        (
            "not JSON",
            key_resource(AwsKmsKey {
                policy: Read::Known(policy_text("{")),
                ..key()
            }),
            "unknown unsupported_value",
            "unknown unsupported_value",
        ),
        (
            "not readable",
            key_resource(AwsKmsKey {
                policy: Read::Unknown(DENIED),
                ..key()
            }),
            "unknown denied",
            "unknown denied",
        ),
        (
            "key of AWS",
            key_resource(key_with(|m| m.managed_by_customer = false)),
            "not_applicable",
            "not_applicable",
        ),
        (
            "not described, but the policy was read",
            key_resource(AwsKmsKey {
                metadata: Read::Unknown(DENIED),
                ..key()
            }),
            "pass",
            "pass",
        ),
    ] {
        check("aws.kms.policy_not_public", why, resource.clone(), public);
        check("aws.kms.cross_account", why, resource, shared);
    }
}

#[test]
fn grants() {
    let with = |grants| key_resource(AwsKmsKey { grants, ..key() });
    for (why, grants, expected) in [
        ("own account", Read::Known(vec![grant(Some(OWN), false)]), "pass"),
        (
            "16: another account",
            Read::Known(vec![grant(Some(OWN), false), grant(Some("333333333333"), false)]),
            "fail",
        ),
        ("a service", Read::Known(vec![grant(None, true)]), "pass"),
        (
            "nobody knows whose",
            Read::Known(vec![grant(None, false)]),
            "unknown not_visible",
        ),
        (
            "not listed",
            Read::Unknown(UnknownReason::Throttled),
            "unknown throttled",
        ),
    ] {
        check("aws.kms.cross_account", why, with(grants), expected);
    }
    // What was seen outside counts, whatever else could not be read.
    let seen = AwsKmsKey {
        policy: Read::Unknown(DENIED),
        grants: Read::Known(vec![grant(Some("333333333333"), false)]),
        ..key()
    };
    check("aws.kms.cross_account", "half blind", key_resource(seen), "fail");
}

#[test]
fn the_policy_says_who_is_trusted() {
    let outside = with_policy(&allow(r#"{"AWS":"333333333333"}"#, "{}"));
    let world =
        |policy| World::of(&[complete(Family::Keys, vec![key_resource(outside.clone())])]).with(policy);
    let partner = |expires: &str| {
        serde_json::json!({"partners": [
            {"account": "333333333333", "name": "P", "owner": "sec", "expires": expires}]})
    };
    for (why, policy, expected) in [
        (
            "account of the organisation",
            serde_json::json!({"organisation": {"accounts": ["333333333333"]}}),
            "pass",
        ),
        ("partner", partner("2026-12-31"), "pass"),
        ("partner of yesterday", partner("2026-05-31"), "fail"),
    ] {
        assert_eq!(
            world(policy).verdict("aws.kms.cross_account", KEY),
            expected,
            "{why}"
        );
    }
}

#[test]
fn severity_of_a_public_key_follows_the_action() {
    for (action, severity) in [
        ("kms:DescribeKey", "medium"),
        ("kms:Encrypt", "high"),
        ("kms:Decrypt", "critical"),
    ] {
        let statement = allow(r#""*""#, "{}").replace("kms:Decrypt", action);
        let world = World::of(&[complete(
            Family::Keys,
            vec![key_resource(with_policy(&statement))],
        )]);
        let judgement = world.judge("aws.kms.policy_not_public", KEY).unwrap();
        assert_eq!(judgement.verdict, Verdict::Fail, "13: {action}");
        let finding = finding(&judgement, &world.inventory, &world.policy);
        assert_eq!(finding.severity.as_str(), severity, "{action}");
    }
}
