//! The command line as scripts rely on it: NDJSON fields, the summary line, exit codes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::it::daemon::{Folder, lines, ran};
use crate::it::records::{Call, gzip, key_arn, log_file};

const ACCOUNT: &str = "111122223333";
const FIELDS: [&str; 16] = [
    "id",
    "rule",
    "title",
    "severity",
    "status",
    "outcome",
    "provider",
    "account",
    "region",
    "time",
    "principal",
    "key",
    "resource",
    "event_ids",
    "controls",
    "source",
];

fn scheduled(number: u64) -> Call {
    Call::on_key(
        ACCOUNT,
        "ScheduleKeyDeletion",
        &key_arn(ACCOUNT, "us-east-1", number),
        number,
    )
    .by(&format!("user{number}"))
    .at(1_780_000_000)
}

/// Runs `replay`; returns the exit code, the findings and the summary.
fn replayed(arguments: &[&str]) -> (Option<i32>, Vec<Value>, Value) {
    let mut all = vec!["replay", "--output", "ndjson"];
    all.extend(arguments);
    let output = ran(ACCOUNT, &all);
    let mut printed = lines(&output);
    let summary = printed.pop().map_or(Value::Null, |line| line["summary"].clone());
    (output.status.code(), printed, summary)
}

#[test]
fn every_form_of_a_log_is_read_and_every_promised_field_is_there() {
    let folder = Folder::new("forms");
    let record = |number| scheduled(number).record();
    folder.write("logs/one.json.gz", log_file(&[record(1)]));
    folder.write("logs/two.json", json!({"Records": [record(2)]}).to_string());
    folder.write("logs/three.json", format!("{}\n{}\n", record(3), record(4)));
    folder.write("logs/deep/er/four.json", record(5).to_string());
    folder.write(
        "logs/deep/five.json.gz",
        gzip(format!("{}\n", record(6)).as_bytes()),
    );
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (given, expected) in [
        (vec![path("logs/one.json.gz")], vec![1]),
        (vec![path("logs/two.json")], vec![2]),
        (vec![path("logs/three.json")], vec![3, 4]),
        (vec![path("logs/deep/er/four.json")], vec![5]),
        (vec![path("logs")], vec![1, 2, 3, 4, 5, 6]),
        (vec![path("logs/**/*.gz")], vec![1, 6]),
        (vec![path("logs/t*.json")], vec![2, 3, 4]),
        (vec![path("logs/one.json.gz"), path("logs/deep")], vec![1, 5, 6]),
    ] {
        let arguments: Vec<&str> = given.iter().map(String::as_str).collect();
        let (code, findings, summary) = replayed(&arguments);
        assert_eq!(code, Some(1), "{given:?}");
        let mut ids: Vec<String> = findings
            .iter()
            .filter(|finding| finding["rule"] == "key.destroy_scheduled")
            .map(|finding| finding["event_ids"][0].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        let wanted: Vec<String> = expected
            .iter()
            .map(|number| crate::it::records::event_id(*number))
            .collect();
        assert_eq!(ids, wanted, "{given:?}");
        assert_eq!(summary["records"], wanted.len(), "{given:?}");
        assert_eq!(summary["events"], wanted.len(), "{given:?}");
        assert_eq!(summary["findings"], findings.len());
        for finding in &findings {
            for field in FIELDS {
                assert!(finding.get(field).is_some(), "{field} is missing in {finding}");
            }
            assert!(finding["event_ids"].is_array() && finding["controls"].is_array());
            assert_eq!(finding["time"], "2026-05-28T20:26:40Z");
            assert_eq!(
                (&finding["severity"], &finding["outcome"], &finding["provider"]),
                (&json!("critical"), &json!("success"), &json!("aws"))
            );
        }
    }
}

#[test]
fn exit_codes_say_what_happened() {
    let folder = Folder::new("codes");
    let quiet = Call::on_key(ACCOUNT, "DescribeKey", &key_arn(ACCOUNT, "us-east-1", 1), 1);
    let clean = folder.write("clean.json.gz", log_file(&[quiet.record()]));
    let found = folder.write("found.json.gz", log_file(&[scheduled(2).record()]));
    let whole = log_file(&[quiet.record()]);
    let cut = folder.write("cut.json.gz", &whole[..whole.len() / 2]);
    let bad_policy = folder.write("policy.toml", "learning_days = \"many\"\n");
    let good_policy = folder.write("good.toml", "learning_days = 0\n");
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (clean, found, cut) = (text(&clean), text(&found), text(&cut));
    for (arguments, code) in [
        (vec![clean.as_str()], 0),
        (vec![&found], 1),
        (vec![&clean, "--policy", &text(&good_policy)], 0),
        (vec![&clean, "--policy", &text(&bad_policy)], 2),
        (vec![&cut], 3),
        (vec![&clean, &cut], 3),
        (vec![&found, &cut], 1),
        (vec!["/nothing/here.json"], 4),
    ] {
        let (got, _, _) = replayed(&arguments);
        assert_eq!(got, Some(code), "{arguments:?}");
    }
    let missing = ran(ACCOUNT, &["--config", "/nothing/keyvigil.toml", "run"]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn a_threshold_decides_between_clean_and_findings() {
    let folder = Folder::new("threshold");
    let key = key_arn(ACCOUNT, "us-east-1", 1);
    let denied = Call {
        error: Some("AccessDenied"),
        ..Call::on_key(ACCOUNT, "DisableKey", &key, 1)
    };
    let file = folder.write("denied.json.gz", log_file(&[denied.record()]));
    let file = file.to_str().unwrap();
    let (code, findings, _) = replayed(&[file]);
    assert_eq!(code, Some(1), "a refused attempt is still a finding");
    let finding = findings
        .iter()
        .find(|finding| finding["rule"] == "key.disabled")
        .unwrap();
    assert_eq!(finding["outcome"], "denied");
    assert_eq!(replayed(&[file, "--fail-on", "critical"]).0, Some(0));
}

#[test]
fn every_error_of_a_configuration_is_told_at_once() {
    let folder = Folder::new("bad-config");
    let file = folder.write(
        "keyvigil.toml",
        "[daemon]\nstop_seconds = 0\n\n[admin]\nlisten = \"0.0.0.0:9650\"\n\n[alerts]\nfallback = \"nobody\"\n\n[[slack]]\nname = \"Not Short\"\nwebhook_url = \"https://hooks.slack.com/services/T/B/x\"\n\n[[aws.accounts]]\nname = \"prod\"\naccount_id = \"12\"\nregions = []\n",
    );
    let schema_errors = ran(
        ACCOUNT,
        &["--config", file.to_str().unwrap(), "config", "validate"],
    );
    let said = String::from_utf8_lossy(&schema_errors.stdout).into_owned();
    assert_eq!(schema_errors.status.code(), Some(2), "{said}");
    assert!(
        said.contains("keyvigil.toml") && said.contains("daemon.stop_seconds"),
        "{said}"
    );
    let text = std::fs::read_to_string(&file)
        .unwrap()
        .replace("stop_seconds = 0", "stop_seconds = 5");
    std::fs::write(&file, text).unwrap();
    let rest = ran(
        ACCOUNT,
        &["--config", file.to_str().unwrap(), "config", "validate"],
    );
    let said = String::from_utf8_lossy(&rest.stdout).into_owned();
    assert_eq!(rest.status.code(), Some(2), "{said}");
    for key in [
        "admin.listen",
        "alerts.fallback",
        "slack[0].name",
        "aws.accounts[0].account_id",
        "aws.accounts[0].regions",
    ] {
        assert!(said.contains(key), "{key} is not named in:\n{said}");
    }
    assert!(said.contains("accepted:"), "{said}");
}

#[test]
fn the_corpus_is_read_whole_and_its_copy_adds_nothing() {
    let corpus =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/aws-cloudtrail-attack-simulation");
    if !corpus.exists() {
        eprintln!("{} is not here: nothing to replay", corpus.display());
        return;
    }
    let corpus = corpus.to_str().unwrap();
    let (code, findings, once) = replayed(&[corpus]);
    assert_eq!(code, Some(1));
    assert_eq!((&once["records"], &once["malformed"]), (&json!(2900), &json!(0)));
    assert!(findings.len() > 10);
    let folder = Folder::new("corpus");
    let copied = std::process::Command::new("cp")
        .args(["-r", corpus])
        .arg(folder.path().join("copy"))
        .status();
    assert!(copied.unwrap().success());
    let copy = folder.path().join("copy");
    let (_, again, twice) = replayed(&[corpus, copy.to_str().unwrap()]);
    assert_eq!(twice["records"], 5800);
    assert_eq!(twice["events"], once["events"]);
    assert_eq!(
        twice["duplicates"], once["events"],
        "every relevant record of the copy is a duplicate"
    );
    let ids = |findings: &[Value]| {
        let mut ids: Vec<String> = findings
            .iter()
            .map(|finding| format!("{} {}", finding["id"], finding["event_ids"]))
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&again), ids(&findings));
}
