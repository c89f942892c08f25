//! SIGTERM drains; SIGHUP takes over a good configuration and refuses a bad one.

use std::fs;

use keyvigil_testkit::aws::FakeAws;
use keyvigil_testkit::pagerduty::FakePagerDuty;
use keyvigil_testkit::slack::FakeSlack;
use tokio::time::Instant;

use crate::it::company::{
    ACCOUNT, REGION, account, deliver, policy, queued, receivers, trail, world_with_logs,
};
use crate::it::daemon::{Daemon, Folder, listed};
use crate::it::records::{Call, key_arn};
use crate::it::waiting::{seconds, until_true};

const RELOADED: &str = "keyvigil_config_last_reload_successful";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_is_quick_and_loses_nothing() {
    let folder = Folder::new("drain");
    let aws = FakeAws::start(world_with_logs()).await.unwrap();
    let files = 40;
    let per_file = 50;
    for file in 0..files {
        let records: Vec<_> = (0..per_file)
            .map(|record| {
                let number = file * per_file + record;
                Call::on_key(ACCOUNT, "Decrypt", &key_arn(ACCOUNT, REGION, number), number).record()
            })
            .collect();
        deliver(&aws, file, &records);
    }
    let config = folder.config(&format!(
        "{}{}{}",
        policy(&[ACCOUNT]),
        account(&aws, "main", ACCOUNT, "poll = []"),
        trail(&aws)
    ));
    let mut daemon = Daemon::start(&folder, &config, ACCOUNT).await;
    until_true("some files are read", seconds(30), || queued(&aws) < 35).await;
    let asked = Instant::now();
    let status = daemon.stop().await;
    assert!(status.success(), "{}", daemon.log());
    assert!(asked.elapsed() < seconds(15), "{:?}", asked.elapsed());
    assert!(daemon.log().contains("\"stopped\""), "{}", daemon.log());
    // What it had taken and not begun is given back at once; the rest of the hidden time is over now.
    aws.change(|world| {
        for message in &mut world
            .account(ACCOUNT)
            .queues
            .get_mut("cloudtrail")
            .unwrap()
            .messages
        {
            message.hidden_until = None;
        }
    });
    let mut daemon = Daemon::start(&folder, &config, ACCOUNT).await;
    until_true("the rest is read", seconds(60), || queued(&aws) == 0).await;
    assert!(daemon.stop().await.success());
    let counted = crate::it::peers::stored(&folder.state_dir());
    assert_eq!(counted["seen"], files * per_file);
    assert_eq!(
        counted["ledger_sum"],
        files * per_file,
        "nothing is counted twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_configuration_is_refused_and_a_good_one_taken_over() {
    let folder = Folder::new("reload");
    let (slack, pagerduty) = (
        FakeSlack::start().await.unwrap(),
        FakePagerDuty::start().await.unwrap(),
    );
    let aws = FakeAws::start(world_with_logs()).await.unwrap();
    let text = |policy_more: &str, receiver_more: &str| {
        format!(
            "{}{policy_more}{}{}{}",
            policy(&[ACCOUNT]),
            receivers(&slack, &pagerduty, receiver_more, "checks = [\"key.*\"]"),
            account(&aws, "main", ACCOUNT, "poll = []"),
            trail(&aws)
        )
    };
    let config = folder.config(&text("", "checks = [\"key.disabled\"]"));
    let good = fs::read_to_string(&config).unwrap();
    let mut daemon = Daemon::start(&folder, &config, ACCOUNT).await;
    daemon.until_metric(RELOADED, 1.0, seconds(10)).await;

    fs::write(&config, good.replace("min_severity", "minimum_severity")).unwrap();
    daemon.signal("HUP");
    daemon.until_metric(RELOADED, 0.0, seconds(10)).await;
    fs::write(&config, &good).unwrap();
    deliver(
        &aws,
        1,
        &[Call::on_key(ACCOUNT, "DisableKey", &key_arn(ACCOUNT, REGION, 1), 1).record()],
    );
    until_true("the old configuration still alerts", seconds(20), || {
        slack.messages().len() == 1 && pagerduty.incidents().len() == 1
    })
    .await;

    folder.config(&text("", "checks = [\"key.destroy_scheduled\"]"));
    daemon.signal("HUP");
    daemon.until_metric(RELOADED, 1.0, seconds(10)).await;
    let (second, third) = (key_arn(ACCOUNT, REGION, 2), key_arn(ACCOUNT, REGION, 3));
    deliver(
        &aws,
        2,
        &[
            Call::on_key(ACCOUNT, "DisableKey", &second, 2).by("bob").record(),
            Call::on_key(ACCOUNT, "ScheduleKeyDeletion", &third, 3)
                .by("carol")
                .record(),
        ],
    );
    until_true("the new routes are used", seconds(20), || {
        slack.messages().len() == 2 && pagerduty.incidents().len() == 3
    })
    .await;
    let second_message = slack.messages()[1].to_string();
    assert!(second_message.contains("carol"), "{second_message}");
    assert!(daemon.stop().await.success());
    assert!(!listed(&config, "findings").is_empty());
}
