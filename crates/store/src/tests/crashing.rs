//! Killing the process at the failpoints: a child runs this test binary and must find its work whole or absent.

#[cfg(feature = "failpoints")]
mod killed {
    use std::path::PathBuf;
    use std::process::Command;

    use keyvigil_model::alert::NotifyReason;
    use keyvigil_model::id::{DedupeKey, ReceiverId};

    use crate::commit::Commit;
    use crate::tests::builder::Build;
    use crate::tests::{TempDir, at, open, rows};
    use crate::view::Retention;

    const DIRECTORY: &str = "KEYVIGIL_STORE_TEST_DIRECTORY";

    /// What the child does; without the variable, in an ordinary test run, nothing.
    #[tokio::test]
    async fn child() {
        let Some(path) = std::env::var_os(DIRECTORY) else {
            return;
        };
        let store = open(&PathBuf::from(path)).await;
        let mut notification = Build::new(1).notification();
        notification.reason = NotifyReason::New;
        let commit = Commit {
            seen: (0..100u64)
                .map(|number| DedupeKey::of(&[&number.to_le_bytes()]))
                .collect(),
            outbox: vec![notification],
            ..Commit::at(at(0))
        };
        store.commit(commit).await.unwrap();
        store
            .claim_outbox(&ReceiverId::from("slack"), at(0), 1)
            .await
            .unwrap();
        store
            .prune(at(100 * 86_400), &Retention::default())
            .await
            .unwrap();
        store.checkpoint_wal().await.unwrap();
    }

    #[tokio::test]
    async fn what_a_kill_leaves_is_whole() {
        // Failpoint; keys and days seen afterwards; attempts to recover.
        let cases = [
            ("batch_before_commit", (0, 0), 0),
            ("batch_after_commit", (100, 1), 0),
            ("outbox_claimed", (100, 1), 1),
            ("prune_mid", (0, 1), 1),
            ("prune_mid:2", (0, 0), 1),
            ("checkpoint_mid", (0, 0), 1),
        ];
        for (failpoint, seen, recovered) in cases {
            let dir = TempDir::new("killed");
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "tests::crashing::killed::child"])
                .env("KEYVIGIL_FAILPOINT", failpoint)
                .env(DIRECTORY, dir.state())
                .output()
                .unwrap()
                .status;
            assert!(!status.success(), "{failpoint} was not reached");
            let store = open(&dir.state()).await;
            assert_eq!(store.opened(), &crate::Opened::Existing, "{failpoint}");
            let left = (rows(&store, "seen_events").await, rows(&store, "seen_days").await);
            assert_eq!(left, seen, "{failpoint}");
            assert_eq!(
                store.recover_outbox(at(1)).await.unwrap(),
                recovered,
                "{failpoint}"
            );
        }
    }
}
