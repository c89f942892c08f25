//! Trails, and the account as a whole.

use keyvigil_model::facts::AuditScope;
use keyvigil_model::snapshot::{AwsTrail, AwsTrailStatus};

use super::*;

const TRAIL: &str = "arn:aws:cloudtrail:eu-west-1:111111111111:trail/main";

fn trail() -> AwsTrail {
    AwsTrail {
        home_region: Region::from(HOME),
        multi_region: true,
        organisation: false,
        global_events: true,
        validation: true,
        bucket: "logs".into(),
        key: None,
        status: Read::Known(status()),
        scope: Read::Known(AuditScope::default()),
    }
}

fn status() -> AwsTrailStatus {
    AwsTrailStatus {
        logging: true,
        last_delivery: Some(now()),
        delivery_error: None,
    }
}

fn with_status(change: impl FnOnce(&mut AwsTrailStatus)) -> AwsTrail {
    let mut changed = status();
    change(&mut changed);
    AwsTrail {
        status: Read::Known(changed),
        ..trail()
    }
}

fn with_scope(change: impl FnOnce(&mut AuditScope)) -> AwsTrail {
    let mut changed = AuditScope::default();
    change(&mut changed);
    AwsTrail {
        scope: Read::Known(changed),
        ..trail()
    }
}

fn named(id: &str, trail: AwsTrail) -> Resource {
    resource(id, ResourceKind::AuditLog, Config::AwsTrail(Box::new(trail)))
}

fn without_kms() -> AwsTrail {
    with_scope(|scope| scope.excluded_services = vec!["kms.amazonaws.com".into()])
}

/// One trail, judged by both controls.
fn both(why: &str, trail: AwsTrail, enabled: &str, kms: &str) {
    let world = World::of(&[complete(Family::AuditLogs, vec![named(TRAIL, trail)])]);
    assert_eq!(world.verdict("aws.cloudtrail.enabled", OWN), enabled, "{why}");
    assert_eq!(
        world.verdict("aws.cloudtrail.kms_events_included", TRAIL),
        kms,
        "{why}"
    );
}

#[test]
fn trails() {
    for (why, trail, enabled, kms) in [
        ("as it should be", trail(), "pass", "pass"),
        (
            "one region",
            AwsTrail {
                multi_region: false,
                ..trail()
            },
            "fail",
            "pass",
        ),
        (
            "no global services",
            AwsTrail {
                global_events: false,
                ..trail()
            },
            "fail",
            "pass",
        ),
        (
            "stopped",
            with_status(|s| s.logging = false),
            "fail",
            "not_applicable",
        ),
        (
            "delivery fails",
            with_status(|s| s.delivery_error = Some(Untrusted::from("AccessDenied"))),
            "fail",
            "pass",
        ),
        (
            "delivery is stale",
            with_status(|s| s.last_delivery = Some(days_ago(2))),
            "fail",
            "pass",
        ),
        (
            "never delivered",
            with_status(|s| s.last_delivery = None),
            "fail",
            "pass",
        ),
    ] {
        both(why, trail, enabled, kms);
    }
}

#[test]
fn selectors() {
    let unread = AwsTrail {
        status: Read::Unknown(DENIED),
        ..trail()
    };
    let unread_scope = AwsTrail {
        scope: Read::Unknown(DENIED),
        ..trail()
    };
    for (why, trail, enabled, kms) in [
        (
            "data events only",
            with_scope(|s| s.management_off = true),
            "fail",
            "not_applicable",
        ),
        (
            "writes only",
            with_scope(|s| s.reads_or_writes_only = true),
            "fail",
            "fail",
        ),
        ("without KMS", without_kms(), "pass", "fail"),
        (
            "without RDS data",
            with_scope(|s| s.excluded_services = vec!["rdsdata.amazonaws.com".into()]),
            "pass",
            "pass",
        ),
        (
            "selectors not understood",
            with_scope(|s| s.not_understood = true),
            "unknown unsupported_value",
            "unknown unsupported_value",
        ),
        ("status not readable", unread, "unknown denied", "unknown denied"),
        (
            "selectors not readable",
            unread_scope,
            "unknown denied",
            "unknown denied",
        ),
    ] {
        both(why, trail, enabled, kms);
    }
}

