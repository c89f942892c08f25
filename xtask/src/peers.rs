//! Installs the independent programs that the system tests talk to, into `target/peers`: nothing outside the tree
//! changes, apart from apt's package lists when they are empty.
//!
//! - moto's server (PyPI): AWS configuration, S3 and SQS.
//! - ministack (PyPI): CloudTrail LookupEvents that records the calls made to it.
//! - Prometheus with promtool (Debian).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::report;

/// Versions that the tests were written against.
const PYTHON_PACKAGES: &[&str] = &[
    "moto[server]==5.2.5",
    "boto3",
    "ministack==1.5.33",
    "cryptography",
    "slack_sdk",
];
const DEBIAN_PACKAGES: &[&str] = &["prometheus"];

/// Installs what is missing and returns the folder.
pub(crate) fn install(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/peers");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let stamp = folder.join("installed");
    let wanted = format!("{PYTHON_PACKAGES:?} {DEBIAN_PACKAGES:?}");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    python(&folder)?;
    debian(&folder)?;
    fs::write(&stamp, wanted)?;
    Ok(folder)
}

fn python(folder: &Path) -> Result<()> {
    let venv = folder.join("python");
    report("installing moto and ministack from PyPI");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).status();
    if !made.is_ok_and(|status| status.success()) {
        // Debian keeps venv in a package of its own.
        as_root(&[
            "apt-get",
            "install",
            "-y",
            "-qq",
            "python3",
            "python3-venv",
            "python3-pip",
        ])?;
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let pip = venv.join("bin/pip");
    succeed(
        Command::new(pip)
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(PYTHON_PACKAGES),
    )
}

fn debian(folder: &Path) -> Result<()> {
    let packages = folder.join("debian-packages");
    let unpacked = folder.join("debian");
    fs::create_dir_all(&packages)?;
    fs::create_dir_all(&unpacked)?;
    report("fetching Prometheus from Debian");
    let fetch = || {
        Command::new("apt-get")
            .args(["download", "-qq"])
            .args(DEBIAN_PACKAGES)
            .current_dir(&packages)
            .status()
    };
    if !fetch().is_ok_and(|status| status.success()) {
        as_root(&["apt-get", "update", "-qq"])?;
        if !fetch().is_ok_and(|status| status.success()) {
            bail!("apt-get download {DEBIAN_PACKAGES:?} failed");
        }
    }
    for entry in fs::read_dir(&packages)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            succeed(Command::new("dpkg-deb").arg("-x").arg(&path).arg(&unpacked))?;
        }
    }
    Ok(())
}

fn as_root(words: &[&str]) -> Result<()> {
    let direct = Command::new(words[0]).args(&words[1..]).status();
    if direct.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    succeed(Command::new("sudo").arg("-n").args(words))
}

/// Runs a command to its end and fails with its name.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
