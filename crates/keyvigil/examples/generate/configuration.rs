//! docs/configuration.md: every key with what it accepts, its default and its meaning.

use std::fmt::Write;

use serde_json::Value;

use crate::schema::{Entry, Shape};
use crate::{banner, cell};

const INTRODUCTION: &str = "# Configuration

One TOML file, by default `/etc/keyvigil/keyvigil.toml` (`--config` or `KEYVIGIL_CONFIG` name another one). Every key has
a default unless it is marked **required**; an unknown key is an error.

- [config/keyvigil.toml](../config/keyvigil.toml) is a commented example (`keyvigil config example`).
- [config/schema.json](../config/schema.json) is its JSON Schema (`keyvigil config schema`).
- `keyvigil config validate` names every error at once, with file, key and accepted values.
- `keyvigil config show` prints what is in effect, secrets hidden.
- SIGHUP takes over `policy` and `alerts`. Accounts, folders, receivers and addresses need a restart. A file with errors
  is refused, and what was in effect stays.

";

/// The page.
pub(crate) fn page(entries: &[Entry]) -> String {
    let mut page = banner("the types of the configuration") + INTRODUCTION;
    for entry in entries {
        section(&entry.name, entry, &mut page);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn section(path: &str, entry: &Entry, page: &mut String) {
    let (heading, keys) = match &entry.shape {
        Shape::Table(keys) => (format!("[{path}]"), keys),
        Shape::Tables(keys) => (format!("[[{path}]]"), keys),
        Shape::Value(_) => return,
    };
    write_line(page, &format!("## `{heading}`\n\n{}\n", entry.doc));
    let mut has_rows = false;
    for key in keys {
        let Shape::Value(value) = &key.shape else { continue };
        if !has_rows {
            write_line(page, "| key | accepted | default | meaning |\n|---|---|---|---|");
            has_rows = true;
        }
        let default = match &value.default {
            None => String::from("**required**"),
            Some(Value::Null) => String::from("none"),
            Some(default) => format!("`{default}`"),
        };
        let row = [
            format!("`{}`", key.name),
            value.accepted.clone(),
            default,
            key.doc.clone(),
        ];
        write_line(page, &format!("| {} |", row.map(|text| cell(&text)).join(" | ")));
    }
    if has_rows {
        page.push('\n');
    }
    for key in keys {
        section(&format!("{path}.{}", key.name), key, page);
    }
}

fn write_line(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("writing to text cannot fail");
}
