//! CloudTrail itself: what a trail records from now on, and where it writes.

use std::borrow::Cow;

use keyvigil_model::action::Action;
use keyvigil_model::facts::{AuditScope, Facts};
use keyvigil_model::resource::{ResourceKind, ResourceRef};

use super::super::json::Object;
use super::{Call, Details};
use crate::pollers::trail_scope::{BasicSelector, FieldSelector, Operator, Selectors, reduce};

/// Parameters of `UpdateTrail` that change where the log goes or whether it can be verified.
const REDIRECTS: [&str; 7] = [
    "s3BucketName",
    "s3KeyPrefix",
    "snsTopicName",
    "cloudWatchLogsLogGroupArn",
    "cloudWatchLogsRoleArn",
    "kmsKeyId",
    "enableLogFileValidation",
];

/// Facts of a CloudTrail record.
pub(super) fn details(call: &Call<'_, '_>) -> Details {
    let (action, facts) = match call.operation {
        "PutEventSelectors" => (call.action, Facts::AuditScope(selectors(call))),
        "UpdateTrail" => update(call),
        "UpdateEventDataStore" => {
            let scope = if call.request.has("advancedEventSelectors") || call.omitted() {
                selectors(call)
            } else {
                AuditScope::default()
            };
            (call.action, Facts::AuditScope(scope))
        }
        _ => (call.action, Facts::None),
    };
    Details {
        action,
        facts,
        resource: log(call),
    }
}

/// A trail is narrowed, or else moved, or else neither.
fn update(call: &Call<'_, '_>) -> (Action, Facts) {
    let request = &call.request;
    let off = |name| request.flag(name) == Some(false);
    let scope = AuditScope {
        single_region: off("isMultiRegionTrail"),
        global_events_off: off("includeGlobalServiceEvents"),
        organisation_off: off("isOrganizationTrail"),
        validation_off: off("enableLogFileValidation"),
        not_understood: call.omitted(),
        ..AuditScope::default()
    };
    let redirects = REDIRECTS.iter().any(|name| request.has(name));
    let action = if redirects && !scope.narrows() {
        Action::AuditRedirect
    } else {
        Action::AuditScopeChange
    };
    (action, Facts::AuditScope(scope))
}

fn selectors(call: &Call<'_, '_>) -> AuditScope {
    let basic: Vec<Object<'_>> = objects(&call.request, "eventSelectors");
    let advanced: Vec<Object<'_>> = objects(&call.request, "advancedEventSelectors");
    if basic.is_empty() && advanced.is_empty() {
        return AuditScope {
            not_understood: true,
            ..AuditScope::default()
        };
    }
    // The values are borrowed by the reduction, so they are collected first.
    let basic: Vec<_> = basic
        .iter()
        .map(|selector| {
            let excluded = selector.texts("excludeManagementEventSources");
            (
                selector.text("readWriteType"),
                selector.flag("includeManagementEvents"),
                excluded,
            )
        })
        .collect();
    let advanced: Vec<Vec<Condition<'_>>> = advanced.iter().map(conditions).collect();
    reduce(&Selectors {
        basic: basic
            .iter()
            .map(|(read_write, management, excluded)| BasicSelector {
                read_write: read_write.as_deref(),
                management: *management,
                excluded_sources: excluded.iter().map(|source| &**source).collect(),
            })
            .collect(),
        advanced: advanced
            .iter()
            .map(|conditions| conditions.iter().map(Condition::as_selector).collect())
            .collect(),
    })
}

/// One operator of one field.
struct Condition<'a> {
    field: Cow<'a, str>,
    operator: Operator,
    values: Vec<Cow<'a, str>>,
}

impl Condition<'_> {
    fn as_selector(&self) -> FieldSelector<'_> {
        FieldSelector {
            field: &self.field,
            operator: self.operator,
            values: self.values.iter().map(|value| &**value).collect(),
        }
    }
}

fn conditions<'a>(selector: &Object<'a>) -> Vec<Condition<'a>> {
    let mut conditions = Vec::new();
    for fields in objects(selector, "fieldSelectors") {
        for (name, operator) in [
            ("equals", Operator::Equals),
            ("notEquals", Operator::NotEquals),
            ("startsWith", Operator::Other),
            ("notStartsWith", Operator::Other),
            ("endsWith", Operator::Other),
            ("notEndsWith", Operator::Other),
        ] {
            let values = fields.texts(name);
            if !values.is_empty() {
                conditions.push(Condition {
                    field: fields.text("field").unwrap_or_default(),
                    operator,
                    values,
                });
            }
        }
    }
    conditions
}

fn objects<'a>(object: &Object<'a>, key: &str) -> Vec<Object<'a>> {
    object
        .list(key)
        .into_iter()
        .map(|value| Object::of(Some(value)))
        .collect()
}

/// The trail or event data store, by its ARN.
fn log(call: &Call<'_, '_>) -> Option<ResourceRef> {
    let answered = call.response.first_text(&["trailARN", "eventDataStoreArn"]);
    let asked = call.request.first_text(&["trailName", "name", "eventDataStore"]);
    let name = answered.or(asked)?;
    let place = call.place();
    if name.starts_with("arn:") {
        return Some(place.resource(ResourceKind::AuditLog, name));
    }
    let kind = if call.operation.contains("EventDataStore") {
        "eventdatastore"
    } else {
        "trail"
    };
    Some(place.resource(
        ResourceKind::AuditLog,
        place.arn("cloudtrail", &format!("{kind}/{name}")),
    ))
}
