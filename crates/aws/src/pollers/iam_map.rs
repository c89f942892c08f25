//! IAM's answers as model values. Two sources say something about root: the account summary, which is current, and
//! the credential report, which may be four hours old. The summary wins wherever it speaks.

use std::collections::BTreeMap;

use keyvigil_connector::failure::FailureClass;
use keyvigil_model::snapshot::AwsRoot;
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::client::failure::AwsError;
use crate::pollers::credential_report::{self, Report};
use crate::pollers::xml;

/// How far the credential report is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReportState {
    /// It can be fetched.
    Complete,
    /// AWS is making it.
    InProgress,
}

/// `GetAccountSummary`: counts by name.
pub(crate) fn summary(text: &str) -> Result<BTreeMap<String, u32>, AwsError> {
    let answer: xml::AccountSummary = xml::read("iam:GetAccountSummary", text)?;
    let mut counts = BTreeMap::new();
    for entry in answer.result.map.entry {
        let value = entry.value.as_deref().and_then(|value| value.trim().parse().ok());
        if let (Some(key), Some(value)) = (entry.key, value) {
            counts.insert(key, value);
        }
    }
    Ok(counts)
}

/// `GenerateCredentialReport`.
pub(crate) fn report_state(text: &str) -> Result<ReportState, AwsError> {
    let call = "iam:GenerateCredentialReport";
    let answer: xml::GenerateReport = xml::read(call, text)?;
    match answer.result.state.as_deref() {
        Some("COMPLETE") => Ok(ReportState::Complete),
        Some("STARTED" | "INPROGRESS") => Ok(ReportState::InProgress),
        Some(_) | None => Err(AwsError::new(
            FailureClass::Unreadable,
            call,
            "the report is in a state that is not known",
        )),
    }
}

/// `GetCredentialReport`. Without a time of its own the report counts as made now.
pub(crate) fn report(text: &str, now: Timestamp) -> Result<Report, AwsError> {
    let call = "iam:GetCredentialReport";
    let unreadable = |what: &str| AwsError::new(FailureClass::Unreadable, call, what);
    let answer: xml::CredentialReport = xml::read(call, text)?;
    let packed: String = answer.result.content.split_whitespace().collect();
    let bytes =
        aws_smithy_types::base64::decode(packed).map_err(|_| unreadable("the report is not base64"))?;
    let csv = String::from_utf8(bytes).map_err(|_| unreadable("the report is not UTF-8"))?;
    let made = answer.result.generated_time.as_deref().map(str::trim);
    let made = made.and_then(|time| Timestamp::parse_rfc3339(time).ok());
    credential_report::read(&csv, made.unwrap_or(now))
}

