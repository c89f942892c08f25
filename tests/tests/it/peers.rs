//! The independent programs that `cargo xtask test` installs: where they are, and how they are started and stopped.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::it::daemon::Folder;

/// The folder of the peers: what `KEYVIGIL_PEERS` names, or where `cargo xtask test` installs them.
fn peers() -> PathBuf {
    let named = std::env::var_os("KEYVIGIL_PEERS").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers"))
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask test`",
        path.display()
    );
    path
}

/// A program of the Python environment: `python`, `moto_server`, `ministack`.
pub(crate) fn python_program(name: &str) -> PathBuf {
    existing(peers().join("python/bin").join(name))
}

/// A program of Debian's.
pub(crate) fn debian_program(name: &str) -> PathBuf {
    existing(peers().join("debian/usr/bin").join(name))
}

/// A port of the loopback interface that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A running peer. It dies with its handle.
pub(crate) struct Peer {
    child: Child,
}

impl Peer {
    /// Starts it; what it prints goes to a file.
    pub(crate) fn start(command: &mut Command, folder: &Folder) -> Self {
        let log = File::create(folder.path().join("peer.log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .env("NO_PROXY", "127.0.0.1")
            .spawn()
            .unwrap();
        Self { child }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill().is_ok();
        let _reaped = self.child.wait().is_ok();
    }
}

/// Runs a Python script with arguments, against an AWS at `endpoint` as the account of `access_key`.
pub(crate) fn python(script: &str, endpoint: &str, access_key: &str, arguments: &[&str]) -> Output {
    Command::new(python_program("python"))
        .arg("-c")
        .arg(script)
        .args(arguments)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", access_key)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap()
}

/// What a script printed as JSON.
pub(crate) fn printed(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

/// What a store holds, read with Python's own SQLite: see `stored.py`.
pub(crate) fn stored(state_dir: &Path) -> Value {
    let database = state_dir.join("keyvigil.db");
    printed(&python(
        include_str!("stored.py"),
        "",
        "test",
        &[database.to_str().unwrap()],
    ))
}
