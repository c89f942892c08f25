//! What records become: fixtures with what they must map to beside them. `KEYVIGIL_BLESS=1` writes the expectations.

use std::fmt::Write as _;
use std::path::PathBuf;

use keyvigil_model::event::AuditEvent;
use keyvigil_model::key::KeyRef;

use super::{decode, everything};

/// A line for each thing that the record says, and none for what it does not.
fn render(event: &AuditEvent) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| writeln!(text, "  {name}: {value}").unwrap();
    line(
        "action",
        format!("{} {}", event.action.as_str(), event.outcome.as_str()),
    );
    let principal = &event.principal;
    line(
        "principal",
        format!("{} ({})", principal.id, principal.kind.as_str()),
    );
    for (name, value) in [
        (
            "principal.account",
            principal.account.as_ref().map(|account| format!("{account:?}")),
        ),
        (
            "principal.session",
            principal.session.as_ref().map(|text| format!("{text:?}")),
        ),
        (
            "principal.on_behalf_of",
            principal.on_behalf_of.as_ref().map(|text| format!("{text:?}")),
        ),
        (
            "principal.credential",
            principal.credential.as_ref().map(|text| format!("{text:?}")),
        ),
        ("principal.mfa", principal.mfa.map(|mfa| mfa.to_string())),
        (
            "via.service",
            event.via.service.as_ref().map(|text| format!("{text:?}")),
        ),
        (
            "via.endpoint",
            event.via.endpoint.as_ref().map(|text| format!("{text:?}")),
        ),
        ("via.console", event.via.console.then(|| "true".to_owned())),
        (
            "source",
            event.network.source.as_ref().map(|text| format!("{text:?}")),
        ),
        (
            "tls",
            event.network.tls_version.as_ref().map(|text| format!("{text:?}")),
        ),
        ("error", event.error_code.as_ref().map(|text| format!("{text:?}"))),
        ("shared", event.shared_id.as_ref().map(|text| format!("{text:?}"))),
        ("amends", event.amends.as_ref().map(|text| format!("{text:?}"))),
        ("truncated", event.truncated.then(|| "true".to_owned())),
    ] {
        if let Some(value) = value {
            line(name, value);
        }
    }
    for key in &event.keys {
        line("key", render_key(key));
    }
    if let Some(resource) = &event.resource {
        line("resource", format!("{} {}", resource.kind.as_str(), resource.id));
    }
    for (name, value) in &event.encryption_context {
        line("context", format!("{name:?} = {value:?}"));
    }
    let facts = format!("{:?}", event.facts);
    if facts != "None" {
        line("facts", facts);
    }
    text
}

fn render_key(key: &KeyRef) -> String {
    let part =
        |name: &str, value: Option<String>| value.map_or(String::new(), |value| format!(" {name}={value}"));
    format!(
        "{:?} {}{}{}{}",
        key.form,
        key.id,
        part("account", key.account.as_ref().map(ToString::to_string)),
        part("region", key.region.as_ref().map(ToString::to_string)),
        part("alias", key.alias.as_ref().map(|alias| format!("{alias:?}"))),
    )
}

#[test]
fn records_map_to_what_is_written_beside_them() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/cloudtrail");
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        files += 1;
        let whole = decode(&std::fs::read(&path).unwrap(), everything());
        assert!(
            whole.quarantined.is_empty(),
            "{}: {:?}",
            path.display(),
            whole.quarantined
        );
        let mut got = String::new();
        for event in &whole.events {
            writeln!(got, "{} {}\n{}", event.id, event.operation, render(event)).unwrap();
        }
        let golden = path.with_extension("golden.txt");
        if std::env::var_os("KEYVIGIL_BLESS").is_some() {
            std::fs::write(&golden, &got).unwrap();
        }
        let want = std::fs::read_to_string(&golden).unwrap_or_default();
        // Line by line, so that a failure shows the line and not two files.
        for (number, (got, want)) in got.lines().zip(want.lines()).enumerate() {
            assert_eq!(got, want, "{}:{}", golden.display(), number + 1);
        }
        assert_eq!(got.lines().count(), want.lines().count(), "{}", golden.display());
    }
    assert_eq!(files, 6);
}