/// Root's credentials from both sources, each with the reason if it could not be read.
pub(crate) fn root(
    summary: Result<&BTreeMap<String, u32>, UnknownReason>,
    report: Result<&Report, UnknownReason>,
) -> AwsRoot {
    let count = |name: &str| match summary {
        Ok(counts) => counts.get(name).copied(),
        Err(_) => None,
    };
    let row = report.ok().and_then(|report| report.root.as_ref());
    // The reason to give where neither answers: what kept the current source from it, else the other.
    let silent = match (summary, report) {
        (Err(reason), _) | (Ok(_), Err(reason)) => reason,
        (Ok(_), Ok(_)) => UnknownReason::NotVisible,
    };
    let known = |current: Option<bool>, reported: Option<bool>| match current.or(reported) {
        Some(value) => Read::Known(value),
        None => Read::Unknown(silent),
    };
    let active_keys = row.and_then(|row| row.active_keys);
    AwsRoot {
        mfa: known(
            count("AccountMFAEnabled").map(|count| count > 0),
            row.and_then(|row| row.mfa),
        ),
        // The summary says only whether there are any; the report says how many, if it is not older than the last.
        access_keys: match (count("AccountAccessKeysPresent"), active_keys) {
            (Some(0), _) => Read::Known(0),
            (Some(present), reported) => Read::Known(present.max(reported.unwrap_or(0))),
            (None, Some(reported)) => Read::Known(reported),
            (None, None) => Read::Unknown(silent),
        },
        password: known(
            count("AccountPasswordPresent").map(|count| count > 0),
            row.and_then(|row| row.password),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pollers::credential_report::RootRow;

    fn counts(pairs: &[(&str, u32)]) -> BTreeMap<String, u32> {
        pairs
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    fn with_root(mfa: Option<bool>, password: Option<bool>, active_keys: Option<u32>) -> Report {
        Report {
            root: Some(RootRow {
                mfa,
                password,
                active_keys,
            }),
            ..Report::default()
        }
    }

    #[test]
    fn root_comes_from_the_summary_first() {
        use Read::{Known, Unknown};
        let denied = UnknownReason::Denied;
        let later = UnknownReason::NotYetRead;
        let all = counts(&[
            ("AccountMFAEnabled", 1),
            ("AccountAccessKeysPresent", 1),
            ("AccountPasswordPresent", 0),
        ]);
        let none = counts(&[("AccountMFAEnabled", 0), ("AccountAccessKeysPresent", 0)]);
        let stale = with_root(Some(true), Some(true), Some(2));
        let silent = with_root(None, None, None);
        for (name, summary, report, expected) in [
            (
                "both",
                Ok(&all),
                Ok(&stale),
                (Known(true), Known(2), Known(false)),
            ),
            (
                "an old report does not bring keys back",
                Ok(&none),
                Ok(&stale),
                (Known(false), Known(0), Known(true)),
            ),
            (
                "summary alone",
                Ok(&none),
                Err(later),
                (Known(false), Known(0), Unknown(later)),
            ),
            (
                "report alone",
                Err(denied),
                Ok(&stale),
                (Known(true), Known(2), Known(true)),
            ),
            (
                "a report that does not answer",
                Err(denied),
                Ok(&silent),
                (Unknown(denied), Unknown(denied), Unknown(denied)),
            ),
            (
                "neither",
                Err(denied),
                Err(later),
                (Unknown(denied), Unknown(denied), Unknown(denied)),
            ),
            (
                "read, but password is nowhere",
                Ok(&none),
                Ok(&silent),
                (Known(false), Known(0), Unknown(UnknownReason::NotVisible)),
            ),
        ] {
            let found = root(summary, report);
            assert_eq!((found.mfa, found.access_keys, found.password), expected, "{name}");
        }
    }

    #[test]
    fn the_summary_is_read_and_odd_entries_are_dropped() {
        let text = r#"<GetAccountSummaryResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
          <GetAccountSummaryResult><SummaryMap>
            <entry><key>AccountMFAEnabled</key><value>1</value></entry>
            <entry><key>Users</key><value>many</value></entry><entry/>
          </SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>"#;
        assert_eq!(summary(text), Ok(counts(&[("AccountMFAEnabled", 1)])));
        assert!(summary("<html/>").is_err());
    }

    #[test]
    fn the_report_has_three_states() {
        let text = |state: &str| {
            format!(
                "<GenerateCredentialReportResponse><GenerateCredentialReportResult><State>{state}</State>\
                 </GenerateCredentialReportResult></GenerateCredentialReportResponse>"
            )
        };
        assert_eq!(report_state(&text("COMPLETE")), Ok(ReportState::Complete));
        assert_eq!(report_state(&text("STARTED")), Ok(ReportState::InProgress));
        assert_eq!(report_state(&text("INPROGRESS")), Ok(ReportState::InProgress));
        assert!(report_state(&text("LOST")).is_err());
        assert!(report_state("<html/>").is_err());
    }

    #[test]
    fn the_report_is_unpacked_and_dated() {
        let csv = "user,arn,password_enabled,mfa_active,access_key_1_active,access_key_1_last_rotated,\
                   access_key_1_last_used_date,access_key_2_active,access_key_2_last_rotated,\
                   access_key_2_last_used_date\nann,arn:aws:iam::1:user/ann,true,true,false,N/A,N/A,false,N/A,N/A\n";
        let mut content = aws_smithy_types::base64::encode(csv);
        content.insert(40, '\n');
        let text = |time: &str| {
            format!(
                "<R><GetCredentialReportResult><Content>{content}</Content><ReportFormat>text/csv</ReportFormat>\
                 {time}</GetCredentialReportResult></R>"
            )
        };
        let now = Timestamp::from_secs(9);
        let dated = report(&text("<GeneratedTime>2026-01-31T12:00:00Z</GeneratedTime>"), now).unwrap();
        let made = Timestamp::parse_rfc3339("2026-01-31T12:00:00Z").unwrap();
        assert_eq!(dated.users[0].1.report_time, made);
        assert_eq!(report(&text(""), now).unwrap().users[0].1.report_time, now);
        let broken = "<R><GetCredentialReportResult><Content>%%</Content></GetCredentialReportResult></R>";
        assert!(report(broken, now).is_err());
    }
}
