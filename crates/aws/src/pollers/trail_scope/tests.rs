//! Tables of selectors and what they leave out.

use super::*;

fn basic<'a>(read_write: &'a str, management: bool, excluded: &[&'a str]) -> BasicSelector<'a> {
    BasicSelector {
        read_write: Some(read_write),
        management: Some(management),
        excluded_sources: excluded.to_vec(),
    }
}

fn field<'a>(field: &'a str, operator: Operator, values: &[&'a str]) -> FieldSelector<'a> {
    FieldSelector {
        field,
        operator,
        values: values.to_vec(),
    }
}

fn management<'a>(more: &[FieldSelector<'a>]) -> Vec<FieldSelector<'a>> {
    let mut fields = vec![field("eventCategory", Operator::Equals, &["Management"])];
    fields.extend_from_slice(more);
    fields
}

/// `expected` names the flags that are set, then `-service` for each excluded service.
fn describe(scope: &AuditScope) -> String {
    let mut words = Vec::new();
    for (set, word) in [
        (scope.management_off, "off"),
        (scope.reads_or_writes_only, "half"),
        (scope.not_understood, "unclear"),
        (scope.single_region, "single_region"),
        (scope.global_events_off, "global_off"),
        (scope.organisation_off, "organisation_off"),
        (scope.validation_off, "validation_off"),
    ] {
        if set {
            words.push(word.to_owned());
        }
    }
    for service in &scope.excluded_services {
        words.push(format!("-{service}"));
    }
    words.join(" ")
}

fn check(name: &str, selectors: &Selectors<'_>, expected: &str) {
    assert_eq!(describe(&reduce(selectors)), expected, "{name}");
}

#[test]
fn basic_selectors() {
    const KMS: &str = "kms.amazonaws.com";
    const RDS: &str = "rdsdata.amazonaws.com";
    let cases: [(&str, Vec<BasicSelector<'_>>, &str); 13] = [
        ("none is the default", vec![], ""),
        ("all", vec![basic("All", true, &[])], ""),
        (
            "absent values are the default",
            vec![BasicSelector::default()],
            "",
        ),
        ("management off", vec![basic("All", false, &[])], "off"),
        ("reads only", vec![basic("ReadOnly", true, &[])], "half"),
        ("writes only", vec![basic("WriteOnly", true, &[])], "half"),
        (
            "a half each",
            vec![basic("ReadOnly", true, &[]), basic("WriteOnly", true, &[])],
            "",
        ),
        (
            "without keys",
            vec![basic("All", true, &[KMS])],
            "-kms.amazonaws.com",
        ),
        (
            "two that leave out different services leave out none",
            vec![basic("All", true, &[KMS]), basic("All", true, &[RDS])],
            "",
        ),
        (
            "keys left out of reads only",
            vec![basic("ReadOnly", true, &[KMS]), basic("WriteOnly", true, &[])],
            "-kms.amazonaws.com",
        ),
        (
            "a data selector beside a full one",
            vec![basic("All", false, &[]), basic("All", true, &[])],
            "",
        ),
        (
            "a value that came later",
            vec![basic("Sometimes", true, &[])],
            "unclear",
        ),
        (
            "a value that came later beside a full one",
            vec![basic("Sometimes", true, &[]), basic("All", true, &[])],
            "",
        ),
    ];
    for (name, basic, expected) in cases {
        let selectors = Selectors {
            basic,
            advanced: vec![],
        };
        check(name, &selectors, expected);
    }
}

/// A name, the selectors, and what they leave out.
type Advanced<'a> = (&'a str, Vec<Vec<FieldSelector<'a>>>, &'a str);

fn check_advanced(cases: Vec<Advanced<'_>>) {
    for (name, advanced, expected) in cases {
        let selectors = Selectors {
            basic: vec![],
            advanced,
        };
        check(name, &selectors, expected);
    }
}

#[test]
fn advanced_selectors_alone() {
    use Operator::{Equals, NotEquals};
    check_advanced(vec![
        ("all", vec![management(&[])], ""),
        (
            "data only",
            vec![vec![
                field("eventCategory", Equals, &["Data"]),
                field("resources.type", Equals, &["AWS::S3::Object"]),
            ]],
            "off",
        ),
        (
            "data beside management",
            vec![vec![field("eventCategory", Equals, &["Data"])], management(&[])],
            "",
        ),
        (
            "writes only",
            vec![management(&[field("readOnly", Equals, &["false"])])],
            "half",
        ),
        (
            "reads only",
            vec![management(&[field("readOnly", Equals, &["true"])])],
            "half",
        ),
        (
            "both values of readOnly",
            vec![management(&[field("readOnly", Equals, &["true", "false"])])],
            "",
        ),
        (
            "a half each",
            vec![
                management(&[field("readOnly", Equals, &["true"])]),
                management(&[field("readOnly", Equals, &["false"])]),
            ],
            "",
        ),
        (
            "without keys",
            vec![management(&[field(
                "eventSource",
                NotEquals,
                &["kms.amazonaws.com"],
            )])],
            "-kms.amazonaws.com",
        ),
        (
            "without two services",
            vec![management(&[field(
                "eventSource",
                NotEquals,
                &["rdsdata.amazonaws.com", "kms.amazonaws.com"],
            )])],
            "-kms.amazonaws.com -rdsdata.amazonaws.com",
        ),
    ]);
}

#[test]
fn advanced_selectors_together_and_forms_that_are_not_understood() {
    use Operator::{Equals, NotEquals, Other};
    check_advanced(vec![
        (
            "keys come back through a second selector",
            vec![
                management(&[field("eventSource", NotEquals, &["kms.amazonaws.com"])]),
                management(&[field("eventSource", Equals, &["kms.amazonaws.com"])]),
            ],
            "",
        ),
        (
            "keys come back as writes only",
            vec![
                management(&[field("eventSource", NotEquals, &["kms.amazonaws.com"])]),
                management(&[
                    field("eventSource", Equals, &["kms.amazonaws.com"]),
                    field("readOnly", Equals, &["false"]),
                ]),
            ],
            "-kms.amazonaws.com",
        ),
        (
            "one service that is not the key service",
            vec![management(&[field("eventSource", Equals, &["s3.amazonaws.com"])])],
            "unclear -kms.amazonaws.com",
        ),
        (
            "keys only",
            vec![management(&[field(
                "eventSource",
                Equals,
                &["kms.amazonaws.com"],
            )])],
            "unclear",
        ),
        (
            "event names left out",
            vec![management(&[field("eventName", NotEquals, &["Decrypt"])])],
            "unclear",
        ),
        (
            "a prefix of services",
            vec![management(&[field("eventSource", Other, &["k"])])],
            "unclear",
        ),
        (
            "no category",
            vec![vec![field("readOnly", Equals, &["true"])]],
            "unclear",
        ),
        (
            "event names left out beside a full one",
            vec![
                management(&[field("eventName", NotEquals, &["Decrypt"])]),
                management(&[]),
            ],
            "",
        ),
    ]);
}
