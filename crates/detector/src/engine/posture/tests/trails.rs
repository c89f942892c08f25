//! A trail that was narrowed: what its control may call repaired.

use keyvigil_model::facts::AuditScope;
use keyvigil_model::snapshot::{AwsTrail, AwsTrailStatus};

use super::*;

const TRAIL: &str = "arn:aws:cloudtrail:eu-west-1:111111111111:trail/main";
const NARROWED: &str = "critical audit.narrowed";

fn trail_reference() -> ResourceRef {
    ResourceRef {
        id: ResourceId::from(TRAIL),
        kind: ResourceKind::AuditLog,
        ..reference()
    }
}

fn trail() -> AwsTrail {
    AwsTrail {
        home_region: Region::from("eu-west-1"),
        multi_region: true,
        organisation: false,
        global_events: true,
        validation: true,
        bucket: "logs".into(),
        key: None,
        status: Read::Known(AwsTrailStatus {
            logging: true,
            last_delivery: Some(start()),
            delivery_error: None,
        }),
        scope: Read::Known(AuditScope::default()),
    }
}

fn without(service: &str) -> AuditScope {
    AuditScope {
        excluded_services: vec![service.into()],
        ..AuditScope::default()
    }
}

fn scoped(scope: AuditScope) -> AwsTrail {
    AwsTrail {
        scope: Read::Known(scope),
        ..trail()
    }
}

fn stopped(scope: AuditScope) -> AwsTrail {
    AwsTrail {
        status: Read::Known(AwsTrailStatus {
            logging: false,
            last_delivery: None,
            delivery_error: None,
        }),
        ..scoped(scope)
    }
}

fn poll_trail(world: &mut World, minute: u64, trail: AwsTrail) {
    let resource = Resource {
        reference: trail_reference(),
        name: Untrusted::from("main"),
        tags: Read::Known(BTreeMap::new()),
        config: Config::AwsTrail(Box::new(trail)),
    };
    snapshot(
        world,
        minute,
        SnapshotScope::One(trail_reference()),
        vec![resource],
    );
}

fn narrowed(scope: AuditScope, minute: i64) -> Ev {
    let mut event = ev(Action::AuditScopeChange)
        .no_key()
        .facts(Facts::AuditScope(scope))
        .minute(minute);
    event.0.resource = Some(trail_reference());
    event
}

/// How often something about the trail itself was cleared.
fn closings(world: &World) -> usize {
    let print = findings(world)
        .into_iter()
        .find(|finding| {
            finding
                .resource
                .as_ref()
                .is_some_and(|at| at.id.as_str() == TRAIL)
        })
        .unwrap()
        .fingerprint;
    let changes = world.steps.iter().flat_map(|step| &step.findings);
    changes
        .filter(
            |change| matches!(change, FindingChange::Cleared { fingerprint, .. } if *fingerprint == print),
        )
        .count()
}

fn still_narrow() -> Vec<(&'static str, AwsTrail)> {
    let kms = || without("kms.amazonaws.com");
    let part = |change: fn(&mut AuditScope)| {
        let mut scope = AuditScope::default();
        change(&mut scope);
        scoped(scope)
    };
    vec![
        (
            "one region",
            AwsTrail {
                multi_region: false,
                ..trail()
            },
        ),
        (
            "no global events",
            AwsTrail {
                global_events: false,
                ..trail()
            },
        ),
        ("another service", scoped(without("rdsdata.amazonaws.com"))),
        ("management events off", part(|scope| scope.management_off = true)),
        ("not understood", part(|scope| scope.not_understood = true)),
        ("stopped", stopped(AuditScope::default())),
        ("stopped and without keys", stopped(kms())),
    ]
}

#[test]
fn what_an_event_narrowed_is_repaired_when_everything_is_recorded_again() {
    let kms = || without("kms.amazonaws.com");
    for (why, trail_then) in still_narrow() {
        let mut world = World::new(policy());
        world.events(&[narrowed(kms(), 10)]);
        assert_eq!(world.log(), [NARROWED]);
        poll_trail(&mut world, 11, scoped(kms()));
        poll_trail(&mut world, 12, trail_then);
        assert_eq!(closings(&world), 0, "{why}");
        poll_trail(&mut world, 13, trail());
        assert_eq!(closings(&world), 1, "{why}, then all");
    }
}

#[test]
fn an_event_after_the_state_was_seen_counts_as_much() {
    let kms = || without("kms.amazonaws.com");
    let mut world = World::new(policy());
    poll_trail(&mut world, 9, scoped(kms()));
    world.events(&[narrowed(kms(), 10)]);
    poll_trail(&mut world, 11, scoped(without("rdsdata.amazonaws.com")));
    assert_eq!(closings(&world), 0);
    poll_trail(&mut world, 12, trail());
    assert_eq!(closings(&world), 1);
}

#[test]
fn a_trail_that_records_nothing_repairs_nothing() {
    let kms = || without("kms.amazonaws.com");
    let off = AuditScope {
        management_off: true,
        ..AuditScope::default()
    };
    for worse in [stopped(kms()), stopped(AuditScope::default()), scoped(off)] {
        let mut world = World::new(policy());
        poll_trail(&mut world, 1, scoped(kms()));
        poll_trail(&mut world, 2, worse);
        assert_eq!(closings(&world), 0);
        // The control's own finding is about keys only.
        poll_trail(&mut world, 3, scoped(without("rdsdata.amazonaws.com")));
        assert_eq!(closings(&world), 1);
    }
}
