//! LookupEvents against ministack, which records the calls that it receives: a call made to its KMS comes back as an
//! alert.

use std::process::Command;

use keyvigil_testkit::pagerduty::FakePagerDuty;
use keyvigil_testkit::slack::FakeSlack;

use crate::it::company::receivers;
use crate::it::daemon::{Daemon, Folder, keyvigil, listed};
use crate::it::peers::{Peer, free_port, printed, python, python_program};
use crate::it::waiting::{seconds, until_true};

/// ministack takes an access key of twelve digits for the account.
const ACCOUNT: &str = "111122223333";

const SCRIPT: &str = r#"
import boto3, json
kms = boto3.client("kms")
arns = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
kms.disable_key(KeyId=arns[0])
kms.schedule_key_deletion(KeyId=arns[1], PendingWindowInDays=7)
print(json.dumps(arns))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_kms_comes_back_through_the_event_history_as_an_alert() {
    let folder = Folder::new("ministack");
    let (slack, pagerduty) = (
        FakeSlack::start().await.unwrap(),
        FakePagerDuty::start().await.unwrap(),
    );
    let port = free_port();
    let _server = Peer::start(
        Command::new(python_program("ministack"))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("CLOUDTRAIL_RECORDING", "1")
            .current_dir(folder.path()),
        &folder,
    );
    until_true("ministack answers", seconds(60), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .await;
    let url = format!("http://127.0.0.1:{port}");
    let keys = printed(&python(SCRIPT, &url, ACCOUNT, &[]));
    let config = folder.config(&format!(
        "[policy.organisation]\naccounts = [\"{ACCOUNT}\"]\n\n{}[[aws.accounts]]\nname = \"mini\"\naccount_id = \"{ACCOUNT}\"\nregions = [\"us-east-1\"]\nendpoint_url = \"{url}\"\npoll = []\nlookup_events = {{ mode = \"on\", poll_seconds = 10, requests_per_second = 2.0, settle_minutes = 5, first_lookback_hours = 1 }}\n",
        receivers(&slack, &pagerduty, "", "")
    ));
    let mut command = keyvigil(ACCOUNT);
    command
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .arg("--config")
        .arg(&config)
        .arg("run");
    let mut daemon = Daemon::spawn(&folder, &mut command);
    for (rule, key) in [("key.disabled", &keys[0]), ("key.destroy_scheduled", &keys[1])] {
        let id = key.as_str().unwrap().rsplit('/').next().unwrap();
        until_true(&format!("{rule} about {id}"), seconds(90), || {
            listed(&config, "findings").iter().any(|finding| {
                finding["rule"] == rule && finding["key"].as_str().is_some_and(|key| key.contains(id))
            })
        })
        .await;
        until_true("both receivers are told", seconds(30), || {
            let told = slack
                .messages()
                .iter()
                .any(|message| message.to_string().contains(id));
            told && pagerduty
                .incidents()
                .iter()
                .any(|incident| incident.opened_by.to_string().contains(id))
        })
        .await;
    }
    assert!(daemon.stop().await.success());
}
