//! The last verdict of each control on each resource.

use keyvigil_model::id::CheckId;
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::verdict::{Judgement, Verdict};
use sqlx::SqliteConnection;

use crate::error::StoreError;
use crate::write::many;

/// Stores verdicts. `since` moves only when the verdict or its reason changes.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    judgements: &[Judgement],
) -> Result<(), StoreError> {
    many::insert(
        connection,
        "INSERT INTO judgements
         (control, resource_kind, resource, account, region, verdict, reason, expires, observed, at, since) ",
        " ON CONFLICT DO UPDATE SET
          since = CASE WHEN verdict = excluded.verdict AND reason IS excluded.reason
                  THEN since ELSE excluded.at END,
          verdict = excluded.verdict, reason = excluded.reason, expires = excluded.expires,
          observed = excluded.observed, at = excluded.at",
        judgements,
        |columns, judgement| {
            let resource = &judgement.resource;
            let (reason, expires) = match &judgement.verdict {
                Verdict::Pass | Verdict::Fail => (None, None),
                Verdict::Unknown(reason) => (Some(reason.as_str().to_owned()), None),
                Verdict::NotApplicable(reason) => (Some(reason.to_string()), None),
                Verdict::Excepted { id, expires } => (Some(id.to_string()), Some(expires.as_micros())),
            };
            columns
                .push_bind(judgement.control.as_str().to_owned())
                .push_bind(resource.kind.as_str())
                .push_bind(resource.id.as_str().to_owned())
                .push_bind(account(resource))
                .push_bind(region(resource))
                .push_bind(judgement.verdict.as_str())
                .push_bind(reason)
                .push_bind(expires)
                .push_bind(judgement.observed.clone())
                .push_bind(judgement.at.as_micros())
                .push_bind(judgement.at.as_micros());
        },
    )
    .await
}

/// Forgets verdicts on resources that are gone.
pub(crate) async fn withdraw(
    connection: &mut SqliteConnection,
    gone: &[(CheckId, ResourceRef)],
) -> Result<(), StoreError> {
    for (control, resource) in gone {
        sqlx::query(
            "DELETE FROM judgements
             WHERE control = ? AND resource_kind = ? AND resource = ? AND account = ? AND region = ?",
        )
        .bind(control.as_str())
        .bind(resource.kind.as_str())
        .bind(resource.id.as_str())
        .bind(account(resource))
        .bind(region(resource))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

fn account(resource: &ResourceRef) -> String {
    resource
        .account
        .as_ref()
        .map_or("", |account| account.as_str())
        .to_owned()
}

fn region(resource: &ResourceRef) -> String {
    resource
        .region
        .as_ref()
        .map_or("", |region| region.as_str())
        .to_owned()
}
