//! docs/rules.md, docs/controls.md and docs/metrics.md.

use std::fmt::Write;

use keyvigil::metrics::Described;

use crate::{banner, cell};

/// Every rule, with its manual page.
pub(crate) fn rules() -> String {
    let mut page = banner("the heads of the files in `crates/detector/src/rules`");
    page.push_str(
        "# Rules\n\nA rule looks for one thing in audit events. Attempts that were denied or failed are reported one \
         step lower unless\nthe rule says otherwise. `keyvigil rules list` prints this list; [adding a \
         rule](adding-a-rule.md) says how to write one.\n\n| rule | severity | title |\n|---|---|---|\n",
    );
    for rule in keyvigil_detector::rules() {
        let meta = rule.meta();
        let anchor = meta.id.replace('.', "");
        let title = cell(meta.title);
        line(
            &mut page,
            &format!(
                "| [`{}`](#{anchor}) | {} | {title} |",
                meta.id,
                meta.severity.as_str()
            ),
        );
    }
    for rule in keyvigil_detector::rules() {
        let meta = rule.meta();
        line(&mut page, &format!("\n## {}\n", meta.id));
        page.push_str(&manual(&meta.doc()));
        line(
            &mut page,
            &format!("\nReferences: {}.", meta.references.join(", ")),
        );
    }
    page
}

/// Every control, with what it requires.
pub(crate) fn controls() -> String {
    let mut page = banner("the heads of the files in `crates/detector/src/controls`");
    page.push_str(
        "# Controls\n\nA control is a requirement that should hold for a resource, judged on configuration that was \
         read. Its verdict is\nPASS, FAIL, UNKNOWN, NOT_APPLICABLE or EXCEPTED; what cannot be seen is UNKNOWN, never \
         PASS.\n\n| control | severity | \
         required |\n|---|---|---|\n",
    );
    for control in keyvigil_detector::controls() {
        let check = control.meta().check;
        let anchor = check.id.replace('.', "");
        let title = cell(control.meta().requirement);
        line(
            &mut page,
            &format!(
                "| [`{}`](#{anchor}) | {} | {title} |",
                check.id,
                check.severity.as_str()
            ),
        );
    }
    for control in keyvigil_detector::controls() {
        let meta = control.meta();
        line(&mut page, &format!("\n## {}\n", meta.check.id));
        page.push_str(&manual(&meta.check.doc()));
        line(
            &mut page,
            &format!("\nReferences: {}.", meta.check.references.join(", ")),
        );
        if !meta.permissions.is_empty() {
            let permissions: Vec<String> = meta
                .permissions
                .iter()
                .map(|action| format!("`{action}`"))
                .collect();
            line(
                &mut page,
                &format!("\nPermissions that it needs: {}.", permissions.join(", ")),
            );
        }
    }
    page
}

/// Every metric.
pub(crate) fn metrics(described: &[Described]) -> String {
    let mut page = banner("the registry in `crates/keyvigil/src/metrics.rs`");
    page.push_str(
        "# Metrics\n\n`/metrics` of the admin server (`admin.listen`, by default `127.0.0.1:9650`). Every label is a \
         closed list or comes from\nthe configuration: no principal, address, ARN, account or alias can become a label \
         or add a series.\n\n| metric | type | labels | help |\n|---|---|---|---|\n",
    );
    let mut sorted: Vec<&Described> = described.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    for metric in sorted {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, labels, help) = (metric.kind, labels.join(", "), cell(&metric.help));
        line(
            &mut page,
            &format!("| `{}` | {kind} | {labels} | {help} |", metric.name),
        );
    }
    page
}

/// The head of a file as a section: its own title becomes a line of text under the id.
fn manual(doc: &str) -> String {
    let mut section = String::new();
    for text in doc.trim_end().lines() {
        match text.strip_prefix("# ") {
            Some(title) => line(&mut section, &format!("**{title}**")),
            None => line(&mut section, text),
        }
    }
    section
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to text cannot fail");
}
