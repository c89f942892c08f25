//! Opening: modes, lock, versions, damage, a full disk.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyvigil_model::id::{DedupeKey, ReceiverId};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

use super::builder::Build;
use super::{TempDir, at, open, rows, sql};
use crate::commit::Commit;
use crate::{Opened, Store, StoreError, StoreOptions};

fn keys(from: u64, to: u64) -> Vec<DedupeKey> {
    (from..to)
        .map(|number| DedupeKey::of(&[&number.to_le_bytes()]))
        .collect()
}

async fn commit_keys(store: &Store, from: u64, to: u64) -> Result<(), StoreError> {
    store
        .commit(Commit {
            seen: keys(from, to),
            ..Commit::at(at(0))
        })
        .await
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn only_the_owner_can_read_the_state() {
    let dir = TempDir::new("modes");
    std::fs::create_dir(dir.state()).unwrap();
    std::fs::set_permissions(dir.state(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = open(&dir.state()).await;
    assert_eq!(store.opened(), &Opened::Created);
    commit_keys(&store, 0, 10).await.unwrap();
    store.backup().await.unwrap();
    assert_eq!(mode(&dir.state()), 0o700);
    let mut files = 0;
    for entry in std::fs::read_dir(dir.state()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert!(files >= 4, "database, its log, lock and backup: {files}");
}

#[tokio::test]
async fn the_settings_that_durability_needs_are_in_force() {
    let dir = TempDir::new("pragmas");
    let store = open(&dir.state()).await;
    let mut writer = store.writer().await.unwrap();
    for (pragma, wanted) in [
        ("PRAGMA journal_mode", "wal"),
        ("PRAGMA synchronous", "2"),
        ("PRAGMA foreign_keys", "1"),
        ("PRAGMA trusted_schema", "0"),
        ("PRAGMA journal_size_limit", "67108864"),
        ("PRAGMA auto_vacuum", "2"),
        ("PRAGMA busy_timeout", "5000"),
    ] {
        let row = sqlx::query(pragma).fetch_one(writer.connection()).await.unwrap();
        let read = match row.try_get::<i64, _>(0) {
            Ok(number) => number.to_string(),
            Err(_) => row.get::<String, _>(0),
        };
        assert_eq!(read, wanted, "{pragma}");
    }
}

#[tokio::test]
async fn two_daemons_cannot_share_a_state_directory() {
    let dir = TempDir::new("lock");
    let store = open(&dir.state()).await;
    let second = Store::open(&dir.state(), StoreOptions::default()).await;
    let Err(error @ StoreError::Locked { .. }) = second else {
        panic!("opened twice");
    };
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    assert!(text.contains("keyvigil.lock"), "{text}");

    // Reading needs no lock, but something to read.
    let nothing = Store::open_read_only(&dir.0).await;
    assert!(
        matches!(nothing, Err(StoreError::File { .. })),
        "{:?}",
        nothing.err()
    );
    commit_keys(&store, 0, 3).await.unwrap();
    let reader = Store::open_read_only(&dir.state()).await.unwrap();
    assert_eq!(reader.unseen(&keys(0, 4)).await.unwrap().len(), 1);
    drop(reader);
    drop(store);
    open(&dir.state()).await;
}

#[tokio::test]
async fn a_database_of_version_one_is_brought_up_to_date() {
    let dir = TempDir::new("version-1");
    let store = open(&dir.state()).await;
    store.close().await.unwrap();
    let database = dir.state().join("keyvigil.db");
    std::fs::remove_file(&database).unwrap();
    // What the first release left on disk.
    let mut old = SqliteConnectOptions::new()
        .filename(&database)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(include_str!("../../migrations/0001_initial.sql"))
        .execute(&mut old)
        .await
        .unwrap();
    let first = crate::open::MIGRATIONS.iter().next().unwrap();
    sqlx::raw_sql(
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
          installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
          checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);
         INSERT INTO checkpoints VALUES ('aws/1', '42', 7);",
    )
    .execute(&mut old)
    .await
    .unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (1, 'initial', '2026-01-01', 1, ?, 0)")
        .bind(first.checksum.to_vec())
        .execute(&mut old)
        .await
        .unwrap();
    old.close().await.unwrap();

    let store = open(&dir.state()).await;
    assert_eq!(store.opened(), &Opened::Existing);
    assert_eq!(store.checkpoint("aws/1").await.unwrap().as_deref(), Some("42"));
    let newest = crate::open::MIGRATIONS.iter().map(|step| step.version).max();
    let reached: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(reached, newest);
    store
        .commit(Commit {
            outbox: vec![Build::new(3).notification()],
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let dir = TempDir::new("newer");
    let store = open(&dir.state()).await;
    sql(
        &store,
        "INSERT INTO _sqlx_migrations VALUES (9000, 'from the future', '2030-01-01', 1, x'00', 0)",
    )
    .await;
    store.close().await.unwrap();
    let refused = Store::open_read_only(&dir.state()).await;
    assert!(
        matches!(refused, Err(StoreError::NewerSchema { found: 9000, .. })),
        "{:?}",
        refused.err()
    );
    for _ in 0..2 {
        let refused = Store::open(&dir.state(), StoreOptions::default()).await;
        assert!(
            matches!(refused, Err(StoreError::NewerSchema { found: 9000, .. })),
            "{:?}",
            refused.err()
        );
    }
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() > 8 * 4096);
    bytes[4096..6 * 4096].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_database_is_kept_aside_and_reported() {
    for garbage in [false, true] {
        let dir = TempDir::new("damaged");
        let store = open(&dir.state()).await;
        commit_keys(&store, 0, 2_000).await.unwrap();
        store.close().await.unwrap();
        let database = dir.state().join("keyvigil.db");
        if garbage {
            std::fs::write(&database, "this is not a database at all, ".repeat(2_000)).unwrap();
        } else {
            damage(&database);
        }
        let damaged = std::fs::read(&database).unwrap();

        let store = open(&dir.state()).await;
        let Opened::Recovered(recovery) = store.opened() else {
            panic!("garbage {garbage}: {:?}", store.opened());
        };
        assert_eq!(recovery.restored_from, None);
        assert!(!recovery.problem.is_empty());
        assert!(
            std::fs::read(&recovery.moved_to).unwrap() == damaged,
            "garbage {garbage}: changed"
        );
        assert_eq!(rows(&store, "seen_events").await, 0);
        commit_keys(&store, 0, 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_takes_the_place_of_a_damaged_database() {
    let dir = TempDir::new("restored");
    let store = open(&dir.state()).await;
    store
        .commit(Commit {
            seen: keys(0, 2_000),
            outbox: vec![Build::new(3).notification()],
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    store.backup().await.unwrap();
    store.backup().await.unwrap();
    commit_keys(&store, 2_000, 2_500).await.unwrap();
    store.close().await.unwrap();
    damage(&dir.state().join("keyvigil.db"));

    let store = open(&dir.state()).await;
    let Opened::Recovered(recovery) = store.opened() else {
        panic!("{:?}", store.opened());
    };
    assert!(recovery.restored_from.is_some());
    assert_eq!(store.unseen(&keys(0, 2_500)).await.unwrap().len(), 500);
    // It may have been delivered after the backup.
    let claimed = store
        .claim_outbox(&ReceiverId::from("slack"), at(1), 10)
        .await
        .unwrap();
    assert!(claimed[0].was_unknown);
}

#[tokio::test]
async fn a_log_without_its_database_is_not_played_into_a_new_one() {
    let dir = TempDir::new("stale-log");
    let store = open(&dir.state()).await;
    commit_keys(&store, 0, 100).await.unwrap();
    let log = dir.state().join("keyvigil.db-wal");
    let stale = std::fs::read(&log).unwrap();
    assert!(!stale.is_empty());
    store.close().await.unwrap();
    std::fs::remove_file(dir.state().join("keyvigil.db")).unwrap();
    std::fs::write(&log, &stale).unwrap();

    let store = open(&dir.state()).await;
    assert_eq!(store.opened(), &Opened::Created);
    assert_eq!(rows(&store, "seen_events").await, 0);
    assert_eq!(
        std::fs::read(dir.state().join("keyvigil.db.damaged-1-wal")).unwrap(),
        stale
    );
}

#[tokio::test]
async fn after_the_disk_failed_the_next_commit_opens_the_file_again() {
    let dir = TempDir::new("reopen");
    let store = open(&dir.state()).await;
    commit_keys(&store, 0, 10).await.unwrap();
    let failed = StoreError::Disk(sqlx::Error::PoolClosed);
    let writer = store.writer().await.unwrap();
    assert!(writer.keep_if_sound(Err::<(), _>(failed)).is_err());
    commit_keys(&store, 10, 20).await.unwrap();
    assert_eq!(rows(&store, "seen_events").await, 20);
}

#[tokio::test]
async fn a_full_disk_is_told_and_costs_nothing_that_was_committed() {
    let dir = TempDir::new("full");
    let options = StoreOptions {
        max_bytes: Some(400 * 1024),
        ..StoreOptions::default()
    };
    let store = Store::open(&dir.state(), options).await.unwrap();
    let mut committed = 0;
    let error = loop {
        match commit_keys(&store, committed, committed + 500).await {
            Ok(()) => committed += 500,
            Err(error) => break error,
        }
        assert!(committed < 1_000_000, "never full");
    };
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(committed > 0);
    assert_eq!(
        rows(&store, "seen_events").await,
        i64::try_from(committed).unwrap()
    );
    // Still full, still usable for reading, still not damaged.
    let again = commit_keys(&store, committed, committed + 500).await;
    assert!(matches!(again, Err(StoreError::Full(_))), "{again:?}");
    assert_eq!(store.unseen(&keys(0, committed + 5)).await.unwrap().len(), 5);
    store.close().await.unwrap();

    let store = open(&dir.state()).await;
    assert_eq!(store.opened(), &Opened::Existing);
    commit_keys(&store, committed, committed + 500).await.unwrap();
    assert_eq!(
        rows(&store, "seen_events").await,
        i64::try_from(committed + 500).unwrap()
    );
}

#[tokio::test]
async fn a_file_where_the_directory_should_be_is_a_clear_error() {
    let dir = TempDir::new("file");
    std::fs::write(dir.state(), "x").unwrap();
    let refused = Store::open(&dir.state(), StoreOptions::default()).await;
    assert!(
        matches!(refused, Err(StoreError::File { .. })),
        "{:?}",
        refused.err()
    );
}
