//! Kill it anywhere: at named points and at random instants, then compare with a run that nobody disturbed.
//!
//! `KEYVIGIL_KILLS` sets how often (50; the long form is 500). What must hold in the end: the same events, findings and
//! ledger; one incident an alert; no Slack message twice without its mark; an intact database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use keyvigil_testkit::aws::FakeAws;
use keyvigil_testkit::pagerduty::FakePagerDuty;
use keyvigil_testkit::slack::FakeSlack;
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::it::company::{
    ACCOUNT, QUEUE, REGION, account, assert_read_only, deliver, policy, queued, receivers, slack_texts,
    trail, world_with_logs,
};
use crate::it::daemon::{Daemon, Folder, keyvigil};
use crate::it::peers::stored;
use crate::it::records::{Call, key_arn, now};
use crate::it::waiting::{seconds, until_true};

/// Points at which the process is killed, and at which of their hits at most.
const FAILPOINTS: [(&str, u64); 11] = [
    ("recv_before_parse", 1),
    ("obj_mid", 1),
    ("batch_before_commit", 6),
    ("batch_after_commit", 6),
    ("before_ack", 2),
    ("after_ack", 2),
    ("outbox_claimed", 2),
    ("send_before", 2),
    ("send_after_before_mark", 2),
    ("floor_before", 1),
    ("floor_after", 1),
];
const LOOKUP: &str = "poll = []\nlookup_events = { mode = \"on\", poll_seconds = 10, requests_per_second = 2.0, settle_minutes = 5, first_lookback_hours = 1 }";
const MARK: &str = "POSSIBLE DUPLICATE · ";

/// A repeatable source of variety (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The records of one log file. What is alerted has a key and a user of its own, so that the order of files cannot
/// matter.
fn file_records(file: u64, start: i64, many: bool) -> Vec<Value> {
    let mut records = Vec::new();
    let first = file * 1_000;
    let call = |operation, number: u64, user: String| {
        Call::on_key(ACCOUNT, operation, &key_arn(ACCOUNT, REGION, number), number)
            .by(&user)
            .at(start + i64::try_from(file).unwrap())
            .record()
    };
    records.push(call("ScheduleKeyDeletion", first, format!("destroyer{file}")));
    if file.is_multiple_of(2) {
        records.push(call("DisableKey", first + 1, format!("disabler{file}")));
    }
    let uses = if many { 620 } else { 38 };
    for number in 0..uses {
        records.push(call("Decrypt", first + 2 + number, format!("service{file}")));
    }
    records
}

/// A company's event history: three calls that also are in log files, and forty that are not.
fn history(aws: &FakeAws, start: i64) {
    aws.change(|world| {
        let home = world.account(ACCOUNT);
        for file in 0..3 {
            for record in file_records(file, start, false).into_iter().take(1) {
                home.happened(REGION, start + i64::try_from(file).unwrap(), record);
            }
        }
        for number in 0..40 {
            let id = 9_000_000 + number;
            let call = Call::on_key(ACCOUNT, "Decrypt", &key_arn(ACCOUNT, REGION, id), id).at(start);
            home.happened(REGION, start, call.by("historian").record());
        }
    });
}

/// Which files are large: those that are delivered with the failpoint in the middle of an object.
fn is_large(file: u64) -> bool {
    file.is_multiple_of(3) && FAILPOINTS[plan_index(file)].0 == "obj_mid"
}

fn plan_index(cycle: u64) -> usize {
    usize::try_from(cycle / 3).unwrap() % FAILPOINTS.len()
}

/// The run that nobody disturbs: what the store must hold.
async fn undisturbed(files: u64, start: i64) -> Value {
    let folder = Folder::new("undisturbed");
    let aws = FakeAws::start(world_with_logs()).await.unwrap();
    history(&aws, start);
    for file in 0..files {
        deliver(&aws, file, &file_records(file, start, is_large(file)));
    }
    let config = folder.config(&format!(
        "{}{}{}",
        policy(&[ACCOUNT]),
        account(&aws, "main", ACCOUNT, LOOKUP),
        trail(&aws)
    ));
    let mut daemon = Daemon::start(&folder, &config, ACCOUNT).await;
    until_true("the undisturbed run reads everything", seconds(600), || {
        queued(&aws) == 0
    })
    .await;
    until_true("and the event history", seconds(60), || {
        stored(&folder.state_dir())["ledger"]
            .to_string()
            .contains("historian")
    })
    .await;
    assert!(daemon.stop().await.success());
    stored(&folder.state_dir())
}

