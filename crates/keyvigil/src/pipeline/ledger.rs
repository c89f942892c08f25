//! The access ledger: who used which key or secret, how, how often, on which day. The digests are made from it.

use std::collections::BTreeMap;

use keyvigil_model::event::AuditEvent;
use keyvigil_model::key::KeyRef;
use keyvigil_store::commit::LedgerEntry;

/// Adds the uses in `events` to `entries`, one entry for each day, key, principal, operation and outcome.
///
/// `resolve` turns an alias into the key that it points at, as far as the inventory knows it.
pub(super) fn record(
    events: &[AuditEvent],
    resolve: impl Fn(&KeyRef) -> KeyRef,
    entries: &mut Vec<LedgerEntry>,
) {
    let mut sums: BTreeMap<Subject, LedgerEntry> = BTreeMap::new();
    for event in events {
        if !event.action.is_key() && !event.action.is_secret() {
            continue;
        }
        let key = match (event.key(), &event.resource) {
            (Some(key), _) => resolve(key).id.to_string(),
            (None, Some(resource)) => resource.id.to_string(),
            // A call about no key in particular, such as ListKeys.
            (None, None) => String::new(),
        };
        let entry = LedgerEntry {
            day: event.time.day(),
            provider: event.provider,
            account: event.account.clone(),
            key,
            principal: event.principal.id.to_string(),
            operation: event.action,
            outcome: event.outcome,
            count: 1,
            first: event.time,
            last: event.time,
        };
        sums.entry(Subject::of(&entry))
            .and_modify(|sum| {
                sum.count += 1;
                sum.first = sum.first.min(event.time);
                sum.last = sum.last.max(event.time);
            })
            .or_insert(entry);
    }
    entries.extend(sums.into_values());
}

/// What makes two uses the same entry.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Subject(String);

impl Subject {
    fn of(entry: &LedgerEntry) -> Self {
        let LedgerEntry {
            day,
            provider,
            account,
            key,
            principal,
            operation,
            outcome,
            ..
        } = entry;
        let (operation, outcome) = (operation.as_str(), outcome.as_str());
        Self(format!(
            "{day}\u{0}{provider}\u{0}{account}\u{0}{key}\u{0}{principal}\u{0}{operation}\u{0}{outcome}"
        ))
    }
}
