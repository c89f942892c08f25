//! Tests of reading single records.

use super::*;

fn parse(text: &str) -> Result<Record<'_>, String> {
    Record::parse(text).map_err(|error| format!("{error:?}"))
}

#[test]
fn fields_borrow_from_the_record() {
    let text = r#"{"eventID":"e","eventTime":"t","eventName":"n","requestParameters":{"keyId":"k"},"errorCode":null}"#;
    let record = parse(text).unwrap();
    assert!(matches!(record.event_id, Some(Text(Cow::Borrowed("e")))));
    assert_eq!(
        record.request_parameters.map(RawValue::get),
        Some(r#"{"keyId":"k"}"#)
    );
    assert_eq!(record.error_code, None);
}

#[test]
fn wrong_types_leave_the_other_fields() {
    let text = r#"{"eventID":"e","eventTime":"t","eventName":"n","userIdentity":{"type":"IAMUser","accountId":1234,
        "sessionContext":{"attributes":{"mfaAuthenticated":true}},"arn":[]},"errorCode":403,"tlsDetails":"x",
        "resources":[1,{"ARN":"a"},{"ARN":2}],"sharedEventID":{}}"#;
    let record = parse(text).unwrap();
    let identity = &record.user_identity;
    assert_eq!(identity.kind.as_ref().map(Text::as_str), Some("IAMUser"));
    assert_eq!(identity.account_id.as_ref().map(Text::as_str), Some("1234"));
    let session = identity.session_context.as_ref().unwrap();
    let mfa = session.attributes.as_ref().unwrap().mfa_authenticated.as_ref();
    assert_eq!(mfa.map(Text::as_str), Some("true"));
    assert_eq!(record.error_code.as_ref().map(Text::as_str), Some("403"));
    let arns: Vec<_> = record
        .resources
        .iter()
        .flatten()
        .map(|resource| resource.arn.is_some())
        .collect();
    assert_eq!(arns, [true]);
    assert!(
        parse(r#"{"eventID":"e","eventTime":"t","eventName":"n","errorCode":{}}"#)
            .unwrap()
            .error_unclear
    );
}

#[test]
fn what_cannot_be_identified_is_refused() {
    for (text, want) in [
        (r#"{"eventTime":"t","eventName":"n"}"#, "eventID is missing"),
        (
            r#"{"eventID":"","eventTime":"t","eventName":"n"}"#,
            "eventID is missing",
        ),
        (
            r#"{"eventID":"e","eventTime":null,"eventName":"n"}"#,
            "eventTime is missing",
        ),
        (r#"{"eventID":"e","eventTime":"t"}"#, "eventName is missing"),
        (
            r#"{"eventID":"e","eventTime":"t","eventName":[]}"#,
            "eventName is not a string",
        ),
        (
            r#"{"eventID":"e","eventTime":"t","eventName":"n","eventSource":1}"#,
            "eventSource is not a string",
        ),
        (r#"{"eventID":"e",}"#, "NotJson"),
    ] {
        let error = parse(text).map(|_| ()).unwrap_err();
        assert!(error.contains(want), "{text}: {error}");
    }
}
