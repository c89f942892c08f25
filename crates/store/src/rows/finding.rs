//! A finding as JSON: the `body` of the tables `findings` and `alerts`.

use keyvigil_model::event::Outcome;
use keyvigil_model::finding::{Advice, Context, Effect, Evidence, Finding, FindingKind};
use keyvigil_model::id::{AccountId, CheckId, EventId, FindingId, Fingerprint, Region, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::rows::Problem;
use crate::rows::subject::{KeyRow, NetworkRow, PrincipalRow, ResourceRow};
use crate::rows::words::{BytesRow, label, micros, text, untrusted, word};

#[derive(Serialize, Deserialize)]
struct FindingBody {
    id: String,
    fingerprint: String,
    check: String,
    kind: String,
    title: String,
    summary: String,
    severity: String,
    outcome: String,
    provider: String,
    account: String,
    region: String,
    time: i64,
    principal: Option<PrincipalRow>,
    key: Option<KeyRow>,
    resource: Option<ResourceRow>,
    network: Option<NetworkRow>,
    event_ids: Vec<String>,
    references: Vec<String>,
    source: String,
    evidence: Vec<(String, String)>,
    advice: Vec<AdviceRow>,
    context: ContextRow,
    raw: Vec<BytesRow>,
}

/// A step with a command, of a finding or of a message.
#[derive(Serialize, Deserialize)]
pub(crate) struct AdviceRow {
    pub(crate) text: String,
    pub(crate) command: Option<String>,
    pub(crate) effect: String,
}

#[derive(Serialize, Deserialize)]
struct ContextRow {
    protects: Option<String>,
    owner: Option<String>,
    normal: Option<String>,
    blast_radius: Option<String>,
    deadline: Option<i64>,
    source_seen_before: Option<bool>,
}

/// A finding as JSON text.
pub(crate) fn to_json(finding: &Finding) -> String {
    serde_json::to_string(&from_model(finding))
        .expect("rows hold text, numbers and lists, which JSON can say")
}

/// The finding that [`to_json`] wrote.
pub(crate) fn from_json(json: &str) -> Result<Finding, Problem> {
    let body: FindingBody = serde_json::from_str(json).map_err(|error| Problem(error.to_string()))?;
    into_model(body)
}

fn from_model(model: &Finding) -> FindingBody {
    let Finding {
        id,
        fingerprint,
        check,
        kind,
        title,
        summary,
        severity,
        outcome,
        provider,
        account,
        region,
        time,
        principal,
        key,
        resource,
        network,
        event_ids,
        references,
        source,
        evidence,
        advice,
        context,
        raw,
    } = model;
    FindingBody {
        id: id.to_string(),
        fingerprint: fingerprint.to_string(),
        check: check.to_string(),
        kind: kind.as_str().to_owned(),
        title: title.clone(),
        summary: text(summary),
        severity: severity.as_str().to_owned(),
        outcome: outcome.as_str().to_owned(),
        provider: provider.as_str().to_owned(),
        account: account.to_string(),
        region: region.to_string(),
        time: time.as_micros(),
        principal: principal.as_ref().map(PrincipalRow::from_model),
        key: key.as_ref().map(KeyRow::from_model),
        resource: resource.as_ref().map(ResourceRow::from_model),
        network: network.as_ref().map(NetworkRow::from_model),
        event_ids: event_ids.iter().map(ToString::to_string).collect(),
        references: references.iter().map(ToString::to_string).collect(),
        source: source.to_string(),
        evidence: evidence
            .iter()
            .map(|one| (one.label.to_owned(), text(&one.value)))
            .collect(),
        advice: advice.iter().map(advice_row).collect(),
        context: context_row(context),
        raw: raw.iter().map(|bytes| BytesRow::from_model(bytes)).collect(),
    }
}

fn into_model(body: FindingBody) -> Result<Finding, Problem> {
    let fingerprint = Fingerprint::from_hex(&body.fingerprint)
        .ok_or_else(|| Problem(format!("fingerprint {:?}", body.fingerprint)))?;
    let mut references = Vec::with_capacity(body.references.len());
    for reference in &body.references {
        references.push(label(reference)?);
    }
    let mut evidence = Vec::with_capacity(body.evidence.len());
    for (name, value) in body.evidence {
        evidence.push(Evidence {
            label: label(&name)?,
            value: untrusted(value),
        });
    }
    let mut advice = Vec::with_capacity(body.advice.len());
    for row in body.advice {
        advice.push(advice_model(row)?);
    }
    let mut raw = Vec::with_capacity(body.raw.len());
    for row in body.raw {
        raw.push(row.into_model()?);
    }
    Ok(Finding {
        id: FindingId::new(body.id),
        fingerprint,
        check: CheckId::new(body.check),
        kind: word("kind of finding", &body.kind, FindingKind::parse)?,
        title: body.title,
        summary: untrusted(body.summary),
        severity: word("severity", &body.severity, Severity::parse)?,
        outcome: word("outcome", &body.outcome, Outcome::parse)?,
        provider: word("provider", &body.provider, Provider::parse)?,
        account: AccountId::new(body.account),
        region: Region::new(body.region),
        time: Timestamp::from_micros(body.time),
        principal: body.principal.map(PrincipalRow::into_model).transpose()?,
        key: body.key.map(KeyRow::into_model).transpose()?,
        resource: body.resource.map(ResourceRow::into_model).transpose()?,
        network: body.network.map(NetworkRow::into_model),
        event_ids: body.event_ids.into_iter().map(EventId::new).collect(),
        references,
        source: SourceId::new(body.source),
        evidence,
        advice,
        context: context_model(body.context),
        raw,
    })
}

fn advice_row(model: &Advice) -> AdviceRow {
    let Advice {
        text,
        command,
        effect,
    } = model;
    AdviceRow {
        text: text.clone(),
        command: command.clone(),
        effect: effect.as_str().to_owned(),
    }
}

fn advice_model(row: AdviceRow) -> Result<Advice, Problem> {
    Ok(Advice {
        text: row.text,
        command: row.command,
        effect: word("effect", &row.effect, Effect::parse)?,
    })
}

fn context_row(model: &Context) -> ContextRow {
    let Context {
        protects,
        owner,
        normal,
        blast_radius,
        deadline,
        source_seen_before,
    } = model;
    ContextRow {
        protects: protects.clone(),
        owner: owner.as_ref().map(text),
        normal: normal.clone(),
        blast_radius: blast_radius.clone(),
        deadline: micros(*deadline),
        source_seen_before: *source_seen_before,
    }
}

fn context_model(row: ContextRow) -> Context {
    Context {
        protects: row.protects,
        owner: row.owner.map(untrusted),
        normal: row.normal,
        blast_radius: row.blast_radius,
        deadline: row.deadline.map(Timestamp::from_micros),
        source_seen_before: row.source_seen_before,
    }
}
