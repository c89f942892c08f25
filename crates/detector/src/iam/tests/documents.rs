//! Documents of every form, also broken and hostile ones, and what is said about them.

use super::public::{Is, check, everyone_if};
use super::*;

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
