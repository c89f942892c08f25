//! Broken and unusual files: quarantined once, with everything readable evaluated (reference "reliability", R7 and R8).

use std::io::Write as _;

use keyvigil_connector::object_log::{Decoder, EncodedObject};
use keyvigil_model::batch::QuarantineReason as Reason;
use keyvigil_model::id::AccountId;

use super::super::{CloudTrailDecoder, Hashing, Limits};
use super::samples::{file, record};
use super::{Whole, decode, decode_with, everything, gzip};

fn three() -> String {
    file(&["a", "b", "c"].map(|id| record(id, "kms.amazonaws.com", "Decrypt")))
}

fn check(name: &str, bytes: &[u8], ids: &[&str], reasons: &[Reason]) -> Whole {
    let whole = decode(bytes, everything());
    assert_eq!(whole.ids(), ids, "{name}");
    assert_eq!(whole.reasons(), reasons, "{name}: {:?}", whole.quarantined);
    whole
}

#[test]
fn arrangements() {
    let [a, b] = ["a", "b"].map(|id| record(id, "kms.amazonaws.com", "Decrypt"));
    let escaped = serde_json::to_string(&a).unwrap();
    let pretty =
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&a).unwrap()).unwrap();
    for (name, text) in [
        ("delivered", file(&[a.clone(), b.clone()])),
        ("lines", format!("{a}\n{b}\n")),
        ("windows lines", format!("{a}\r\n{b}\r\n")),
        ("list", format!("[{a}, {b}]")),
        ("concatenated", format!("{a}{b}")),
        (
            "two deliveries",
            format!("{{\"Records\":[{a}]}}{{\"Records\":[{b}]}}\n"),
        ),
        (
            "byte order mark",
            format!("\u{feff}{}", file(&[a.clone(), b.clone()])),
        ),
        (
            "other keys first",
            format!("{{\"x\":{{\"y\":[\"}}]\"]}},\"n\":1 , \"Records\" : [ {a} ,\n {b} ] ,\"z\":[]}}"),
        ),
        ("pretty", format!("{pretty}\n{b}")),
        (
            "looked up",
            format!("{{\"Events\":[{{\"EventId\":\"a\",\"CloudTrailEvent\":{escaped}}},{b}]}}"),
        ),
        (
            "bus",
            format!(
                "{{\"version\":\"0\",\"detail-type\":\"AWS API Call via CloudTrail\",\"detail\":{a}}}\n{b}"
            ),
        ),
    ] {
        let whole = check(name, text.as_bytes(), &["a", "b"], &[]);
        assert_eq!(whole.summary.records, 2, "{name}");
        let packed = check(name, &gzip(text.as_bytes()), &["a", "b"], &[]);
        assert_eq!(packed.summary.bytes, text.len() as u64, "{name}");
    }
    check("one", a.as_bytes(), &["a"], &[]);
    check("none", b"{\"Records\":[]}", &[], &[]);
}

