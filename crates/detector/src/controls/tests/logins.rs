//! Root and users.

use keyvigil_model::id::PrincipalId;
use keyvigil_model::snapshot::{AwsAccessKey, AwsRoot, AwsUser};

use super::*;

fn root_with(mfa: Read<bool>, access_keys: Read<u32>, password: Read<bool>) -> Resource {
    let config = Config::AwsRoot(AwsRoot {
        mfa,
        access_keys,
        password,
    });
    resource("arn:aws:iam::111111111111:root", ResourceKind::Account, config)
}

#[test]
fn root() {
    use Read::{Known, Unknown};
    for (why, mfa, keys, password, mfa_verdict, keys_verdict) in [
        (
            "second factor",
            Known(true),
            Known(0),
            Known(true),
            "pass",
            "pass",
        ),
        ("none", Known(false), Known(0), Known(true), "fail", "pass"),
        (
            "47: no credentials at all",
            Known(false),
            Known(0),
            Known(false),
            "pass",
            "pass",
        ),
        (
            "47: password gone, key left",
            Known(false),
            Known(1),
            Known(false),
            "fail",
            "fail",
        ),
        (
            "second factor, and a key",
            Known(true),
            Known(2),
            Known(true),
            "pass",
            "fail",
        ),
        (
            "whether it has a password is not known",
            Known(false),
            Known(0),
            Unknown(DENIED),
            "unknown denied",
            "pass",
        ),
        (
            "whether it has keys is not known",
            Known(false),
            Unknown(DENIED),
            Known(false),
            "unknown denied",
            "unknown denied",
        ),
        (
            "second factor not known",
            Unknown(DENIED),
            Known(0),
            Known(true),
            "unknown denied",
            "pass",
        ),
        (
            "second factor not known, no credentials",
            Unknown(DENIED),
            Known(0),
            Known(false),
            "pass",
            "pass",
        ),
    ] {
        let resource = root_with(mfa, keys, password);
        check("aws.iam.root_mfa", why, resource.clone(), mfa_verdict);
        check("aws.iam.access_keys", why, resource, keys_verdict);
    }
}

#[test]
fn access_keys() {
    let key = |slot, rotated: Option<u64>, used: Option<u64>| AwsAccessKey {
        slot,
        rotated: rotated.map(days_ago),
        last_used: used.map(days_ago),
    };
    for (why, keys, expected) in [
        ("none", vec![], "not_applicable"),
        ("young and in use", vec![key(1, Some(30), Some(1))], "pass"),
        ("90 days are accepted", vec![key(1, Some(90), Some(1))], "pass"),
        ("old", vec![key(1, Some(91), Some(1))], "fail"),
        ("not used lately", vec![key(1, Some(80), Some(46))], "fail"),
        ("never used, new", vec![key(1, Some(10), None)], "pass"),
        ("never used", vec![key(1, Some(60), None)], "fail"),
        (
            "two",
            vec![key(1, Some(10), Some(1)), key(2, Some(10), Some(1))],
            "fail",
        ),
        ("age not known", vec![key(1, None, Some(1))], "unknown unreadable"),
        (
            "age of the second not known, the first old",
            vec![key(1, Some(100), Some(1)), key(2, None, None)],
            "fail",
        ),
    ] {
        let id = "arn:aws:iam::111111111111:user/ci";
        let user = AwsUser {
            id: PrincipalId::from(id),
            console: false,
            mfa: false,
            access_keys: keys,
            report_time: now(),
        };
        check(
            "aws.iam.access_keys",
            why,
            resource(id, ResourceKind::User, Config::AwsUser(user)),
            expected,
        );
    }
}
