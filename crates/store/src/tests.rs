//! Tests of the store on real files.

mod adding_up;
mod builder;
mod committing;
mod crashing;
mod listing;
mod maintaining;
mod opening;
mod outbox;
mod outbox_order;
mod round_trips;
mod unreadable;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use keyvigil_model::time::Timestamp;

use crate::{Store, StoreOptions};

/// A directory of its own, removed when it is dropped.
struct TempDir(PathBuf);

impl TempDir {
    fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("keyvigil-store-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The state directory; it does not exist yet.
    fn state(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A directory that stays behind harms nobody.
        let _kept = std::fs::remove_dir_all(&self.0);
    }
}

async fn open(path: &Path) -> Store {
    Store::open(path, StoreOptions::default()).await.unwrap()
}

/// Noon of day 20000, and seconds after it.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(20_000 * 86_400 + 43_200 + seconds)
}

/// How many rows a table has.
async fn rows(store: &Store, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))
        .fetch_one(store.pool())
        .await
        .unwrap()
}

/// Runs a statement past the store's own methods.
async fn sql(store: &Store, statement: &'static str) {
    let mut writer = store.writer().await.unwrap();
    sqlx::query(statement).execute(writer.connection()).await.unwrap();
}
