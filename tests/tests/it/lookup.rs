//! CloudTrail's event history from the fake of AWS: pages, throttling, and tokens that belong to their parameters.

use keyvigil_testkit::aws::FakeAws;
use keyvigil_testkit::aws::world::{World, access_key_of};
use serde_json::{Value, json};

use crate::it::company::{ACCOUNT, REGION, account, assert_read_only, policy};
use crate::it::daemon::{Daemon, Folder, listed};
use crate::it::records::{Call, event_id, key_arn, now};
use crate::it::waiting::{seconds, until_true};

const EVENTS: u64 = 230;
const LOOKUP: &str = "poll = []\nlookup_events = { mode = \"on\", poll_seconds = 10, requests_per_second = 2.0, settle_minutes = 5, first_lookback_hours = 1 }";
const OPERATION: &str = "cloudtrail:LookupEvents";

fn pages(aws: &FakeAws) -> usize {
    aws.requests()
        .iter()
        .filter(|request| request.operation == OPERATION && request.error.is_none())
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_read_through_throttling() {
    let folder = Folder::new("lookup");
    let mut world = World::new();
    let start = now() - 1_500;
    for number in 0..EVENTS {
        let operation = if number % 40 == 0 { "DisableKey" } else { "Decrypt" };
        let key = key_arn(ACCOUNT, REGION, 1_000 + number);
        let time = start + i64::try_from(number).unwrap();
        let call = Call::on_key(ACCOUNT, operation, &key, number)
            .by(&format!("user{number}"))
            .at(time);
        world.account(ACCOUNT).happened(REGION, time, call.record());
    }
    world.fail_next(OPERATION, 400, "ThrottlingException");
    let aws = FakeAws::start(world).await.unwrap();
    let config = folder.config(&format!(
        "{}{}",
        policy(&[ACCOUNT]),
        account(&aws, "main", ACCOUNT, LOOKUP)
    ));
    let mut daemon = Daemon::start(&folder, &config, ACCOUNT).await;
    until_true("the first page", seconds(60), || pages(&aws) >= 1).await;
    aws.change(|world| {
        for _ in 0..2 {
            world.fail_next(OPERATION, 400, "ThrottlingException");
        }
    });
    let wanted: Vec<String> = (0..EVENTS)
        .filter(|number| number % 40 == 0)
        .map(event_id)
        .collect();
    until_true("a finding from every page", seconds(90), || {
        let found = listed(&config, "findings");
        wanted.iter().all(|id| {
            found
                .iter()
                .any(|finding| finding["rule"] == "key.disabled" && finding["event_ids"] == json!([id]))
        })
    })
    .await;
    let received = format!(
        "keyvigil_source_events_received_total{{provider=\"aws\",source=\"aws/main/lookup-events/{REGION}\"}}"
    );
    assert!(daemon.metric(&received).await >= Some(230.0));
    let errors: Vec<String> = aws
        .requests()
        .into_iter()
        .filter_map(|request| request.error)
        .collect();
    assert_eq!(errors, ["ThrottlingException"; 3], "and no token was refused");
    assert!(pages(&aws) >= 5);
    assert!(daemon.stop().await.success());
    assert_read_only(&aws);
}

/// The fake itself: without this refusal the test above would not show that tokens are used as AWS wants it.
#[tokio::test]
async fn the_fake_refuses_a_token_of_other_parameters() {
    let mut world = World::new();
    for number in 0..120 {
        let record = json!({"eventID": event_id(number), "eventName": "Decrypt"});
        world.account(ACCOUNT).happened(REGION, 1_000, record);
    }
    let aws = FakeAws::start(world).await.unwrap();
    let (_, first) = ask(&aws, &json!({"StartTime": 0, "EndTime": 2_000})).await;
    assert_eq!(first["Events"].as_array().unwrap().len(), 50);
    let token = first["NextToken"].clone();
    let (status, _) = ask(
        &aws,
        &json!({"StartTime": 0, "EndTime": 2_000, "NextToken": token}),
    )
    .await;
    assert_eq!(status, 200);
    let (status, refused) = ask(
        &aws,
        &json!({"StartTime": 1, "EndTime": 2_000, "NextToken": token}),
    )
    .await;
    assert_eq!(
        (status, refused["__type"].as_str()),
        (400, Some("InvalidNextTokenException"))
    );
}

async fn ask(aws: &FakeAws, body: &Value) -> (u16, Value) {
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential={}/20260101/{REGION}/cloudtrail/aws4_request, SignedHeaders=host, Signature=00",
        access_key_of(ACCOUNT)
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(aws.url())
        .header("authorization", scope)
        .header("x-amz-target", "CloudTrail_20131101.LookupEvents")
        .header("content-type", "application/x-amz-json-1.1")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}
