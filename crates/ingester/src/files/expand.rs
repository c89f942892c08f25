//! From what a person names to a sorted list of files: files, folders with everything below, simple globs.

use std::fs::{DirEntry, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};

/// A file that was found.
#[derive(Debug)]
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// Size and times, as of then.
    pub metadata: Metadata,
}

/// Something named that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PathProblem {
    /// It cannot be read, or is not there.
    #[error("{}: {error}", path.display())]
    Io {
        /// What was named, or the part of it that failed.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// No file matches a pattern.
    #[error("{}: no file matches", pattern.display())]
    NoMatch {
        /// The pattern.
        pattern: PathBuf,
    },
}

/// Expands every path: a file is itself, a folder is every file below it that is called like a log, a pattern (`*`,
/// `?`, and `**` for any depth) is what matches. The result is sorted, without repetitions; hidden files below folders
/// are left out, links are not followed. Problems do not keep the rest from being read.
pub fn expand(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<PathProblem>) {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let before = files.len();
        // A file whose name holds a star is itself.
        let result = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk_into(path, &mut files),
            Ok(_) => {
                files.push(path.clone());
                Ok(())
            }
            Err(_) if is_pattern(path) => glob(path, &mut files),
            Err(error) => Err((path.clone(), error)),
        };
        match result {
            Ok(()) if files.len() == before && is_pattern(path) => {
                problems.push(PathProblem::NoMatch {
                    pattern: path.clone(),
                });
            }
            Ok(()) => {}
            Err((path, error)) => problems.push(PathProblem::Io { path, error }),
        }
    }
    files.sort();
    files.dedup();
    (files, problems)
}

/// Every file below the folder, with what is known of it, in the order of the paths.
pub fn walk(folder: &Path) -> io::Result<Vec<Found>> {
    let mut paths = Vec::new();
    walk_into(folder, &mut paths).map_err(|(_, error)| error)?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        // One that is gone by now was moved away.
        if let Ok(metadata) = std::fs::metadata(&path) {
            found.push(Found { path, metadata });
        }
    }
    Ok(found)
}

type Failed = (PathBuf, io::Error);

fn walk_into(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failed> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let kind = entry.file_type().map_err(|error| (entry.path(), error))?;
            if is_hidden(&entry) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && is_log_name(&entry) {
                files.push(entry.path());
            }
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<DirEntry>, Failed> {
    let at = |error| (folder.to_path_buf(), error);
    let mut list = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at)? {
        list.push(entry.map_err(at)?);
    }
    Ok(list)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

/// Below a folder only files that are called like logs are read: a licence or a note beside them is not a broken log.
/// A file that is named itself is always read.
fn is_log_name(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
    [".json", ".jsonl", ".ndjson", ".log", ".gz"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?'])
}

/// Walks the folders that the pattern names, component by component.
fn glob(pattern: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failed> {
    let mut base = PathBuf::new();
    let mut rest = Vec::new();
    for component in pattern.components() {
        let text = component.as_os_str().to_string_lossy().into_owned();
        if rest.is_empty() && (!matches!(component, Component::Normal(_)) || !text.contains(['*', '?'])) {
            base.push(component);
        } else {
            rest.push(text);
        }
    }
    if base.as_os_str().is_empty() {
        base.push(".");
    }
    match_below(&base, &rest, files)
}

fn match_below(folder: &Path, pattern: &[String], files: &mut Vec<PathBuf>) -> Result<(), Failed> {
    let Some((first, rest)) = pattern.split_first() else {
        return Ok(());
    };
    if first == "**" {
        if rest.is_empty() {
            return walk_into(folder, files);
        }
        match_below(folder, rest, files)?;
    }
    for entry in entries(folder)? {
        let kind = entry.file_type().map_err(|error| (entry.path(), error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if first == "**" {
            if kind.is_dir() && !is_hidden(&entry) {
                match_below(&entry.path(), pattern, files)?;
            }
            continue;
        }
        if !matches(first.as_bytes(), name.as_bytes()) || (is_hidden(&entry) && !first.starts_with('.')) {
            continue;
        }
        match (kind.is_dir(), rest.is_empty()) {
            (true, true) => walk_into(&entry.path(), files)?,
            (true, false) => match_below(&entry.path(), rest, files)?,
            (false, true) if kind.is_file() => files.push(entry.path()),
            (false, _) => {}
        }
    }
    Ok(())
}

/// Whether a name matches a pattern of `*` and `?`. Takes time in proportion to the product of the lengths at most.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                n += 1;
            }
            Some(byte) if *byte == name[n] => {
                p += 1;
                n += 1;
            }
            Some(_) | None => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        };
        check("*.json.gz", "a.json.gz", true);
        check("*.json.gz", "a.json", false);
        check("*", "", true);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "axxbyy", false);
        check("?.json", "1.json", true);
        check("?.json", "12.json", false);
        check("*a*a*a*a*a*b", &"a".repeat(200), false);
    }
}
