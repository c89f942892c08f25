//! Accepted risks: a control that does not hold, where an exception of the policy covers it.

use keyvigil_model::resource::ResourceKind;
use keyvigil_model::verdict::Verdict;

use crate::control::{Case, Control};
use crate::policy::exception::Exception;
use crate::policy::{date, selector};

/// FAIL, or EXCEPTED if an exception holds now.
pub(super) fn verdict(control: &dyn Control, case: &Case<'_>) -> Verdict {
    for exception in &case.policy.exceptions {
        if !date::holds(&exception.expires, case.now) || !covers(exception, control, case) {
            continue;
        }
        if let Some(expires) = date::parse(&exception.expires) {
            return Verdict::Excepted {
                id: exception.id.as_str().into(),
                expires,
            };
        }
    }
    Verdict::Fail
}

fn covers(exception: &Exception, control: &dyn Control, case: &Case<'_>) -> bool {
    let reference = case.reference;
    let id = reference.id.as_str();
    let is_key = reference.kind == ResourceKind::Key;
    let account = reference.account.as_ref().map_or("", |account| account.as_str());
    if !selector::any(&exception.checks, control.meta().check.id) {
        return false;
    }
    if !(exception.accounts.is_empty() || selector::any(&exception.accounts, account)) {
        return false;
    }
    // A selector that is there must match; one that speaks of something else than this resource cannot.
    let is_user = reference.kind == ResourceKind::User;
    if !exception.principals.is_empty() && (!is_user || !selector::any(&exception.principals, id)) {
        return false;
    }
    let names_key = |key| selector::any_key(&exception.keys, &key);
    if !exception.keys.is_empty() && (!is_key || !case.key().is_some_and(names_key)) {
        return false;
    }
    exception.resources.is_empty() || (!is_key && selector::any(&exception.resources, id))
}