#[test]
fn an_account_is_judged_as_a_whole() {
    let bad = || {
        named(
            TRAIL,
            AwsTrail {
                multi_region: false,
                ..trail()
            },
        )
    };
    let second = "arn:aws:cloudtrail:eu-west-1:111111111111:trail/second";
    let partial = |list| snapshot(SnapshotScope::Partial(vec![Family::AuditLogs]), list);
    for (why, snapshot, expected) in [
        ("no trail", complete(Family::AuditLogs, vec![]), "fail"),
        ("no trail, listed in part", partial(vec![]), "unknown not_visible"),
        (
            "a bad one, listed in part",
            partial(vec![bad()]),
            "unknown not_visible",
        ),
        (
            "a good one, listed in part",
            partial(vec![named(TRAIL, trail())]),
            "pass",
        ),
        (
            "a bad and a good one",
            complete(Family::AuditLogs, vec![bad(), named(second, trail())]),
            "pass",
        ),
        (
            "a bad one and one that cannot be read",
            complete(
                Family::AuditLogs,
                vec![
                    bad(),
                    named(
                        second,
                        AwsTrail {
                            status: Read::Unknown(DENIED),
                            ..trail()
                        },
                    ),
                ],
            ),
            "unknown denied",
        ),
    ] {
        assert_eq!(
            World::of(&[snapshot]).verdict("aws.cloudtrail.enabled", OWN),
            expected,
            "{why}"
        );
    }
    assert_eq!(
        World::of(&[]).verdict("aws.cloudtrail.enabled", OWN),
        "unknown not_yet_read"
    );
}

#[test]
fn a_trail_of_the_organisation_counts_for_its_members() {
    let shared = |status| {
        let mut resource = named(
            TRAIL,
            AwsTrail {
                organisation: true,
                status,
                ..trail()
            },
        );
        resource.reference.account = Some(AccountId::from("222222222222"));
        resource.reference.region = Some(Region::from(HOME));
        resource
    };
    // The member sees the trail but may not read its status.
    let member = complete(Family::AuditLogs, vec![shared(Read::Unknown(DENIED))]);
    assert_eq!(
        World::of(std::slice::from_ref(&member)).verdict("aws.cloudtrail.enabled", OWN),
        "unknown denied"
    );
    let mut owner = complete(Family::AuditLogs, vec![shared(Read::Known(status()))]);
    owner.account = AccountId::from("222222222222");
    for order in [[member.clone(), owner.clone()], [owner, member]] {
        let world = World::of(&order);
        assert_eq!(world.verdict("aws.cloudtrail.enabled", OWN), "pass");
        assert_eq!(world.verdict("aws.cloudtrail.enabled", "222222222222"), "pass");
        assert_eq!(world.verdict("aws.cloudtrail.kms_events_included", TRAIL), "pass");
    }
}

#[test]
fn a_second_trail_may_record_what_the_first_leaves_out() {
    let second = "arn:aws:cloudtrail:eu-west-1:111111111111:trail/second";
    for (why, other, expected) in [
        ("complete", trail(), "not_applicable"),
        ("stopped", with_status(|s| s.logging = false), "fail"),
        ("leaves it out too", without_kms(), "fail"),
    ] {
        let list = vec![named(TRAIL, without_kms()), named(second, other)];
        let world = World::of(&[complete(Family::AuditLogs, list)]);
        assert_eq!(
            world.verdict("aws.cloudtrail.kms_events_included", TRAIL),
            expected,
            "{why}"
        );
    }
}