/// How a process is killed.
enum Kill {
    /// At a point of the program, at its n-th hit.
    At(&'static str, u64),
    /// After so many milliseconds.
    After(u64),
    /// Some milliseconds after everything delivered so far was read.
    WhenRead(u64),
}

/// The disturbed run.
struct Loop {
    folder: Folder,
    config: PathBuf,
    aws: FakeAws,
    slack: FakeSlack,
    pagerduty: FakePagerDuty,
    reached: BTreeMap<&'static str, u32>,
}

impl Loop {
    async fn start(start: i64) -> Self {
        let folder = Folder::new("kills");
        let (slack, pagerduty) = (
            FakeSlack::start().await.unwrap(),
            FakePagerDuty::start().await.unwrap(),
        );
        let aws = FakeAws::start(world_with_logs()).await.unwrap();
        history(&aws, start);
        let config = folder.config(&format!(
            "{}{}{}{}",
            policy(&[ACCOUNT]),
            receivers(
                &slack,
                &pagerduty,
                "checks = [\"key.disabled\"]",
                "checks = [\"key.*\"]"
            ),
            account(&aws, "main", ACCOUNT, LOOKUP),
            trail(&aws)
        ));
        Self {
            folder,
            config,
            aws,
            slack,
            pagerduty,
            reached: BTreeMap::new(),
        }
    }

    /// The visibility timeout of what the killed process held is over.
    fn show_messages_again(&self) {
        self.aws.change(|world| {
            for message in &mut world.account(ACCOUNT).queues.get_mut(QUEUE).unwrap().messages {
                message.hidden_until = None;
            }
        });
    }

