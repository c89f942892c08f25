//! Records mutated by their structure: none may panic, none may cost a neighbour, each is evaluated or quarantined.
//!
//! `KEYVIGIL_MUTATIONS` sets how many (20,000 by default), `KEYVIGIL_SEED` which.

use std::collections::HashSet;

use keyvigil_model::action::ActionSet;
use keyvigil_model::batch::QuarantineReason;
use serde_json::{Map, Value, json};

use super::samples::record;
use super::{decode, everything, gzip};

/// SplitMix64: small, seeded, good enough to choose with.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).unwrap()
    }

    fn one_of<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.below(list.len())]
    }
}

/// Text that upset somebody's parser once.
const NASTY: &[&str] = &[
    "}]},{\"eventVersion\":\"1.08\",",
    "{{{{[[[[",
    "\\",
    "\"",
    "\\\"},{\\\"",
    "\u{0}",
    "\u{202e}\u{200b}",
    "<!channel> =cmd|' /C calc'!A0",
    "]}\n{\"Records\":[",
];

const OPERATIONS: [&str; 3] = ["Decrypt", "CreateGrant", "PutKeyPolicy"];

fn nasty_value(dice: &mut Dice) -> Value {
    match dice.below(9) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!([1, "x", null, {"a": []}]),
        5 => json!({"eventVersion": "1.08", "eventID": "inner", "eventName": "Decrypt"}),
        6 => json!(""),
        7 => json!(*dice.one_of(NASTY)),
        _ => json!("x".repeat(1 << dice.below(16))),
    }
}

/// The objects of a record, by descending into a random one.
fn some_object<'v>(dice: &mut Dice, value: &'v mut Value) -> &'v mut Map<String, Value> {
    let here = value.as_object_mut().unwrap();
    let nested: Vec<String> = here
        .iter()
        .filter(|(_, value)| value.is_object())
        .map(|(key, _)| key.clone())
        .collect();
    if nested.is_empty() || dice.below(2) == 0 {
        return here;
    }
    let key = dice.one_of(&nested).clone();
    some_object(dice, here.get_mut(&key).unwrap())
}

/// Changes values and keys: the result is JSON.
fn by_value(dice: &mut Dice, text: &str) -> String {
    let mut value: Value = serde_json::from_str(text).unwrap();
    for _ in 0..=dice.below(3) {
        let object = some_object(dice, &mut value);
        let keys: Vec<String> = object.keys().cloned().collect();
        let Some(key) = (!keys.is_empty()).then(|| dice.one_of(&keys).clone()) else {
            continue;
        };
        match dice.below(4) {
            0 => {
                object.remove(&key);
            }
            1 => {
                let moved = object.remove(&key).unwrap();
                object.insert(format!("{key}{}", dice.one_of(NASTY)), moved);
            }
            _ => {
                object.insert(key, nasty_value(dice));
            }
        }
    }
    if dice.below(8) == 0 {
        serde_json::to_string_pretty(&value).unwrap()
    } else {
        value.to_string()
    }
}

/// Changes bytes: the result is hardly ever JSON.
fn by_bytes(dice: &mut Dice, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = 1 + dice.below(bytes.len() - 2);
    match dice.below(9) {
        0 => bytes.truncate(at),
        1 => {
            bytes.remove(at);
        }
        2 => bytes[at] = b"{}[]\",:\\\n\0\xff"[dice.below(11)],
        3 => bytes.insert(at, b"{}[]\",:\\\n\0\xff"[dice.below(11)]),
        4 => {
            let end = (at + dice.below(200)).min(bytes.len());
            bytes.drain(at..end);
        }
        5 => {
            let copy = bytes[at..(at + 40).min(text.len())].to_vec();
            bytes.splice(at..at, copy);
        }
        6 => {
            let number = *dice.one_of(&["1e999", "-0", "1E+", "007", "123456789012345678901234567890"]);
            bytes = text.replace("true", number).into_bytes();
        }
        7 => {
            let deep = 60 + dice.below(20);
            let nest = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
            bytes = text.replacen("null", &nest, 1).into_bytes();
        }
        _ => {
            bytes = text
                .replacen('{', "{\"eventID\":\"first\",\"eventName\":null,", 1)
                .into_bytes();
        }
    }
    bytes
}

fn mutant(dice: &mut Dice, id: &str) -> Vec<u8> {
    let text = record(id, "kms.amazonaws.com", OPERATIONS[dice.below(OPERATIONS.len())]);
    match dice.below(20) {
        0..8 => by_value(dice, &text).into_bytes(),
        8..18 => by_bytes(dice, &text),
        18 => text.replace("\"1.11\"", "\"2.0\"").into_bytes(),
        _ => {
            let changed = by_value(dice, &text);
            by_bytes(dice, &changed)
        }
    }
}

fn number_from(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn mutated_records_are_evaluated_or_quarantined_and_cost_nobody_else() {
    const IN_A_FILE: usize = 8;
    let mut dice = Dice(number_from("KEYVIGIL_SEED", 7));
    let files = number_from("KEYVIGIL_MUTATIONS", 20_000).div_ceil(IN_A_FILE as u64);
    let mut reasons: HashSet<QuarantineReason> = HashSet::new();
    for number in 0..files {
        let mut document = Vec::new();
        let (mut good, mut mutants) = (Vec::new(), Vec::new());
        let lines = dice.below(4) == 0;
        let separator: &[u8] = if lines { b"\n" } else { b"," };
        for index in 0..IN_A_FILE {
            let id = format!("good-{index}");
            document.extend(record(&id, "kms.amazonaws.com", "Decrypt").as_bytes());
            good.push(id);
            document.extend(separator);
            let mutant = mutant(&mut dice, "mutant");
            document.extend(&mutant);
            mutants.push(String::from_utf8_lossy(&mutant).into_owned());
            document.extend(separator);
        }
        document.extend(record("good-last", "kms.amazonaws.com", "Decrypt").as_bytes());
        good.push("good-last".to_owned());
        if !lines {
            document.splice(0..0, *b"{\"Records\":[");
            document.extend(b"]}");
        }
        // With a narrow set the prefilter is at work: the neighbours must survive that too.
        let narrow = dice.below(3) == 0;
        let wanted = if narrow {
            ActionSet::keys_and_secrets()
        } else {
            everything()
        };
        let packed = if dice.below(2) == 0 {
            gzip(&document)
        } else {
            document.clone()
        };
        let whole = decode(&packed, wanted);
        let seen: Vec<_> = whole
            .ids()
            .into_iter()
            .filter(|id| id.starts_with("good-"))
            .collect();
        let faults: Vec<_> = whole
            .quarantined
            .iter()
            .map(|fault| (fault.reason, &fault.detail))
            .collect();
        assert_eq!(
            seen, good,
            "file {number}, lines: {lines}, narrow: {narrow}: {faults:?}\n{mutants:#?}"
        );
        let accounted = whole.events.len() - good.len() + whole.quarantined.len();
        assert!(
            narrow || accounted >= IN_A_FILE,
            "file {number}: {accounted} of {IN_A_FILE}\n{mutants:#?}"
        );
        reasons.extend(whole.reasons());
    }
    for reason in [
        QuarantineReason::NotJson,
        QuarantineReason::MissingField,
        QuarantineReason::WrongType,
        QuarantineReason::TooDeep,
        QuarantineReason::UnknownVersion,
    ] {
        assert!(reasons.contains(&reason), "no mutation reached {reason:?}");
    }
}
