//! The daemon against moto's server, through the real SDKs: log files arrive through S3 and SQS, configuration breaks
//! and is repaired, and both loops meet in one incident.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyvigil_testkit::pagerduty::{FakePagerDuty, Incident};
use keyvigil_testkit::slack::FakeSlack;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::it::company::{receivers, slack_texts};
use crate::it::daemon::{Daemon, Folder, keyvigil, listed};
use crate::it::peers::{Peer, free_port, printed, python, python_program};
use crate::it::records::{Call, key_arn, log_file, now, object_key};
use crate::it::waiting::{seconds, until_true};

/// moto's account.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const DATA: &str = "acme-customer-data";

/// moto with a company in it.
struct Moto {
    url: String,
    queue: String,
    key: String,
    _server: Peer,
}

impl Moto {
    async fn start(folder: &Folder) -> Self {
        let port = free_port();
        let server = Peer::start(
            Command::new(python_program("moto_server")).args(["-H", "127.0.0.1", "-p", &port.to_string()]),
            folder,
        );
        until_true("moto answers", seconds(60), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        let url = format!("http://127.0.0.1:{port}");
        let built = Self::asked(&url, &["build"]);
        Self {
            queue: text(&built["queue"]),
            key: text(&built["key"]),
            url,
            _server: server,
        }
    }

    fn asked(url: &str, arguments: &[&str]) -> Value {
        printed(&python(include_str!("moto.py"), url, "test", arguments))
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        Self::asked(&self.url, arguments)
    }

    /// Puts log files into the bucket. The folder's layout is the keys'.
    fn deliver(&self, files: &Path) -> u64 {
        self.ask(&["deliver", files.to_str().unwrap()])["delivered"]
            .as_u64()
            .unwrap()
    }

    fn deliver_records(&self, folder: &Folder, number: u64, records: &[Value]) {
        let name = format!("files-{number}/{}", object_key(ACCOUNT, REGION, number));
        folder.write(&name, log_file(records));
        self.deliver(&folder.path().join(format!("files-{number}")));
    }

    fn configuration(&self, folder: &Folder, slack: &FakeSlack, pagerduty: &FakePagerDuty) -> PathBuf {
        folder.config(&format!(
            "[policy]\nlearning_days = 0\n\n[policy.organisation]\naccounts = [\"{ACCOUNT}\"]\n\n[polling]\nquota_share = 1.0\n\n{}[[aws.accounts]]\nname = \"moto\"\naccount_id = \"{ACCOUNT}\"\nregions = [\"{REGION}\"]\nendpoint_url = \"{}\"\npoll = [\"keys\", \"buckets\"]\n\n[[aws.trails]]\nname = \"organisation\"\nbucket = \"acme-audit-logs\"\nqueue_url = \"{}\"\nregion = \"{REGION}\"\naccount = \"moto\"\naccounts = {}\nwait_seconds = 1\n",
            receivers(slack, pagerduty, "", ""),
            self.url,
            self.queue,
            json!([ACCOUNT, CORPUS_ACCOUNTS[0], CORPUS_ACCOUNTS[1]]),
        ))
    }
}

/// The accounts of the corpus of a simulated attack.
const CORPUS_ACCOUNTS: [&str; 2] = ["123837392027", "218007301253"];

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn verdict(config: &Path, control: &str, resource: &str) -> Option<String> {
    listed(config, "verdicts")
        .iter()
        .find(|line| {
            line["control"] == control && line["resource"].as_str().is_some_and(|id| id.contains(resource))
        })
        .map(|line| text(&line["verdict"]))
}

/// Incidents that say something about `what`.
fn incidents_about(pagerduty: &FakePagerDuty, what: &str) -> Vec<Incident> {
    pagerduty
        .incidents()
        .into_iter()
        .filter(|incident| incident.opened_by.to_string().contains(what))
        .collect()
}

fn start_daemon(folder: &Folder, config: &Path) -> Daemon {
    let mut command = keyvigil(ACCOUNT);
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .arg("--config")
        .arg(config)
        .arg("run");
    Daemon::spawn(folder, &mut command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_in_moto_is_alerted_in_seconds_and_resolved_after_the_repair() {
    let folder = Folder::new("moto");
    let (slack, pagerduty) = (
        FakeSlack::start().await.unwrap(),
        FakePagerDuty::start().await.unwrap(),
    );
    let moto = Moto::start(&folder).await;
    let config = moto.configuration(&folder, &slack, &pagerduty);
    let mut daemon = start_daemon(&folder, &config);
    let key_id = moto.key.rsplit('/').next().unwrap().to_owned();
    until_true("the account is in order", seconds(60), || {
        verdict(&config, "aws.s3.default_encryption", DATA).as_deref() == Some("pass")
            && verdict(&config, "aws.s3.tls_enforced", DATA).as_deref() == Some("pass")
            && verdict(&config, "aws.kms.rotation_enabled", &key_id).as_deref() == Some("pass")
    })
    .await;

    // Log files arrive: an event of our own, and a simulated attack where the corpus exists.
    let scheduled =
        Call::on_key(ACCOUNT, "ScheduleKeyDeletion", &key_arn(ACCOUNT, REGION, 7), 1).by("mallory");
    moto.deliver_records(&folder, 1, &[scheduled.record()]);
    let corpus = corpus(&folder);
    if let Some(corpus) = &corpus {
        assert!(moto.deliver(corpus) > 50);
    }
    let drained = moto.ask(&["drained", &moto.queue, "60"]);
    assert_eq!(
        drained["waiting"],
        0,
        "every message is acknowledged: {}",
        daemon.log()
    );
    until_true("both receivers are told", seconds(60), || {
        slack
            .messages()
            .iter()
            .any(|message| message.to_string().contains("mallory"))
            && incidents_about(&pagerduty, "mallory").len() == 1
    })
    .await;
    if corpus.is_some() {
        until_true("the attack is told", seconds(60), || {
            !incidents_about(&pagerduty, CORPUS_ACCOUNTS[0]).is_empty()
        })
        .await;
    }
    break_and_repair(&moto, &folder, &config, &pagerduty).await;
    assert_eq!((slack.refused(), pagerduty.refused()), (vec![], vec![]));
    assert!(!slack_texts(&slack).is_empty());
    assert!(daemon.stop().await.success());
}

/// Both things break with their records; the alert comes within seconds and ends after the repair.
async fn break_and_repair(moto: &Moto, folder: &Folder, config: &Path, pagerduty: &FakePagerDuty) {
    let key_id = moto.key.rsplit('/').next().unwrap().to_owned();
    let open = |what: &str| {
        incidents_about(pagerduty, what)
            .iter()
            .filter(|incident| incident.open)
            .count()
    };
    assert_eq!((open(DATA), open(&key_id)), (0, 0));
    moto.ask(&["broken", &moto.key]);
    let broken = Instant::now();
    let records = [
        Call::on_bucket(ACCOUNT, "DeleteBucketEncryption", DATA, 10)
            .at(now())
            .record(),
        Call::on_key(ACCOUNT, "DisableKeyRotation", &moto.key, 11)
            .at(now())
            .record(),
    ];
    moto.deliver_records(folder, 2, &records);
    until_true("both are incidents", seconds(30), || {
        open(DATA) >= 1 && open(&key_id) >= 1
    })
    .await;
    until_true("the looks confirm both", seconds(30), || {
        verdict(config, "aws.s3.default_encryption", DATA).as_deref() == Some("fail")
            && verdict(config, "aws.kms.rotation_enabled", &key_id).as_deref() == Some("fail")
    })
    .await;
    assert!(
        broken.elapsed() < seconds(30),
        "seconds, not the next sweep: {:?}",
        broken.elapsed()
    );
    let found = listed(config, "findings");
    // The deed and the state behind it are one alert, told by whoever did it; the verdicts above confirm the state.
    for (rule, what) in [
        ("encryption.default_removed", DATA),
        ("rotation.disabled", key_id.as_str()),
    ] {
        assert!(
            found
                .iter()
                .any(|finding| finding["rule"] == rule && finding.to_string().contains(what)),
            "{rule} about {what} is missing: {found:#?}"
        );
    }

    moto.ask(&["repaired", &moto.key]);
    let records = [
        Call::on_bucket(ACCOUNT, "PutBucketEncryption", DATA, 20)
            .at(now())
            .record(),
        Call::on_key(ACCOUNT, "EnableKeyRotation", &moto.key, 21)
            .at(now())
            .record(),
    ];
    moto.deliver_records(folder, 3, &records);
    until_true("both incidents are resolved", seconds(60), || {
        open(DATA) == 0 && open(&key_id) == 0
    })
    .await;
    assert_eq!(
        verdict(config, "aws.s3.default_encryption", DATA).as_deref(),
        Some("pass")
    );
}

/// The corpus in the layout of a log bucket, if it is there.
fn corpus(folder: &Folder) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/corpora/aws-cloudtrail-attack-simulation/CloudTrail");
    let mut found = 0;
    for entry in fs::read_dir(source).ok()? {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?.to_owned();
        if !name.ends_with(".json") {
            continue;
        }
        // The files are named after another account than the one that their records are of.
        let account = CORPUS_ACCOUNTS[0];
        let name = name.replace(CORPUS_ACCOUNTS[1], account);
        let region = name.split('_').nth(2)?;
        let key = format!("corpus/AWSLogs/{account}/CloudTrail/{region}/2023/07/10/{name}.gz");
        folder.write(&key, crate::it::records::gzip(&fs::read(&path).ok()?));
        found += 1;
    }
    (found > 0).then(|| folder.path().join("corpus"))
}
