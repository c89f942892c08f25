//! AWS CloudTrail answers as model values: pure, one function an answer.

use aws_sdk_cloudtrail::operation::get_trail_status::GetTrailStatusOutput;
use aws_sdk_cloudtrail::types::{
    AdvancedEventSelector, AdvancedFieldSelector, EventSelector, ReadWriteType, Trail,
};
use keyvigil_model::facts::AuditScope;
use keyvigil_model::id::{KeyId, Region};
use keyvigil_model::snapshot::{AwsTrail, AwsTrailStatus};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::pollers::place::timestamp;
use crate::pollers::trail_scope::{BasicSelector, FieldSelector, Operator, Selectors};

/// `DescribeTrails`. A switch that the answer leaves out is off.
pub(crate) fn trail(
    answer: &Trail,
    home: &str,
    status: Read<AwsTrailStatus>,
    scope: Read<AuditScope>,
) -> AwsTrail {
    AwsTrail {
        home_region: Region::from(home),
        multi_region: answer.is_multi_region_trail == Some(true),
        organisation: answer.is_organization_trail == Some(true),
        global_events: answer.include_global_service_events == Some(true),
        validation: answer.log_file_validation_enabled == Some(true),
        bucket: answer.s3_bucket_name.as_deref().unwrap_or_default().into(),
        key: answer
            .kms_key_id
            .as_deref()
            .filter(|key| !key.is_empty())
            .map(KeyId::from),
        status,
        scope,
    }
}

/// `GetTrailStatus`. An answer that does not say whether it logs is unreadable. An empty delivery error is none.
pub(crate) fn status(answer: &GetTrailStatusOutput) -> Result<AwsTrailStatus, UnknownReason> {
    Ok(AwsTrailStatus {
        logging: answer.is_logging.ok_or(UnknownReason::Unreadable)?,
        last_delivery: answer.latest_delivery_time.as_ref().and_then(timestamp),
        delivery_error: answer
            .latest_delivery_error
            .as_deref()
            .filter(|error| !error.trim().is_empty())
            .map(Untrusted::from),
    })
}

/// `GetEventSelectors`.
pub(crate) fn selectors<'a>(
    basic: &'a [EventSelector],
    advanced: &'a [AdvancedEventSelector],
) -> Selectors<'a> {
    let mut found = Selectors::default();
    for selector in basic {
        found.basic.push(BasicSelector {
            read_write: selector.read_write_type.as_ref().map(ReadWriteType::as_str),
            management: selector.include_management_events,
            excluded_sources: selector
                .exclude_management_event_sources()
                .iter()
                .map(String::as_str)
                .collect(),
        });
    }
    for selector in advanced {
        let mut fields = Vec::new();
        for field in selector.field_selectors() {
            push_field(field, &mut fields);
        }
        found.advanced.push(fields);
    }
    found
}

/// One entry for each operator that is used; a field without one says nothing, which is not understood.
fn push_field<'a>(selector: &'a AdvancedFieldSelector, fields: &mut Vec<FieldSelector<'a>>) {
    let before = fields.len();
    let mut push = |operator, values: &'a [String]| {
        if !values.is_empty() {
            fields.push(FieldSelector {
                field: &selector.field,
                operator,
                values: values.iter().map(String::as_str).collect(),
            });
        }
    };
    push(Operator::Equals, selector.equals());
    push(Operator::NotEquals, selector.not_equals());
    push(Operator::Other, selector.starts_with());
    push(Operator::Other, selector.ends_with());
    push(Operator::Other, selector.not_starts_with());
    push(Operator::Other, selector.not_ends_with());
    if fields.len() == before {
        fields.push(FieldSelector {
            field: &selector.field,
            operator: Operator::Other,
            values: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;
    use keyvigil_model::time::Timestamp;

    use super::*;
    use crate::pollers::trail_scope::reduce;

    #[test]
    fn a_trail_is_read_and_missing_switches_are_off() {
        let read = |answer: &Trail| {
            trail(
                answer,
                "eu-west-1",
                Read::Unknown(UnknownReason::Denied),
                Read::Unknown(UnknownReason::Denied),
            )
        };
        let full = Trail::builder()
            .is_multi_region_trail(true)
            .is_organization_trail(true)
            .include_global_service_events(true)
            .log_file_validation_enabled(true)
            .s3_bucket_name("logs")
            .kms_key_id("arn:aws:kms:eu-west-1:111122223333:key/k1")
            .build();
        let found = read(&full);
        assert!(found.multi_region && found.organisation && found.global_events && found.validation);
        assert_eq!(&*found.bucket, "logs");
        assert_eq!(
            found.key,
            Some("arn:aws:kms:eu-west-1:111122223333:key/k1".into())
        );
        let found = read(&Trail::builder().kms_key_id("").build());
        assert!(!found.multi_region && !found.organisation && !found.global_events && !found.validation);
        assert_eq!(found.key, None);
    }

    #[test]
    fn status_is_read_and_an_empty_error_is_none() {
        let answer = GetTrailStatusOutput::builder()
            .is_logging(true)
            .latest_delivery_time(DateTime::from_secs(5))
            .latest_delivery_error("");
        assert_eq!(
            status(&answer.clone().build()),
            Ok(AwsTrailStatus {
                logging: true,
                last_delivery: Some(Timestamp::from_secs(5)),
                delivery_error: None,
            })
        );
        let denied = answer.clone().latest_delivery_error("AccessDenied").build();
        assert_eq!(
            status(&denied).unwrap().delivery_error,
            Some(Untrusted::from("AccessDenied"))
        );
        assert_eq!(
            status(&answer.set_is_logging(None).build()),
            Err(UnknownReason::Unreadable)
        );
    }

    #[test]
    fn selectors_of_the_sdk_reach_the_reduction() {
        let basic = EventSelector::builder()
            .read_write_type(ReadWriteType::All)
            .include_management_events(true)
            .exclude_management_event_sources("kms.amazonaws.com")
            .build();
        let scope = reduce(&selectors(&[basic], &[]));
        assert_eq!(scope.excluded_services, vec!["kms.amazonaws.com".into()]);

        let field = |name: &str| AdvancedFieldSelector::builder().field(name);
        let advanced = |fields: Vec<AdvancedFieldSelector>| {
            AdvancedEventSelector::builder()
                .set_field_selectors(Some(fields))
                .build()
                .unwrap()
        };
        let category = field("eventCategory").equals("Management").build().unwrap();
        let writes = field("readOnly").equals("false").build().unwrap();
        let prefix = field("eventSource").not_starts_with("kms").build().unwrap();
        let nothing = field("eventName").build().unwrap();
        let check = |fields: Vec<AdvancedFieldSelector>| reduce(&selectors(&[], &[advanced(fields)]));
        assert_eq!(check(vec![category.clone()]), AuditScope::default());
        assert!(check(vec![category.clone(), writes]).reads_or_writes_only);
        assert!(check(vec![category.clone(), prefix]).not_understood);
        assert!(check(vec![category, nothing]).not_understood);
    }
}
