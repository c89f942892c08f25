//! What a message says: the twelve fields, from the alert and the finding that it shows.

use std::time::Duration;

use keyvigil_model::alert::{Alert, Message, NextStep, NotifyReason, label};
use keyvigil_model::event::Outcome;
use keyvigil_model::finding::{ClearReason, Evidence, Finding, FindingKind};
use keyvigil_model::principal::Principal;
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;

use crate::links::{event_id, links};
use crate::settings::LinkSettings;
use crate::span::in_words;

/// Facts shown beside the summary; a rule orders them by weight.
const SHOWN_EVIDENCE: usize = 12;

/// Why a message is made.
pub(crate) struct Telling<'a> {
    /// The reason that is shown.
    pub(crate) reason: NotifyReason,
    /// How it ended, if it is over.
    pub(crate) ending: Option<&'a Ending<'a>>,
    /// How soon it came back, where that was soon.
    pub(crate) back_after: Option<Duration>,
}

/// How an alert ended.
pub(crate) enum Ending<'a> {
    /// The detector said so.
    Cleared {
        /// When.
        at: Timestamp,
        /// Why.
        reason: &'a ClearReason,
    },
    /// Nobody dealt with it for a long time, and it is not severe.
    Expired,
}

type Labelled = Vec<(&'static str, Untrusted)>;

/// The message about an alert.
pub(crate) fn compose(
    settings: &LinkSettings,
    alert: &Alert,
    telling: &Telling<'_>,
    now: Timestamp,
) -> Message {
    let finding = &alert.finding;
    let over = telling.ending.is_some();
    Message {
        headline: finding.title.clone(),
        who: who(finding, telling.ending),
        what: what(finding),
        subject: subject(finding),
        from: from(finding),
        normal: normal(finding),
        blast_radius: if over {
            String::new()
        } else {
            blast_radius(finding, now)
        },
        next_steps: if over { Vec::new() } else { next_steps(finding) },
        links: links(settings, finding),
        controls: finding
            .references
            .iter()
            .map(|reference| (*reference).to_owned())
            .collect(),
        event_time: finding.time,
        alerted_at: now,
        lifecycle: lifecycle(alert, telling, now),
    }
}

fn text(value: impl std::fmt::Display) -> Untrusted {
    Untrusted::new(value.to_string())
}

fn who(finding: &Finding, ending: Option<&Ending<'_>>) -> Labelled {
    let mut who = Labelled::new();
    if let Some(principal) = &finding.principal {
        identity(principal, &mut who);
    }
    if let Some(Ending::Cleared {
        reason: ClearReason::RevertedBy(principal),
        ..
    }) = ending
    {
        who.push((label::UNDONE_BY, text(principal)));
    }
    who
}

fn identity(principal: &Principal, who: &mut Labelled) {
    who.push((label::PRINCIPAL, text(&principal.id)));
    if let Some(session) = &principal.session {
        who.push((label::SESSION, session.clone()));
    }
    if let Some(person) = &principal.on_behalf_of {
        who.push((label::ON_BEHALF_OF, person.clone()));
    }
    who.push((
        label::KIND,
        principal.kind.as_str().replace('_', " ").as_str().into(),
    ));
    if let Some(account) = &principal.account {
        who.push((label::PRINCIPAL_ACCOUNT, text(account)));
    }
    if let Some(credential) = &principal.credential {
        who.push((label::CREDENTIAL, credential.clone()));
    }
    let factor = match principal.mfa {
        Some(true) => "yes",
        Some(false) => "no",
        None => "the record does not say",
    };
    who.push((label::SECOND_FACTOR, factor.into()));
}

/// The summary, how it ended, and the facts that the rule rests on, without those that the summary tells already.
fn what(finding: &Finding) -> Untrusted {
    let mut what = finding.summary.raw().trim_end().to_owned();
    if finding.kind == FindingKind::Event {
        what.push_str(match finding.outcome {
            Outcome::Success => " It succeeded.",
            Outcome::Denied => " The attempt was denied.",
            Outcome::Failed => " The attempt failed.",
            Outcome::Unknown => " The record does not say whether it succeeded.",
        });
    }
    let told = finding.summary.raw().to_lowercase();
    let new = |fact: &&Evidence| !told.contains(&fact.value.raw().trim_end_matches('.').to_lowercase());
    for (index, fact) in finding
        .evidence
        .iter()
        .filter(new)
        .take(SHOWN_EVIDENCE)
        .enumerate()
    {
        what.push_str(if index == 0 { " " } else { "; " });
        what.push_str(fact.label);
        what.push_str(": ");
        what.push_str(fact.value.raw());
    }
    Untrusted::new(what)
}

fn subject(finding: &Finding) -> Labelled {
    let mut subject = Labelled::new();
    if let Some(key) = &finding.key {
        if let Some(alias) = &key.alias {
            subject.push((label::ALIAS, alias.clone()));
        }
        subject.push((label::KEY, text(&key.id)));
    }
    if let Some(resource) = &finding.resource
        && finding
            .key
            .as_ref()
            .is_none_or(|key| key.id.as_str() != resource.id.as_str())
    {
        let kind = resource.kind.as_str().replace('_', " ");
        subject.push((label::RESOURCE, text(format_args!("{} ({kind})", resource.id))));
    }
    subject.push((label::PROVIDER, finding.provider.as_str().into()));
    subject.push((label::ACCOUNT, text(&finding.account)));
    subject.push((label::REGION, text(&finding.region)));
    if let Some(protects) = &finding.context.protects {
        subject.push((label::PROTECTS, protects.as_str().into()));
    }
    if let Some(owner) = &finding.context.owner {
        subject.push((label::OWNER, owner.clone()));
    }
    subject
}

fn from(finding: &Finding) -> Labelled {
    let mut from = Labelled::new();
    if let Some(network) = &finding.network {
        let parts = [
            (label::ADDRESS, &network.source),
            (label::USER_AGENT, &network.user_agent),
            (label::TLS, &network.tls_version),
        ];
        for (label, value) in parts {
            if let Some(value) = value {
                from.push((label, value.clone()));
            }
        }
    }
    if let Some(seen) = finding.context.source_seen_before {
        let word = if seen { "yes" } else { "no, this is the first time" };
        from.push((label::SEEN_BEFORE, word.into()));
    }
    from
}

fn normal(finding: &Finding) -> String {
    match (&finding.context.normal, finding.kind) {
        (Some(normal), _) => normal.clone(),
        (None, FindingKind::Event) => "Not known: there is no history to compare with yet.".to_owned(),
        (None, FindingKind::State) => "A state, not an act: it stays until it is repaired.".to_owned(),
    }
}

fn blast_radius(finding: &Finding, now: Timestamp) -> String {
    let mut radius = finding.context.blast_radius.clone().unwrap_or_default();
    if let Some(deadline) = finding.context.deadline {
        if !radius.is_empty() {
            radius.push(' ');
        }
        radius.push_str(&if deadline > now {
            format!(
                "Irreversible from {deadline}, in {}.",
                in_words(deadline.since(now))
            )
        } else {
            format!("Irreversible since {deadline}.")
        });
    }
    radius
}

fn next_steps(finding: &Finding) -> Vec<NextStep> {
    finding
        .advice
        .iter()
        .map(|advice| NextStep {
            text: advice.text.clone(),
            // The rule quoted it; a line break would still run something else than what is read.
            command: advice
                .command
                .clone()
                .filter(|command| command.chars().all(|character| matches!(character, ' '..='~'))),
            effect: advice.effect,
        })
        .collect()
}

fn lifecycle(alert: &Alert, telling: &Telling<'_>, now: Timestamp) -> Vec<(&'static str, String)> {
    let finding = &alert.finding;
    let print = alert.fingerprint.to_string();
    let mut cycle = vec![
        (label::STATUS, alert.state.as_str().to_owned()),
        (label::SENT_BECAUSE, telling.reason.as_str().to_owned()),
        (label::FINDING, finding.id.to_string()),
        (
            label::ALERT,
            format!("A-{}.{}", print.get(..10).unwrap_or(&print), alert.episode),
        ),
        (label::RULE, finding.check.to_string()),
    ];
    if let Some(ending) = telling.ending {
        cycle.push((label::CLOSED_BECAUSE, because(ending)));
    }
    if alert.episode > 1 {
        cycle.push((label::OPENING, alert.episode.to_string()));
    }
    if let Some(span) = telling.back_after {
        cycle.push((label::REOPENED, in_words(span)));
    }
    if alert.count > 1 {
        cycle.push((label::OCCURRENCES, alert.count.to_string()));
        cycle.push((label::FIRST, alert.first.to_string()));
        cycle.push((label::LAST, alert.last.to_string()));
    }
    cycle.push((label::LATENCY, in_words(now.since(finding.time))));
    cycle.push((label::SOURCE, finding.source.to_string()));
    if let Some(event) = finding.event_ids.last().and_then(event_id) {
        cycle.push((label::EVENT, event.to_owned()));
    }
    cycle
}

fn because(ending: &Ending<'_>) -> String {
    match ending {
        Ending::Expired => "nobody dealt with it and it was quiet: unreviewed".to_owned(),
        Ending::Cleared { at, reason } => {
            let reason = match reason {
                ClearReason::Repaired => "it was repaired",
                ClearReason::ResourceGone => "the resource no longer exists",
                ClearReason::RevertedBy(_) => "it was undone",
                ClearReason::SourceReturned => "the source speaks again",
                ClearReason::Excepted => "an exception covers it now",
            };
            format!("{reason}, {at}")
        }
    }
}

#[cfg(test)]
mod tests;
