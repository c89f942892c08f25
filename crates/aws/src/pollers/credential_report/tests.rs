//! Rows of the report as AWS documents them, and broken ones.

use super::*;

const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

fn made() -> Timestamp {
    Timestamp::from_secs(1_790_000_000)
}

fn row(user: &str, arn: &str, password: &str, mfa: &str, keys: [&str; 6]) -> String {
    let [active_1, rotated_1, used_1, active_2, rotated_2, used_2] = keys;
    format!(
        "{user},{arn},2020-01-01T00:00:00+00:00,{password},N/A,N/A,N/A,{mfa},{active_1},{rotated_1},{used_1},N/A,N/A,\
         {active_2},{rotated_2},{used_2},N/A,N/A,false,N/A,false,N/A"
    )
}

fn report(rows: &[String]) -> Report {
    let csv = format!("{HEADER}\n{}\n", rows.join("\n"));
    read(&csv, made()).unwrap()
}

const NO_KEYS: [&str; 6] = ["false", "N/A", "N/A", "false", "N/A", "N/A"];

fn arn(user: &str) -> String {
    format!("arn:aws:iam::111122223333:user/{user}")
}

#[test]
fn root_is_kept_apart() {
    for (password, mfa, keys, expected) in [
        ("not_supported", "true", NO_KEYS, (Some(true), None, Some(0))),
        ("false", "false", NO_KEYS, (Some(false), Some(false), Some(0))),
        ("TRUE", "no_information", NO_KEYS, (None, Some(true), Some(0))),
        (
            "true",
            "false",
            [
                "true",
                "2020-01-01T00:00:00Z",
                "N/A",
                "true",
                "2021-01-01T00:00:00Z",
                "N/A",
            ],
            (Some(false), Some(true), Some(2)),
        ),
        (
            "true",
            "true",
            ["not_supported", "N/A", "N/A", "false", "N/A", "N/A"],
            (Some(true), Some(true), None),
        ),
    ] {
        let found = report(&[row(
            "<root_account>",
            "arn:aws:iam::111122223333:root",
            password,
            mfa,
            keys,
        )]);
        let root = found.root.unwrap();
        assert_eq!(
            (root.mfa, root.password, root.active_keys),
            expected,
            "{password} {mfa}"
        );
        assert_eq!(found.users, vec![]);
    }
}

#[test]
fn users_have_their_active_keys_only() {
    let keys = [
        "true",
        "2024-02-29T10:00:00+00:00",
        "2026-01-31T00:00:00+00:00",
        "false",
        "2020-01-01T00:00:00+00:00",
        "N/A",
    ];
    let found = report(&[
        row("ann", &arn("ann"), "true", "true", keys),
        row(
            "bot",
            &arn("bot"),
            "no_information",
            "false",
            ["false", "N/A", "N/A", "true", "N/A", "N/A"],
        ),
    ]);
    let at = |text: &str| Some(Timestamp::parse_rfc3339(text).unwrap());
    assert_eq!(
        found.users[0],
        (
            "ann".to_owned(),
            AwsUser {
                id: arn("ann").as_str().into(),
                console: true,
                mfa: true,
                access_keys: vec![AwsAccessKey {
                    slot: 1,
                    rotated: at("2024-02-29T10:00:00Z"),
                    last_used: at("2026-01-31T00:00:00Z"),
                }],
                report_time: made(),
            }
        )
    );
    let bot = &found.users[1].1;
    assert!(!bot.console && !bot.mfa);
    assert_eq!(
        bot.access_keys,
        vec![AwsAccessKey {
            slot: 2,
            rotated: None,
            last_used: None
        }]
    );
}

#[test]
fn quoted_fields_are_one_field() {
    let quoted = row("\"a,b \"\"c\"\"\nd\"", &arn("x"), "false", "true", NO_KEYS);
    let found = report(&[quoted, row("next", &arn("next"), "false", "true", NO_KEYS)]);
    assert_eq!(found.users[0].0, "a,b \"c\"\nd");
    assert_eq!(found.users[1].0, "next");
    assert_eq!(found.broken, 0);
}

#[test]
fn broken_rows_are_counted_and_cost_their_neighbours_nothing() {
    let good = row("ann", &arn("ann"), "true", "true", NO_KEYS);
    let found = report(&[
        "short,row".to_owned(),
        good.clone(),
        format!("{good},one,too,many"),
        row("noarn", "", "true", "true", NO_KEYS),
        row("nomfa", &arn("nomfa"), "true", "no_information", NO_KEYS),
        String::new(),
        row("bob", &arn("bob"), "true", "true", NO_KEYS),
    ]);
    let names: Vec<&str> = found.users.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ann", "bob"]);
    assert_eq!(found.broken, 4);
}

#[test]
fn windows_line_ends_a_byte_order_mark_and_no_last_line_end() {
    let good = row("ann", &arn("ann"), "true", "true", NO_KEYS);
    let csv = format!("\u{feff}{HEADER}\r\n{good}\r\n{}", good.replace("ann", "bob"));
    let found = read(&csv, made()).unwrap();
    assert_eq!((found.users.len(), found.broken), (2, 0));
}

#[test]
fn new_columns_and_another_order_are_no_matter() {
    let csv = "mfa_active,new_column,arn,user,password_enabled,access_key_2_last_used_date,access_key_2_active,\
               access_key_2_last_rotated,access_key_1_last_used_date,access_key_1_last_rotated,access_key_1_active\n\
               true,x,arn:aws:iam::1:user/ann,ann,true,N/A,false,N/A,N/A,N/A,false\n";
    let found = read(csv, made()).unwrap();
    assert!(found.users[0].1.mfa && found.users[0].1.console);
}

#[test]
fn something_that_is_not_a_report_is_unreadable() {
    for csv in ["", "\n", "<html></html>", "user,arn\nann,x\n"] {
        let error = read(csv, made()).unwrap_err();
        assert_eq!(error.class, FailureClass::Unreadable, "{csv:?}");
    }
}
