//! The policy reads what is documented and finds every mistake at once.

use keyvigil_model::id::AccountId;
use keyvigil_model::time::Timestamp;

use super::trust::Trust;
use super::*;

fn read(json: serde_json::Value) -> Policy {
    serde_json::from_value(json).unwrap()
}

#[test]
fn an_empty_policy_is_valid() {
    let policy = read(serde_json::json!({}));
    assert_eq!(policy, Policy::default());
    assert_eq!(policy.problems(), []);
    assert_eq!(policy.learning_days, 14);
}

#[test]
fn unknown_words_are_refused() {
    let error = serde_json::from_value::<Policy>(serde_json::json!({"learning": 3})).unwrap_err();
    assert!(error.to_string().contains("learning_days"), "{error}");
}

#[test]
fn every_mistake_is_found_with_its_place() {
    let policy = read(serde_json::json!({
        "organisation": {"accounts": ["1111"]},
        "partners": [{"account": "222222222222", "name": "", "owner": "sec", "expires": "soon"}],
        "authorised": [{"keys": [], "principals": ["*"], "operations": ["key.explode"]}],
        "learning_days": 400,
        "thresholds": {"mass_destroy": {"keys": 0}},
        "silence": {"sources": [{"source": "x", "minutes": 1}]},
        "exceptions": [
            {"id": "EX-1", "checks": ["*"], "owner": "a", "approved_by": "a", "reason": "r", "expires": "2026-01-01"},
            {"id": "EX-1", "checks": ["key.disabled"], "owner": "a", "reason": " ", "expires": "2026-13-01"},
        ],
    }));
    let places: Vec<_> = policy
        .problems()
        .into_iter()
        .map(|problem| problem.path)
        .collect();
    assert_eq!(
        places,
        [
            "organisation.accounts[0]",
            "partners[0].name",
            "partners[0].expires",
            "authorised[0].keys",
            "authorised[0].operations[0]",
            "learning_days",
            "silence.sources[0].minutes",
            "thresholds.mass_destroy.keys",
            "exceptions[0].approved_by",
            "exceptions[0].checks",
            "exceptions[1].reason",
            "exceptions[1].expires",
            "exceptions[1].id",
        ]
    );
}

#[test]
fn trust_ends_with_its_date() {
    let policy = read(serde_json::json!({
        "organisation": {"accounts": ["111111111111"]},
        "partners": [{"account": "222222222222", "name": "P", "owner": "sec", "expires": "2026-06-01"}],
    }));
    let before = Timestamp::parse_rfc3339("2026-05-31T23:59:59Z").unwrap();
    let after = Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap();
    let trust = |account: &str, now| policy.trust(&AccountId::from(account), None, now);
    assert_eq!(trust("111111111111", after), Trust::Own);
    assert_eq!(trust("222222222222", before), Trust::Partner);
    assert_eq!(trust("222222222222", after), Trust::Outside);
    assert_eq!(trust("333333333333", before), Trust::Outside);
    let home = AccountId::from("333333333333");
    assert_eq!(policy.trust(&home, Some(&home), before), Trust::Own);
}

#[test]
fn the_schema_names_the_units() {
    let schema = serde_json::to_string(&schemars::schema_for!(Policy)).unwrap();
    assert!(schema.contains("short_window_days"), "{schema}");
}
