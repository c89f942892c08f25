//! What becomes of a page, without a network.

use keyvigil_model::id::Region;

use super::*;

fn account() -> AccountConfig {
    serde_json::from_value(serde_json::json!({
        "name": "prod", "account_id": "111122223333", "regions": ["eu-west-1"],
        "lookup_events": { "mode": "on", "poll_seconds": 60 },
    }))
    .unwrap()
}

async fn reader() -> LookupEventsReader {
    let config = account();
    let connected = crate::client::Account::connect(&config).await.unwrap();
    let scope = Arc::new(connected.scope(&Region::from("eu-west-1")));
    LookupEventsReader::new(scope, &config)
}

fn event(id: &str, source: &str, second: i64) -> aws_sdk_cloudtrail::types::builders::EventBuilder {
    Event::builder()
        .event_id(id)
        .event_source(source)
        .event_time(DateTime::from_secs(second))
}

#[tokio::test]
async fn the_source_is_paced_as_documented() {
    let reader = reader().await;
    let source = reader.source();
    assert_eq!(source.id.as_str(), "aws/prod/lookup-events/eu-west-1");
    assert_eq!(
        &*source.scope,
        "aws/prod/lookup-events/eu-west-1/111122223333/management"
    );
    assert_eq!(source.poll_interval, Duration::from_secs(60));
    assert_eq!(source.settle, Duration::from_mins(20));
    assert_eq!(source.overlap, Duration::from_mins(30));
    assert_eq!(source.rescans.len(), 2);
}

fn record() -> String {
    serde_json::json!({
        "eventVersion": "1.11", "eventID": "b", "eventTime": "2026-01-02T03:04:05Z", "awsRegion": "eu-west-1",
        "eventSource": "kms.amazonaws.com", "eventName": "DisableKey", "recipientAccountId": "111122223333",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "accountId": "111122223333" },
        "requestParameters": { "keyId": "arn:aws:kms:eu-west-1:111122223333:key/1" },
    })
    .to_string()
}

#[tokio::test]
async fn a_bad_entry_costs_no_neighbour_and_all_are_counted() {
    let reader = reader().await;
    let foreign = record().replace("111122223333", "999922223333");
    let events = [
        event("a", "kms.amazonaws.com", 10)
            .cloud_trail_event("nonsense")
            .build(),
        event("b", "kms.amazonaws.com", 30)
            .cloud_trail_event(record())
            .build(),
        event("c", "kms.amazonaws.com", 20).build(),
        event("d", "s3.amazonaws.com", 20)
            .cloud_trail_event(foreign)
            .build(),
    ];
    let mut page = LogPage {
        events: Vec::new(),
        quarantined: Vec::new(),
        coverage: Vec::new(),
        next: None,
    };
    for event in &events {
        reader.take(event, ActionSet::keys_and_secrets(), &mut page);
    }
    let operations: Vec<_> = page.events.iter().map(|event| &*event.operation).collect();
    assert_eq!(operations, ["DisableKey"]);
    let reasons: Vec<_> = page.quarantined.iter().map(|one| one.reason).collect();
    let expected = [
        QuarantineReason::NotJson,
        QuarantineReason::MissingField,
        QuarantineReason::NotAllowed,
    ];
    assert_eq!(reasons, expected);
    let origin = "aws/prod/lookup-events/eu-west-1/111122223333/management#c";
    assert_eq!(&*page.quarantined[1].origin, origin);

    let coverage = coverage_of(&reader.scope, &events).unwrap();
    assert_eq!((coverage.records, coverage.key_records), (4, 3));
    assert_eq!(coverage.newest, Some(Timestamp::from_secs(30)));
    assert_eq!(coverage_of(&reader.scope, &[]), None);
}

#[test]
fn a_window_ends_before_its_end_and_not_before_its_start() {
    let query = |start, end| PageQuery {
        start: Timestamp::from_micros(start),
        end: Timestamp::from_micros(end),
        token: None,
        wanted: ActionSet::EMPTY,
    };
    for (start, end, expected) in [(0, 10_000_000, 9), (0, 10_000_001, 10), (5_000_000, 5_000_000, 5)] {
        assert_eq!(last_second(&query(start, end)), expected, "{start} {end}");
    }
}
