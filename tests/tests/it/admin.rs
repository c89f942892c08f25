//! The admin server: health, metrics that Prometheus itself reads and promtool accepts, and clients that dawdle.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use keyvigil_testkit::aws::FakeAws;
use tokio::time::Instant;

use crate::it::company::{ACCOUNT, account, furnish, policy, trail, world_with_logs};
use crate::it::daemon::{Daemon, Folder};
use crate::it::peers::{Peer, debian_program, free_port};
use crate::it::waiting::{seconds, until_true};

async fn watching(folder: &Folder) -> (FakeAws, Daemon) {
    let mut world = world_with_logs();
    furnish(&mut world, ACCOUNT);
    let aws = FakeAws::start(world).await.unwrap();
    let config = folder.config(&format!(
        "{}{}{}",
        policy(&[ACCOUNT]),
        account(&aws, "main", ACCOUNT, ""),
        trail(&aws)
    ));
    let daemon = Daemon::start(folder, &config, ACCOUNT).await;
    (aws, daemon)
}

async fn until_ready(daemon: &Daemon) {
    let started = Instant::now();
    while daemon.get("/readyz").await.0 != 200 {
        assert!(started.elapsed() < seconds(20), "not ready: {}", daemon.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_scrapes_and_promtool_accepts_the_page() {
    let folder = Folder::new("prometheus");
    let (_aws, daemon) = watching(&folder).await;
    until_ready(&daemon).await;
    assert_eq!(daemon.get("/healthz").await, (200, String::from("ok\n")));
    assert_eq!(daemon.get("/nothing").await.0, 404);
    let (status, page) = daemon.get("/metrics").await;
    assert_eq!(status, 200);
    let mut promtool = Command::new(debian_program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(
        checked.status.success() && said.trim().is_empty(),
        "promtool: {said}"
    );

    let port = free_port();
    let settings = folder.write(
        "prometheus.yml",
        format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: keyvigil\n  static_configs: [{{targets: ['{}']}}]\n",
            daemon.address()
        ),
    );
    let _prometheus = Peer::start(
        Command::new(debian_program("prometheus"))
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("tsdb").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}")),
        &folder,
    );
    for query in [
        "up{job=\"keyvigil\"}",
        "keyvigil_build_info",
        "keyvigil_rules_loaded{kind=\"event\"} > bool 10",
        "keyvigil_config_last_reload_successful",
    ] {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let started = Instant::now();
        loop {
            let asked = client
                .get(format!("http://127.0.0.1:{port}/api/v1/query"))
                .query(&[("query", query)])
                .send()
                .await;
            let value: Option<serde_json::Value> = match asked {
                Ok(answer) => answer.json().await.ok(),
                Err(_) => None,
            };
            let found = value
                .as_ref()
                .and_then(|value| value.pointer("/data/result/0/value/1")?.as_str());
            if found == Some("1") {
                break;
            }
            assert!(started.elapsed() < seconds(30), "{query}: {value:?}");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_headers_slowly_is_cut() {
    let folder = Folder::new("slow");
    let (_aws, daemon) = watching(&folder).await;
    let mut slow = TcpStream::connect(daemon.address()).unwrap();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .unwrap();
    slow.set_nonblocking(true).unwrap();
    let started = Instant::now();
    until_true("the connection is cut", seconds(10), || {
        // Further bytes do not win time: the limit is for the headers as a whole.
        let _sent = slow.write(b"a").is_ok();
        match slow.read(&mut [0; 512]) {
            Ok(0) => true,
            Ok(_answer) => false,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    })
    .await;
    assert!(started.elapsed() > seconds(3), "a client has some seconds");
    assert!(started.elapsed() < seconds(8), "{:?}", started.elapsed());
    assert_eq!(daemon.get("/healthz").await.0, 200, "others are served");
}
