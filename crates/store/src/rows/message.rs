//! The message of a notification as JSON: the column `message` of the table `outbox`.

use keyvigil_model::alert::{Message, NextStep};
use keyvigil_model::finding::Effect;
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;
use serde::{Deserialize, Serialize};

use crate::rows::Problem;
use crate::rows::finding::AdviceRow;
use crate::rows::words::{label, text, untrusted, word};

#[derive(Serialize, Deserialize)]
struct MessageBody {
    headline: String,
    who: Vec<(String, String)>,
    what: String,
    subject: Vec<(String, String)>,
    from: Vec<(String, String)>,
    normal: String,
    blast_radius: String,
    next_steps: Vec<AdviceRow>,
    links: Vec<(String, String)>,
    controls: Vec<String>,
    event_time: i64,
    alerted_at: i64,
    lifecycle: Vec<(String, String)>,
}

/// A message as JSON text.
pub(crate) fn to_json(model: &Message) -> String {
    let Message {
        headline,
        who,
        what,
        subject,
        from,
        normal,
        blast_radius,
        next_steps,
        links,
        controls,
        event_time,
        alerted_at,
        lifecycle,
    } = model;
    let body = MessageBody {
        headline: headline.clone(),
        who: labelled_rows(who),
        what: text(what),
        subject: labelled_rows(subject),
        from: labelled_rows(from),
        normal: normal.clone(),
        blast_radius: blast_radius.clone(),
        next_steps: next_steps.iter().map(step_row).collect(),
        links: links.clone(),
        controls: controls.clone(),
        event_time: event_time.as_micros(),
        alerted_at: alerted_at.as_micros(),
        lifecycle: lifecycle
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    };
    serde_json::to_string(&body).expect("rows hold text, numbers and lists, which JSON can say")
}

/// The message that [`to_json`] wrote.
pub(crate) fn from_json(json: &str) -> Result<Message, Problem> {
    let body: MessageBody = serde_json::from_str(json).map_err(|error| Problem(error.to_string()))?;
    let mut next_steps = Vec::with_capacity(body.next_steps.len());
    for row in body.next_steps {
        next_steps.push(NextStep {
            text: row.text,
            command: row.command,
            effect: word("effect", &row.effect, Effect::parse)?,
        });
    }
    let mut lifecycle = Vec::with_capacity(body.lifecycle.len());
    for (name, value) in body.lifecycle {
        lifecycle.push((label(&name)?, value));
    }
    Ok(Message {
        headline: body.headline,
        who: labelled_models(body.who)?,
        what: untrusted(body.what),
        subject: labelled_models(body.subject)?,
        from: labelled_models(body.from)?,
        normal: body.normal,
        blast_radius: body.blast_radius,
        next_steps,
        links: body.links,
        controls: body.controls,
        event_time: Timestamp::from_micros(body.event_time),
        alerted_at: Timestamp::from_micros(body.alerted_at),
        lifecycle,
    })
}

fn step_row(model: &NextStep) -> AdviceRow {
    let NextStep {
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

fn labelled_rows(fields: &[(&'static str, Untrusted)]) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), text(value)))
        .collect()
}

fn labelled_models(fields: Vec<(String, String)>) -> Result<Vec<(&'static str, Untrusted)>, Problem> {
    let mut models = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        models.push((label(&name)?, untrusted(value)));
    }
    Ok(models)
}
