//! A second account that refuses half of what keyvigil asks: unknown is never green, it is seen, and the first account
//! is as well looked after as before.

use keyvigil_testkit::aws::FakeAws;
use serde_json::Value;

use crate::it::company::{ACCOUNT, account, assert_read_only, furnish, policy, world_with_logs};
use crate::it::daemon::{Daemon, Folder, lines, listed, ran};
use crate::it::waiting::{seconds, until_true};

const OTHER: &str = "444455556666";
const FAMILIES: &str = "poll = [\"keys\", \"buckets\", \"disks\"]";
/// Half of what the families need.
const DENIED: [&str; 6] = [
    "kms:GetKeyRotationStatus",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "s3:GetEncryptionConfiguration",
    "s3:GetBucketPolicy",
    "ec2:GetEbsEncryptionByDefault",
];

fn of_account<'a>(verdicts: &'a [Value], account: &'a str) -> impl Iterator<Item = &'a Value> {
    verdicts.iter().filter(move |line| line["account"] == account)
}

fn verdict_of(verdicts: &[Value], account: &str, control: &str) -> Vec<String> {
    of_account(verdicts, account)
        .filter(|line| line["control"] == control)
        .map(|line| line["verdict"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_denied_is_unknown_and_visible_and_the_other_account_is_unharmed() {
    let folder = Folder::new("denied");
    let mut world = world_with_logs();
    world.account(ACCOUNT).buckets.clear();
    furnish(&mut world, ACCOUNT);
    furnish(&mut world, OTHER);
    for operation in DENIED {
        world.deny(OTHER, operation);
    }
    let aws = FakeAws::start(world).await.unwrap();
    let role = format!("role_arn = \"arn:aws:iam::{OTHER}:role/keyvigil\"\n{FAMILIES}");
    let config = folder.config(&format!(
        "{}{}{}",
        policy(&[ACCOUNT, OTHER]),
        account(&aws, "main", ACCOUNT, FAMILIES),
        account(&aws, "other", OTHER, &role)
    ));
    let file = config.to_str().unwrap();
    let scan = ran(ACCOUNT, &["--config", file, "scan", "--output", "ndjson"]);
    let complaint = String::from_utf8_lossy(&scan.stderr).into_owned();
    assert_eq!(
        scan.status.code(),
        Some(3),
        "incomplete is not clean: {complaint}"
    );
    let printed = lines(&scan);
    let unknown: Vec<&Value> = printed
        .iter()
        .filter(|line| line["unknown"].is_string())
        .collect();
    assert!(!unknown.is_empty(), "{printed:#?}");
    assert!(
        unknown.iter().all(|line| line["account"] == OTHER),
        "{unknown:#?}"
    );

    let mut daemon = Daemon::start(&folder, &config, ACCOUNT).await;
    until_true("both accounts are judged", seconds(60), || {
        let verdicts = listed(&config, "verdicts");
        [ACCOUNT, OTHER].iter().all(|account| {
            !verdict_of(&verdicts, account, "aws.kms.rotation_enabled").is_empty()
                && !verdict_of(&verdicts, account, "aws.s3.default_encryption").is_empty()
                && !verdict_of(&verdicts, account, "aws.ebs.default_encryption").is_empty()
        })
    })
    .await;
    let verdicts = listed(&config, "verdicts");
    for control in [
        "aws.kms.rotation_enabled",
        "aws.kms.policy_not_public",
        "aws.s3.default_encryption",
        "aws.s3.tls_enforced",
        "aws.ebs.default_encryption",
    ] {
        assert_eq!(verdict_of(&verdicts, ACCOUNT, control), ["pass"], "{control}");
        assert_eq!(verdict_of(&verdicts, OTHER, control), ["unknown"], "{control}");
    }
    let harmed: Vec<&Value> = of_account(&verdicts, ACCOUNT)
        .filter(|line| line["verdict"] == "fail" || line["verdict"] == "unknown")
        .collect();
    assert!(harmed.is_empty(), "{harmed:#?}");
    until_true("the blind spot is a finding", seconds(120), || {
        listed(&config, "findings")
            .iter()
            .any(|finding| finding["rule"] == "sight.lost" && finding["account"] == OTHER)
    })
    .await;
    let findings = listed(&config, "findings");
    let of_first: Vec<&Value> = of_account(&findings, ACCOUNT).collect();
    assert!(of_first.is_empty(), "{of_first:#?}");
    assert!(daemon.stop().await.success());
    assert_read_only(&aws);
}
