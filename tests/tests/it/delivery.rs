//! Log files announced by a queue, from the fake of AWS: duplicates, forgeries and broken files cost their neighbours
//! nothing, and each is shown once.

use keyvigil_testkit::aws::FakeAws;
use keyvigil_testkit::pagerduty::FakePagerDuty;
use keyvigil_testkit::slack::FakeSlack;
use serde_json::{Value, json};

use crate::it::company::{
    ACCOUNT, LOG_BUCKET, QUEUE, REGION, TRAIL_SOURCE, account, assert_read_only, deliver, furnish, policy,
    queued, receivers, slack_texts, trail, world_with_logs,
};
use crate::it::daemon::{Daemon, Folder, listed};
use crate::it::records::{Call, gzip, key_arn, log_file, object_key};
use crate::it::waiting::{seconds, until_true};

fn disabled(number: u64) -> Value {
    Call::on_key(
        ACCOUNT,
        "DisableKey",
        &key_arn(ACCOUNT, REGION, 100 + number),
        number,
    )
    .by(&format!("user{number}"))
    .record()
}

/// What S3 would say about an object.
fn announcement(bucket: &str, key: &str) -> String {
    json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket, "arn": format!("arn:aws:s3:::{bucket}")},
            "object": {"key": key, "size": 100, "eTag": "00000000000000000000000000000000"}}}]})
    .to_string()
}

/// Everything that goes wrong in a queue, with good files before, between and after.
fn deliver_everything(aws: &FakeAws) {
    deliver(aws, 1, &[disabled(1), disabled(1)]);
    let test_event = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": LOG_BUCKET});
    let again = announcement(LOG_BUCKET, &object_key(ACCOUNT, REGION, 1));
    let forged = announcement("attacker-bucket", &object_key(ACCOUNT, REGION, 66));
    let stranger = announcement(LOG_BUCKET, &object_key("999988887777", REGION, 66));
    let missing = announcement(LOG_BUCKET, &object_key(ACCOUNT, REGION, 77));
    aws.change(|world| {
        for message in [
            test_event.to_string(),
            again,
            forged,
            stranger,
            missing,
            String::from("not json"),
        ] {
            world.account(ACCOUNT).send(QUEUE, &message);
        }
    });
    let whole = log_file(&[disabled(8), disabled(9)]);
    let cut = whole[..whole.len() / 2].to_vec();
    aws.change(|world| {
        let home = world.account(ACCOUNT);
        home.deliver(LOG_BUCKET, &object_key(ACCOUNT, REGION, 88), cut, QUEUE);
        let empty = Vec::new();
        home.deliver(LOG_BUCKET, &object_key(ACCOUNT, REGION, 89), empty, QUEUE);
    });
    let mut odd = disabled(3);
    odd["eventVersion"] = json!("2.0");
    let broken = format!(
        "{{\"Records\": [{}, 17, {}]}}",
        disabled(2),
        json!({"eventVersion": "1.11", "eventTime": 12})
    );
    aws.change(|world| {
        let key = object_key(ACCOUNT, REGION, 2);
        world
            .account(ACCOUNT)
            .deliver(LOG_BUCKET, &key, gzip(broken.as_bytes()), QUEUE);
    });
    deliver(aws, 3, &[disabled(1), odd, disabled(4)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_and_forged_deliveries_are_shown_once_and_cost_their_neighbours_nothing() {
    let folder = Folder::new("delivery");
    let (slack, pagerduty) = (
        FakeSlack::start().await.unwrap(),
        FakePagerDuty::start().await.unwrap(),
    );
    let aws = FakeAws::start(world_with_logs()).await.unwrap();
    deliver_everything(&aws);
    let config = folder.config(&format!(
        "{}{}{}{}",
        policy(&[ACCOUNT]),
        receivers(&slack, &pagerduty, "checks = [\"key.*\"]", "checks = [\"key.*\"]"),
        account(&aws, "main", ACCOUNT, "poll = []"),
        trail(&aws)
    ));
    let mut daemon = Daemon::start(&folder, &config, ACCOUNT).await;
    until_true("every message is acknowledged", seconds(60), || queued(&aws) == 0).await;
    let wanted = ["user1", "user2", "user4"];
    until_true("an incident for each good record", seconds(30), || {
        let incidents = pagerduty.incidents();
        wanted.iter().all(|user| {
            incidents
                .iter()
                .any(|incident| incident.opened_by.to_string().contains(&format!("user/{user}")))
        })
    })
    .await;
    for (reason, count) in [
        ("not_allowed", 2.0),
        ("not_json", 2.0),
        ("object_missing", 1.0),
        ("bad_compression", 1.0),
        ("not_an_object", 1.0),
    ] {
        let series =
            format!("keyvigil_quarantined_records_total{{reason=\"{reason}\",source=\"{TRAIL_SOURCE}\"}}");
        daemon.until_metric(&series, count, seconds(5)).await;
    }
    let duplicates = format!("keyvigil_source_duplicate_events_total{{source=\"{TRAIL_SOURCE}\"}}");
    assert!(
        daemon.metric(&duplicates).await >= Some(2.0),
        "the first record came three times"
    );
    let quarantined = listed(&config, "quarantine");
    for reason in [
        "not_allowed",
        "not_json",
        "object_missing",
        "bad_compression",
        "not_an_object",
    ] {
        assert!(
            quarantined.iter().any(|row| row["reason"] == reason),
            "{reason} is not listed: {quarantined:#?}"
        );
    }
    let findings = listed(&config, "findings");
    let of_first = findings
        .iter()
        .filter(|finding| finding["rule"] == "key.disabled" && finding.to_string().contains("user/user1"));
    assert_eq!(
        of_first.count(),
        1,
        "three deliveries of one record are one finding"
    );
    let incidents = pagerduty.incidents();
    let of_first = incidents
        .iter()
        .filter(|incident| incident.opened_by.to_string().contains("user/user1"));
    assert_eq!(of_first.count(), 1);
    assert_eq!((slack.refused(), pagerduty.refused()), (vec![], vec![]));
    assert!(daemon.stop().await.success());
    assert_read_only(&aws);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttled_reads_of_keys_are_waited_out_and_never_judged() {
    let folder = Folder::new("throttled");
    let slack = FakeSlack::start().await.unwrap();
    let pagerduty = FakePagerDuty::start().await.unwrap();
    let mut world = world_with_logs();
    furnish(&mut world, ACCOUNT);
    for operation in ["kms:GetKeyRotationStatus", "kms:ListKeys"] {
        world.fail_next(operation, 400, "ThrottlingException");
    }
    let aws = FakeAws::start(world).await.unwrap();
    let config = folder.config(&format!(
        "{}{}{}",
        policy(&[ACCOUNT]),
        receivers(&slack, &pagerduty, "", ""),
        account(&aws, "main", ACCOUNT, "poll = [\"keys\"]")
    ));
    let mut daemon = Daemon::start(&folder, &config, ACCOUNT).await;
    until_true("the key passes", seconds(150), || {
        listed(&config, "verdicts")
            .iter()
            .any(|verdict| verdict["control"] == "aws.kms.rotation_enabled" && verdict["verdict"] == "pass")
    })
    .await;
    let wrong: Vec<Value> = listed(&config, "findings")
        .into_iter()
        .filter(|finding| finding["rule"] != "sight.lost")
        .collect();
    assert!(wrong.is_empty(), "a throttled read became a finding: {wrong:#?}");
    assert_eq!(slack_texts(&slack), Vec::<String>::new());
    assert!(daemon.stop().await.success());
    assert_read_only(&aws);
}
