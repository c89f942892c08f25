//! Who acted: every shape of `userIdentity` (the CloudTrail user guide, "CloudTrail userIdentity element").

use std::borrow::Cow;

use keyvigil_model::id::{AccountId, PrincipalId};
use keyvigil_model::principal::{Principal, PrincipalKind};
use keyvigil_model::untrusted::Untrusted;

use super::super::json::{Object, Text};
use super::super::record::{Identity, Record, SessionContext};
use super::super::strings::Strings;
use super::as_str;
use crate::pollers::place::{parse_arn, partition_of};

/// The identity behind a record.
pub(super) fn principal(record: &Record<'_>, strings: &mut Strings) -> Principal {
    let identity = &record.user_identity;
    let partition = partition_of(as_str(record.aws_region.as_ref()));
    let named = name(identity, partition);
    let account = identity
        .account_id
        .as_ref()
        .map(Text::as_str)
        .filter(|account| is_account(account));
    let session = identity.session_context.as_ref();
    let mut text = |text: &str| Untrusted::new(strings.get(text));
    let session_name = named.session.map(&mut text);
    let on_behalf_of = behind(identity, session, &named).map(&mut text);
    let credential = identity
        .access_key_id
        .as_ref()
        .or(identity.credential_id.as_ref())
        .map(|id| text(id.as_str()));
    Principal {
        id: PrincipalId::new(strings.get(&named.id)),
        kind: named.kind,
        account: account.map(|account| AccountId::new(strings.get(account))),
        session: session_name,
        on_behalf_of,
        credential,
        mfa: mfa(record, session),
    }
}

struct Named<'t> {
    id: Cow<'t, str>,
    kind: PrincipalKind,
    session: Option<&'t str>,
}

fn named<'t>(id: impl Into<Cow<'t, str>>, kind: PrincipalKind) -> Named<'t> {
    Named {
        id: id.into(),
        kind,
        session: None,
    }
}

fn name<'t>(identity: &'t Identity<'_>, partition: &str) -> Named<'t> {
    let arn = identity
        .arn
        .as_ref()
        .map(Text::as_str)
        .filter(|arn| !arn.is_empty());
    let account = as_str(identity.account_id.as_ref());
    let unique = as_str(identity.principal_id.as_ref());
    let invoked_by = as_str(identity.invoked_by.as_ref());
    match as_str(identity.kind.as_ref()) {
        "IAMUser" => {
            let user = as_str(identity.user_name.as_ref());
            let id = match arn {
                Some(arn) => Cow::Borrowed(arn),
                None if user.is_empty() => foreign(account, unique).into(),
                None => format!("arn:{partition}:iam::{account}:user/{user}").into(),
            };
            named(id, PrincipalKind::Human)
        }
        "AssumedRole" | "Role" => role(identity, arn, partition),
        "FederatedUser" => Named {
            // The user or root that asked for the session; the name of the session is free text.
            id: issuer(identity)
                .or(arn)
                .map_or_else(|| foreign(account, unique).into(), Cow::Borrowed),
            kind: PrincipalKind::Human,
            session: arn
                .and_then(tail)
                .or_else(|| unique.split_once(':').map(|(_, name)| name)),
        },
        "Root" => {
            let id = arn.map_or_else(
                || format!("arn:{partition}:iam::{account}:root").into(),
                Cow::Borrowed,
            );
            named(id, PrincipalKind::Root)
        }
        "AWSService" => named(or(invoked_by, "unknown"), PrincipalKind::CloudService),
        "AWSAccount" => another_account(account, unique),
        "WebIdentityUser" => named(or(unique, "unknown"), PrincipalKind::Workload),
        "SAMLUser" => named(or(unique, "unknown"), PrincipalKind::Human),
        "Directory" => {
            let user = as_str(identity.user_name.as_ref());
            named(or(user, or(unique, "unknown")), PrincipalKind::Human)
        }
        "IdentityCenterUser" => {
            let behalf = identity.on_behalf_of.as_ref();
            let user = behalf.map_or("", |behalf| as_str(behalf.user_id.as_ref()));
            let store = behalf.map_or("", |behalf| as_str(behalf.identity_store_arn.as_ref()));
            let id = if user.is_empty() {
                Cow::Borrowed(or(unique, "unknown"))
            } else {
                format!("{store}/user/{user}").into()
            };
            named(id, PrincipalKind::Human)
        }
        // Events that a service writes by itself have no type.
        _ if !invoked_by.is_empty() && arn.is_none() => named(invoked_by, PrincipalKind::CloudService),
        _ => named(
            arn.unwrap_or_else(|| or(unique, or(account, "unknown"))),
            PrincipalKind::Unknown,
        ),
    }
}

