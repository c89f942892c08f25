//! From a judgement to a finding: severity, summary, advice and context.

use keyvigil_model::event::Outcome;
use keyvigil_model::finding::{Context, Evidence, Finding, FindingKind};
use keyvigil_model::id::{AccountId, FindingId, Region, SourceId};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::ResourceKind;
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Config;
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Judgement, Verdict};

use crate::control::{Case, Control, Stakes};
use crate::inventory::Inventory;
use crate::policy::Policy;

/// The key that the resource of the case is, or names.
pub(crate) fn key_of(case: &Case<'_>) -> Option<KeyRef> {
    let resource = case.resource()?;
    let Config::AwsKmsKey(key) = &resource.config else {
        return case.inventory.key_of(resource);
    };
    Some(case.inventory.resolve(&KeyRef {
        id: key.id.clone(),
        form: KeyForm::Canonical,
        account: resource.reference.account.clone(),
        region: resource.reference.region.clone(),
        alias: None,
    }))
}

/// The finding. A control that is not known (a judgement of another version) gives one without advice.
pub(super) fn finding(
    control: Option<&dyn Control>,
    judgement: &Judgement,
    inventory: &Inventory,
    policy: &Policy,
) -> Finding {
    let held = inventory.find(&judgement.resource);
    let case = Case {
        reference: &judgement.resource,
        held,
        inventory,
        policy,
        now: judgement.at,
    };
    let judged = if held.is_some() || judgement.resource.kind == ResourceKind::Account {
        control
    } else {
        None
    };
    let stakes = judged.map_or_else(Stakes::default, |control| control.stakes(&case));
    let meta = control.map(Control::meta);
    let key = key_of(&case);
    let fingerprint = super::fingerprint(judgement);
    let at = judgement.at.as_micros().to_le_bytes();
    let requirement = meta.map_or("", |meta| meta.requirement);
    Finding {
        id: FindingId::of(&[&fingerprint.0, &at]),
        fingerprint,
        check: judgement.control.clone(),
        kind: FindingKind::State,
        title: meta
            .map_or("A control does not hold", |meta| meta.check.title)
            .to_owned(),
        summary: Untrusted::new(format!(
            "{}. Required: {requirement}",
            capitalised(&judgement.observed)
        )),
        severity: judged.map_or(Severity::Medium, |control| control.severity(&case)),
        outcome: Outcome::Success,
        provider: Provider::Aws,
        account: judgement
            .resource
            .account
            .clone()
            .unwrap_or_else(|| AccountId::from("unknown")),
        region: judgement
            .resource
            .region
            .clone()
            .unwrap_or_else(|| Region::from("global")),
        time: judgement.at,
        principal: None,
        context: Context {
            protects: key.as_ref().and_then(|key| inventory.protects(&key.id)),
            owner: inventory.owner(&judgement.resource, policy),
            normal: None,
            blast_radius: stakes.blast_radius,
            deadline: stakes.deadline,
            source_seen_before: None,
        },
        key,
        resource: Some(judgement.resource.clone()),
        network: None,
        event_ids: Vec::new(),
        references: meta
            .map(|meta| meta.check.references.to_vec())
            .unwrap_or_default(),
        source: SourceId::from("inventory"),
        evidence: evidence(judgement, &case, requirement),
        advice: judged.map(|control| control.advice(&case)).unwrap_or_default(),
        raw: Vec::new(),
    }
}

fn evidence(judgement: &Judgement, case: &Case<'_>, requirement: &str) -> Vec<Evidence> {
    let fact = |label, value: &str| Evidence {
        label,
        value: Untrusted::from(value),
    };
    let mut evidence = vec![
        fact("observed", &judgement.observed),
        fact("required", requirement),
    ];
    evidence.push(fact("read at", &judgement.at.to_string()));
    if let Some(resource) = case.resource() {
        evidence.push(Evidence {
            label: "name",
            value: resource.name.clone(),
        });
    }
    if let Verdict::Excepted { id, expires } = &judgement.verdict {
        evidence.push(fact("exception", &format!("{id} until {expires}")));
    }
    evidence
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
