//! Which exception covers a finding.

use std::sync::Arc;

use keyvigil_model::finding::Finding;
use keyvigil_model::time::Timestamp;

use crate::policy::exception::Exception;
use crate::policy::{Policy, date, selector};

/// The exception that covers the finding and when it ends. One that has expired covers nothing; whether it has is
/// decided by the later of event time and clock, so that old records do not revive it.
pub(crate) fn covering(policy: &Policy, finding: &Finding, now: Timestamp) -> Option<(Arc<str>, Timestamp)> {
    for exception in &policy.exceptions {
        if !covers(exception, finding) || !date::holds(&exception.expires, finding.time.max(now)) {
            continue;
        }
        let expires = date::parse(&exception.expires)?;
        return Some((exception.id.as_str().into(), expires));
    }
    None
}

fn covers(exception: &Exception, finding: &Finding) -> bool {
    let fits = |patterns: &[String], text: Option<&str>| {
        patterns.is_empty() || text.is_some_and(|text| selector::any(patterns, text))
    };
    selector::any(&exception.checks, finding.check.as_str())
        && fits(&exception.accounts, Some(finding.account.as_str()))
        && fits(
            &exception.principals,
            finding.principal.as_ref().map(|principal| principal.id.as_str()),
        )
        && fits(
            &exception.resources,
            finding.resource.as_ref().map(|resource| resource.id.as_str()),
        )
        && (exception.keys.is_empty()
            || finding
                .key
                .as_ref()
                .is_some_and(|key| selector::any_key(&exception.keys, key)))
}