#[test]
fn other_kinds_are_no_faults() {
    for (name, text, records) in [
        (
            "digest",
            r#"{"awsAccountId":"111122223333","digestStartTime":"2026-01-01T00:00:00Z","digestS3Bucket":"b","logFiles":[{"s3Object":"x"}]}"#,
            0,
        ),
        (
            "test message",
            r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#,
            0,
        ),
        (
            "insight",
            r#"{"Records":[{"eventVersion":"1.09","eventID":"i","eventTime":"2026-01-01T00:00:00Z","eventType":"AwsCloudTrailInsight","insightDetails":{"eventName":"Decrypt","eventSource":"kms.amazonaws.com"},"eventCategory":"Insight"}]}"#,
            1,
        ),
    ] {
        let whole = check(name, text.as_bytes(), &[], &[]);
        assert_eq!(whole.summary.records, records, "{name}");
    }
    let entry = r#"{"s3Bucket":"b","s3Object":"o","hashValue":"0123456789abcdef"},"#.repeat(40_000);
    let digest = format!(r#"{{"awsAccountId":"1","digestS3Bucket":"b","logFiles":[{entry}{{}}]}}"#);
    assert!(digest.len() > 2 * 1024 * 1024);
    check("large digest", digest.as_bytes(), &[], &[]);
}

#[test]
fn whole_files_that_are_broken() {
    let text = three();
    let packed = gzip(text.as_bytes());
    let mut bad_crc = packed.clone();
    let crc = bad_crc.len() - 6;
    bad_crc[crc] ^= 1;
    let mut two_members = packed.clone();
    two_members.extend(gzip(record("d", "kms.amazonaws.com", "Decrypt").as_bytes()));
    let mut lying = packed.clone();
    let size = lying.len() - 4;
    lying[size] ^= 1;
    let mut trailing = packed.clone();
    trailing.extend(b"trailing");

    check("empty", b"", &[], &[Reason::NotJson]);
    check("blank", b" \n", &[], &[Reason::NotJson]);
    check("empty inside", &gzip(b""), &[], &[Reason::NotJson]);
    check(
        "text",
        b"hello, world\nand more {} text\n",
        &[],
        &[Reason::NotJson],
    );
    check(
        "bogus header",
        b"\x1f\x8b\x00\x00rubbish",
        &[],
        &[Reason::BadCompression],
    );
    check("header only", b"\x1f\x8b", &[], &[Reason::BadCompression]);
    check("bad crc", &bad_crc, &["a", "b", "c"], &[Reason::BadCompression]);
    check("lying size", &lying, &["a", "b", "c"], &[Reason::BadCompression]);
    check(
        "trailing bytes",
        &trailing,
        &["a", "b", "c"],
        &[Reason::BadCompression],
    );
    check("two members", &two_members, &["a", "b", "c", "d"], &[]);
    check(
        "numbers",
        b"{\"Records\":[1,null,[2],\"x\"]}",
        &[],
        &[Reason::NotAnObject; 4],
    );
    check(
        "records missing",
        b"{\"Records\":null}",
        &[],
        &[Reason::MissingField],
    );
}

#[test]
fn truncated_anywhere_is_quarantined_once_and_what_was_read_counts() {
    let text = file(
        &(0..40)
            .map(|n| record(&format!("id-{n}"), "kms.amazonaws.com", "Decrypt"))
            .collect::<Vec<_>>(),
    );
    let packed = gzip(text.as_bytes());
    for (form, bytes, reason) in [
        ("plain", text.as_bytes(), Reason::NotJson),
        ("gzip", &packed[..], Reason::BadCompression),
    ] {
        let mut before = 0;
        for part in 1..100 {
            let whole = decode(&bytes[..bytes.len() * part / 100], everything());
            assert_eq!(whole.reasons(), [reason], "{form} {part}");
            assert!(whole.events.len() >= before, "{form} {part}");
            before = whole.events.len();
        }
        assert!(before >= 38, "{form}: {before}");
    }
}

/// A broken record between good ones, in a list and by lines: one fault, and every good one is there.
fn check_between(name: &str, broken: &str, reason: Reason) {
    let [a, b, c] = ["a", "b", "c"].map(|id| record(id, "kms.amazonaws.com", "Decrypt"));
    let text = file(&[a.clone(), broken.to_owned(), b.clone(), c]);
    let whole = decode(text.as_bytes(), everything());
    let kept: Vec<_> = whole.ids().into_iter().filter(|id| *id != "x").collect();
    assert_eq!(kept, ["a", "b", "c"], "{name}: {:?}", whole.quarantined);
    assert_eq!(whole.reasons(), [reason], "{name}: {:?}", whole.quarantined);
    let whole = decode(
        [&a, broken, &b].map(str::to_owned).join("\n").as_bytes(),
        everything(),
    );
    let kept: Vec<_> = whole.ids().into_iter().filter(|id| *id != "x").collect();
    assert_eq!(kept, ["a", "b"], "lines, {name}");
}

#[test]
fn records_that_are_not_json_cost_their_neighbours_nothing() {
    let x = record("x", "kms.amazonaws.com", "Decrypt");
    let in_a_list = x.split("}],\"eventType\"").next().unwrap();
    for (name, broken) in [
        ("no quote", x.replacen("\"userAgent\":\"", "\"userAgent\":", 1)),
        ("no quote of a key", x.replacen("\"userAgent\"", "userAgent\"", 1)),
        ("no closing brace", x[..x.len() - 1].to_owned()),
        ("one brace too many", format!("{x}}}")),
        ("one bracket too many", format!("{x}]")),
        ("cut early", x[..30].to_owned()),
        ("cut in the middle", x[..x.len() / 2].to_owned()),
        ("cut in a list", in_a_list.to_owned()),
        (
            "control character",
            x.replace("\"userAgent\":\"", "\"userAgent\":\"\u{1}"),
        ),
    ] {
        check_between(name, &broken, Reason::NotJson);
    }
}

#[test]
fn records_that_cannot_be_identified_cost_their_neighbours_nothing() {
    let x = record("x", "kms.amazonaws.com", "Decrypt");
    let nest = format!("\"responseElements\":{}{}", "[".repeat(80), "]".repeat(80));
    let long = format!("\"userAgent\":\"{}", "u".repeat(3_000_000));
    for (name, broken, reason) in [
        (
            "too deep",
            x.replace("\"responseElements\":null", &nest),
            Reason::TooDeep,
        ),
        (
            "too large",
            x.replace("\"userAgent\":\"", &long),
            Reason::TooLarge,
        ),
        (
            "no id",
            x.replace("\"eventID\"", "\"eventId\""),
            Reason::MissingField,
        ),
        (
            "null id",
            x.replace("\"eventID\":\"x\"", "\"eventID\":null"),
            Reason::MissingField,
        ),
        (
            "numeric id",
            x.replace("\"eventID\":\"x\"", "\"eventID\":7"),
            Reason::WrongType,
        ),
        (
            "no name",
            x.replace("\"eventName\":\"Decrypt\"", "\"eventName\":{}"),
            Reason::WrongType,
        ),
        (
            "no such time",
            x.replace("2026-03-01T12:00:00Z", "yesterday"),
            Reason::WrongType,
        ),
    ] {
        check_between(name, &broken, reason);
    }
}

#[test]
fn braces_in_strings_are_only_text() {
    let brace = record("a", "kms.amazonaws.com", "Decrypt")
        .replace("\"userAgent\":\"", "\"userAgent\":\"}]},{\\\"eventVersion\\\":{[");
    let text = file(&[brace, record("b", "kms.amazonaws.com", "Decrypt")]);
    check("braces in strings", text.as_bytes(), &["a", "b"], &[]);
}

#[test]
fn bytes_that_are_not_text_cost_their_neighbours_nothing() {
    let text = three();
    let mut bytes = text.into_bytes();
    let middle = bytes.len() / 2;
    let agent = middle + memchr::memmem::find(&bytes[middle..], b"aws-cli").unwrap();
    bytes[agent] = 0xff;
    let whole = decode(&bytes, everything());
    assert_eq!((whole.events.len(), whole.reasons()), (2, vec![Reason::NotJson]));
}

#[test]
fn odd_fields_cost_only_themselves() {
    let odd = record("a", "kms.amazonaws.com", "Decrypt")
        .replace("\"awsRegion\":\"eu-west-1\"", "\"awsRegion\":7")
        .replace(
            "\"recipientAccountId\":\"111122223333\"",
            "\"recipientAccountId\":1e999",
        )
        .replacen(
            "{\"eventVersion\":\"1.11\"",
            "{\"eventVersion\":\"1.11\",\"resources\":{},\"userAgent\":[]",
            1,
        );
    let whole = check("odd", odd.as_bytes(), &["a"], &[]);
    assert_eq!(whole.events[0].region.as_str(), "unknown");
    let version = record("a", "kms.amazonaws.com", "Decrypt").replace("\"1.11\"", "\"2.0\"");
    check("version", version.as_bytes(), &["a"], &[Reason::UnknownVersion]);
    let twice = record("a", "kms.amazonaws.com", "Decrypt").replacen("{", "{\"eventName\":\"Encrypt\",", 1);
    let whole = check("twice", twice.as_bytes(), &["a"], &[]);
    assert_eq!(&*whole.events[0].operation, "Decrypt");
}

#[test]
fn records_of_another_account_are_refused_one_by_one() {
    let foreign = record("b", "kms.amazonaws.com", "Decrypt").replace(
        "\"recipientAccountId\":\"111122223333\"",
        "\"recipientAccountId\":\"999999999999\"",
    );
    let text = file(&[record("a", "kms.amazonaws.com", "Decrypt"), foreign]);
    let account = AccountId::from("111122223333");
    let object = EncodedObject {
        origin: "s3://b/k",
        bytes: text.as_bytes(),
        account: Some(&account),
        wanted: everything(),
    };
    let (mut ids, mut quarantined) = (Vec::new(), Vec::new());
    CloudTrailDecoder::new(Hashing::Off).decode(&object, &mut |piece| {
        ids.extend(piece.events.into_iter().map(|event| event.id.to_string()));
        quarantined.extend(piece.quarantined);
    });
    assert_eq!(ids, ["a"]);
    assert_eq!(quarantined.len(), 1);
    assert_eq!(
        (quarantined[0].reason, &*quarantined[0].origin),
        (Reason::NotAllowed, "s3://b/k#1")
    );
}

#[test]
fn bombs_stop_at_the_limits() {
    let limits = Limits {
        uncompressed: 8 * 1024 * 1024,
        in_one_piece: 1024 * 1024,
        ..Limits::default()
    };
    let decoder = CloudTrailDecoder::with_limits(Hashing::Off, limits);
    let small = three();
    let mut zeros = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zeros.write_all(small.as_bytes()).unwrap();
    for _ in 0..16 {
        zeros.write_all(&[b' '; 1024 * 1024]).unwrap();
    }
    let bomb = zeros.finish().unwrap();
    let whole = decode_with(&decoder, &bomb, everything());
    assert_eq!(
        (whole.ids(), whole.reasons()),
        (vec!["a", "b", "c"], vec![Reason::CompressionBomb])
    );
    assert!(whole.summary.bytes <= 9 * 1024 * 1024);

    let tight = Limits {
        compressed: 10,
        ..limits
    };
    let decoder = CloudTrailDecoder::with_limits(Hashing::Off, tight);
    let whole = decode_with(&decoder, &gzip(small.as_bytes()), everything());
    assert_eq!(whole.reasons(), [Reason::TooLarge]);
}

#[test]
fn large_objects_come_in_pieces_and_hash_to_what_they_are() {
    use sha2::{Digest, Sha256};
    let records: Vec<_> = (0..9_000)
        .map(|n| record(&format!("id-{n}"), "kms.amazonaws.com", "Decrypt"))
        .collect();
    let text = file(&records);
    assert!(text.len() > 8 * 1024 * 1024);
    let streaming = Limits {
        in_one_piece: 1024,
        ..Limits::default()
    };
    for limits in [Limits::default(), streaming] {
        let decoder = CloudTrailDecoder::with_limits(Hashing::Sha256, limits);
        let whole = decode_with(&decoder, &gzip(text.as_bytes()), everything());
        assert_eq!((whole.events.len(), whole.summary.records), (9_000, 9_000));
        assert_eq!(whole.largest_piece, 500);
        assert!(whole.quarantined.is_empty());
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        assert_eq!(whole.summary.sha256, hash);
        let coverage = &whole.summary.coverage;
        assert_eq!(
            (coverage.len(), coverage[0].records, coverage[0].key_records),
            (1, 9_000, 9_000)
        );
    }
}
