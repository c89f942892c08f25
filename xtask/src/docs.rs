//! Documents, checked: every relative link leads to a file (and to a heading, where it names one), every file of the tree
//! that is named in `code` exists, and no document names a place that exists on its writer's machine only.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders whose documents are checked, beside those at the top.
const FOLDERS: &[&str] = &["docs", "deploy", "config", ".ci"];

/// Folders of the tree whose files documents name.
const TREE: &[&str] = &[
    "crates/", "tests/", "xtask/", "config/", "deploy/", "docs/", ".ci/",
];

/// Kinds of files that people read.
const KINDS: &[&str] = &["md", "toml", "service", "json", "run"];

/// Parts of paths that mean nothing to anybody else. Spelt in two halves, so that this file does not report itself.
const PRIVATE_PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("/ho", "me/"),
    concat!("../sha", "red"),
];

/// Checks every document below `root`.
pub(crate) fn check(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    for file in documents(root)? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        places(&shown, &text, problems);
        if file.extension().is_some_and(|extension| extension == "md") {
            links(&shown, &file, &text, problems);
            named_files(root, &shown, &text, problems);
        }
    }
    Ok(())
}

fn documents(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            let kind = path
                .extension()
                .or(path.file_name())
                .and_then(|kind| kind.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if kind.is_some_and(|kind| KINDS.contains(&kind)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn places(shown: &str, text: &str, problems: &mut Vec<String>) {
    for (number, line) in text.lines().enumerate() {
        if let Some(place) = PRIVATE_PLACES.iter().find(|place| line.contains(*place)) {
            problems.push(format!("{shown}:{}: names `{place}`", number + 1));
        }
    }
}

fn links(shown: &str, file: &Path, text: &str, problems: &mut Vec<String>) {
    let folder = file.parent().unwrap_or(file);
    for target in targets(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, heading) = target.split_once('#').unwrap_or((target, ""));
        let to = if path.is_empty() {
            file.to_owned()
        } else {
            folder.join(path)
        };
        if !to.exists() {
            problems.push(format!("{shown}: the link `{target}` leads nowhere"));
            continue;
        }
        let known =
            || fs::read_to_string(&to).is_ok_and(|page| anchors(&page).any(|anchor| anchor == heading));
        if !heading.is_empty() && !known() {
            problems.push(format!(
                "{shown}: the link `{target}` names a heading that is not there"
            ));
        }
    }
}

/// Files of the tree that are named in backquotes, such as this one. What holds `<`, `*` or alike is a pattern.
fn named_files(root: &Path, shown: &str, text: &str, problems: &mut Vec<String>) {
    for line in prose(text) {
        for span in line.split('`').skip(1).step_by(2) {
            let is_path = span
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
            let is_ours = TREE.iter().any(|folder| span.starts_with(folder));
            if is_path && is_ours && !root.join(span).exists() {
                problems.push(format!("{shown}: `{span}` does not exist"));
            }
        }
    }
}

/// The targets of `[text](target)` outside code blocks and code spans.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in prose(text) {
        let mut rest = line;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            found.push(&rest[..end]);
            rest = &rest[end..];
        }
    }
    found
}

/// The headings of a page, as GitHub turns them into anchors.
fn anchors(page: &str) -> impl Iterator<Item = String> {
    prose(page)
        .into_iter()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
            let title: String = line.trim_start_matches('#').trim().chars().filter(kept).collect();
            title.to_lowercase().replace(' ', "-")
        })
}

/// The lines that are not in a code block.
fn prose(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_headings_are_found_outside_code() {
        let page =
            "# A `b.c_d` e\n[one](x.md) and [two](y.md#a-bc_d-e)\n```\n[no](z.md)\n# not a heading\n```\n";
        assert_eq!(targets(page), ["x.md", "y.md#a-bc_d-e"]);
        assert_eq!(anchors(page).collect::<Vec<_>>(), ["a-bc_d-e"]);
    }

    #[test]
    fn a_dead_link_a_missing_heading_and_a_private_place_are_reported() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ARCHITECTURE.md");
        let page =
            "# Top\n[a](#top) [b](#bottom) [c](nowhere.md) [d](../README.md) [e](https://example.com/x)\n";
        let mut problems = Vec::new();
        links("docs/x.md", &here, page, &mut problems);
        // The links into the page itself are looked up in the file, which has other headings.
        assert_eq!(problems.len(), 3, "{problems:?}");
        places("docs/x.md", concat!("see /wo", "rk/main"), &mut problems);
        assert_eq!(problems.len(), 4, "{problems:?}");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let page = "`xtask/src/docs.rs` and `crates/<name>` and `docs/gone.md`\n";
        named_files(&root, "docs/x.md", page, &mut problems);
        assert_eq!(problems.len(), 5, "{problems:?}");
    }
}
