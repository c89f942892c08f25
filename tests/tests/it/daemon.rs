//! The binary under test: where it is, how it is started, asked and stopped. What was started dies with its handle, also
//! when a test panics.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use keyvigil_testkit::aws::world::access_key_of;
use serde_json::Value;

use crate::it::waiting::{seconds, until};

/// A folder of a test, removed with the handle.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// An empty folder.
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("keyvigil-tests-{}-{count}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file into it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        file
    }

    /// Writes a configuration: the state directory and the admin server of a test, and what the test adds.
    pub(crate) fn config(&self, rest: &str) -> PathBuf {
        let state = self.state_dir();
        let text = format!(
            "[daemon]\nstate_dir = \"{}\"\nstop_seconds = 15\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n{rest}",
            state.display()
        );
        self.write("keyvigil.toml", text)
    }

    /// What the daemon remembers.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path.join("state")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the folder of the failed test is kept: {}", self.path.display());
            return;
        }
        // A folder that cannot be removed is left to the system's cleaning of temporary files.
        let _removed = fs::remove_dir_all(&self.path).is_ok();
    }
}

/// The binary: next to the folder of this test executable, or what `KEYVIGIL_BIN` names.
pub(crate) fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("KEYVIGIL_BIN") {
        return PathBuf::from(named);
    }
    let this = std::env::current_exe().unwrap();
    let found = this
        .parent()
        .and_then(Path::parent)
        .map(|profile| profile.join("keyvigil"));
    let binary = found.unwrap();
    assert!(
        binary.exists(),
        "{} is missing: run `cargo xtask test`, or `cargo build -p keyvigil --features failpoints`",
        binary.display()
    );
    binary
}

/// The command, with credentials of `account` as the fake of AWS reads them, and nothing else of our environment.
pub(crate) fn keyvigil(account: &str) -> Command {
    let mut command = Command::new(binary());
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("AWS_ACCESS_KEY_ID", access_key_of(account))
        .env("AWS_SECRET_ACCESS_KEY", "made-up")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null());
    command
}

/// Runs a verb to its end.
pub(crate) fn ran(account: &str, arguments: &[&str]) -> Output {
    keyvigil(account).args(arguments).output().unwrap()
}

/// What a verb printed as NDJSON.
pub(crate) fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Everything of one kind in the store of a daemon, running or not.
pub(crate) fn listed(config: &Path, list: &str) -> Vec<Value> {
    let arguments = [
        "--config",
        config.to_str().unwrap(),
        "findings",
        "--all",
        "--list",
        list,
        "--output",
        "ndjson",
    ];
    lines(&ran("", &arguments))
}

/// A daemon under test.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
    admin: Option<String>,
}

impl Daemon {
    /// Starts it and waits for its admin server.
    pub(crate) async fn start(folder: &Folder, config: &Path, account: &str) -> Self {
        let mut daemon = Self::spawn(folder, keyvigil(account).arg("--config").arg(config).arg("run"));
        let log = daemon.log.clone();
        let address = until(
            &format!("the admin server of the daemon; log: {}", log.display()),
            seconds(30),
            || {
                assert!(
                    daemon.child.try_wait().unwrap().is_none(),
                    "the daemon ended: {}",
                    fs::read_to_string(&log).unwrap_or_default()
                );
                admin_address(&log)
            },
        )
        .await;
        daemon.admin = Some(format!("http://{address}"));
        daemon
    }

    /// Starts a command whose log goes to a file of its own.
    pub(crate) fn spawn(folder: &Folder, command: &mut Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let log = folder.path().join(format!("daemon-{count}.log"));
        let child = command
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            log,
            admin: None,
        }
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Host and port of its admin server.
    pub(crate) fn address(&self) -> &str {
        self.admin.as_deref().unwrap().trim_start_matches("http://")
    }

    /// Asks its admin server.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}{path}", self.admin.as_deref().unwrap());
        let answer = client.get(url).timeout(seconds(10)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The value of a series, by its full name with labels in alphabetical order.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let (_, page) = self.get("/metrics").await;
        page.lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until a series has the value.
    pub(crate) async fn until_metric(&self, series: &str, wanted: f64, limit: Duration) {
        let started = tokio::time::Instant::now();
        loop {
            let found = self.metric(series).await;
            if found.is_some_and(|found| (found - wanted).abs() < f64::EPSILON) {
                return;
            }
            assert!(
                started.elapsed() < limit,
                "{series} is {found:?}, wanted {wanted}; log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends a signal: `TERM`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.unwrap().success());
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Asks it to stop and waits for it.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        until("the end after SIGTERM", seconds(30), || self.ended()).await
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself: a failpoint.
        let _killed = self.child.kill().is_ok();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(25).collect();
            eprintln!("the end of the daemon's log, newest first:\n{}", tail.join("\n"));
        }
    }
}

fn admin_address(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    let line = text.lines().find(|line| line.contains("admin server"))?;
    let line: Value = serde_json::from_str(line).ok()?;
    Some(line.pointer("/fields/address")?.as_str()?.to_owned())
}
