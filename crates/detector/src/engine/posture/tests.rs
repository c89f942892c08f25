//! Event and state are one alert: it opens with whichever is seen first and closes with the repair.

use std::collections::BTreeMap;
use std::time::Duration;

use keyvigil_model::action::Action;
use keyvigil_model::facts::Facts;
use keyvigil_model::finding::{Finding, FindingKind};
use keyvigil_model::id::{KeyId, Region, ResourceId, SourceId};
use keyvigil_model::key::KeyTier;
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::ResourceKind;
use keyvigil_model::snapshot::{AwsEbsDefault, Config, Family, Resource, Snapshot, SnapshotScope};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::*;
use crate::Detector;
use crate::policy::exception::Exception;
use crate::step::Input;
use crate::testing::{Ev, OWN, World, ev, policy, start};

const ID: &str = "ebs-default/111111111111/eu-west-1";

fn reference() -> ResourceRef {
    ResourceRef {
        id: ResourceId::from(ID),
        kind: ResourceKind::DiskDefault,
        account: Some(AccountId::from(OWN)),
        region: Some(Region::from("eu-west-1")),
    }
}

fn poll(world: &mut World, minute: u64, enabled: Read<bool>) {
    let resource = Resource {
        reference: reference(),
        name: Untrusted::from("default"),
        tags: Read::Known(BTreeMap::new()),
        config: Config::AwsEbsDefault(AwsEbsDefault {
            enabled,
            key: Read::Known(KeyId::from("arn:aws:kms:eu-west-1:111111111111:alias/aws/ebs")),
        }),
    };
    snapshot(
        world,
        minute,
        SnapshotScope::Complete(vec![Family::Disks]),
        vec![resource],
    );
}

fn snapshot(world: &mut World, minute: u64, scope: SnapshotScope, resources: Vec<Resource>) {
    let at = start().plus(Duration::from_secs(minute * 60));
    let snapshot = Snapshot {
        source: SourceId::from("poller"),
        provider: Provider::Aws,
        account: AccountId::from(OWN),
        region: Region::from("eu-west-1"),
        taken_at: at,
        scope,
        resources,
        blind: Vec::new(),
    };
    let step = world.detector.step(at, Input::Snapshot(&snapshot));
    world.take(step);
}

fn removed(minute: i64) -> Ev {
    on_default(ev(Action::DefaultEncryptionRemove), minute)
}

fn set(minute: i64) -> Ev {
    let facts = Facts::Encryption {
        tier: Some(KeyTier::ProviderManaged),
        key: None,
    };
    on_default(ev(Action::DefaultEncryptionSet).facts(facts), minute)
}

fn on_default(event: Ev, minute: i64) -> Ev {
    let mut event = event.no_key().minute(minute);
    event.0.resource = Some(reference());
    event
}

const EVENT: &str = "high encryption.default_removed";
const REPAIRED: &str = "cleared repaired";

fn state_line(world: &World) -> String {
    let severity = findings(world)
        .into_iter()
        .find(|finding| finding.kind == FindingKind::State);
    format!("{} aws.ebs.default_encryption", severity.unwrap().severity)
}

fn findings(world: &World) -> Vec<&Finding> {
    let changes = world.steps.iter().flat_map(|step| &step.findings);
    changes
        .filter_map(|change| match change {
            FindingChange::Raised(finding) => Some(&**finding),
            FindingChange::Cleared { .. } | FindingChange::Suppressed { .. } => None,
        })
        .collect()
}

#[test]
fn an_event_confirmed_by_the_poller_closes_with_the_repair() {
    let mut world = World::new(policy());
    poll(&mut world, 0, Read::Known(true));
    world.events(&[removed(10)]);
    poll(&mut world, 11, Read::Known(false));
    poll(&mut world, 12, Read::Known(false));
    assert_eq!(world.log(), [EVENT]);
    poll(&mut world, 20, Read::Known(true));
    assert_eq!(world.log(), [EVENT, REPAIRED]);
}

#[test]
fn what_the_poller_never_saw_fail_stays_open() {
    let mut world = World::new(policy());
    poll(&mut world, 0, Read::Known(true));
    world.events(&[removed(10)]);
    poll(&mut world, 11, Read::Known(true));
    assert_eq!(world.log(), [EVENT]);
    world.events(&[set(12)]);
    assert_eq!(world.log(), [EVENT, "cleared reverted"]);
}

#[test]
fn a_state_seen_first_and_its_event_have_one_identity() {
    let mut world = World::new(policy());
    poll(&mut world, 11, Read::Known(false));
    world.events(&[removed(10)]);
    let found = findings(&world);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].fingerprint, found[1].fingerprint);
    assert_eq!(found[1].kind, FindingKind::Event);
    poll(&mut world, 20, Read::Known(true));
    assert_eq!(world.log(), [state_line(&world).as_str(), EVENT, REPAIRED]);
}

