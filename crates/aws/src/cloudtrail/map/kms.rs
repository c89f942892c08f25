//! KMS: what the operations ask for. Parameters: the KMS API reference, as CloudTrail writes them.

use std::sync::Arc;

use keyvigil_model::facts::{Facts, Grant};
use keyvigil_model::id::AccountId;
use keyvigil_model::key::KeyOrigin;
use keyvigil_model::policy_text::PolicyLanguage;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::time::Timestamp;

use super::{Call, Details, policy, untrusted};
use crate::pollers::place::parse_arn;

/// Facts of a KMS record.
pub(super) fn details(call: &Call<'_, '_>) -> Details {
    let request = &call.request;
    let facts = match call.operation {
        "ScheduleKeyDeletion" => Facts::Destruction {
            window_days: request.number("pendingWindowInDays"),
        },
        "PutKeyPolicy" => Facts::Policy {
            policy: policy(request.get("policy"), PolicyLanguage::AwsResource),
            lockout_check_bypassed: request.flag("bypassPolicyLockoutSafetyCheck") == Some(true),
        },
        "CreateGrant" => grant(call),
        "CreateKey" => {
            let metadata = call.response.object("keyMetadata");
            let origin = request.text("origin").or_else(|| metadata.text("origin"));
            Facts::Creation {
                origin: origin.and_then(|origin| key_origin(&origin)),
                replica_region: None,
            }
        }
        "ReplicateKey" => Facts::Creation {
            origin: None,
            replica_region: request.text("replicaRegion").map(untrusted),
        },
        "UpdatePrimaryRegion" => Facts::Creation {
            origin: None,
            replica_region: request.text("primaryRegion").map(untrusted),
        },
        "ImportKeyMaterial" => Facts::Import {
            expires: request.get("validTo").and_then(|value| moment(value.get())),
        },
        "EnableKeyRotation" => Facts::Rotation {
            period_days: request.number("rotationPeriodInDays"),
        },
        "CreateAlias" | "UpdateAlias" | "DeleteAlias" => match request.text("aliasName") {
            Some(alias) => Facts::Alias {
                alias: untrusted(alias),
            },
            None => Facts::None,
        },
        _ => Facts::None,
    };
    let store = request.first_text(&["customKeyStoreId", "customKeyStoreName"]);
    let resource = store.map(|store| ResourceRef {
        id: (&*store).into(),
        kind: ResourceKind::Other,
        account: Some(call.account.clone()),
        region: Some(call.region.clone()),
    });
    Details {
        action: call.action,
        facts,
        resource,
    }
}

fn grant(call: &Call<'_, '_>) -> Facts {
    let request = &call.request;
    let grantee = request.text("granteePrincipal").unwrap_or_default();
    let constraints = request.object("constraints");
    let constrained = ["encryptionContextSubset", "encryptionContextEquals"]
        .into_iter()
        .any(|name| !constraints.object(name).is_empty());
    Facts::Grant(Grant {
        grantee_account: account_of(&grantee),
        grantee_is_service: is_service(&grantee),
        operations: request
            .texts("operations")
            .iter()
            .map(|name| Arc::from(&**name))
            .collect(),
        constrained,
        grantee: untrusted(grantee),
    })
}

/// The account in an ARN, or an account id by itself.
fn account_of(principal: &str) -> Option<AccountId> {
    let account = parse_arn(principal).map_or(principal, |arn| arn.account);
    let plain = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| AccountId::from(account))
}

/// A service principal: `rds.amazonaws.com`, `dynamodb.eu-west-1.amazonaws.com`; China adds `.cn`.
fn is_service(principal: &str) -> bool {
    !principal.contains([':', '/'])
        && (principal.ends_with(".amazonaws.com") || principal.ends_with(".amazonaws.com.cn"))
}

fn key_origin(text: &str) -> Option<KeyOrigin> {
    match text {
        "AWS_KMS" => Some(KeyOrigin::Provider),
        "EXTERNAL" => Some(KeyOrigin::Imported),
        "AWS_CLOUDHSM" => Some(KeyOrigin::DedicatedHsm),
        "EXTERNAL_KEY_STORE" => Some(KeyOrigin::ExternalStore),
        _ => None,
    }
}

/// A moment in any of the forms that CloudTrail uses for parameters: seconds since 1970, RFC 3339, or
/// `Jan 31, 2026, 5:00:00 PM`.
fn moment(json: &str) -> Option<Timestamp> {
    if let Ok(seconds) = json.parse::<f64>() {
        // Out-of-range values saturate at a date that no key reaches.
        return Some(Timestamp::from_secs(seconds as i64));
    }
    let text: String = serde_json::from_str(json).ok()?;
    if let Ok(time) = Timestamp::parse_rfc3339(&text) {
        return Some(time);
    }
    in_words(&text)
}

fn in_words(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // Newer Java puts a narrow space before AM and PM.
    let text = text.replace('\u{202f}', " ");
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let month = words.next()?.get(..3)?.to_owned();
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let (day, year): (u8, u16) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let clock = words.next()?;
    let afternoon = match words.next() {
        Some("PM") => true,
        Some("AM") | None => false,
        Some(_) => return None,
    };
    let (hour, rest) = clock.split_once(':')?;
    let hour: u8 = hour.parse().ok()?;
    let hour = if afternoon { hour % 12 + 12 } else { hour % 24 };
    let midnight = !afternoon && hour == 12 && text.contains("AM");
    let hour = if midnight { 0 } else { hour };
    Timestamp::parse_rfc3339(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{rest}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_every_form() {
        for (json, want) in [
            ("1769878800", Some("2026-01-31T17:00:00Z")),
            ("1.7698788E9", Some("2026-01-31T17:00:00Z")),
            ("\"2026-01-31T17:00:00Z\"", Some("2026-01-31T17:00:00Z")),
            ("\"Jan 31, 2026, 5:00:00 PM\"", Some("2026-01-31T17:00:00Z")),
            ("\"Jan 31, 2026 12:00:00 AM\"", Some("2026-01-31T00:00:00Z")),
            ("\"Jan 31, 2026 12:30:00 PM\"", Some("2026-01-31T12:30:00Z")),
            ("\"soon\"", None),
            ("{}", None),
            ("\"é\"", None),
        ] {
            let want = want.map(|text| Timestamp::parse_rfc3339(text).unwrap());
            assert_eq!(moment(json), want, "{json}");
        }
    }

    #[test]
    fn grantees() {
        for (name, account, service) in [
            ("arn:aws:iam::111122223333:role/app", Some("111122223333"), false),
            ("111122223333", Some("111122223333"), false),
            ("rds.eu-west-1.amazonaws.com", None, true),
            (
                "arn:aws:iam::111122223333:user/x.amazonaws.com",
                Some("111122223333"),
                false,
            ),
        ] {
            assert_eq!(account_of(name), account.map(AccountId::from), "{name}");
            assert_eq!(is_service(name), service, "{name}");
        }
    }
}
