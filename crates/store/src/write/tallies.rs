//! Counts that add up: the access ledger and coverage.

use std::collections::BTreeMap;

use keyvigil_model::batch::Coverage;
use keyvigil_model::id::SourceId;
use keyvigil_model::time::Timestamp;
use sqlx::SqliteConnection;

use crate::commit::LedgerEntry;
use crate::error::StoreError;
use crate::write::{count, many};

/// Adds entries to the ledger.
pub(crate) async fn add_to_ledger(
    connection: &mut SqliteConnection,
    entries: &[LedgerEntry],
) -> Result<(), StoreError> {
    let folded = fold(entries);
    many::insert(
        connection,
        "INSERT INTO access_ledger
         (day, provider, account, key, principal, operation, outcome, count, first, last) ",
        " ON CONFLICT DO UPDATE SET
          count = MIN(count, 9223372036854775807 - excluded.count) + excluded.count,
          first = MIN(first, excluded.first), last = MAX(last, excluded.last)",
        &folded,
        |columns, entry| {
            columns
                .push_bind(entry.day.0)
                .push_bind(entry.provider.as_str())
                .push_bind(entry.account.as_str().to_owned())
                .push_bind(entry.key.clone())
                .push_bind(entry.principal.clone())
                .push_bind(entry.operation.as_str())
                .push_bind(entry.outcome.as_str())
                .push_bind(count(entry.count))
                .push_bind(entry.first.as_micros())
                .push_bind(entry.last.as_micros());
        },
    )
    .await
}

/// One entry for each line: a batch mostly repeats the same few principals and keys.
fn fold(entries: &[LedgerEntry]) -> Vec<LedgerEntry> {
    let mut lines: BTreeMap<_, LedgerEntry> = BTreeMap::new();
    for entry in entries {
        let line = (
            entry.day,
            entry.provider,
            &entry.account,
            entry.key.as_str(),
            entry.principal.as_str(),
            entry.operation,
            entry.outcome,
        );
        lines
            .entry(line)
            .and_modify(|sum| {
                sum.count = sum.count.saturating_add(entry.count);
                sum.first = sum.first.min(entry.first);
                sum.last = sum.last.max(entry.last);
            })
            .or_insert_with(|| entry.clone());
    }
    lines.into_values().collect()
}

/// Adds to what was seen on the day of `now`.
pub(crate) async fn add_to_coverage(
    connection: &mut SqliteConnection,
    seen: &[(SourceId, Coverage)],
    now: Timestamp,
) -> Result<(), StoreError> {
    many::insert(
        connection,
        "INSERT INTO coverage (day, source, account, region, records, key_records, newest) ",
        " ON CONFLICT DO UPDATE SET
          records = MIN(records, 9223372036854775807 - excluded.records) + excluded.records,
          key_records = MIN(key_records, 9223372036854775807 - excluded.key_records) + excluded.key_records,
          newest = MAX(COALESCE(newest, excluded.newest), COALESCE(excluded.newest, newest))",
        seen,
        |columns, (source, coverage)| {
            columns
                .push_bind(now.day().0)
                .push_bind(source.as_str().to_owned())
                .push_bind(coverage.account.as_str().to_owned())
                .push_bind(coverage.region.as_str().to_owned())
                .push_bind(count(coverage.records))
                .push_bind(count(coverage.key_records))
                .push_bind(coverage.newest.map(Timestamp::as_micros));
        },
    )
    .await
}
