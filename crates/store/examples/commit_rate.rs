//! Prints how many events a second the store takes in, in batches of 500: dedupe look-up, then one durable commit of
//! dedupe keys and ledger entries. `cargo run --release -p keyvigil-store --example commit_rate [batches] [days]`
//!
//! `days` fills that many earlier days with as many keys first: a look-up asks every day that is kept.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::time::Duration;

use keyvigil_model::action::Action;
use keyvigil_model::event::Outcome;
use keyvigil_model::id::{AccountId, DedupeKey};
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;
use keyvigil_store::commit::LedgerEntry;
use keyvigil_store::{Commit, Store, StoreError, StoreOptions};
use tokio::time::Instant;

const BATCH: u64 = 500;
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let batches: u64 = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let days: u32 = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let directory = std::env::temp_dir().join(format!("keyvigil-commit-rate-{}", std::process::id()));
    let store = Store::open(&directory, StoreOptions::default()).await?;
    let today = Timestamp::from_secs(20_000 * 86_400);
    for day in 1..=days {
        fill(&store, today.minus(DAY * day), batches * BATCH).await?;
    }
    measure(&store, today, batches).await?;
    let size = store.size().await?;
    println!(
        "{} MiB on disk, {} MiB of log",
        size.database / 1_048_576,
        size.wal / 1_048_576
    );
    store.close().await?;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

/// Keys of an earlier day, in large commits.
async fn fill(store: &Store, now: Timestamp, keys: u64) -> Result<(), StoreError> {
    let seen = (0..keys).map(|number| key(now, number)).collect();
    store
        .commit(Commit {
            seen,
            ..Commit::at(now)
        })
        .await
}

async fn measure(store: &Store, now: Timestamp, batches: u64) -> Result<(), StoreError> {
    let (mut looking, mut committing) = (Duration::ZERO, Duration::ZERO);
    let mut slowest = Duration::ZERO;
    for batch in 0..batches {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        let seen: Vec<DedupeKey> = numbers.clone().map(|number| key(now, number)).collect();
        let commit = Commit {
            ledger: numbers.map(|number| ledger_entry(now, number)).collect(),
            ..Commit::at(now)
        };
        let started = Instant::now();
        let new = store.unseen(&seen).await?;
        let looked = Instant::now();
        store
            .commit(Commit {
                seen: new.into_iter().collect(),
                ..commit
            })
            .await?;
        looking += looked - started;
        committing += looked.elapsed();
        slowest = slowest.max(looked.elapsed());
    }
    let rate = |span: Duration| (batches * BATCH) as f64 / span.as_secs_f64();
    println!(
        "{} events in batches of {BATCH}: {:.0} events/s in all; look-up alone {:.0}/s; commit alone {:.0}/s; slowest commit {slowest:?}",
        batches * BATCH,
        rate(looking + committing),
        rate(looking),
        rate(committing),
    );
    Ok(())
}

fn key(now: Timestamp, number: u64) -> DedupeKey {
    DedupeKey::of(&[&now.as_micros().to_le_bytes(), &number.to_le_bytes()])
}

/// 2,000 different lines: 40 keys used by 50 principals.
fn ledger_entry(now: Timestamp, number: u64) -> LedgerEntry {
    LedgerEntry {
        day: now.day(),
        provider: Provider::Aws,
        account: AccountId::from("123456789012"),
        key: format!("arn:aws:kms:eu-west-1:123456789012:key/{:036}", number % 40),
        principal: format!("arn:aws:iam::123456789012:role/service-{}", number / 40 % 50),
        operation: Action::KeyDecrypt,
        outcome: Outcome::Success,
        count: 1,
        first: now,
        last: now,
    }
}