/// A role session: the role, and the name of the session apart from it.
fn role<'t>(identity: &'t Identity<'_>, arn: Option<&'t str>, partition: &str) -> Named<'t> {
    let unique = as_str(identity.principal_id.as_ref());
    let from_arn = || {
        let parts = parse_arn(arn?)?;
        let (role, _) = parts.rest.strip_prefix("assumed-role/")?.rsplit_once('/')?;
        Some(Cow::Owned(format!(
            "arn:{partition}:iam::{}:role/{role}",
            parts.account
        )))
    };
    let id = issuer(identity)
        .map(Cow::Borrowed)
        .or_else(from_arn)
        .or(arn.map(Cow::Borrowed));
    let session = arn.filter(|arn| arn.contains(":assumed-role/")).and_then(tail);
    Named {
        id: id.unwrap_or_else(|| foreign(as_str(identity.account_id.as_ref()), unique).into()),
        kind: PrincipalKind::Workload,
        session: session.or_else(|| unique.split_once(':').map(|(_, name)| name)),
    }
}

/// A caller of another account: its log names only the account and the unique id of the identity.
fn another_account(account: &str, unique: &str) -> Named<'static> {
    const ANONYMOUS: [&str; 2] = ["ANONYMOUS_PRINCIPAL", "anonymous"];
    if ANONYMOUS.contains(&unique) || ANONYMOUS.contains(&account) {
        return named("anonymous", PrincipalKind::Unknown);
    }
    let kind = match unique.get(..4) {
        Some("AIDA") => PrincipalKind::Human,
        Some("AROA") => PrincipalKind::Workload,
        Some(_) | None => PrincipalKind::Unknown,
    };
    named(foreign(account, unique), kind)
}

/// `ACCOUNT/UNIQUE-ID` without the session: all that is stable where there is no ARN.
fn foreign(account: &str, unique: &str) -> String {
    let unique = unique.split(':').next().unwrap_or_default();
    match (account, unique) {
        ("", "") => "unknown".to_owned(),
        (account, "") => account.to_owned(),
        ("", unique) => unique.to_owned(),
        (account, unique) if account == unique => account.to_owned(),
        (account, unique) => format!("{account}/{unique}"),
    }
}

fn issuer<'t>(identity: &'t Identity<'_>) -> Option<&'t str> {
    let issuer = identity.session_context.as_ref()?.session_issuer.as_ref()?;
    issuer
        .arn
        .as_ref()
        .map(Text::as_str)
        .filter(|arn| !arn.is_empty())
}

/// The person behind a session, where the record says it.
fn behind<'t>(
    identity: &'t Identity<'_>,
    session: Option<&'t SessionContext<'_>>,
    named: &Named<'t>,
) -> Option<&'t str> {
    if let Some(user) = identity
        .on_behalf_of
        .as_ref()
        .and_then(|behalf| behalf.user_id.as_ref())
    {
        return Some(user.as_str());
    }
    if let Some(source) = session.and_then(|session| session.source_identity.as_ref()) {
        return Some(source.as_str());
    }
    match as_str(identity.kind.as_ref()) {
        // Identity Center names the session of its roles after the person.
        "AssumedRole" if named.id.contains("/AWSReservedSSO_") => named.session,
        "WebIdentityUser" | "SAMLUser" => identity.user_name.as_ref().map(Text::as_str),
        _ => None,
    }
}

/// The second factor: a string in the session, or the words of a console sign-in.
fn mfa(record: &Record<'_>, session: Option<&SessionContext<'_>>) -> Option<bool> {
    let attribute = session.and_then(|session| session.attributes.as_ref()?.mfa_authenticated.as_ref());
    match attribute.map(Text::as_str) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => None,
        None => match Object::of(record.additional_event_data)
            .text("MFAUsed")
            .as_deref()
        {
            Some("Yes") => Some(true),
            Some("No") => Some(false),
            Some(_) | None => None,
        },
    }
}

fn tail(arn: &str) -> Option<&str> {
    arn.rsplit_once('/').map(|(_, tail)| tail)
}

fn or<'t>(text: &'t str, otherwise: &'t str) -> &'t str {
    if text.is_empty() { otherwise } else { text }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