#[test]
fn a_stale_reading_neither_closes_nor_reopens() {
    let mut world = World::new(policy());
    poll(&mut world, 5, Read::Known(false));
    let opened = state_line(&world);
    world.events(&[set(10)]);
    poll(&mut world, 9, Read::Known(false));
    assert_eq!(world.log(), [opened.as_str(), "cleared reverted"]);
    poll(&mut world, 15, Read::Known(false));
    assert_eq!(
        world.log(),
        [opened.as_str(), "cleared reverted", opened.as_str()]
    );
}

#[test]
fn unknown_opens_and_closes_nothing() {
    let mut world = World::new(policy());
    poll(&mut world, 0, Read::Unknown(UnknownReason::Denied));
    assert_eq!(world.log(), Vec::<String>::new());
    poll(&mut world, 1, Read::Known(false));
    poll(&mut world, 2, Read::Unknown(UnknownReason::Denied));
    let opened = state_line(&world);
    assert_eq!(world.log(), [opened.as_str()]);
    poll(&mut world, 3, Read::Known(true));
    assert_eq!(world.log(), [opened.as_str(), REPAIRED]);
}

#[test]
fn only_what_changed_is_handed_out_also_after_a_restart() {
    let mut world = World::new(policy());
    poll(&mut world, 0, Read::Known(false));
    let of = |step: &Step| {
        step.judgements
            .iter()
            .filter(|j| j.resource == reference())
            .count()
    };
    assert!(of(&world.steps[0]) > 0);
    poll(&mut world, 1, Read::Known(false));
    assert_eq!(of(&world.steps[1]), 0);
    world.restart(policy());
    poll(&mut world, 2, Read::Known(false));
    assert_eq!(of(&world.steps[2]), 0);
    assert_eq!(findings(&world).len(), 1);
    poll(&mut world, 3, Read::Known(true));
    assert_eq!(world.log(), [state_line(&world).as_str(), REPAIRED]);
}

#[test]
fn an_inventory_outlives_a_reload_of_the_state() {
    let mut world = World::new(policy());
    poll(&mut world, 0, Read::Known(false));
    // Nothing of that step was saved.
    world.steps.clear();
    world.clear_log();
    let (fresh, _) = Detector::new(policy(), []);
    let before = std::mem::replace(&mut world.detector, fresh);
    world.detector.carry_over(before.into_inventory());
    world.tick_minute(1);
    assert_eq!(world.log(), [state_line(&world)]);
}

#[test]
fn a_resource_that_is_gone_takes_its_judgements_along() {
    let mut world = World::new(policy());
    poll(&mut world, 0, Read::Known(false));
    snapshot(
        &mut world,
        1,
        SnapshotScope::Complete(vec![Family::Disks]),
        Vec::new(),
    );
    let withdrawn: Vec<_> = world.steps[1]
        .withdrawn
        .iter()
        .map(|(control, _)| control.as_str())
        .collect();
    assert!(withdrawn.contains(&"aws.ebs.default_encryption"), "{withdrawn:?}");
    assert_eq!(
        world.log(),
        [state_line(&world).as_str(), "cleared resource_gone"]
    );
}

#[test]
fn a_new_exception_closes_the_finding_with_the_next_tick() {
    let mut world = World::new(policy());
    poll(&mut world, 0, Read::Known(false));
    let mut excepting = policy();
    excepting.exceptions = vec![Exception {
        id: "EX-7".to_owned(),
        checks: vec!["aws.ebs.*".to_owned()],
        accounts: Vec::new(),
        principals: Vec::new(),
        keys: Vec::new(),
        resources: Vec::new(),
        owner: "platform".to_owned(),
        approved_by: None,
        reason: "legacy".to_owned(),
        ticket: None,
        expires: "2027-01-01".to_owned(),
    }];
    world.detector.replace_policy(excepting);
    world.tick_minute(1);
    let opened = state_line(&world);
    let suppressed = format!("EX-7 {opened}");
    assert_eq!(
        world.log(),
        [opened.as_str(), "cleared excepted", suppressed.as_str()]
    );
    world.detector.replace_policy(policy());
    world.tick_minute(2);
    assert_eq!(world.log()[3..], [opened]);
}

#[test]
fn every_pair_names_a_control_and_a_rule() {
    for (control, rule) in PAIRS {
        assert!(
            controls().iter().any(|known| known.meta().check.id == control),
            "{control}"
        );
        assert!(
            crate::rules().iter().any(|known| known.meta().id == rule),
            "{rule}"
        );
    }
}

mod trails;