    async fn cycle(&mut self, kill: &Kill) {
        self.show_messages_again();
        let mut command = keyvigil(ACCOUNT);
        command.arg("--config").arg(&self.config).arg("run");
        if let Kill::At(point, hit) = kill {
            command.env("KEYVIGIL_FAILPOINT", format!("{point}:{hit}"));
        }
        let mut daemon = Daemon::spawn(&self.folder, &mut command);
        let started = Instant::now();
        let limit = match kill {
            Kill::At(..) => seconds(5),
            Kill::After(milliseconds) => Duration::from_millis(*milliseconds),
            Kill::WhenRead(milliseconds) => {
                let aws = &self.aws;
                until_true("what was delivered is read", seconds(60), || queued(aws) == 0).await;
                started.elapsed() + Duration::from_millis(*milliseconds)
            }
        };
        let mut died = false;
        while started.elapsed() < limit && !died {
            died = daemon.ended().is_some();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        match kill {
            Kill::At(point, _) if died => *self.reached.entry(point).or_default() += 1,
            Kill::At(..) | Kill::After(_) | Kill::WhenRead(_) => {
                assert!(!died, "it ended by itself: {}", daemon.log());
            }
        }
        daemon.kill();
        let log = daemon.log();
        assert!(
            !log.contains("damaged"),
            "the database did not survive a kill: {log}"
        );
        assert!(!log.contains("panicked"), "{log}");
    }

    /// A last start, undisturbed, until nothing is left to read or to tell.
    async fn finish(&mut self) {
        self.show_messages_again();
        let mut daemon = Daemon::start(&self.folder, &self.config, ACCOUNT).await;
        let aws = &self.aws;
        until_true("everything is read in the end", seconds(120), || queued(aws) == 0).await;
        let state = self.folder.state_dir();
        let started = Instant::now();
        loop {
            let held = stored(&state);
            if held["waiting"] == 0 && held["ledger"].to_string().contains("historian") {
                break;
            }
            assert!(
                started.elapsed() < seconds(600),
                "{} messages wait",
                held["waiting"]
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(daemon.stop().await.success());
    }

    fn state(&self) -> Value {
        stored(&self.folder.state_dir())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_anywhere_nothing_is_lost_and_nothing_is_told_twice_unmarked() {
    let kills: u64 = std::env::var("KEYVIGIL_KILLS").map_or(50, |count| count.parse().unwrap());
    let start = now() - 1_500;
    let expected = undisturbed(kills, start).await;
    let mut run = Loop::start(start).await;
    let mut dice = Dice(20_261_124);
    for cycle in 0..kills {
        deliver(&run.aws, cycle, &file_records(cycle, start, is_large(cycle)));
        if cycle % 5 == 4 {
            let again = dice.below(cycle);
            deliver(&run.aws, again, &file_records(again, start, is_large(again)));
        }
        let kill = match cycle % 3 {
            0 => {
                let (point, most) = FAILPOINTS[plan_index(cycle)];
                Kill::At(point, 1 + dice.below(most))
            }
            1 => Kill::After(dice.below(2_000)),
            // Everything is read now and then: an object on which the process dies three times is given up by design.
            _ => Kill::WhenRead(dice.below(900)),
        };
        run.cycle(&kill).await;
    }
    run.finish().await;
    let held = run.state();
    eprintln!(
        "{kills} kills, points reached: {:?}; {} events, {} findings, {} incidents, {} Slack messages",
        run.reached,
        held["seen"],
        held["findings"].as_array().unwrap().len(),
        run.pagerduty.incidents().len(),
        run.slack.messages().len()
    );
    assert_same(&expected, &held);
    assert_told_once(&held, &run.pagerduty, &run.slack);
    assert!(
        kills < 40 || run.reached.len() >= 8,
        "too few points were reached: {:?}",
        run.reached
    );
    assert_read_only(&run.aws);
}

/// The store holds what it holds after an undisturbed run.
fn assert_same(expected: &Value, held: &Value) {
    assert_eq!(held["integrity"], "ok");
    assert_eq!(held["quarantine"], expected["quarantine"]);
    assert_eq!(held["seen"], expected["seen"], "events lost or invented");
    assert_eq!(
        held["ledger_sum"], expected["ledger_sum"],
        "uses lost or counted twice"
    );
    assert_eq!(held["ledger"], expected["ledger"]);
    assert_eq!(held["objects"], expected["objects"]);
    let set = |value: &Value| -> BTreeSet<String> {
        value["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect()
    };
    let (wanted, found) = (set(expected), set(held));
    let missing: Vec<&String> = wanted.difference(&found).collect();
    let invented: Vec<&String> = found.difference(&wanted).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing: {missing:#?}\ninvented: {invented:#?}"
    );
    assert_eq!(held["dead"], 0);
}

/// One incident for every alert; a Slack message that came twice says so.
fn assert_told_once(held: &Value, pagerduty: &FakePagerDuty, slack: &FakeSlack) {
    let incidents = pagerduty.incidents();
    let keys: BTreeSet<&String> = incidents.iter().map(|incident| &incident.dedup_key).collect();
    assert_eq!(
        keys.len(),
        incidents.len(),
        "a second incident was opened for an alert"
    );
    let findings = held["findings"].as_array().unwrap();
    let of_rule = |prefix: &str| {
        let matching = findings
            .iter()
            .filter(|finding| finding[0].as_str().unwrap().starts_with(prefix) && finding[2] == "open");
        matching.count()
    };
    assert_eq!(incidents.len(), of_rule("key."), "every alert is an incident");
    let mut unmarked: BTreeMap<String, usize> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for text in slack_texts(slack) {
        let bare = text.trim_start_matches(MARK).to_owned();
        if bare.len() == text.len() {
            *unmarked.entry(bare.clone()).or_default() += 1;
        }
        told.insert(bare);
    }
    let twice: Vec<_> = unmarked.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "told twice without the mark: {twice:#?}");
    assert_eq!(told.len(), of_rule("key.disabled"), "every alert is told");
    assert_eq!((slack.refused(), pagerduty.refused()), (vec![], vec![]));
}
